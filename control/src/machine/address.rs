//! Where a run's server is, as something that can be connected to.

use std::{fmt, io, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use storage::ids::MachineId;
use tokio::io::{AsyncRead, AsyncWrite};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket of this host.
    Unix(PathBuf),
    /// On another machine, reached through its connection.
    Remote(Remote),
}

/// A server on another machine. Two are equal when they name the same run.
#[derive(Clone)]
pub struct Remote {
    machine: MachineId,
    run_id: String,
    dial: Arc<dyn Dial>,
}

/// Opens byte streams to the servers of one machine.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Connects to the server of a run; the stream is the server's own socket, byte for byte.
    ///
    /// # Errors
    /// As a connection to a socket: refused where nobody listens, `NotConnected` where the machine cannot be reached.
    async fn dial(&self, run_id: &str) -> io::Result<Box<dyn Stream>>;
}

/// A two-way stream of bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Stream for T {}

impl Remote {
    /// The server of a run on `machine`, which `dial` reaches.
    pub fn new(machine: MachineId, run_id: impl Into<String>, dial: Arc<dyn Dial>) -> Self {
        Self {
            machine,
            run_id: run_id.into(),
            dial,
        }
    }

    /// Connects to it.
    pub async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        self.dial.dial(&self.run_id).await
    }

    fn key(&self) -> (MachineId, &str) {
        (self.machine, &self.run_id)
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Remote {}

impl std::hash::Hash for Remote {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote")
            .field(&self.machine)
            .field(&self.run_id)
            .finish()
    }
}
