//! The caller's own account.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use storage::{audit, sessions, users};
use utoipa::ToSchema;

use super::users::User;
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::Json,
};

/// What to change about oneself; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMe {
    /// The name for people.
    display_name: Option<String>,
    /// The password.
    password: Option<UpdatePassword>,
}

/// A change of password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdatePassword {
    /// The password until now; needed once there is one.
    current: Option<String>,
    /// The password from now on: 10 characters at least.
    new: String,
}

/// Says who the caller is.
#[utoipa::path(get, path = "/me", operation_id = "get_me", tag = "account",
    responses((status = 200, body = User), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_me(principal: Principal) -> Result<Json<User>, ApiError> {
    authz::require_general(&principal, Action::ReadSelf)?;
    Ok(Json(principal.user.into()))
}

/// Changes the caller's name or password.
///
/// A new password ends every other session.
#[utoipa::path(patch, path = "/me", operation_id = "update_me", tag = "account", request_body = UpdateMe,
    responses((status = 200, body = User), (status = "4XX", body = Envelope)))]
pub(crate) async fn update_me(
    State(app): State<App>,
    principal: Principal,
    Json(update): Json<UpdateMe>,
) -> Result<Json<User>, ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    let id = principal.user.id;
    let hash = match update.password {
        Some(password) => {
            authz::require_general(&principal, Action::ChangePassword)?;
            Some(new_hash(&app, &principal, password).await?)
        }
        None => None,
    };
    let change = users::Change {
        display_name: update.display_name,
        ..users::Change::default()
    };
    let kept = principal.session();
    let (hash, change) = (hash.as_deref(), &change);
    let principal_name = principal.user.name.as_str();
    let user = app
        .db()
        .write(move |mut tx| async move {
            if hash.is_some() {
                users::set_password_hash(&mut tx, id, hash).await?;
                sessions::revoke_others(&mut tx, id, kept).await?;
                let (what, name) = ("change_password", principal_name);
                audit::record(&mut tx, Some(id), what, name, &json!({})).await?;
            }
            users::update(&mut tx, id, change).await
        })
        .await?;
    Ok(Json(user.into()))
}

/// Checks the password until now, slowly for guessers, and hashes the new one.
async fn new_hash(
    app: &App,
    principal: &Principal,
    password: UpdatePassword,
) -> Result<String, ApiError> {
    let stored = users::password_hash(app.db(), principal.user.id).await?;
    if stored.is_some() {
        let key = crate::auth::rate::key_of_user(principal.user.id);
        let clock = app.db().clock();
        app.sign_in_failures()
            .attempt(key, &**clock)
            .map_err(|wait_s| {
                ApiError::too_many("Too many wrong passwords. Wait a little.", wait_s)
            })?;
        let current = password.current.unwrap_or_default();
        if !app.passwords().verify(current, stored).await? {
            return Err(ApiError::forbidden("The current password is not right."));
        }
        app.sign_in_failures().succeeded(key);
    }
    app.passwords().hash(password.new).await
}
