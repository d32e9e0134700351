//! A real HTTP and WebSocket server on a unix socket that tells what it got, and does some things when asked by path.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixListener, sync::Notify};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key},
};

use super::proxy_fixture::{A, large};

/// A server that tells what it got, and does some things when asked by path.
#[derive(Default)]
pub(crate) struct Echo {
    pub(crate) requests: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) produced: AtomicU64,
    pub(crate) consumed: AtomicU64,
    pub(crate) go: Notify,
    pub(crate) websockets: AtomicUsize,
}

type Out = UnsyncBoxBody<Bytes, std::convert::Infallible>;

impl Echo {
    pub(crate) fn start(socket: &Path) -> Arc<Self> {
        let echo = Arc::new(Self::default());
        let listener = UnixListener::bind(socket).unwrap();
        let server = echo.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::Relaxed);
                let echo = server.clone();
                let service = service_fn(move |request| {
                    let echo = echo.clone();
                    async move { Ok::<_, std::convert::Infallible>(echo.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades(),
                );
            }
        });
        echo
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Out> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path().to_owned();
        let (_, rest) = path.split_at(path.len().min("/w/".len() + A.len() + 1));
        if request.headers().contains_key(header::UPGRADE) && rest.starts_with("ws") {
            return self.websocket(request);
        }
        match rest.split_once('/').unwrap_or((rest, "")) {
            ("zeros", bytes) => self.zeros(bytes.parse().unwrap()),
            ("stream", _) => self.stream(),
            ("sink", _) => self.sink(request).await,
            ("status", code) => {
                let mut response = Response::new(empty());
                *response.status_mut() = code.parse().unwrap();
                response
            }
            ("range", _) => range(&request),
            ("trailers", _) => trailers(),
            ("headers", _) => with_headers(&request),
            _ => tell(request).await,
        }
    }

    fn zeros(self: Arc<Self>, bytes: u64) -> Response<Out> {
        const CHUNK: u64 = 64 * 1024;
        let block = Bytes::from(vec![0; 64 * 1024]);
        let chunks = futures_util::stream::unfold(bytes, move |left| {
            let (block, echo) = (block.clone(), self.clone());
            async move {
                let size = left.min(CHUNK);
                echo.produced.fetch_add(size, Ordering::Relaxed);
                (size > 0).then(|| {
                    (
                        Ok(Frame::data(block.slice(..usize::try_from(size).unwrap()))),
                        left - size,
                    )
                })
            }
        });
        let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(chunks)));
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, bytes.into());
        response
    }

    /// Two events, the second only when the test says so.
    fn stream(self: Arc<Self>) -> Response<Out> {
        let events = futures_util::stream::unfold(0, move |number| {
            let echo = self.clone();
            async move {
                match number {
                    0 => Some((Ok(Frame::data(Bytes::from_static(b"data: 1\n\n"))), 1)),
                    1 => {
                        echo.go.notified().await;
                        Some((Ok(Frame::data(Bytes::from_static(b"data: 2\n\n"))), 2))
                    }
                    _ => None,
                }
            }
        });
        let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(events)));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
        response
    }

    async fn sink(&self, request: Request<Incoming>) -> Response<Out> {
        let mut body = request.into_body();
        let mut total = 0_u64;
        let mut sum = 0_u64;
        while let Some(Ok(frame)) = body.frame().await {
            let data = frame.into_data().unwrap_or_default();
            total += data.len() as u64;
            self.consumed
                .fetch_add(data.len() as u64, Ordering::Relaxed);
            sum = data.iter().fold(sum, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
            });
        }
        Response::new(full(format!("{total} {sum}")))
    }

    fn websocket(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Out> {
        let key = request.headers()[header::SEC_WEBSOCKET_KEY]
            .as_bytes()
            .to_vec();
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let offered = request
            .headers()
            .get_all("sec-websocket-protocol")
            .iter()
            .cloned()
            .collect::<Vec<_>>();
        let extensions = request.headers().get("sec-websocket-extensions").cloned();
        let upgrade = hyper::upgrade::on(&mut request);
        self.websockets.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let io = TokioIo::new(upgrade.await.unwrap());
            let socket = WebSocketStream::from_raw_socket(
                io,
                tokio_tungstenite::tungstenite::protocol::Role::Server,
                Some(large()),
            )
            .await;
            serve_websocket(socket, &path).await;
            self.websockets.fetch_sub(1, Ordering::Relaxed);
        });
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, "Upgrade".parse().unwrap());
        headers.insert(header::UPGRADE, "websocket".parse().unwrap());
        headers.insert(
            header::SEC_WEBSOCKET_ACCEPT,
            derive_accept_key(&key).parse().unwrap(),
        );
        if let Some(choice) = query.strip_prefix("choose=") {
            headers.insert("sec-websocket-protocol", choice.parse().unwrap());
        }
        for value in offered {
            headers.append("x-offered-protocol", value);
        }
        if let Some(value) = extensions {
            headers.insert("x-offered-extensions", value);
        }
        response
    }
}

async fn serve_websocket<S>(mut socket: WebSocketStream<S>, path: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if path.ends_with("/close") {
        use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
        let frame = CloseFrame {
            code: CloseCode::from(4321),
            reason: "the kernel's own reason".into(),
        };
        let _ = socket.close(Some(frame)).await;
        while socket.next().await.is_some() {}
        return;
    }
    if path.ends_with("/vanish") {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

fn range(request: &Request<Incoming>) -> Response<Out> {
    let wanted = request
        .headers()
        .get(header::RANGE)
        .map(|value| value.to_str().unwrap().to_owned());
    let mut response = Response::new(full(wanted.clone().unwrap_or_default()));
    if wanted.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
            .headers_mut()
            .insert(header::CONTENT_RANGE, "bytes 1-2/10".parse().unwrap());
    }
    response
}

fn trailers() -> Response<Out> {
    let mut map = HeaderMap::new();
    map.insert("x-sum", "42".parse().unwrap());
    let frames = vec![
        Ok(Frame::data(Bytes::from_static(b"body"))),
        Ok(Frame::trailers(map)),
    ];
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(
        futures_util::stream::iter(frames),
    )));
    response
        .headers_mut()
        .insert(header::TRAILER, "x-sum".parse().unwrap());
    response
}

/// Answers with the headers that the query asks for: `name=value&name=value`.
fn with_headers(request: &Request<Incoming>) -> Response<Out> {
    let mut response = Response::new(full(String::new()));
    for (name, value) in
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
    {
        let name: http::HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

async fn tell(request: Request<Incoming>) -> Response<Out> {
    let (parts, body) = request.into_parts();
    let headers: serde_json::Map<_, _> = parts
        .headers
        .keys()
        .map(|name| {
            let values: Vec<_> = parts
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            (name.to_string(), values.join(" | ").into())
        })
        .collect();
    let body = body
        .collect()
        .await
        .map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned())
        .unwrap_or_default();
    let told = serde_json::json!({"method": parts.method.as_str(), "target": parts.uri.to_string(), "headers": headers, "body": body});
    let mut response = Response::new(full(told.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    response
}

fn full(text: String) -> Out {
    Full::from(text).boxed_unsync()
}

fn empty() -> Out {
    http_body_util::Empty::new().boxed_unsync()
}
