//! Many streams over one connection (yamux), both ways, until it breaks or the other side falls silent.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    sync::{mpsc, oneshot},
    time,
};
use tokio_util::sync::CancellationToken;

/// Streams at the same time, both ways together.
const STREAMS: usize = 4096;
/// Memory that streams may use for what was not read yet, all together.
const WINDOW_BYTES: usize = 2 << 30;
/// Streams that wait for somebody to take them.
const WAITING: usize = 64;
/// How often each side looks whether the other is there.
const PULSE: Duration = Duration::from_secs(5);
/// A side that has not answered for this long is gone.
const SILENCE: Duration = Duration::from_secs(20);
/// The stream of a pulse, and its answer.
pub(super) const PING: u8 = b'P';

/// One side of a connection. Cheap to clone; the connection ends when [`close`](Self::close) is called or it breaks.
#[derive(Clone)]
pub(super) struct Mux {
    open: mpsc::Sender<oneshot::Sender<Stream>>,
    closed: CancellationToken,
}

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Worker,
    Server,
}

impl Mux {
    /// Takes a connection over. What the other side opens comes out of the receiver, but for pulses, which are answered.
    pub(super) fn new<T>(socket: T, side: Side) -> (Self, mpsc::Receiver<(u8, Stream)>)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut config = yamux::Config::default();
        config
            .set_max_connection_receive_window(Some(WINDOW_BYTES))
            .set_max_num_streams(STREAMS);
        let mode = match side {
            Side::Worker => yamux::Mode::Client,
            Side::Server => yamux::Mode::Server,
        };
        let connection = yamux::Connection::new(Compat(socket), config, mode);
        let (open, asked) = mpsc::channel(WAITING);
        let (arrived, incoming) = mpsc::channel(WAITING);
        let closed = CancellationToken::new();
        let mux = Self {
            open,
            closed: closed.clone(),
        };
        let driver = Driver {
            connection,
            asked,
            waiting: VecDeque::new(),
            arrived,
        };
        tokio::spawn(driver.run(closed));
        tokio::spawn(mux.clone().pulse());
        (mux, incoming)
    }

    /// Opens a stream of this kind.
    pub(super) async fn open(&self, kind: u8) -> io::Result<Stream> {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the connection is gone");
        let (sender, opened) = oneshot::channel();
        self.open.send(sender).await.map_err(|_| gone())?;
        let mut stream = opened.await.map_err(|_| gone())?;
        stream.write_all(&[kind]).await?;
        Ok(stream)
    }

    /// Ends the connection, with all its streams.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits until the connection has ended.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Asks the other side again and again whether it is there, and ends the connection when it is not.
    async fn pulse(self) {
        loop {
            tokio::select! {
                () = self.closed() => return,
                () = time::sleep(PULSE) => {}
            }
            let answered = async {
                let mut stream = self.open(PING).await?;
                stream.flush().await?;
                stream.read_u8().await
            };
            if !matches!(time::timeout(SILENCE, answered).await, Ok(Ok(_))) {
                return self.close();
            }
        }
    }
}

/// What moves the connection on.
struct Driver<T> {
    connection: yamux::Connection<Compat<T>>,
    asked: mpsc::Receiver<oneshot::Sender<Stream>>,
    waiting: VecDeque<oneshot::Sender<Stream>>,
    arrived: mpsc::Sender<(u8, Stream)>,
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Driver<T> {
    async fn run(mut self, closed: CancellationToken) {
        let _guard = closed.clone().drop_guard();
        let ended = tokio::select! {
            ended = std::future::poll_fn(|cx| self.poll(cx)) => ended,
            () = closed.cancelled() => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "the connection to a machine broke");
        }
        let close = std::future::poll_fn(|cx| self.connection.poll_close(cx));
        // A side that is not there any more takes no leave.
        let _ = time::timeout(Duration::from_secs(1), close).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), yamux::ConnectionError>> {
        loop {
            while self.waiting.len() < WAITING
                && let Poll::Ready(Some(asked)) = self.asked.poll_recv(cx)
            {
                self.waiting.push_back(asked);
            }
            if !self.waiting.is_empty()
                && let Poll::Ready(opened) = self.connection.poll_new_outbound(cx)
            {
                let stream = Stream::new(opened?);
                if let Some(asked) = self.waiting.pop_front() {
                    // Whoever asked may have gone: the stream then ends with this.
                    let _ = asked.send(stream);
                }
                continue;
            }
            let Some(stream) = ready!(self.connection.poll_next_inbound(cx)).transpose()? else {
                return Poll::Ready(Ok(()));
            };
            tokio::spawn(admit(Stream::new(stream), self.arrived.clone()));
        }
    }
}

/// Reads what a stream is, and answers a pulse or hands it on.
async fn admit(mut stream: Stream, arrived: mpsc::Sender<(u8, Stream)>) {
    let Ok(Ok(kind)) = time::timeout(SILENCE, stream.read_u8()).await else {
        return;
    };
    if kind == PING {
        let answered = async {
            stream.write_all(&[PING]).await?;
            stream.shutdown().await
        };
        // Then the other side finds out for itself.
        let _ = answered.await;
        return;
    }
    let _ = arrived.send((kind, stream)).await;
}

/// One stream, as tokio knows them.
#[derive(Debug)]
pub(super) struct Stream(yamux::Stream);

impl Stream {
    fn new(stream: yamux::Stream) -> Self {
        Self(stream)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count =
            ready!(Pin::new(&mut self.get_mut().0).poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_close(cx)
    }
}

/// A tokio socket, as yamux knows them.
struct Compat<T>(T);

impl<T: AsyncRead + Unpin> futures_util::io::AsyncRead for Compat<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.get_mut().0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: AsyncWrite + Unpin> futures_util::io::AsyncWrite for Compat<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
