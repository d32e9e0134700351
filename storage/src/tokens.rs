//! Tokens: personal ones, and those made for one workspace or job, which die with it. Only their hash is stored.

use serde::Serialize;

use crate::db::{Db, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{JobId, TokenId, UserId, WorkspaceId};
use crate::list::{List, Page};
use crate::names;
use crate::secret::{Secret, hash};
use crate::users::{self, User};

const NAME_BYTES: usize = 200;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// As whom it acts.
    pub user_id: UserId,
    /// What its owner called it.
    pub name: String,
    /// What it may be used for; the gateway gives them meaning.
    pub scopes: Vec<String>,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ends by itself.
    pub expires_ms: Option<i64>,
    /// When it was last used, to within some minutes.
    pub last_used_ms: Option<i64>,
    /// When it was ended before its time.
    pub revoked_ms: Option<i64>,
    /// The workspace it was made for.
    pub workspace_id: Option<WorkspaceId>,
    /// The job it was made for.
    pub job_id: Option<JobId>,
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// See [`Token::user_id`].
    pub user_id: UserId,
    /// See [`Token::name`].
    pub name: String,
    /// See [`Token::scopes`].
    pub scopes: Vec<String>,
    /// See [`Token::expires_ms`].
    pub expires_ms: Option<i64>,
    /// See [`Token::workspace_id`].
    pub workspace_id: Option<WorkspaceId>,
    /// See [`Token::job_id`].
    pub job_id: Option<JobId>,
}

impl Record for Token {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            user_id: row.parsed("user_id")?,
            name: row.text("name")?,
            scopes: row.json("scopes")?,
            created_ms: row.int("created_ms")?,
            expires_ms: row.maybe_int("expires_ms")?,
            last_used_ms: row.maybe_int("last_used_ms")?,
            revoked_ms: row.maybe_int("revoked_ms")?,
            workspace_id: row.maybe_parsed("workspace_id")?,
            job_id: row.maybe_parsed("job_id")?,
        })
    }
}

/// Makes a token; the secret is shown to its owner once.
///
/// # Errors
/// `NotFound` for an unknown user, workspace or job; `Conflict` for a disabled user; `Invalid` for an end in the past.
pub async fn create(tx: &mut Tx, new: &NewToken) -> Result<(Token, Secret)> {
    names::check_text("name of a token", &new.name, NAME_BYTES)?;
    if new
        .expires_ms
        .is_some_and(|expires_ms| expires_ms <= tx.now_ms())
    {
        return Err(Error::invalid("a token ends in the future"));
    }
    let user = users::get(&mut *tx, new.user_id)
        .await?
        .ok_or_else(|| Error::not_found("there is no such user"))?;
    if user.disabled {
        return Err(Error::conflict("the user is disabled"));
    }
    let (id, secret) = (TokenId::new(tx.clock()), Secret::mint_token());
    let scopes = serde_json::to_string(&new.scopes)
        .map_err(|error| Error::internal("a list of scopes is not JSON", error))?;
    let text = "INSERT INTO tokens (id, user_id, name, token_hash, scopes, created_ms, expires_ms, workspace_id, job_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let query = sql(text)
        .bind(id)
        .bind(new.user_id)
        .bind(new.name.as_str())
        .bind(secret.hash())
        .bind(scopes);
    execute(
        tx,
        query
            .bind(tx.now_ms())
            .bind(new.expires_ms)
            .bind(new.workspace_id)
            .bind(new.job_id),
    )
    .await?;
    let token = optional(tx, sql("SELECT * FROM tokens WHERE id = $1").bind(id)).await?;
    Ok((
        token.ok_or_else(|| Error::fault("a token vanished as it was made"))?,
        secret,
    ))
}

/// The token that `secret` is, and its user; `None` where it ended, was revoked or the user is disabled.
pub async fn authenticate(db: &Db, secret: &str) -> Result<Option<(Token, User)>> {
    let text = "SELECT * FROM tokens WHERE token_hash = $1 AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > $2)";
    let Some(token) = optional::<Token>(db, sql(text).bind(hash(secret)).bind(db.now_ms())).await?
    else {
        return Ok(None);
    };
    let user = users::get(db, token.user_id)
        .await?
        .filter(|user| !user.disabled);
    Ok(user.map(|user| (token, user)))
}

/// The token with this id while it works: for looking again while a tunnel is open. `None` where [`authenticate`] would say so.
pub async fn get(db: &Db, id: TokenId) -> Result<Option<Token>> {
    let text = "SELECT t.* FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1 AND t.revoked_ms IS NULL \
         AND (t.expires_ms IS NULL OR t.expires_ms > $2) AND u.disabled = 0";
    optional(db, sql(text).bind(id).bind(db.now_ms())).await
}

/// The personal tokens of a user that are not revoked, newest first; those that have expired are among them.
pub async fn list(db: &Db, user_id: UserId, page: &Page) -> Result<List<Token>> {
    let text = "SELECT * FROM tokens WHERE user_id = $1 AND revoked_ms IS NULL AND workspace_id IS NULL AND job_id IS NULL \
         AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    let items = all(
        db,
        sql(text)
            .bind(user_id)
            .bind(page.after::<TokenId>()?)
            .bind(page.fetch()),
    )
    .await?;
    Ok(List::cut(items, page, |token: &Token| token.id))
}

/// Records use. Callers do so now and then, not for every request.
pub async fn touch(tx: &mut Tx, id: TokenId) -> Result<()> {
    execute(
        tx,
        sql("UPDATE tokens SET last_used_ms = $2 WHERE id = $1")
            .bind(id)
            .bind(tx.now_ms()),
    )
    .await?;
    Ok(())
}

/// Revokes a token of this user, and ends every workspace session that came of it. Returns whether it was one that worked.
pub async fn revoke(tx: &mut Tx, user_id: UserId, id: TokenId) -> Result<bool> {
    let text = "UPDATE tokens SET revoked_ms = $3 WHERE id = $1 AND user_id = $2 AND revoked_ms IS NULL RETURNING *";
    let query = sql(text).bind(id).bind(user_id).bind(tx.now_ms());
    let ended = all(&mut *tx, query).await?;
    revoked(tx, &ended).await?;
    Ok(!ended.is_empty())
}

/// Revokes every personal token of a user. Returns how many there were.
pub async fn revoke_personal(tx: &mut Tx, user_id: UserId) -> Result<usize> {
    let text = "UPDATE tokens SET revoked_ms = $2 WHERE user_id = $1 AND revoked_ms IS NULL \
         AND workspace_id IS NULL AND job_id IS NULL RETURNING *";
    let query = sql(text).bind(user_id).bind(tx.now_ms());
    let ended = all(&mut *tx, query).await?;
    revoked(tx, &ended).await?;
    Ok(ended.len())
}

/// Revokes every token made for a workspace.
pub async fn revoke_of_workspace(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text = "UPDATE tokens SET revoked_ms = $2 WHERE workspace_id = $1 AND revoked_ms IS NULL RETURNING *";
    let query = sql(text).bind(id).bind(tx.now_ms());
    let ended = all(&mut *tx, query).await?;
    revoked(tx, &ended).await
}

/// Revokes every token made for a job.
pub async fn revoke_of_job(tx: &mut Tx, id: JobId) -> Result<()> {
    let text =
        "UPDATE tokens SET revoked_ms = $2 WHERE job_id = $1 AND revoked_ms IS NULL RETURNING *";
    let query = sql(text).bind(id).bind(tx.now_ms());
    let ended = all(&mut *tx, query).await?;
    revoked(tx, &ended).await
}

async fn revoked(tx: &mut Tx, ended: &[Token]) -> Result<()> {
    for token in ended {
        execute(
            tx,
            sql("DELETE FROM workspace_sessions WHERE token_id = $1").bind(token.id),
        )
        .await?;
        execute(
            tx,
            sql("DELETE FROM links WHERE token_id = $1").bind(token.id),
        )
        .await?;
        let (user_id, subject) = (Some(token.user_id), token.id.to_string());
        tx.notice(Notice {
            kind: Kind::TokenRevoked,
            project_id: None,
            user_id,
            subject,
        });
    }
    Ok(())
}
