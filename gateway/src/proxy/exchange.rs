//! One request and its answer on a connection to a workspace's server, which goes back to its site with the end of the answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};

use super::{
    body::Error,
    site::{Place, Site},
    socket::Socket,
    wire::{Failure, Outgoing, Wire},
    workspaces::Address,
};

/// A connection to a server. Boxed, because it changes hands several times for each request.
pub(super) struct Link(Box<Wire<Socket, Incoming>>);

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) response: Response<()>,
    link: Link,
}

/// The body of an answer. Its connection goes back to its site at the end, and is closed when the body is dropped before that.
pub struct Streaming {
    /// `None` once the body has ended.
    link: Option<Link>,
    home: (Arc<Site>, Arc<Address>),
    /// Counts against the site's limit until the body has ended.
    _place: Place,
}

impl Link {
    /// Connects to a server.
    pub(super) async fn connect(address: &Address) -> std::io::Result<Self> {
        let socket = Socket::connect(address).await?;
        Ok(Self(Box::new(Wire::new(socket))))
    }

    /// Whether the connection can still be used; reads a hang-up that came in the meantime.
    pub(super) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.is_alive(cx)
    }

    /// Sends a request and waits for the head of its answer, for as long as it takes. Dropping the future hangs up.
    pub(super) async fn send(
        mut self,
        request: Outgoing<Incoming>,
    ) -> Result<Answer, Failure<Incoming>> {
        let response = self.0.ask(request).await?;
        Ok(Answer {
            response,
            link: self,
        })
    }
}

impl Answer {
    /// The answer with a body that gives its connection back.
    pub(super) fn streaming(
        self,
        home: (Arc<Site>, Arc<Address>),
        place: Place,
    ) -> (http::response::Parts, Streaming) {
        let (parts, ()) = self.response.into_parts();
        let mut streaming = Streaming {
            link: Some(self.link),
            home,
            _place: place,
        };
        streaming.give_back();
        (parts, streaming)
    }

    /// After `101`: the socket, and the bytes that already came on it.
    pub(super) fn into_socket(self) -> Option<(Socket, Bytes)> {
        let switched = self.response.status() == StatusCode::SWITCHING_PROTOCOLS;
        switched.then(|| self.link.0.into_parts())
    }
}

impl Streaming {
    /// Lets go of the connection, where the answer has ended.
    fn give_back(&mut self) {
        let Some(mut link) = self.link.take_if(|link| link.0.is_ended()) else {
            return;
        };
        if link.0.is_whole() {
            link.0.rest();
            let (site, address) = &self.home;
            site.keep(link, address);
        }
    }
}

impl hyper::body::Body for Streaming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(link) = &mut self.link else {
            return Poll::Ready(None);
        };
        let frame = ready!(link.0.poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            self.link = None;
        }
        self.give_back();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.link
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |link| link.0.size_hint())
    }
}
