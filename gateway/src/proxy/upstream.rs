//! The way to a workspace's server: finding it, one request with its answer, one upgrade with its tunnel.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Response, StatusCode, Uri, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

use super::{
    Proxy, Visit,
    answers::Refusal,
    body::Body,
    credentials,
    exchange::{Answer, Link},
    headers::{self, Said, Towards},
    live::Membership,
    site::{Place, Route, Site},
    socket::Socket,
    tunnel,
    wire::{Failure, Outgoing},
    workspaces::{Address, Workspaces},
};
use crate::{listen::Stream, origins::Origin};

/// Bytes in one read from a client that are more than an answer to a ping, which carries none of its own.
const MORE_THAN_A_PONG: usize = 16;
/// How often a tunnel looks whether its activity should be passed on.
const NOTE_EVERY: Duration = Duration::from_secs(15);
/// Connections tried before giving up on one request.
const ATTEMPTS: usize = 3;

/// What of a request is still needed when its answer has come.
struct Context {
    site: Arc<Site>,
    app: bool,
    token_in_query: bool,
    counts: bool,
}

impl Context {
    fn dress(&self, response: &mut http::HeaderMap) {
        let towards = Towards {
            base: &self.site.base,
            app: self.app,
            token_in_query: self.token_in_query,
        };
        headers::to_client(response, &towards);
    }
}

impl<W: Workspaces> Proxy<W> {
    /// Sends a request on and streams its answer back.
    pub(super) async fn forward(
        &self,
        visit: Box<Visit>,
        site: Arc<Site>,
    ) -> Result<Response<Body>, Refusal> {
        let place = site.place().await.map_err(|_| Refusal::Busy)?;
        let context = context(&visit, site);
        let (address, request) = self.prepare(visit, &context.site).await?;
        let answer = self
            .exchange(&context.site, &address, request, false)
            .await?;
        Ok(self.relay(answer, address, place, &context))
    }

    /// Sends a handshake on and, after `101`, tunnels. Any other answer is passed on as it is.
    pub(super) async fn open_tunnel(
        &self,
        mut visit: Box<Visit>,
        site: Arc<Site>,
        shown: usize,
    ) -> Result<Response<Body>, Refusal> {
        let place = site.tunnel_place().map_err(|_| Refusal::Busy)?;
        let membership = {
            let mut candidates = visit.shown.candidates(visit.origin != Origin::App);
            let credential = candidates.nth(shown).ok_or(Refusal::Stranger)?;
            self.live.enter(visit.path.workspace, credential)
        };
        let context = context(&visit, site);
        let Some(client) = visit.parts.extensions.remove::<OnUpgrade>() else {
            return Err(Refusal::Upgrade);
        };
        let (address, request) = self.prepare(visit, &context.site).await?;
        let answer = self
            .exchange(&context.site, &address, request, true)
            .await?;
        if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let mut response = self.relay(answer, address, place, &context);
            response
                .headers_mut()
                .insert(header::CONNECTION, http::HeaderValue::from_static("close"));
            return Ok(response);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = answer.response.headers().clone();
        context.dress(response.headers_mut());
        response.headers_mut().insert(
            header::CONNECTION,
            http::HeaderValue::from_static("Upgrade"),
        );
        response
            .headers_mut()
            .insert(header::UPGRADE, http::HeaderValue::from_static("websocket"));
        let server = answer.into_socket().ok_or(Refusal::Unreachable)?;
        let workspaces = self.workspaces.clone();
        let note = Note {
            site: context.site,
            workspaces,
            last: None,
        };
        tokio::spawn(run_tunnel(client, server, note, (membership, place)));
        Ok(response)
    }

    /// The server's address, and the request as the server shall see it.
    async fn prepare(
        &self,
        visit: Box<Visit>,
        site: &Site,
    ) -> Result<(Arc<Address>, Outgoing<Incoming>), Refusal> {
        let (address, authorization) = self.route(site).await?;
        let Visit {
            mut parts,
            body,
            peer,
            upgrade,
            ..
        } = *visit;
        parts.uri = bare(&parts.uri)?;
        let said = Said {
            client: peer.client,
            secure: peer.secure,
            authorization: &authorization,
            upgrade,
        };
        let request = Outgoing::new(parts, body, |fields, line| {
            headers::to_upstream(fields, &said, line);
        });
        Ok((address, request))
    }

    async fn route(&self, site: &Site) -> Result<(Arc<Address>, http::HeaderValue), Refusal> {
        let change = *self.changes.borrow();
        let route = if let Some(route) = site.route(change) {
            route
        } else {
            let upstream = self
                .workspaces
                .resolve(&site.id)
                .await
                .map_err(|_| Refusal::Unanswered)?;
            site.set_route(upstream, change)
        };
        match route {
            Route::Running {
                address,
                authorization,
            } => Ok((address, authorization)),
            Route::Starting => Err(Refusal::Starting),
            Route::Stopped => Err(Refusal::Stopped),
        }
    }

    /// Sends a request on an idle connection or a new one. A request that never left because its connection was closed in the
    /// meantime is sent again on another; one that may have been seen is not.
    async fn exchange(
        &self,
        site: &Site,
        address: &Arc<Address>,
        mut request: Outgoing<Incoming>,
        upgrade: bool,
    ) -> Result<Answer, Refusal> {
        for attempt in 0..ATTEMPTS {
            // The last attempt takes a new connection, and so does a tunnel, which keeps it.
            let idle = if upgrade || attempt + 1 == ATTEMPTS {
                None
            } else {
                site.take(address).await
            };
            let link = match idle {
                Some(link) => link,
                None => Box::pin(Link::connect(address))
                    .await
                    .map_err(|error| Self::unreachable(site, &error))?,
            };
            match link.send(request).await {
                // Nobody asked for another protocol: whatever follows on that connection is not HTTP.
                Ok(answer)
                    if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS && !upgrade =>
                {
                    return Err(Refusal::Unreachable);
                }
                Ok(answer) => return Ok(answer),
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Client) => return Err(Refusal::Bad("The request broke off.")),
                Err(Failure::Broken(error)) => return Err(Self::unreachable(site, &error)),
            }
        }
        Err(Refusal::Unreachable)
    }

    fn unreachable(site: &Site, error: &std::io::Error) -> Refusal {
        tracing::debug!(workspace.id = %site.id, %error, "no answer from the server of a workspace");
        site.forget_route();
        Refusal::Unreachable
    }

    fn relay(
        &self,
        answer: Answer,
        address: Arc<Address>,
        place: Place,
        context: &Context,
    ) -> Response<Body> {
        if context.counts && answer.response.status().as_u16() < 400 && context.site.touches() {
            self.workspaces.touch(&context.site.id);
        }
        let (mut parts, body) = answer.streaming((context.site.clone(), address), place);
        context.dress(&mut parts.headers);
        parts.version = http::Version::HTTP_11;
        parts.extensions.clear();
        Response::from_parts(parts, Body::Upstream(Box::new(body)))
    }
}

/// Passes on that the person does something through a tunnel.
struct Note<W> {
    site: Arc<Site>,
    workspaces: Arc<W>,
    last: Option<Instant>,
}

impl<W: Workspaces> Note<W> {
    /// Answers to pings are no activity, else an abandoned tab would keep its server for ever. They are told apart by their size
    /// alone: frames are not parsed.
    fn heard(&mut self, bytes: usize) {
        if bytes <= MORE_THAN_A_PONG || self.last.is_some_and(|last| last.elapsed() < NOTE_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        if self.site.touches() {
            self.workspaces.touch(&self.site.id);
        }
    }
}

async fn run_tunnel<W: Workspaces>(
    client: OnUpgrade,
    server: (Socket, bytes::Bytes),
    mut note: Note<W>,
    held: (Membership, Place),
) {
    let upgraded = tokio::select! {
        upgraded = client => upgraded,
        () = held.0.cut() => return,
    };
    let Ok(upgraded) = upgraded else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else {
        tracing::error!("a tunnel on a connection that this gateway did not accept");
        return;
    };
    let (server, from_server) = server;
    let early = (parts.read_buf, from_server);
    tunnel::join(
        parts.io.into_inner(),
        server,
        early,
        |bytes| note.heard(bytes),
        held.0.cut(),
    )
    .await;
}

fn context(visit: &Visit, site: Arc<Site>) -> Context {
    Context {
        counts: counts_as_activity(visit),
        app: visit.origin == Origin::App,
        token_in_query: visit.shown.in_query,
        site,
    }
}

/// Whether a request, if it succeeds, shows that a person is at work: it changes something or opens a page. What an open but
/// forgotten tab polls does not.
fn counts_as_activity(visit: &Visit) -> bool {
    let asks_not = visit
        .parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "no_track_activity=1"));
    let opens_page = visit
        .parts
        .headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate");
    !asks_not
        && (opens_page
            || !matches!(
                visit.parts.method,
                Method::GET | Method::HEAD | Method::OPTIONS
            ))
}

/// The address below `prefix` as it came, without the token; `None` where it is not written that way.
pub(super) fn below(uri: &Uri, prefix: &str) -> Option<Uri> {
    let uri = bare(uri).ok()?;
    let below = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    if below.starts_with('/') {
        below.parse().ok()
    } else {
        None
    }
}

/// Path and query as they came, without the token.
fn bare(uri: &Uri) -> Result<Uri, Refusal> {
    const BAD: Refusal = Refusal::Bad("The address is malformed.");
    let target = uri.path_and_query().ok_or(BAD)?;
    let Some(query) = target.query().filter(|query| credentials::has_token(query)) else {
        return Ok(Uri::from(target.clone()));
    };
    match credentials::without_token(query) {
        Some(query) => format!("{}?{query}", target.path())
            .parse()
            .map_err(|_| BAD),
        None => target.path().parse().map_err(|_| BAD),
    }
}
