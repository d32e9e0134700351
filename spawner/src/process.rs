//! The `process` runtime: each run is a tree of processes of this machine, in a sandbox where there is one.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::Result;
use crate::capabilities::{self, Capabilities};
use crate::supervised::{Supervised, Way};

/// Where and how the runtime works.
#[derive(Clone, Debug)]
pub struct Config {
    /// One folder per run, kept until removed. Made if missing, mode 0700.
    pub runs: PathBuf,
    /// For sockets; at most 60 bytes long, best on tmpfs. Made if missing, mode 0700 (0711 for root).
    pub sockets: PathBuf,
    /// Folders that the work must never see unless mounted, such as the data folder.
    pub hidden: Vec<PathBuf>,
    /// The program whose `supervise` subcommand calls [`crate::supervise`]. Default: this program, also after its file was
    /// replaced.
    pub program: Option<PathBuf>,
    /// First uid (also gid) and number of uids for work when this is root.
    pub uids: (u32, u32),
    /// Whether to use bubblewrap where it works. `false` is for tests and for machines where it gets in the way.
    pub sandbox: bool,
}

impl Config {
    /// The usual configuration over two folders.
    pub fn new(runs: impl Into<PathBuf>, sockets: impl Into<PathBuf>) -> Self {
        Self {
            runs: runs.into(),
            sockets: sockets.into(),
            hidden: Vec::new(),
            program: None,
            uids: (200_000, 65_536),
            sandbox: true,
        }
    }
}

/// Runs work as processes of this machine. Cheap to clone.
pub type ProcessRuntime = Supervised<Process>;

/// Names the runtime that launches processes.
#[derive(Debug)]
pub enum Process {}

impl Supervised<Process> {
    /// Opens the runtime, making its folders. Many may be open over the same folders, in any number of processes.
    ///
    /// # Errors
    /// `Invalid` if the socket folder's path is too long or relative, `Internal` if a folder cannot be made.
    pub fn open(config: Config) -> Result<Self> {
        Self::over(config, Way::Process(OnceLock::new()))
    }

    /// What this machine offers, found out by trying, once; blocks for some 20 ms the first time.
    ///
    /// # Panics
    /// Never.
    pub fn capabilities(&self) -> &Capabilities {
        match &self.inner.way {
            Way::Process(found) => found.get_or_init(|| capabilities::probe(&self.inner.config)),
            Way::Docker(..) => unreachable!("it was opened as another kind"),
        }
    }
}
