//! A request on its way out: its head, then its body as it comes, framed by a length or in chunks.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use hyper::body::Body;
use tokio::io::AsyncWrite;

/// What broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// The body failed, or was not as long as it said.
    Client,
    /// The server takes no more.
    Server,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By this many bytes that are still to come.
    Length(u64),
    /// By a last chunk.
    Chunked,
}

/// A request on its way out.
pub(super) struct Upload<B> {
    /// The head, or the line before a chunk.
    line: Vec<u8>,
    written: usize,
    data: Bytes,
    /// What ends a chunk.
    end: &'static [u8],
    body: Option<B>,
    framing: Framing,
    /// Something was taken from the body.
    touched: bool,
    /// Something was sent.
    begun: bool,
    flushed: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    /// One of which all was sent.
    pub(super) fn done() -> Self {
        Self {
            line: Vec::new(),
            written: 0,
            data: Bytes::new(),
            end: &[],
            body: None,
            framing: Framing::Length(0),
            touched: true,
            begun: true,
            flushed: true,
        }
    }

    /// A head and the body that it announces.
    pub(super) fn new(head: Vec<u8>, body: B, framing: Framing) -> Self {
        Self {
            line: head,
            body: Some(body),
            framing,
            touched: false,
            begun: false,
            flushed: false,
            ..Self::done()
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.flushed
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// All of it, where nothing was sent and nothing was taken from the body.
    pub(super) fn take_unsent(&mut self) -> Option<Self> {
        let is_unsent = !self.begun && !self.touched;
        is_unsent.then(|| std::mem::replace(self, Self::done()))
    }

    /// Sends what there is, until all was sent.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<Result<(), Error>> {
        loop {
            let more = self.poll_refill(cx)?;
            ready!(self.poll_write(cx, socket)).map_err(|_| Error::Server)?;
            match more {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    ready!(Pin::new(&mut *socket).poll_flush(cx)).map_err(|_| Error::Server)?;
                    // With it goes what it has of the client's buffer.
                    *self = Self::done();
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    ready!(Pin::new(&mut *socket).poll_flush(cx)).map_err(|_| Error::Server)?;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Takes the next piece of the body, where the last one was sent. Says whether more may follow.
    fn poll_refill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        if self.framing == Framing::Length(0) {
            // Nothing is asked of a body that is empty, so that it can be sent again.
            return Poll::Ready(Ok(false));
        }
        while self.data.is_empty()
            && self.end.is_empty()
            && let Some(body) = &mut self.body
        {
            let frame = ready!(Pin::new(body).poll_frame(cx));
            self.touched = true;
            match frame {
                // Trailers of requests stay here: no server of ours reads them, and they could say what only we may.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.add(data)?;
                    }
                }
                Some(Err(_)) => return Poll::Ready(Err(Error::Client)),
                None => self.finish()?,
            }
        }
        Poll::Ready(Ok(self.body.is_some()))
    }

    fn add(&mut self, data: Bytes) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Error::Client)?;
                if *left == 0 {
                    self.body = None;
                }
            }
            Framing::Chunked => {
                // Writing to memory cannot fail.
                let _ = write!(self.line, "{:x}\r\n", data.len());
                self.end = b"\r\n";
            }
        }
        self.data = data;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.body = None;
        match self.framing {
            Framing::Length(_) => Err(Error::Client),
            Framing::Chunked => {
                self.end = b"0\r\n\r\n";
                Ok(())
            }
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<io::Result<()>> {
        loop {
            let line = &self.line[self.written..];
            let outcome = if self.data.is_empty() && self.end.is_empty() {
                if line.is_empty() {
                    break;
                }
                Pin::new(&mut *socket).poll_write(cx, line)
            } else {
                let pieces = [line, &self.data, self.end].map(IoSlice::new);
                Pin::new(&mut *socket).poll_write_vectored(cx, &pieces)
            };
            match ready!(outcome)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent(sent),
            }
        }
        self.line.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn sent(&mut self, sent: usize) {
        self.begun = true;
        let of_line = sent.min(self.line.len() - self.written);
        self.written += of_line;
        let of_data = (sent - of_line).min(self.data.len());
        self.data.advance(of_data);
        self.end = &self.end[sent - of_line - of_data..];
    }
}
