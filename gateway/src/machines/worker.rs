//! The worker's side of a connection: what the server asks of this machine is done here, and what its runs ask of the API goes there.

mod serve;

use std::{io, sync::Arc, time::Duration};

use control::{Address, LocalMachine, Machine as _, Result};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    time::timeout,
};

use super::{
    connect::API,
    link::HTTP,
    mux::{Mux, Side, Stream},
    remote::{DIAL, OPEN},
    wire::Hello,
};

/// A run's id is shorter.
const RUN_ID_BYTES: usize = 80;
/// How long a request of a run waits for a connection that is being made again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time for runs to end by themselves when the machine gives them up.
const GRACE: Duration = Duration::from_secs(10);
/// What a run hears when the server cannot be reached.
const UNREACHABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 99\r\nRetry-After: 5\r\nConnection: close\r\n\r\n\
    {\"code\":\"unavailable\",\"message\":\"The server cannot be reached from this machine now.\",\"request_id\":\"\"}";

/// This host as a machine of a server elsewhere. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    machine: Arc<LocalMachine>,
    hello: Arc<Hello>,
    current: watch::Sender<Option<Mux>>,
}

impl Worker {
    /// A worker for `machine`, which says `hello` of itself. Not connected yet.
    pub fn new(machine: LocalMachine, hello: Hello) -> Self {
        Self {
            machine: Arc::new(machine),
            hello: Arc::new(hello),
            current: watch::Sender::new(None),
        }
    }

    /// Serves a connection, just upgraded, until it ends. What runs goes on.
    pub async fn serve<T>(&self, socket: T)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mux, mut incoming) = Mux::new(socket, Side::Worker);
        self.current.send_replace(Some(mux.clone()));
        let router = serve::router(Arc::clone(&self.machine), Arc::clone(&self.hello));
        loop {
            let (kind, stream) = tokio::select! {
                () = mux.closed() => break,
                Some(arrived) = incoming.recv() => arrived,
            };
            match kind {
                HTTP => {
                    let service = hyper_util::service::TowerToHyperService::new(router.clone());
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(connection);
                }
                DIAL => {
                    tokio::spawn(tunnel(Arc::clone(&self.machine), stream));
                }
                // A newer server; it finds out by the end of the stream.
                _ => {}
            }
        }
        self.current.send_replace(None);
    }

    /// Ends the connection, if there is one.
    pub fn hang_up(&self) {
        if let Some(mux) = self.current.send_replace(None) {
            mux.close();
        }
    }

    /// Carries what runs ask of the API to the server, for as long as the program runs.
    pub async fn forward(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    let current = self.current.subscribe();
                    tokio::spawn(carry(current, socket));
                }
                Err(error) => {
                    tracing::warn!(%error, "a run's connection to the API cannot be taken");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// Ends everything that runs here, because the server has given it up by now. What it left stays until the server has it removed.
    pub async fn end_everything(&self) -> Result<()> {
        for run_id in self.machine.runs().await? {
            self.machine.stop(&run_id, GRACE).await?;
        }
        self.machine.tidy().await
    }
}

/// Connects a stream to the server of a run.
async fn tunnel(machine: Arc<LocalMachine>, mut stream: Stream) {
    let mut socket = match dial(&machine, &mut stream).await {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "a run's server cannot be connected to");
            // The other side hears it by the end of the stream at the latest.
            let _ = stream.write_all(b"E").await;
            let _ = stream.shutdown().await;
            return;
        }
    };
    if stream.write_all(&[OPEN]).await.is_ok() {
        // Either side may hang up as it likes.
        let _ = copy_bidirectional(&mut stream, &mut socket).await;
    }
}

async fn dial(machine: &LocalMachine, stream: &mut Stream) -> io::Result<UnixStream> {
    let mut run_id = Vec::new();
    // Byte by byte, for what follows belongs to the server.
    while run_id.len() < RUN_ID_BYTES {
        match stream.read_u8().await? {
            b'\n' => break,
            byte => run_id.push(byte),
        }
    }
    let run_id = String::from_utf8(run_id).map_err(io::Error::other)?;
    match machine.address(&run_id).await.map_err(io::Error::other)? {
        Some(Address::Unix(path)) => UnixStream::connect(path).await,
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

async fn carry(mut current: watch::Receiver<Option<Mux>>, mut socket: TcpStream) {
    let connected = async {
        let mux = current.wait_for(Option::is_some).await.ok()?.clone()?;
        mux.open(API).await.ok()
    };
    let Ok(Some(mut stream)) = timeout(PATIENCE, connected).await else {
        // It may have gone.
        let _ = socket.write_all(UNREACHABLE).await;
        return;
    };
    let _ = copy_bidirectional(&mut socket, &mut stream).await;
}
