//! One request and its answer on a connection to a workspace's server. The connection is driven by whoever waits for the answer and
//! then by the answer's body, in the client's own task: no task, channel hop or wake-up is spent on it, and a slow reader slows the
//! server by itself.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;

use super::{
    body::Error,
    site::{Place, Site},
    socket::Socket,
    workspaces::Address,
};

/// A connection that has no request in flight. Boxed, because it changes hands several times for each request.
pub(super) struct Link(Box<Wire>);

struct Wire {
    sender: http1::SendRequest<Incoming>,
    connection: http1::Connection<TokioIo<Socket>, Incoming>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// The request never left: the connection was closed before. It may be sent on another.
    Unsent(Box<Request<Incoming>>),
    /// The server hung up, or what it said was no HTTP.
    Broken,
}

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    link: Option<Link>,
}

/// The body of an answer. Its connection goes back to its site at the end, and is closed when the body is dropped before that.
pub struct Streaming {
    body: Incoming,
    link: Option<Link>,
    home: Option<(Arc<Site>, Arc<Address>)>,
    /// Counts against the site's limit until the body has ended.
    _place: Place,
}

impl Link {
    /// Connects to a server.
    pub(super) async fn connect(address: &Address) -> std::io::Result<Self> {
        let socket = Socket::connect(address).await?;
        let handshake = http1::Builder::new()
            .max_buf_size(256 * 1024)
            .handshake(TokioIo::new(socket))
            .await;
        let (sender, connection) = handshake.map_err(std::io::Error::other)?;
        Ok(Self(Box::new(Wire { sender, connection })))
    }

    /// Whether the connection can still be used; reads a hang-up that came in the meantime.
    pub(super) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.0.connection).poll(cx).is_pending() && self.0.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer, for as long as it takes. Dropping the future hangs up.
    pub(super) async fn send(mut self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let mut reply = pin!(self.0.sender.try_send_request(request));
        let mut ended = false;
        let outcome = poll_fn(|cx| {
            ended = ended || Pin::new(&mut self.0.connection).poll(cx).is_ready();
            reply.as_mut().poll(cx)
        })
        .await;
        match outcome {
            Ok(response) => {
                let keep = !ended || response.status() == StatusCode::SWITCHING_PROTOCOLS;
                Ok(Answer {
                    response,
                    link: keep.then_some(self),
                })
            }
            Err(mut failed) => Err(match failed.take_message() {
                Some(request) => Failure::Unsent(Box::new(request)),
                None => Failure::Broken,
            }),
        }
    }
}

impl Answer {
    /// The answer with a body that gives its connection back.
    pub(super) fn streaming(
        self,
        home: (Arc<Site>, Arc<Address>),
        place: Place,
    ) -> (http::response::Parts, Streaming) {
        let (parts, body) = self.response.into_parts();
        let mut streaming = Streaming {
            body,
            link: self.link,
            home: Some(home),
            _place: place,
        };
        if streaming.body.is_end_stream() {
            streaming.give_back(&mut Context::from_waker(std::task::Waker::noop()));
        }
        (parts, streaming)
    }

    /// After `101`: the socket, and the bytes that already came on it.
    pub(super) async fn into_socket(self) -> Option<(Socket, Bytes)> {
        let mut connection = self.link?.0.connection;
        // Already ended where the head was read; asking it again is then not allowed.
        let parts = {
            poll_fn(|cx| connection.poll_without_shutdown(cx))
                .await
                .ok()?;
            connection.into_parts()
        };
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

impl Streaming {
    fn give_back(&mut self, cx: &mut Context<'_>) {
        let (Some(mut link), Some((site, address))) = (self.link.take(), self.home.take()) else {
            return;
        };
        if link.is_alive(cx) {
            site.keep(link, &address);
        }
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        // The body now says that it wants more; the connection reads it.
        if let Some(link) = &mut self.link
            && Pin::new(&mut link.0.connection).poll(cx).is_ready()
        {
            self.link = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

impl hyper::body::Body for Streaming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(self.poll_body(cx));
        match &frame {
            Some(Err(_)) => self.link = None,
            None => self.give_back(cx),
            Some(Ok(_)) if self.body.is_end_stream() => self.give_back(cx),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
