//! One HTTP/1.1 connection to a server, from the client's side: one request at a time, and its answer. It has no task, channel or timer of
//! its own: whoever waits for the answer moves the request along, and who reads the answer slowly slows the server, and the own request.
//! What a server says of the end of an answer that two readers could take for two things (RFC 9112 sections 6.1 and 6.3) is refused, and
//! ends the connection.

mod decode;
mod head;
mod upload;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use decode::{Decoder, Step};
pub(super) use head::{Outgoing, field};
use upload::Upload;

/// The fewest bytes that there is room for in one read, and the most.
const READ: (usize, usize) = (8 * 1024, 128 * 1024);

/// A connection. It is good for another request while [`Wire::is_whole`] says so.
pub(super) struct Wire<S, B> {
    socket: S,
    received: BytesMut,
    /// Room for the next read: as much as the last ones filled.
    room: usize,
    upload: Upload<B>,
    decoder: Decoder,
    /// Neither side has said that it closes, and nothing went wrong.
    keep: bool,
}

/// Why there is no answer.
pub(super) enum Failure<B> {
    /// Nothing of the request left: the connection was closed before. It may be sent on another.
    Unsent(Box<Outgoing<B>>),
    /// The request broke off.
    Client,
    /// The server hung up, or what it said was no HTTP.
    Broken(io::Error),
}

/// The request's body failed, or was not as long as it said.
struct ClientFault;

impl<B> From<io::Error> for Failure<B> {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl<B> From<ClientFault> for Failure<B> {
    fn from(ClientFault: ClientFault) -> Self {
        Self::Client
    }
}

impl From<ClientFault> for io::Error {
    fn from(ClientFault: ClientFault) -> Self {
        Self::new(io::ErrorKind::BrokenPipe, "the request broke off")
    }
}

impl<S, B> Wire<S, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(socket: S) -> Self {
        Self {
            socket,
            received: BytesMut::new(),
            room: READ.0,
            upload: Upload::done(),
            decoder: Decoder::Done,
            keep: true,
        }
    }

    /// Whether the last request and its answer are complete, and another request may follow.
    pub(super) fn is_whole(&self) -> bool {
        self.keep && self.is_ended() && self.upload.is_done() && self.received.is_empty()
    }

    /// As `is_whole`, and looks for a hang-up. Whatever a server says without having been asked ends the connection.
    pub(super) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_whole() && self.poll_fill(cx).is_pending()
    }

    /// Sends a request and waits for the head of its answer, for as long as it takes. The rest of the request's body is sent while the
    /// answer is read. Dropping the future leaves a connection that is not whole.
    pub(super) async fn ask(&mut self, request: Outgoing<B>) -> Result<Response<()>, Failure<B>> {
        let Outgoing {
            method,
            upload,
            mut fields,
        } = request;
        self.upload = upload;
        self.decoder = Decoder::Head;
        if let Err(failure) = poll_fn(|cx| self.poll_begin(cx)).await {
            self.keep = false;
            return Err(match (failure, self.upload.take_unsent()) {
                (upload::Error::Server, Some(upload)) => Failure::Unsent(Box::new(Outgoing {
                    method,
                    upload,
                    fields,
                })),
                (upload::Error::Server, None) => Failure::Broken(io::ErrorKind::BrokenPipe.into()),
                (upload::Error::Client, _) => Failure::Client,
            });
        }
        let mut seen = 0;
        let head = poll_fn(|cx| self.poll_head(cx, &method, &mut fields, &mut seen)).await;
        let status = head.inspect_err(|_| self.keep = false)?;
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        Ok(response)
    }

    /// The next piece of the answer's body. After an error the connection is not whole.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(self.poll_decode(cx));
        if matches!(frame, Some(Err(_))) {
            self.keep = false;
        }
        Poll::Ready(frame)
    }

    /// Whether all of the answer has been read.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.decoder, Decoder::Done)
    }

    /// Lets go of the room that large answers needed, before the connection waits for another request.
    pub(super) fn rest(&mut self) {
        if self.room > READ.0 {
            self.received = BytesMut::new();
        }
    }

    /// How much of the answer's body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }

    /// The socket, and what was received on it after the last answer.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.received.freeze())
    }

    /// Has the first bytes of the request leave.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), upload::Error>> {
        match self.upload.poll(cx, &mut self.socket) {
            // The rest follows while the answer is awaited, which may come before it.
            Poll::Pending if self.upload.has_begun() => Poll::Ready(Ok(())),
            outcome => outcome,
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        fields: &mut HeaderMap,
        seen: &mut usize,
    ) -> Poll<Result<StatusCode, Failure<B>>> {
        self.go_on(cx)?;
        loop {
            while let Some(head) = head::decode(&mut self.received, *seen, method, fields)? {
                *seen = 0;
                if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS
                {
                    fields.clear();
                    continue;
                }
                self.decoder = head.decoder;
                self.keep &= head.keep;
                return Poll::Ready(Ok(head.status));
            }
            *seen = self.received.len();
            if ready!(self.poll_fill(cx))? == 0 {
                let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Poll::Ready(Err(ended.into()));
            }
        }
    }

    fn poll_decode(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.go_on(cx).map_err(io::Error::from)?;
        loop {
            match self.decoder.decode(&mut self.received)? {
                Step::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
                Step::End => return Poll::Ready(None),
                Step::More => {}
            }
            if ready!(self.poll_fill(cx))? == 0 {
                self.keep = false;
                let ended = self.decoder.closed();
                return Poll::Ready(ended.err().map(Err));
            }
        }
    }

    /// Sends more of the request. A server that takes no more of it may have answered all the same.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Result<(), ClientFault> {
        if self.upload.is_done() {
            return Ok(());
        }
        match self.upload.poll(cx, &mut self.socket) {
            Poll::Ready(Err(upload::Error::Client)) => Err(ClientFault),
            Poll::Ready(Err(upload::Error::Server)) => {
                self.upload = Upload::done();
                self.keep = false;
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.received.reserve(self.room);
        let read = ready!(poll_read_buf(
            Pin::new(&mut self.socket),
            cx,
            &mut self.received
        ))?;
        if read >= self.room {
            self.room = (self.room * 2).min(READ.1);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(READ.0);
        }
        Poll::Ready(Ok(read))
    }
}

#[cfg(test)]
mod tests;
