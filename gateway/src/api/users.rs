//! People, as administrators manage them.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    audit,
    ids::UserId,
    links,
    users::{self as records, Change, NewUser as Record},
};
use utoipa::ToSchema;

use super::types::{Listing, PageQuery};
use crate::{
    app::App,
    auth::{Principal, ms},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    /// Never changes.
    #[schema(value_type = String)]
    id: UserId,
    /// In paths and commands.
    name: String,
    /// For people.
    display_name: String,
    /// Whether they administer this server.
    admin: bool,
    /// Whether they are kept out.
    disabled: bool,
    /// Whether they can sign in with a password.
    has_password: bool,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
}

impl From<records::User> for User {
    fn from(user: records::User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            display_name: user.display_name,
            admin: user.admin,
            disabled: user.disabled,
            has_password: user.has_password,
            created_ms: user.created_ms,
        }
    }
}

/// A person to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// In paths and commands: lower-case letters, digits, dots, underscores, hyphens.
    name: String,
    /// For people; the name where left out.
    #[serde(default)]
    display_name: String,
    /// Whether they administer this server.
    #[serde(default)]
    admin: bool,
}

/// What to change about a person; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUser {
    /// For people.
    display_name: Option<String>,
    /// Whether they administer this server.
    admin: Option<bool>,
    /// Whether they are kept out. Disabling ends their sessions at once.
    disabled: Option<bool>,
}

/// A person and the link with which they sign in first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    user: User,
    /// Shown this once; one use.
    link: String,
}

/// A sign-in link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInLink {
    /// Shown this once; one use.
    link: String,
    /// When it stops to work, in milliseconds since 1970, UTC.
    expires_ms: i64,
}

/// Lists everybody.
#[utoipa::path(get, path = "/users", operation_id = "list_users", tag = "users", params(PageQuery),
    responses((status = 200, body = Listing<User>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_users(
    State(app): State<App>,
    principal: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<User>>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    Ok(Json(records::list(app.db(), &page.page()?).await?.into()))
}

/// Invites a person: makes them and a link with which they sign in.
#[utoipa::path(post, path = "/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = 201, body = Invitation), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_user(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<Invitation>), ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let record = Record {
        name: new.name,
        display_name: new.display_name,
        admin: new.admin,
    };
    let (by, record, ttl_ms) = (principal.user.id, &record, link_ttl_ms(&app));
    let (user, made) = app
        .db()
        .write(move |mut tx| async move {
            let user = records::create(&mut tx, record).await?;
            let link = links::create_sign_in(&mut tx, user.id, ttl_ms).await?;
            let detail = json!({"admin": user.admin});
            audit::record(&mut tx, Some(by), "create_user", &user.name, &detail).await?;
            Ok((user, link))
        })
        .await?;
    let invitation = Invitation {
        user: user.into(),
        link: link_url(&app, made.expose()),
    };
    Ok((StatusCode::CREATED, Json(invitation)))
}

/// Changes a person, keeps them out or lets them in again.
#[utoipa::path(patch, path = "/users/{user}", operation_id = "update_user", tag = "users", request_body = UpdateUser,
    params(("user" = String, Path, description = "Id or name")),
    responses((status = 200, body = User), (status = "4XX", body = Envelope)))]
pub(crate) async fn update_user(
    State(app): State<App>,
    principal: Principal,
    Path(user): Path<String>,
    Json(update): Json<UpdateUser>,
) -> Result<Json<User>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let user = find(&app, &user).await?;
    let change = Change {
        display_name: update.display_name,
        admin: update.admin,
        disabled: update.disabled,
    };
    let (by, id, change) = (principal.user.id, user.id, &change);
    let user = app
        .db()
        .write(move |mut tx| async move {
            let user = records::update(&mut tx, id, change).await?;
            let detail = json!({"admin": change.admin, "disabled": change.disabled});
            audit::record(&mut tx, Some(by), "update_user", &user.name, &detail).await?;
            Ok(user)
        })
        .await?;
    Ok(Json(user.into()))
}

/// Makes a sign-in link for a person, for example one who has forgotten their password.
#[utoipa::path(post, path = "/users/{user}/link", operation_id = "create_user_link", tag = "users",
    params(("user" = String, Path, description = "Id or name")),
    responses((status = 201, body = SignInLink), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_user_link(
    State(app): State<App>,
    principal: Principal,
    Path(user): Path<String>,
) -> Result<(StatusCode, Json<SignInLink>), ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let user = find(&app, &user).await?;
    let ttl_ms = link_ttl_ms(&app);
    let expires_ms = app.db().now_ms().saturating_add(ttl_ms);
    let (by, id, name) = (principal.user.id, user.id, user.name.as_str());
    let made = app
        .db()
        .write(move |mut tx| async move {
            audit::record(&mut tx, Some(by), "create_user_link", name, &json!({})).await?;
            links::create_sign_in(&mut tx, id, ttl_ms).await
        })
        .await?;
    let link = link_url(&app, made.expose());
    Ok((StatusCode::CREATED, Json(SignInLink { link, expires_ms })))
}

/// The person with this id or name.
///
/// # Errors
/// 404.
pub(super) async fn find(app: &App, text: &str) -> Result<records::User, ApiError> {
    let user = match text.parse::<UserId>() {
        Ok(id) => records::get(app.db(), id).await?,
        Err(_) => records::by_name(app.db(), text).await?,
    };
    user.ok_or_else(|| ApiError::not_found("user"))
}

fn link_ttl_ms(app: &App) -> i64 {
    ms(app.config().lifetimes.sign_in_link)
}

/// The code stands behind `#`, so that no server and no log on the way sees it.
fn link_url(app: &App, code: &str) -> String {
    format!("{}/sign-in#{code}", app.config().app_origin())
}
