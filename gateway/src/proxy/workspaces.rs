//! What the proxy asks of the rest: who may enter a workspace, where its server is, and when to ask again. The app answers from its
//! records; the proxy knows neither records nor users.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use control::machine::Remote;
use http::{Request, Response};
use hyper::body::Incoming;
use storage::ids::WorkspaceId;
use tokio::sync::watch;

use super::Peer;

/// What a client showed to be let in. Never logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// The text of an access token, from `Authorization` or `?token=`.
    Token(&'a str),
    /// The value of the workspace origin's cookie.
    Cookie(&'a str),
}

/// Whether a credential opens a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; the name of the person is for the access log.
    Allowed {
        /// The user's name.
        user: Arc<str>,
    },
    /// No: unknown, expired, revoked, of the wrong scope or of another person, or there is no such workspace.
    Denied,
}

/// Where the server of a workspace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// It answers.
    Running {
        /// Its socket.
        address: Address,
        /// The token that it expects in `Authorization`.
        token: Arc<str>,
    },
    /// It is on its way up.
    Starting,
    /// It does not run.
    Stopped,
}

/// A socket of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket on this machine.
    Unix(PathBuf),
    /// A port, on this or another machine.
    Tcp(SocketAddr),
    /// A server on another machine, through that machine's connection.
    Remote(Remote),
}

impl From<control::Address> for Address {
    fn from(address: control::Address) -> Self {
        match address {
            control::Address::Unix(socket) => Self::Unix(socket),
            control::Address::Remote(remote) => Self::Remote(remote),
        }
    }
}

/// A workspace session made from a one-use code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The cookie's value: visible ASCII without quotes, commas, semicolons and backslashes.
    pub cookie: String,
    /// How long it lasts.
    pub lifetime: Duration,
}

/// Who asks something of the service's API from within a workspace.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What `authorise` said yes to.
    pub credential: Credential<'a>,
    /// The workspace whose page asks.
    pub workspace: WorkspaceId,
    /// Who is at the other end.
    pub peer: Peer,
}

/// The question could not be answered now, for example because the database does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the records cannot be read at the moment")]
pub struct Unanswered;

/// What the proxy asks of the rest.
///
/// Answers of `authorise` and `resolve` are kept for 2 s at most, and forgotten as soon as `changes` moves. `authorise` is asked again
/// for every live tunnel about every 2 s. All methods may be called from many tasks at once; dropping a future cancels the
/// question without effect, except for `enter`, which may have used its code.
pub trait Workspaces: Send + Sync + 'static {
    /// Whether `credential` opens `workspace` now.
    fn authorise(
        &self,
        credential: Credential<'_>,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Verdict, Unanswered>> + Send;

    /// Where the server of `workspace` is now. Asked only after `authorise` said yes.
    fn resolve(
        &self,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Upstream, Unanswered>> + Send;

    /// Exchanges a one-use code for a session on the origin of `workspace`; `None` where the code is unknown, used, too old or
    /// was made for another workspace.
    fn enter(
        &self,
        workspace: &WorkspaceId,
        code: &str,
    ) -> impl Future<Output = Result<Option<Entry>, Unanswered>> + Send;

    /// Answers a request for the service's API (`/api/…`) that a page of the workspace made. It acts as the workspace, whose rights end at
    /// its project, and not as the person who looks at the page: whatever runs in the workspace can make its pages ask.
    fn api(
        &self,
        asked: Asked<'_>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<axum::body::Body>, Unanswered>> + Send;

    /// Ends the session of a workspace origin's cookie. Unknown cookies are fine.
    fn leave(
        &self,
        workspace: &WorkspaceId,
        cookie: &str,
    ) -> impl Future<Output = Result<(), Unanswered>> + Send;

    /// Notes that the person did something in `workspace`; called at most every 15 s for each workspace. Must not block.
    fn touch(&self, workspace: &WorkspaceId);

    /// A number that moves whenever an earlier answer may have become wrong: a session, token or role was revoked, a server
    /// started or stopped.
    fn changes(&self) -> watch::Receiver<u64>;
}
