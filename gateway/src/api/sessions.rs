//! Signing in and out in a browser.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    audit,
    ids::{SessionId, UserId},
    links, sessions as records, tokens, users,
};
use utoipa::{IntoParams, ToSchema};

use super::{types::Listing, users::User};
use crate::{
    app::App,
    auth::{Principal, cookies, csrf, ms, rate},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{ClientAddress, Json, Query},
};

/// Credentials: a name and a password, or the code of a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    /// The name, with a password.
    name: Option<String>,
    /// The password, with a name.
    password: Option<String>,
    /// The code of a sign-in link: what follows `#` in it.
    link: Option<String>,
}

/// Who is signed in now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedIn {
    user: User,
}

/// A browser that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Never changes.
    #[schema(value_type = String)]
    id: SessionId,
    /// What the browser called itself.
    user_agent: String,
    /// Whether this request came from it.
    current: bool,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When it was last used, to within a minute.
    last_seen_ms: i64,
    /// When it ends by itself.
    expires_ms: i64,
}

/// Signs in; the answer sets the session's cookie.
#[utoipa::path(post, path = "/session", operation_id = "create_session", tag = "account", request_body = NewSession,
    responses((status = 201, body = SignedIn), (status = "4XX", body = Envelope)), security(()))]
pub(crate) async fn create_session(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(new): Json<NewSession>,
) -> Result<Response, ApiError> {
    if !csrf::may_sign_in(&headers, app.config()) {
        return Err(ApiError::forbidden("Sign in from a page of this server."));
    }
    let shown = match (new.name, new.password, new.link) {
        (Some(name), Some(password), None) => {
            let key = rate::key(&name, address);
            Shown::User(by_password(&app, key, name, password).await?)
        }
        (None, None, Some(code)) => Shown::Link(code),
        _ => return Err(ApiError::invalid("Give `name` and `password`, or `link`.")),
    };
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let (user, secret) = begin(&app, &shown, agent).await?;
    let lifetime_s = app.config().lifetimes.session.as_secs();
    let cookie = cookies::set_session(app.config(), &secret, lifetime_s);
    let body = Json(SignedIn { user: user.into() });
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], body).into_response())
}

/// What was shown at sign-in.
enum Shown {
    /// The right password of this person.
    User(UserId),
    /// A link's code, not redeemed yet.
    Link(String),
}

impl Shown {
    fn name(&self) -> &'static str {
        match self {
            Self::User(_) => "password",
            Self::Link(_) => "link",
        }
    }
}

/// The person with this name, if the password is theirs. Says the same for an unknown name, and takes as long.
async fn by_password(
    app: &App,
    key: u64,
    name: String,
    password: String,
) -> Result<UserId, ApiError> {
    let clock = app.db().clock();
    app.sign_in_failures()
        .attempt(key, &**clock)
        .map_err(|wait_s| ApiError::too_many("Too many wrong passwords. Wait a little.", wait_s))?;
    let user = if name.len() <= 63 {
        users::by_name(app.db(), &name).await?
    } else {
        None
    };
    let user = user.filter(|user| !user.disabled);
    let hash = match &user {
        Some(user) => users::password_hash(app.db(), user.id).await?,
        None => None,
    };
    if !app.passwords().verify(password, hash).await? {
        return Err(refused(app, "The name or the password is not right."));
    }
    app.sign_in_failures().succeeded(key);
    user.map(|user| user.id)
        .ok_or_else(|| ApiError::internal("a password fitted nobody"))
}

/// Counts a refused sign-in.
pub(super) fn refused(app: &App, why: &'static str) -> ApiError {
    let count = &app.metrics().sign_in_failures;
    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    ApiError::new(StatusCode::UNAUTHORIZED, "sign_in_refused", why)
}

/// Redeems the link and begins the session in one transaction: a link is used up only by a session that exists.
async fn begin(app: &App, shown: &Shown, agent: &str) -> Result<(users::User, String), ApiError> {
    let ttl_ms = ms(app
        .config()
        .lifetimes
        .session_idle
        .min(app.config().lifetimes.session));
    let made = app
        .db()
        .write(move |mut tx| async move {
            let id = match shown {
                Shown::User(id) => *id,
                Shown::Link(code) => match links::redeem(&mut tx, links::Kind::SignIn, code).await?
                {
                    Some(link) => link.user_id,
                    None => return Ok(None),
                },
            };
            let (_, secret) = records::create(&mut tx, id, agent, ttl_ms).await?;
            let Some(user) = users::get(&mut tx, id).await? else {
                return Ok(None);
            };
            let detail = json!({"by": shown.name()});
            audit::record(&mut tx, Some(id), "create_session", &user.name, &detail).await?;
            Ok(Some((user, secret)))
        })
        .await?;
    let (user, secret) =
        made.ok_or_else(|| refused(app, "This link was used already, or it is too old."))?;
    Ok((user, secret.expose().to_owned()))
}

/// Signs this browser out; the workspaces that it opened close with it.
#[utoipa::path(delete, path = "/session", operation_id = "delete_session", tag = "account",
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_session(
    State(app): State<App>,
    principal: Principal,
) -> Result<Response, ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    let Some(id) = principal.session() else {
        return Err(ApiError::invalid(
            "This request carries a token, not a session. Revoke the token instead.",
        ));
    };
    let user = &principal.user;
    app.db()
        .write(move |mut tx| async move {
            let (by, name) = (Some(user.id), user.name.as_str());
            audit::record(&mut tx, by, "delete_session", name, &json!({})).await?;
            records::revoke(&mut tx, id).await
        })
        .await?;
    Ok(signed_out(&app))
}

fn signed_out(app: &App) -> Response {
    let clear = cookies::clear_session(app.config());
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, clear)]).into_response()
}

/// Lists the browsers in which the caller is signed in.
#[utoipa::path(get, path = "/sessions", operation_id = "list_sessions", tag = "account",
    responses((status = 200, body = Listing<Session>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_sessions(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Listing<Session>>, ApiError> {
    authz::require_general(&principal, Action::ReadAccount)?;
    let current = principal.session();
    let sessions = records::list(app.db(), principal.user.id).await?;
    let items = sessions.into_iter().map(|session| Session {
        id: session.id,
        user_agent: session.user_agent,
        current: current == Some(session.id),
        created_ms: session.created_ms,
        last_seen_ms: session.last_seen_ms,
        expires_ms: session.expires_ms,
    });
    Ok(Json(Listing {
        items: items.collect(),
        next: None,
    }))
}

/// What to leave.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignOutQuery {
    /// `1`: personal tokens go on to work.
    keep_tokens: Option<u8>,
}

/// Signs the caller out everywhere: ends every session and revokes every personal token. Workspaces and jobs run on.
#[utoipa::path(delete, path = "/sessions", operation_id = "delete_sessions", tag = "account", params(SignOutQuery),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_sessions(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<SignOutQuery>,
) -> Result<Response, ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    let user = &principal.user;
    let keep_tokens = query.keep_tokens == Some(1);
    app.db()
        .write(move |mut tx| async move {
            records::revoke_all(&mut tx, user.id).await?;
            if !keep_tokens {
                tokens::revoke_personal(&mut tx, user.id).await?;
            }
            let (by, detail) = (Some(user.id), json!({"keep_tokens": keep_tokens}));
            audit::record(&mut tx, by, "delete_sessions", &user.name, &detail).await
        })
        .await?;
    Ok(signed_out(&app))
}
