//! A tunnel after `101`: bytes both ways until either side ends it or it is cut. It parses nothing, makes up no close frame, and
//! holds no buffer while it is idle, so that ten thousand of them are cheap.

use std::{
    cell::RefCell,
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::vigil::Vigil;

/// Bytes moved at once: more than a unix socket holds, so that one read empties it and its server can go on writing.
const CHUNK: usize = 256 * 1024;
/// How long the other direction may go on after one side has ended.
const LINGER: Duration = Duration::from_secs(30);

thread_local! {
    /// Shared by all tunnels of a thread within one poll. A direction whose other side is slow takes it along, and brings it back.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One direction of a tunnel.
#[derive(Default)]
struct Direction {
    /// Bytes read that the other side has not taken yet.
    pending: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    done: bool,
    /// Bytes were read since this was last asked.
    moved: bool,
}

/// Moves bytes between `client` and `server` until both directions have ended, one fails, or `cut` completes; both are closed then.
///
/// `early` are bytes that came before the tunnel: from the client, from the server. `heard` is told how many bytes each read from
/// the client gave. A cut drops the connections: the client sees an abnormal end (1006), never a close code that nobody sent.
pub(super) async fn join<A, B>(
    mut client: A,
    mut server: B,
    early: (Bytes, Bytes),
    mut heard: impl FnMut(usize),
    cut: impl Future<Output = ()>,
) where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Direction::after(early.0);
    let mut down = Direction::after(early.1);
    let mut cut = std::pin::pin!(cut);
    let mut linger: Option<Pin<Box<Sleep>>> = None;
    let mut vigil = Vigil::default();
    poll_fn(|cx| {
        if cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let up_failed = matches!(
            up.poll(cx, &mut client, &mut server, &mut heard),
            Poll::Ready(Err(_))
        );
        let down_failed = matches!(
            down.poll(cx, &mut server, &mut client, &mut |_| ()),
            Poll::Ready(Err(_))
        );
        if up_failed || down_failed || (up.done && down.done) {
            return Poll::Ready(());
        }
        if up.done || down.done {
            return linger
                .get_or_insert_with(|| Box::pin(sleep(LINGER)))
                .as_mut()
                .poll(cx);
        }
        if mem::take(&mut up.moved) | mem::take(&mut down.moved) {
            vigil.begin();
        }
        vigil.keep(cx);
        Poll::Pending
    })
    .await;
}

impl Direction {
    /// A direction that begins with bytes that are already there.
    fn after(early: Bytes) -> Self {
        let pending: Vec<u8> = early.into();
        Self {
            end: pending.len(),
            pending,
            ..Self::default()
        }
    }

    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        heard: &mut impl FnMut(usize),
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.done {
            ready!(self.write_pending(cx, to))?;
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.done = true;
                break;
            }
            let moved = SCRATCH.with_borrow_mut(|scratch| self.poll_move(cx, from, to, scratch));
            if moved.is_pending() {
                // What was written may still sit in the TLS layer.
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
            }
            match ready!(moved)? {
                0 => self.ended = true,
                bytes => {
                    self.moved = true;
                    heard(bytes);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes as much of that as the other side takes; the rest is kept. Returns how many bytes were read.
    fn poll_move<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        scratch: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        scratch.resize(CHUNK, 0);
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        let mut written = 0;
        while written < read {
            match Pin::new(&mut *to).poll_write(cx, &scratch[written..read]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => written += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.pending = std::mem::take(scratch);
                    (self.start, self.end) = (written, read);
                    break;
                }
            }
        }
        Poll::Ready(Ok(read))
    }

    fn write_pending<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while self.start < self.end {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.pending[self.start..self.end]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.start += written,
            }
        }
        if self.pending.capacity() > 0 {
            let buffer = std::mem::take(&mut self.pending);
            (self.start, self.end) = (0, 0);
            SCRATCH.with_borrow_mut(|scratch| {
                if scratch.capacity() < buffer.capacity() {
                    *scratch = buffer;
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}
