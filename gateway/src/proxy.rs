//! The proxy to workspaces. Every request and every upgrade is authorised, judged for forgery, stripped of what is ours, and then
//! streamed; after `101` bytes are tunnelled. No time limit, body limit or compression applies. It holds no records: it asks
//! [`Workspaces`].

mod access;
mod answers;
mod ask;
mod body;
mod cookies;
mod credentials;
mod door;
mod exchange;
mod forgery;
mod headers;
mod live;
mod refuse;
mod site;
mod socket;
mod tunnel;
mod upstream;
mod vigil;
mod wire;
mod workspaces;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use storage::ids::WorkspaceId;
use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;

pub(crate) use ask::ask;
pub use body::{Body, Error as BodyError};
pub use exchange::Streaming;
pub use site::Bounds;
pub use workspaces::{
    Address, Asked, Credential, Entry, Unanswered, Upstream, Verdict, Workspaces,
};

use crate::{
    config::Config,
    origins::{Origin, Origins},
    path::{self, Target, WorkspacePath},
};
use access::{Line, RequestIds};
use answers::Refusal;
use credentials::Shown;
use door::{Door, sign_out_address};
use forgery::Attempt;
use headers::Upgrade;
use refuse::{Asks, explain};
use site::Site;

/// Who is at the other end of a connection, after trusted proxies were believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub client: IpAddr,
    /// Whether the client speaks https, to us or to a trusted proxy.
    pub secure: bool,
}

/// The proxy to all workspaces. Cheap to share; its background work ends when it is dropped or drained.
pub struct Proxy<W> {
    workspaces: Arc<W>,
    origins: Origins,
    cookie: &'static str,
    access_log: bool,
    bounds: Bounds,
    sites: RwLock<HashMap<WorkspaceId, Arc<Site>>>,
    live: Arc<live::Live>,
    changes: watch::Receiver<u64>,
    ids: RequestIds,
    stop: CancellationToken,
}

/// A request on its way, as far as it has been understood. Boxed where it is handed on: it is large and goes through many hands.
struct Visit {
    parts: http::request::Parts,
    body: Incoming,
    path: WorkspacePath,
    origin: Origin,
    peer: Peer,
    shown: Shown,
    upgrade: bool,
}

impl<W: Workspaces> Proxy<W> {
    /// Makes the proxy and starts watching over its tunnels. Must be called within a tokio runtime.
    pub fn new(config: &Config, workspaces: Arc<W>, bounds: Bounds) -> Arc<Self> {
        let proxy = Arc::new(Self {
            changes: workspaces.changes(),
            origins: Origins::new(config),
            cookie: config.workspace_cookie(),
            access_log: config.access_log,
            bounds,
            sites: RwLock::default(),
            live: Arc::default(),
            ids: RequestIds::new(),
            stop: CancellationToken::new(),
            workspaces,
        });
        tokio::spawn(live::watch(
            proxy.live.clone(),
            proxy.workspaces.clone(),
            proxy.stop.clone(),
        ));
        tokio::spawn(tidy(Arc::downgrade(&proxy), proxy.stop.clone()));
        proxy
    }

    /// Answers one request for `origin`, or starts its tunnel. Never fails: what goes wrong becomes an answer.
    ///
    /// Dropping the future hangs up on the workspace's server.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        origin: Origin,
        peer: Peer,
    ) -> Response<Body> {
        let mut line = Line {
            started: Instant::now(),
            client: peer.client,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            workspace: None,
            user: None,
            request: self.ids.next(),
        };
        let asks = Asks::of(&request);
        let response = match self.answer(request, origin, peer, &mut line).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(refusal, &asks, origin, &line),
        };
        if self.access_log {
            line.write(response.status());
        }
        response
    }

    /// How many tunnels are live.
    pub fn tunnels(&self) -> usize {
        self.live.count()
    }

    /// Drops the connections of all tunnels; their clients see an abnormal end and connect again.
    pub fn cut_tunnels(&self) {
        self.live.cut_all();
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        origin: Origin,
        peer: Peer,
        line: &mut Line,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        let path = match path::read(parts.uri.path()) {
            Ok(Target::Workspace(path)) => path,
            Ok(Target::Other) => return self.outside(&parts, origin),
            Err(path::Error::NoWorkspace) => return Err(Refusal::Missing),
            Err(error) => return Err(Refusal::Bad(explain(error))),
        };
        line.workspace = Some(path.workspace);
        // What follows the answer to it would be no HTTP (RFC 9112 section 6.3).
        if parts.method == Method::CONNECT {
            return Err(Refusal::Bad("CONNECT opens nothing here."));
        }
        let upgrade = match headers::upgrade(&parts) {
            Upgrade::No => false,
            Upgrade::WebSocket => true,
            Upgrade::Refused => return Err(Refusal::Upgrade),
        };
        let shown = Shown::read(&parts.headers, parts.uri.query(), self.cookie);
        let visit = Box::new(Visit {
            parts,
            body,
            path,
            origin,
            peer,
            shown,
            upgrade,
        });
        self.admit(visit, line).await
    }

    /// Finds out whether a visit may go on, and where.
    async fn admit(&self, visit: Box<Visit>, line: &mut Line) -> Result<Response<Body>, Refusal> {
        let workspace = visit.path.workspace;
        match visit.origin {
            Origin::Workspace(own) if own != workspace => return Err(Refusal::Missing),
            Origin::Unknown => return Err(Refusal::Missing),
            // Nothing of a workspace is ever a page of the app's origin, whatever token an address carries.
            Origin::App if refuse::is_page(&visit) => return self.to_workspace_origin(&visit),
            _ => {}
        }
        let Some(rest) = visit.path.rest.as_deref() else {
            return if visit.parts.method == Method::GET && visit.origin != Origin::App {
                Ok(answers::redirect(&format!("/w/{workspace}/")))
            } else {
                Err(Refusal::Missing)
            };
        };
        if visit.path.is_below(".cairn") {
            return if visit.origin == Origin::App {
                Err(Refusal::Missing)
            } else if visit.path.is_below(".cairn/api") {
                Box::pin(self.api(visit, ".cairn", line)).await
            } else {
                Box::pin(self.door(&visit, rest)).await
            };
        }
        if visit.path.is_below("scheduler") {
            return Box::pin(self.api(visit, "", line)).await;
        }
        if rest == "logout" && visit.origin != Origin::App {
            return Ok(answers::redirect(&sign_out_address(self.origins.app())));
        }
        let (site, shown) = self.authorise(&visit, line).await?;
        if visit.upgrade {
            Box::pin(self.open_tunnel(visit, site, shown)).await
        } else {
            self.forward(visit, site).await
        }
    }

    /// The workspace's site, if a credential opens it and no other page caused the request, and which of those shown it was.
    async fn authorise(
        &self,
        visit: &Visit,
        line: &mut Line,
    ) -> Result<(Arc<Site>, usize), Refusal> {
        let workspace = visit.path.workspace;
        let change = *self.changes.borrow();
        let candidates = visit.shown.candidates(visit.origin != Origin::App);
        for (number, credential) in candidates.enumerate() {
            let site = self.site(&workspace);
            let known = site
                .as_ref()
                .and_then(|site| site.known(credential, change));
            let user = match known {
                Some(user) => user,
                None => match Box::pin(self.ask(credential, &workspace, change)).await? {
                    Some(user) => user,
                    None => continue,
                },
            };
            if matches!(credential, Credential::Cookie(_)) {
                self.refuse_forged(visit)?;
            }
            line.user = Some(user);
            let site = site.unwrap_or_else(|| self.make_site(workspace));
            return Ok((site, number));
        }
        Err(Refusal::Stranger)
    }

    async fn ask(
        &self,
        credential: Credential<'_>,
        workspace: &WorkspaceId,
        change: u64,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let verdict = self
            .workspaces
            .authorise(credential, workspace)
            .await
            .map_err(|_| Refusal::Unanswered)?;
        match &verdict {
            Verdict::Allowed { user } => {
                self.make_site(*workspace)
                    .remember(credential, &verdict, change);
                Ok(Some(user.clone()))
            }
            Verdict::Denied => Ok(None),
        }
    }

    fn refuse_forged(&self, visit: &Visit) -> Result<(), Refusal> {
        if !self.origins.has_workspaces() {
            return Err(Refusal::Missing);
        }
        // Nobody has a reason to link to the last two from elsewhere, and a GET of jupyter-scheduler writes files.
        let closed = ["files", "view", "nbconvert", "scheduler", ".cairn"];
        let file = closed.iter().any(|part| visit.path.is_below(part));
        forgery::check(&Attempt {
            method: &visit.parts.method,
            headers: &visit.parts.headers,
            upgrade: visit.upgrade,
            file,
            after_origin: &|address| self.origins.after_workspace(&visit.path.workspace, address),
        })
        .map_err(|_| Refusal::Forged)
    }

    /// The service's API for the pages of a workspace, which find it below `door`: as the workspace, never as the person who looks at it.
    async fn api(
        &self,
        mut visit: Box<Visit>,
        door: &str,
        line: &mut Line,
    ) -> Result<Response<Body>, Refusal> {
        if visit.upgrade {
            return Err(Refusal::Missing);
        }
        let (site, shown) = self.authorise(&visit, line).await?;
        let door = format!("{}{door}", site.base);
        let door = door.trim_end_matches('/');
        visit.parts.uri = upstream::below(&visit.parts.uri, door).ok_or(Refusal::Missing)?;
        for ours in [header::COOKIE, header::AUTHORIZATION] {
            visit.parts.headers.remove(ours);
        }
        let visit = *visit;
        let Some(credential) = visit
            .shown
            .candidates(visit.origin != Origin::App)
            .nth(shown)
        else {
            return Err(Refusal::Stranger);
        };
        let request = Request::from_parts(visit.parts, visit.body);
        let asked = Asked {
            credential,
            workspace: visit.path.workspace,
            peer: visit.peer,
        };
        let answer = self.workspaces.api(asked, request).await;
        Ok(answer.map_err(|_| Refusal::Unanswered)?.map(Body::from))
    }

    async fn door(&self, visit: &Visit, rest: &str) -> Result<Response<Body>, Refusal> {
        if visit.upgrade {
            return Err(Refusal::Missing);
        }
        if !forgery::is_safe(&visit.parts.method) {
            self.refuse_forged(visit)?;
        }
        let door = Door {
            workspace: visit.path.workspace,
            base: &format!("/w/{}/", visit.path.workspace),
            cookie: self.cookie,
            secure: self.origins.is_secure(),
            app: self.origins.app(),
        };
        door.answer(self.workspaces.as_ref(), rest, &visit.parts, &visit.shown)
            .await
    }

    fn site(&self, id: &WorkspaceId) -> Option<Arc<Site>> {
        self.sites
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    fn make_site(&self, id: WorkspaceId) -> Arc<Site> {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        sites
            .entry(id)
            .or_insert_with(|| Arc::new(Site::new(id, &self.bounds)))
            .clone()
    }

    /// Forgets what no one has used for a while.
    fn tidy(&self) {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        // Someone who holds the site now may put a connection back: it stays then.
        sites.retain(|_, site| !site.tidy() || Arc::strong_count(site) > 1);
    }
}

impl<W> Drop for Proxy<W> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn tidy<W: Workspaces>(proxy: std::sync::Weak<Proxy<W>>, stop: CancellationToken) {
    let mut every = interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let Some(proxy) = proxy.upgrade() else { return };
        proxy.tidy();
    }
}
