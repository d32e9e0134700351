//! The `process` runtime: each run is a supervisor process on this machine, found again through its folder.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, Handle, LogChunk, Result, Runtime, Spec, Status};

/// Where and how the runtime works.
#[derive(Clone, Debug)]
pub struct Config {
    /// One folder per run, kept until removed. Made if missing, mode 0700.
    pub runs: PathBuf,
    /// For sockets; at most 60 bytes long, best on tmpfs. Made if missing, mode 0700.
    pub sockets: PathBuf,
    /// Folders that the work must never see unless mounted, such as the data folder.
    pub hidden: Vec<PathBuf>,
    /// The program whose `supervise` subcommand calls [`crate::supervise`]. Default: this program, also after its file was replaced.
    pub program: Option<PathBuf>,
    /// First uid and number of uids for work when this is root.
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
#[derive(Clone, Debug)]
pub struct ProcessRuntime {
    config: std::sync::Arc<Config>,
}

impl ProcessRuntime {
    /// Opens the runtime, making its folders. Many may be open over the same folders.
    ///
    /// # Errors
    /// `Invalid` if the socket folder's path is too long, `Internal` if a folder cannot be made.
    pub fn open(config: Config) -> Result<Self> {
        Ok(Self {
            config: std::sync::Arc::new(config),
        })
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn name(&self) -> &'static str {
        "process"
    }
    async fn start(&self, spec: Spec) -> Result<Handle> {
        spec.validate()?;
        Err(soon())
    }
    async fn list(&self) -> Result<Vec<Handle>> {
        Err(soon())
    }
    async fn status(&self, _: &Handle) -> Result<Option<Status>> {
        Err(soon())
    }
    async fn changed(&self, _: &Handle, _: &Status) -> Result<Status> {
        Err(soon())
    }
    async fn stop(&self, _: &Handle, _: Duration) -> Result<()> {
        Err(soon())
    }
    async fn remove(&self, _: &Handle) -> Result<()> {
        Err(soon())
    }
    async fn read_log(&self, _: &Handle, _: u64, _: usize) -> Result<LogChunk> {
        Err(soon())
    }
    async fn address(&self, _: &Handle) -> Result<Option<PathBuf>> {
        Err(soon())
    }
    fn log_path(&self, handle: &Handle) -> Option<PathBuf> {
        Some(self.config.runs.join(&handle.id).join("log"))
    }
    fn owner(&self, _: Option<u32>) -> Result<Option<(u32, u32)>> {
        Err(soon())
    }
}

fn soon() -> Error {
    Error::Unavailable {
        message: "the process runtime lands in the next commit".into(),
        source: None,
    }
}
