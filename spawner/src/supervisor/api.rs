//! The work's way to the API where its network has none: a port inside leads, by way of the supervisor, to where this machine reaches it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections of one run at a time.
const CONNECTIONS: usize = 128;
/// How long the service may take to take a call.
const ANSWER: Duration = Duration::from_secs(30);

/// The supervisor's half: connects each caller to the service at `HOST:PORT`, which may come and go.
pub(super) async fn serve(listener: UnixListener, service: String) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let Ok((mut caller, _)) = listener.accept().await else {
            continue;
        };
        let service = service.clone();
        tokio::spawn(async move {
            let reached = timeout(ANSWER, TcpStream::connect(&service)).await;
            if let Ok(Ok(mut answering)) = reached {
                drop(copy_bidirectional(&mut caller, &mut answering).await);
            }
            drop(slot);
        });
    }
}

/// The init's half, on a thread of its own: listens on `port` once this returns.
pub(super) fn listen(port: u16, socket: &Path) -> io::Result<()> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let socket = socket.to_owned();
    let work = move || runtime.block_on(forward(listener, socket));
    std::thread::Builder::new()
        .name("api".into())
        .spawn(work)
        .map(drop)
}

async fn forward(listener: std::net::TcpListener, socket: PathBuf) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((mut caller, _)) = listener.accept().await else {
            continue;
        };
        let socket = socket.clone();
        tokio::spawn(async move {
            if let Ok(mut supervisor) = UnixStream::connect(&socket).await {
                drop(copy_bidirectional(&mut caller, &mut supervisor).await);
            }
        });
    }
}
