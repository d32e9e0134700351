//! What is done on the server's own machine without signing in: whoever can write to the data directory may. It goes past the gateway, not past
//! storage, so a running server sees every change at once.

use std::path::Path;

use anyhow::Context as _;
use gateway::auth::Scopes;
use serde_json::{Value, json};
use storage::tokens::{self, NewToken};
use storage::users::{self, Change, NewUser, User};
use storage::{Db, Page, audit, links};

use crate::config::Config;
use crate::service::{DataFolder, open_db};

/// A sign-in link works this long, as one from the app does.
const LINK_MS: i64 = 15 * 60 * 1000;

/// The server's records, opened on its own machine.
pub(crate) struct Host {
    db: Db,
    /// The address that people type, without a slash at its end.
    url: String,
}

impl Host {
    /// Opens the records of a data directory; the usual one where none is named.
    ///
    /// # Errors
    /// When no server has ever kept anything there, or the records cannot be opened.
    pub(crate) async fn open(named: Option<&Path>, config: Option<&Path>) -> anyhow::Result<Self> {
        let folder = DataFolder::find(named)?.context(
            "no server keeps its data here: name its data directory with --data-dir, or sign in with `cairn login URL`",
        )?;
        let config = Config::load(config, folder.path(), None)?;
        // A running server knows best where it is reached.
        let url = match folder.running() {
            Some(running) => running.url,
            None => config.public_url()?.to_string(),
        };
        let db = open_db(&config, &folder).await?;
        Ok(Self {
            db,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Adds a person and makes their first sign-in link.
    pub(crate) async fn add(&self, new: &NewUser) -> anyhow::Result<Value> {
        let (user, code) = self
            .db
            .write(move |mut tx| async move {
                let user = users::create(&mut tx, new).await?;
                let code = links::create_sign_in(&mut tx, user.id, LINK_MS).await?;
                audit::record(&mut tx, None, "host_create_user", &new.name, &json!({})).await?;
                Ok((user, code))
            })
            .await?;
        Ok(json!({ "user": user, "link": self.link_of(code.expose()) }))
    }

    /// Makes a sign-in link for a person; the one made before ends.
    pub(crate) async fn link(&self, name: &str) -> anyhow::Result<Value> {
        let user = self.person(name).await?;
        anyhow::ensure!(
            !user.disabled,
            "{name} is disabled: `cairn user enable {name}` comes first"
        );
        let id = user.id;
        let code = self
            .db
            .write(move |mut tx| async move {
                links::revoke_sign_in(&mut tx, id).await?;
                audit::record(&mut tx, None, "host_create_user_link", name, &json!({})).await?;
                links::create_sign_in(&mut tx, id, LINK_MS).await
            })
            .await?;
        let expires_ms = self.db.now_ms() + LINK_MS;
        Ok(json!({ "link": self.link_of(code.expose()), "expires_ms": expires_ms }))
    }

    /// Shuts a person out or lets them in again.
    pub(crate) async fn disable(&self, name: &str, disabled: bool) -> anyhow::Result<Value> {
        let id = self.person(name).await?.id;
        let change = &Change {
            disabled: Some(disabled),
            ..Change::default()
        };
        let user = self
            .db
            .write(move |mut tx| async move {
                let detail = json!({ "disabled": disabled });
                audit::record(&mut tx, None, "host_update_user", name, &detail).await?;
                users::update(&mut tx, id, change).await
            })
            .await?;
        Ok(serde_json::to_value(user)?)
    }

    /// Lists everybody, newest first.
    pub(crate) async fn list(&self) -> anyhow::Result<Value> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let page = Page {
                limit: 1000,
                cursor,
            };
            let list = users::list(&self.db, &page).await?;
            items.extend(list.items);
            cursor = list.next;
            if cursor.is_none() {
                return Ok(json!({ "items": items, "next": null }));
            }
        }
    }

    /// Makes a token for a person.
    pub(crate) async fn token(
        &self,
        user: &str,
        name: &str,
        scopes: &[String],
        expires_ms: Option<i64>,
    ) -> anyhow::Result<Value> {
        let granted = match scopes {
            [] => Scopes::all(),
            named => Scopes::from_names(named.iter().map(String::as_str)),
        };
        let unknown = scopes.iter().find(|scope| !granted.names().contains(scope));
        if let Some(unknown) = unknown {
            anyhow::bail!(
                "there is no scope {unknown}; there are: {}",
                Scopes::all().names().join(", ")
            );
        }
        let new = &NewToken {
            user_id: self.person(user).await?.id,
            name: name.to_owned(),
            scopes: granted.names(),
            expires_ms,
            workspace_id: None,
            job_id: None,
        };
        let (token, secret) = self
            .db
            .write(move |mut tx| async move {
                audit::record(
                    &mut tx,
                    None,
                    "host_create_token",
                    user,
                    &json!({ "name": name }),
                )
                .await?;
                tokens::create(&mut tx, new).await
            })
            .await?;
        Ok(json!({ "token": secret.expose(), "info": token }))
    }

    async fn person(&self, name: &str) -> anyhow::Result<User> {
        let found = users::by_name(&self.db, name).await?;
        found.with_context(|| format!("there is no user {name}: `cairn user ls` lists them"))
    }

    fn link_of(&self, code: &str) -> String {
        format!("{}/sign-in#{code}", self.url)
    }
}
