//! From headers to a [`Principal`]: a token in `Authorization`, else the session cookie, guarded against forgery.

use axum::extract::FromRequestParts;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use storage::{
    ids::WorkspaceId,
    jobs,
    links::Parent,
    sessions::{self, Session},
    tokens::{self, Token},
    users::{self, User},
    workspaces,
};

use super::{Bound, Credential, Principal, Scope, Scopes, cookies, csrf};
use crate::{
    app::App,
    authz::{self, Action, Decision},
    error::ApiError,
};

/// Use of a session or token is recorded this often at most.
const TOUCH_EVERY_MS: i64 = 60_000;

/// The longest credential that is looked up.
const LONGEST: usize = 256;

/// Who sends this request; `None` where it carries no credentials.
///
/// A token that is sent must hold: it never falls back to a cookie. A cookie counts for a method that changes something only where the
/// browser says that our own page sent it.
///
/// # Errors
/// 401 for credentials that do not hold, 403 for a forged request, 503 where the database does not answer.
pub async fn identify(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Principal>, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        let token = bearer(headers).ok_or_else(ApiError::unauthenticated)?;
        let principal = of_token(app, token).await?;
        return principal.map(Some).ok_or_else(ApiError::unauthenticated);
    }
    let Some(secret) = cookies::single(headers, app.config().session_cookie()) else {
        return Ok(None);
    };
    let Some((session, user)) = session_of(app, secret).await? else {
        return Ok(None);
    };
    if !csrf::allows(method, headers, app.config()) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "The browser does not say that this request comes from a page of this server.",
        ));
    }
    touch_session(app, &session).await?;
    Ok(Some(Principal::of_session(user, &session)))
}

/// The token in `Authorization: Bearer …` or `token …`; exactly one such header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    let token = token.trim();
    (ours && !token.is_empty() && token.len() <= LONGEST).then_some(token)
}

/// Whom a token stands for, where it holds.
///
/// # Errors
/// 503 where the database does not answer.
pub(crate) async fn of_token(app: &App, secret: &str) -> Result<Option<Principal>, ApiError> {
    if secret.len() > LONGEST {
        return Ok(None);
    }
    let Some((token, user)) = tokens::authenticate(app.db(), secret).await? else {
        return Ok(None);
    };
    touch_token(app, &token).await?;
    Principal::with_token(app, token, user).await
}

/// What the token is confined to; `None` where that is gone, and the token with it.
async fn bound(app: &App, token: &Token) -> Result<Option<Bound>, ApiError> {
    if let Some(id) = token.job_id {
        let job = jobs::get(app.db(), id)
            .await?
            .filter(|job| !job.state.is_final());
        let of = |job: jobs::Job| Bound::Job {
            job: job.id,
            project: job.project_id,
        };
        return Ok(job.map(of));
    }
    if let Some(id) = token.workspace_id {
        let workspace = workspaces::get(app.db(), id).await?;
        let of = |workspace: workspaces::Workspace| Bound::Workspace {
            workspace: workspace.id,
            project: workspace.project_id,
        };
        return Ok(workspace.map(of));
    }
    Ok(Some(Bound::None))
}

/// What a bound token may do is `authz`'s matter alone; its stored scopes say nothing.
fn scopes(token: &Token, bound: Bound) -> Scopes {
    match bound {
        Bound::None => Scopes::from_names(token.scopes.iter().map(String::as_str)),
        Bound::Workspace { .. } => within_workspace(),
        Bound::Job { .. } => [Scope::Read].into_iter().collect(),
    }
}

/// What a workspace is good for, be it its token or its pages.
pub(super) fn within_workspace() -> Scopes {
    [Scope::Read, Scope::Write, Scope::Workspaces]
        .into_iter()
        .collect()
}

async fn session_of(app: &App, secret: &str) -> Result<Option<(Session, User)>, ApiError> {
    if secret.is_empty() || secret.len() > LONGEST {
        return Ok(None);
    }
    Ok(sessions::authenticate(app.db(), secret).await?)
}

/// Puts off the end of a session that is used, up to its longest life.
async fn touch_session(app: &App, session: &Session) -> Result<(), ApiError> {
    let now_ms = app.db().now_ms();
    if now_ms - session.last_seen_ms < TOUCH_EVERY_MS {
        return Ok(());
    }
    let lifetimes = app.config().lifetimes;
    let left_ms = session.created_ms + super::ms(lifetimes.session) - now_ms;
    let ttl_ms = left_ms.min(super::ms(lifetimes.session_idle));
    let id = session.id;
    app.db()
        .write(move |mut tx| async move { sessions::touch(&mut tx, id, ttl_ms).await })
        .await?;
    Ok(())
}

async fn touch_token(app: &App, token: &Token) -> Result<(), ApiError> {
    let used_ms = token.last_used_ms.unwrap_or(i64::MIN);
    if app.db().now_ms().saturating_sub(used_ms) < TOUCH_EVERY_MS {
        return Ok(());
    }
    let id = token.id;
    app.db()
        .write(move |mut tx| async move { tokens::touch(&mut tx, id).await })
        .await?;
    Ok(())
}

impl Principal {
    /// The person of a session.
    pub(crate) fn of_session(user: User, session: &Session) -> Self {
        let credential = Credential::Session { id: session.id };
        Self { user, credential }
    }

    /// The owner of a token that holds; `None` where what it is confined to is gone.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub(crate) async fn with_token(
        app: &App,
        token: Token,
        user: User,
    ) -> Result<Option<Self>, ApiError> {
        let Some(bound) = bound(app, &token).await? else {
            return Ok(None);
        };
        let credential = Credential::Token {
            id: token.id,
            scopes: scopes(&token, bound),
            bound,
            expires_ms: token.expires_ms,
        };
        Ok(Some(Self { user, credential }))
    }

    /// Whoever signed in as `parent`; `None` where that has ended.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub(crate) async fn of_parent(
        app: &App,
        user: User,
        parent: Parent,
    ) -> Result<Option<Self>, ApiError> {
        match parent {
            Parent::Session(id) => {
                let session = sessions::get(app.db(), id).await?;
                Ok(session.map(|session| Self::of_session(user, &session)))
            }
            Parent::Token(id) => match tokens::get(app.db(), id).await? {
                Some(token) => Self::with_token(app, token, user).await,
                None => Ok(None),
            },
        }
    }

    /// A page of a workspace that `self` opens; `None` where they may not, or where there is no such workspace.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub(crate) async fn page(self, app: &App, id: WorkspaceId) -> Result<Option<Self>, ApiError> {
        let Some(workspace) = workspaces::get(app.db(), id).await? else {
            return Ok(None);
        };
        let action = Action::OpenWorkspace;
        if authz::decide_workspace(app, &self, action, &workspace).await? != Decision::Allow {
            return Ok(None);
        }
        let credential = Credential::Page {
            parent: self.parent(),
            workspace: workspace.id,
            project: workspace.project_id,
        };
        let user = self.user;
        Ok(Some(Self { user, credential }))
    }

    /// The same principal as they are now; `None` where the credential has ended. For streams that stay open.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub(crate) async fn renew(&self, app: &App) -> Result<Option<Self>, ApiError> {
        let user = users::get(app.db(), self.user.id).await?;
        let Some(user) = user.filter(|user| !user.disabled) else {
            return Ok(None);
        };
        match &self.credential {
            Credential::Session { id } => {
                let session = sessions::get(app.db(), *id).await?;
                Ok(session.map(|session| Self::of_session(user, &session)))
            }
            Credential::Token { id, .. } => match tokens::get(app.db(), *id).await? {
                Some(token) => Self::with_token(app, token, user).await,
                None => Ok(None),
            },
            Credential::Page {
                parent, workspace, ..
            } => match Self::of_parent(app, user, *parent).await? {
                Some(opener) => opener.page(app, *workspace).await,
                None => Ok(None),
            },
        }
    }
}

impl FromRequestParts<App> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Found out already, for a request that came through a workspace's origin.
        if let Some(page) = parts.extensions.get::<Self>() {
            return Ok(page.clone());
        }
        let found = identify(app, &parts.method, &parts.headers).await?;
        found.ok_or_else(ApiError::unauthenticated)
    }
}

/// Who is asking, where anybody may.
pub(crate) struct MaybePrincipal(pub(crate) Option<Principal>);

impl FromRequestParts<App> for MaybePrincipal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match identify(app, &parts.method, &parts.headers).await {
            Ok(found) => Ok(Self(found)),
            Err(error) if error.status() == StatusCode::UNAUTHORIZED => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}
