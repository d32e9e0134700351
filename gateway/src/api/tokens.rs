//! Personal access tokens, and the exchange of a sign-in link for one.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    audit,
    ids::TokenId,
    links,
    tokens::{self as records, NewToken as Record},
};
use utoipa::ToSchema;

use super::{
    sessions::refused,
    types::{Listing, PageQuery},
};
use crate::{
    app::App,
    auth::{Credential, Principal, Scope, Scopes},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// A personal access token, without the secret itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Never changes.
    #[schema(value_type = String)]
    id: TokenId,
    /// What its owner calls it.
    name: String,
    /// What it may do at most.
    #[schema(value_type = Vec<Scope>)]
    scopes: Scopes,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When it ends by itself; null: never.
    expires_ms: Option<i64>,
    /// When it was last used, to within a minute.
    last_used_ms: Option<i64>,
}

impl From<records::Token> for Token {
    fn from(token: records::Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: Scopes::from_names(token.scopes.iter().map(String::as_str)),
            created_ms: token.created_ms,
            expires_ms: token.expires_ms,
            last_used_ms: token.last_used_ms,
        }
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedToken {
    /// The secret. Shown this once.
    token: String,
    /// What it is.
    info: Token,
}

impl IssuedToken {
    pub(super) fn new(token: records::Token, secret: &storage::secret::Secret) -> Self {
        Self {
            token: secret.expose().to_owned(),
            info: token.into(),
        }
    }
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What to call it.
    name: String,
    /// What it may do at most; all that the credentials of this request may where left out.
    #[schema(value_type = Option<Vec<Scope>>)]
    scopes: Option<Scopes>,
    /// When it ends, in milliseconds since 1970, UTC; never where left out.
    expires_ms: Option<i64>,
}

/// A sign-in link to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeRequest {
    /// The code of the link: what follows `#` in it.
    link: String,
    /// What to call the token, such as the machine's name.
    name: String,
}

/// Lists the caller's personal access tokens.
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "account", params(PageQuery),
    responses((status = 200, body = Listing<Token>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_tokens(
    State(app): State<App>,
    principal: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<Token>>, ApiError> {
    authz::require_general(&principal, Action::ReadAccount)?;
    let tokens = records::list(app.db(), principal.user.id, &page.page()?).await?;
    Ok(Json(tokens.into()))
}

/// Makes a personal access token. It can do no more, and lasts no longer, than the credentials that it is made with.
#[utoipa::path(post, path = "/tokens", operation_id = "create_token", tag = "account", request_body = NewToken,
    responses((status = 201, body = IssuedToken), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_token(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    let scopes = new.scopes.unwrap_or_else(|| principal.scopes());
    if scopes.is_empty() || new.name.trim().is_empty() {
        return Err(ApiError::invalid(
            "A token has a name and at least one scope.",
        ));
    }
    if !scopes.is_within(principal.scopes()) {
        return Err(ApiError::forbidden(
            "A token can do no more than the one that makes it.",
        ));
    }
    let record = Record {
        user_id: principal.user.id,
        name: new.name,
        scopes: scopes.names(),
        expires_ms: earlier(new.expires_ms, &principal),
        workspace_id: None,
        job_id: None,
    };
    issue(&app, &record).await
}

/// The end that was asked for, or that of the token that makes this one, whichever is earlier.
fn earlier(asked_ms: Option<i64>, principal: &Principal) -> Option<i64> {
    let own_ms = match principal.credential {
        Credential::Token { expires_ms, .. } => expires_ms,
        Credential::Session { .. } | Credential::Page { .. } => None,
    };
    match (asked_ms, own_ms) {
        (Some(asked), Some(own)) => Some(asked.min(own)),
        (asked, own) => asked.or(own),
    }
}

async fn issue(app: &App, record: &Record) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let (token, secret) = app
        .db()
        .write(move |mut tx| async move {
            let made = records::create(&mut tx, record).await?;
            let by = Some(record.user_id);
            let detail = json!({"scopes": record.scopes, "expires_ms": record.expires_ms});
            audit::record(&mut tx, by, "create_token", &record.name, &detail).await?;
            Ok(made)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(IssuedToken::new(token, &secret))))
}

/// Revokes a token; streams and tunnels that it opened end within seconds.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "delete_token", tag = "account",
    params(("token" = String, Path, description = "Id")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_token(
    State(app): State<App>,
    principal: Principal,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    let missing = || ApiError::not_found("token");
    let id: TokenId = token.parse().map_err(|_| missing())?;
    let user = principal.user.id;
    let was_there = app
        .db()
        .write(move |mut tx| async move {
            let was_there = records::revoke(&mut tx, user, id).await?;
            if was_there {
                let subject = id.to_string();
                audit::record(&mut tx, Some(user), "delete_token", &subject, &json!({})).await?;
            }
            Ok(was_there)
        })
        .await?;
    if was_there {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing())
    }
}

/// Exchanges a sign-in link for a token: how `cairn login LINK` signs in.
#[utoipa::path(post, path = "/link-tokens", operation_id = "exchange_link", tag = "account", request_body = ExchangeRequest,
    responses((status = 201, body = IssuedToken), (status = "4XX", body = Envelope)), security(()))]
pub(crate) async fn exchange_link(
    State(app): State<App>,
    Json(exchange): Json<ExchangeRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let expires_ms = super::after(&app, app.config().lifetimes.device_token);
    let (code, name) = (exchange.link.as_str(), exchange.name.as_str());
    let made = app
        .db()
        .write(move |mut tx| async move {
            let Some(link) = links::redeem(&mut tx, links::Kind::SignIn, code).await? else {
                return Ok(None);
            };
            let record = of_program(link.user_id, name, expires_ms);
            let by = Some(link.user_id);
            audit::record(&mut tx, by, "exchange_link", name, &json!({})).await?;
            records::create(&mut tx, &record).await.map(Some)
        })
        .await?;
    let (token, secret) =
        made.ok_or_else(|| refused(&app, "This link was used already, or it is too old."))?;
    Ok((StatusCode::CREATED, Json(IssuedToken::new(token, &secret))))
}

/// The token of a program that a person signed in: it may do what they may.
pub(super) fn of_program(user_id: storage::ids::UserId, name: &str, expires_ms: i64) -> Record {
    Record {
        user_id,
        name: name.to_owned(),
        scopes: Scopes::all().names(),
        expires_ms: Some(expires_ms),
        workspace_id: None,
        job_id: None,
    }
}
