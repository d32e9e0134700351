//! What the proxy asks, answered from the records: who may enter a workspace, where its server is, and the sessions of its origin.

use std::sync::Arc;

use axum::response::IntoResponse as _;
use control::workspaces::Upstream as Server;
use http::{Request, Response};
use hyper::body::Incoming;
use storage::{
    ids::WorkspaceId,
    links, users, workspace_sessions,
    workspaces::{self, State},
};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::{
    app::App,
    auth::{Principal, ms, of_token},
    authz::{self, Action, Decision},
    error::{ApiError, write_envelope},
    proxy::{Asked, Credential, Entry, Unanswered, Upstream, Verdict, Workspaces},
    stack::new_request_id,
};

/// What pages of a workspace may ask of the API, by the first part of its path; `authz` then decides as ever. Signing in is not among it:
/// a page that a workspace made up must not sign anybody in.
const FOR_PAGES: [&str; 11] = [
    "environments",
    "events",
    "info",
    "jobs",
    "machine-types",
    "machines",
    "me",
    "notebooks",
    "projects",
    "uploads",
    "workspaces",
];

/// The app, as the proxy sees it.
#[derive(Clone)]
pub struct Entrance(App, axum::Router);

impl Entrance {
    /// `router` is the app's, which answers what pages of workspaces ask of the API.
    pub(crate) fn new(app: App, router: axum::Router) -> Self {
        Self(app, router)
    }

    async fn answer(
        &self,
        asked: Asked<'_>,
        mut request: Request<Incoming>,
    ) -> Result<Response<axum::body::Body>, ApiError> {
        if !is_for_pages(request.uri().path()) {
            return Err(ApiError::not_found("operation"));
        }
        let opener = self.identify(asked.credential, asked.workspace).await?;
        let opener = opener.ok_or_else(ApiError::unauthenticated)?;
        let page = opener.page(&self.0, asked.workspace).await?;
        let page = page.ok_or_else(|| ApiError::not_found("workspace"))?;
        request.extensions_mut().insert(page);
        request.extensions_mut().insert(asked.peer);
        let request = request.map(axum::body::Body::new);
        let Ok(response) = self.1.clone().oneshot(request).await;
        Ok(response)
    }

    /// Whom the credential stands for, where it holds for this workspace.
    async fn identify(
        &self,
        credential: Credential<'_>,
        workspace: WorkspaceId,
    ) -> Result<Option<Principal>, ApiError> {
        match credential {
            Credential::Token(secret) => of_token(&self.0, secret).await,
            Credential::Cookie(secret) => self.of_cookie(workspace, secret).await,
        }
    }

    /// The owner of the sign-in that the cookie came from, with the rights of that sign-in.
    async fn of_cookie(
        &self,
        workspace: WorkspaceId,
        secret: &str,
    ) -> Result<Option<Principal>, ApiError> {
        let db = self.0.db();
        let Some(session) = workspace_sessions::authenticate(db, workspace, secret).await? else {
            return Ok(None);
        };
        let Some(user) = users::get(db, session.user_id).await? else {
            return Ok(None);
        };
        Principal::of_parent(&self.0, user, session.parent).await
    }

    async fn verdict(
        &self,
        credential: Credential<'_>,
        id: WorkspaceId,
    ) -> Result<Verdict, ApiError> {
        let Some(principal) = self.identify(credential, id).await? else {
            return Ok(Verdict::Denied);
        };
        let Some(workspace) = workspaces::get(self.0.db(), id).await? else {
            return Ok(Verdict::Denied);
        };
        let action = Action::OpenWorkspace;
        let decision = authz::decide_workspace(&self.0, &principal, action, &workspace).await?;
        Ok(match decision {
            Decision::Allow => Verdict::Allowed {
                user: Arc::from(principal.user.name),
            },
            Decision::NotFound | Decision::Forbidden => Verdict::Denied,
        })
    }

    async fn exchange(&self, id: WorkspaceId, code: &str) -> Result<Option<Entry>, ApiError> {
        let lifetime = self.0.config().lifetimes.session;
        let made = self
            .0
            .db()
            .write(move |mut tx| async move {
                let link = links::redeem(&mut tx, links::Kind::Workspace, code).await?;
                let Some(link) = link.filter(|link| link.workspace_id == Some(id)) else {
                    return Ok(None);
                };
                let Some(parent) = link.parent else {
                    return Ok(None);
                };
                let ttl_ms = ms(lifetime);
                let made = workspace_sessions::create(&mut tx, parent, link.user_id, id, ttl_ms);
                made.await.map(Some)
            })
            .await?;
        Ok(made.map(|(_, secret)| Entry {
            cookie: secret.expose().to_owned(),
            lifetime,
        }))
    }

    async fn forget(&self, id: WorkspaceId, cookie: &str) -> Result<(), ApiError> {
        let db = self.0.db();
        let Some(session) = workspace_sessions::authenticate(db, id, cookie).await? else {
            return Ok(());
        };
        db.write(move |mut tx| async move {
            workspace_sessions::revoke(&mut tx, session.id)
                .await
                .map(|_| ())
        })
        .await?;
        Ok(())
    }
}

impl Workspaces for Entrance {
    async fn authorise(
        &self,
        credential: Credential<'_>,
        workspace: &WorkspaceId,
    ) -> Result<Verdict, Unanswered> {
        self.verdict(credential, *workspace)
            .await
            .map_err(|error| unanswered(&error))
    }

    async fn resolve(&self, workspace: &WorkspaceId) -> Result<Upstream, Unanswered> {
        match self.0.control().upstream(*workspace).await {
            Ok(Server::Running { address, token, .. }) => Ok(Upstream::Running {
                address: address.into(),
                token: Arc::from(token),
            }),
            Ok(Server::NotRunning {
                state: State::Starting,
            }) => Ok(Upstream::Starting),
            Ok(Server::NotRunning { .. }) | Err(control::Error::NotFound(_)) => {
                Ok(Upstream::Stopped)
            }
            Err(error) => Err(unanswered(&error.into())),
        }
    }

    async fn enter(
        &self,
        workspace: &WorkspaceId,
        code: &str,
    ) -> Result<Option<Entry>, Unanswered> {
        self.exchange(*workspace, code)
            .await
            .map_err(|error| unanswered(&error))
    }

    async fn api(
        &self,
        asked: Asked<'_>,
        request: Request<Incoming>,
    ) -> Result<Response<axum::body::Body>, Unanswered> {
        match self.answer(asked, request).await {
            Ok(response) => Ok(response),
            Err(error) if error.status().is_client_error() => Ok(envelope(error)),
            Err(error) => Err(unanswered(&error)),
        }
    }

    async fn leave(&self, workspace: &WorkspaceId, cookie: &str) -> Result<(), Unanswered> {
        self.forget(*workspace, cookie)
            .await
            .map_err(|error| unanswered(&error))
    }

    fn touch(&self, workspace: &WorkspaceId) {
        let (app, id) = (self.0.clone(), *workspace);
        tokio::spawn(async move {
            if let Err(error) = app.control().touch_workspace(id).await {
                tracing::debug!(workspace.id = %id, %error, "activity was not recorded");
            }
        });
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }
}

fn is_for_pages(path: &str) -> bool {
    let operation = path.strip_prefix("/api/v1/");
    let first = operation.and_then(|path| path.split('/').next());
    first.is_some_and(|first| FOR_PAGES.contains(&first)) || path.starts_with("/scheduler/")
}

fn envelope(error: ApiError) -> Response<axum::body::Body> {
    write_envelope(error.into_response(), &new_request_id().0)
}

/// The proxy answers 503; the cause is told here, once.
fn unanswered(error: &ApiError) -> Unanswered {
    error.log("");
    Unanswered
}
