//! Sockets: accepting, TLS, what a client may send before it is understood, and ending gracefully. It knows no routes: every
//! request goes to one handler.

mod drain;
mod pulse;
mod stream;
mod tls;

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use pulse::Pulse;

pub use drain::Drain;
pub use stream::Stream;

use crate::{
    config::{Config, Listener, Role},
    proxy::{Body, Peer},
};

/// The most bytes of a request's head; more than that, or more than 100 headers, is 431.
const HEAD_BYTES: usize = 64 * 1024;
/// How long a client may take to send a request's head, and how long a connection may be idle between requests; up to twice that.
const HEAD_TIME: Duration = Duration::from_secs(40);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes buffered of one message; more only arrive as the other side takes them.
const BUFFER: usize = 256 * 1024;
/// How long accepting rests after it failed, for example because there are no descriptors left.
const REST: Duration = Duration::from_millis(100);

/// A socket that is bound and listens.
pub struct Listening {
    socket: TcpListener,
    role: Role,
    tls: Option<Arc<tls::Reloading>>,
}

/// How a request arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The role of the listener.
    pub role: Role,
    /// Who sent it.
    pub peer: Peer,
}

/// What holds for all connections of a listener.
struct Shared<H> {
    handler: H,
    config: Arc<Config>,
    role: Role,
    drain: Drain,
    builder: http1::Builder,
}

impl Listening {
    /// Binds a listener and reads its TLS files. Clients queue up from now on, and are served once `serve` runs.
    ///
    /// # Errors
    /// The address is in use or not ours, or the TLS files cannot be read or do not fit each other.
    pub async fn bind(listener: &Listener) -> io::Result<Self> {
        let tls = listener.tls.as_ref().map(tls::Reloading::new).transpose()?;
        let socket = TcpListener::bind(listener.address).await?;
        Ok(Self {
            socket,
            role: listener.role,
            tls: tls.map(Arc::new),
        })
    }

    /// The address that is listened on, with the port that was taken for port 0.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections and answers their requests with `handler` until `drain` begins. Then requests in flight are finished
    /// and idle connections closed; `Drain::finish` waits for that.
    ///
    /// At most `connections` are open at the same time, tunnels included; further clients wait in the system's queue.
    pub async fn serve<H, F>(
        self,
        config: Arc<Config>,
        connections: Arc<Semaphore>,
        drain: Drain,
        handler: H,
    ) where
        H: Fn(Request<Incoming>, Arrival) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send,
    {
        let shared = Arc::new(Shared {
            handler,
            config,
            role: self.role,
            drain: drain.clone(),
            builder: builder(),
        });
        let watch = self
            .tls
            .clone()
            .map(|tls| tokio::spawn(async move { tls.watch().await }));
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(permit) = connections.clone().acquire_owned().await else {
                    return;
                };
                match self.socket.accept().await {
                    Ok((socket, address)) => {
                        let (shared, tls) = (shared.clone(), self.tls.clone());
                        drain.track(async move {
                            if let Some(stream) = open(socket, tls, permit).await {
                                shared.connection(stream, address.ip()).await;
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(REST).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = drain.begun() => {}
        }
        if let Some(watch) = watch {
            watch.abort();
        }
    }
}

/// Raises the limit of open files to what the system allows, and says how many connections that is good for: every one may need a
/// second descriptor, to a workspace's server.
pub fn connections_for_open_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = usize::try_from(current.unwrap_or(1 << 20).min(1 << 20)).unwrap_or(1 << 20);
    (files.saturating_sub(256) / 2).max(64)
}

impl<H, F> Shared<H>
where
    H: Fn(Request<Incoming>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send,
{
    async fn connection(&self, stream: Stream, address: IpAddr) {
        let secure = stream.is_tls();
        let trusted = self.config.trusts(address);
        let pulse = Arc::new(Pulse::default());
        let service = service_fn(|request: Request<Incoming>| {
            let peer = if trusted {
                forwarded(&self.config, request.headers(), address, secure)
            } else {
                Peer {
                    client: address,
                    secure,
                }
            };
            let busy = pulse.begin();
            let role = self.role;
            let answer = (self.handler)(request, Arrival { role, peer });
            async { Ok::<_, Infallible>(answer.await.map(|body| busy.until_sent(body))) }
        });
        let mut connection = std::pin::pin!(
            self.builder
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let outcome = tokio::select! {
            biased;
            outcome = connection.as_mut() => outcome,
            () = pulse.stalled(HEAD_TIME) => return,
            () = self.drain.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            // Clients hang up and scanners talk nonsense: neither is news.
            tracing::debug!(client = %address, %error, "a connection ended with an error");
        }
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_header_size(HEAD_BYTES).max_buf_size(BUFFER);
    builder
}

async fn open(
    socket: TcpStream,
    tls: Option<Arc<tls::Reloading>>,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> Option<Stream> {
    // Options that cannot be set cost speed, not correctness.
    let _ = socket.set_nodelay(true);
    let _ = stream::keep_alive(&socket);
    let Some(tls) = tls else {
        return Some(Stream::plain(socket, permit));
    };
    let accepted = timeout(HANDSHAKE, tls.acceptor().accept(socket))
        .await
        .ok()?
        .ok()?;
    Some(Stream::tls(accepted, permit))
}

/// The client that a trusted proxy speaks for: the last address in `X-Forwarded-For` that is not itself a trusted proxy.
fn forwarded(config: &Config, headers: &HeaderMap, proxy: IpAddr, secure: bool) -> Peer {
    let mut client = proxy;
    let lists: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        client = hop;
        if !config.trusts(hop) {
            break;
        }
    }
    let proto = headers.get_all("x-forwarded-proto").iter().next_back();
    let secure = match proto.map(http::HeaderValue::as_bytes) {
        Some(proto) => proto.eq_ignore_ascii_case(b"https"),
        None => secure,
    };
    Peer { client, secure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(header: &[&str]) -> IpAddr {
        let mut config = Config::new(
            "http://localhost".parse().unwrap(),
            "127.0.0.1:1".parse().unwrap(),
        );
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in header {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        forwarded(&config, &headers, [10, 0, 0, 1].into(), false).client
    }

    #[test]
    fn the_last_hop_that_is_not_ours_is_the_client() {
        assert_eq!(peer(&[]), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(peer(&["1.1.1.1"]), IpAddr::from([1, 1, 1, 1]));
        assert_eq!(
            peer(&["9.9.9.9, 1.1.1.1, 10.0.0.2"]),
            IpAddr::from([1, 1, 1, 1])
        );
        assert_eq!(peer(&["9.9.9.9", "1.1.1.1"]), IpAddr::from([1, 1, 1, 1]));
        assert_eq!(peer(&["1.1.1.1, nonsense"]), IpAddr::from([10, 0, 0, 1]));
    }
}
