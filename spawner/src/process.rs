//! The `process` runtime: each run is a supervisor process on this machine, found again through its folder.

mod client;
mod lost;
mod reading;
mod start;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use crate::capabilities::{self, Capabilities};
use crate::error::Context;
use crate::run::Folder;
use crate::spec::check_id;
use crate::status::Phase;
use crate::{Error, Handle, LogChunk, Result, Runtime, Spec, Status, files, host};

/// How long a stop may take beyond its grace.
const STOP_SLACK: Duration = Duration::from_secs(15);
/// The longest path of the socket folder: what follows must fit into the 108 bytes of a socket's address.
const SOCKETS_BYTES: usize = 60;

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
#[derive(Clone, Debug)]
pub struct ProcessRuntime {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    capabilities: OnceLock<Capabilities>,
}

impl ProcessRuntime {
    /// Opens the runtime, making its folders. Many may be open over the same folders, in any number of processes.
    ///
    /// # Errors
    /// `Invalid` if the socket folder's path is too long or relative, `Internal` if a folder cannot be made.
    pub fn open(config: Config) -> Result<Self> {
        let sockets = config.sockets.as_os_str().len();
        if sockets > SOCKETS_BYTES || !config.sockets.is_absolute() || !config.runs.is_absolute() {
            let shown = config.sockets.display();
            return Err(Error::Invalid(format!(
                "{shown} is not an absolute path of at most {SOCKETS_BYTES} bytes"
            )));
        }
        // Work with a uid of its own passes through the sockets' folder where there is no sandbox; names in it cannot be guessed.
        let sockets_mode = if host::is_root() { 0o711 } else { 0o700 };
        for (folder, mode) in [(&config.runs, 0o700), (&config.sockets, sockets_mode)] {
            files::make_folder(folder, mode)
                .context(|| format!("{} cannot be made", folder.display()))?;
        }
        lost::sweep(&config.runs);
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                capabilities: OnceLock::new(),
            }),
        })
    }

    /// What this machine offers, found out by trying, once; blocks for some 20 ms the first time.
    pub fn capabilities(&self) -> &Capabilities {
        self.inner
            .capabilities
            .get_or_init(|| capabilities::probe(&self.inner.config))
    }

    fn folder(&self, id: &str) -> Option<Folder> {
        check_id(id).ok()?;
        Some(Folder::new(self.inner.config.runs.join(id)))
    }

    /// The folder of a run that exists.
    fn known(&self, handle: &Handle) -> Option<Folder> {
        if handle.runtime != self.name() {
            return None;
        }
        self.folder(&handle.id).filter(|f| f.path().is_dir())
    }

    fn handle(&self, id: &str) -> Handle {
        Handle {
            runtime: self.name().to_owned(),
            id: id.to_owned(),
        }
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn start(&self, spec: Spec) -> Result<Handle> {
        spec.validate()?;
        if spec.image.is_some() {
            let message = "an image needs the docker runtime; this is process";
            return Err(Error::Invalid(message.into()));
        }
        let owner = self.owner(spec.uid_slot)?;
        let runtime = self.clone();
        // On a thread of its own, so that dropping the future does not leave it half done.
        blocking(move || start::start(&runtime, spec, owner)).await
    }

    async fn list(&self) -> Result<Vec<Handle>> {
        let runtime = self.clone();
        blocking(move || {
            let runs = &runtime.inner.config.runs;
            let entries =
                fs::read_dir(runs).context(|| format!("{} cannot be read", runs.display()))?;
            let names = entries
                .flatten()
                .filter_map(|e| e.file_name().into_string().ok());
            Ok(names
                .filter(|n| check_id(n).is_ok())
                .map(|n| runtime.handle(&n))
                .collect())
        })
        .await
    }

    async fn status(&self, handle: &Handle) -> Result<Option<Status>> {
        let Some(folder) = self.known(handle) else {
            return Ok(None);
        };
        client::status(&folder).await
    }

    async fn changed(&self, handle: &Handle, seen: &Status) -> Result<Status> {
        loop {
            let now = self
                .status(handle)
                .await?
                .ok_or_else(|| Error::NotFound(format!("run {}", handle.id)))?;
            if now.phase == Phase::Exited || now != *seen {
                return Ok(now);
            }
            let Some(folder) = self.known(handle) else {
                continue;
            };
            // An answer or a lost connection: either way there is news, or will be.
            if let Ok(Some(now)) = client::changed(&folder, seen).await {
                return Ok(now);
            }
        }
    }

    async fn stop(&self, handle: &Handle, grace: Duration) -> Result<()> {
        let Some(folder) = self.known(handle) else {
            return Ok(());
        };
        let runtime = self.clone();
        let handle = handle.clone();
        let stopping = async move {
            if runtime.stop_kindly(&handle, &folder, grace).await? {
                return Ok(());
            }
            tracing::warn!(run.id = %handle.id, "its supervisor does not do what it is asked to: killed");
            blocking(move || lost::end_by_force(&folder)).await?;
            runtime.exited(&handle).await
        };
        // A task of its own, so that dropping the future does not leave it half done.
        tokio::spawn(stopping)
            .await
            .map_err(|e| Error::internal("the stop was cut short", io::Error::other(e)))?
    }

    async fn remove(&self, handle: &Handle) -> Result<()> {
        let Some(status) = self.status(handle).await? else {
            return Ok(());
        };
        if status.phase != Phase::Exited {
            return Err(Error::Conflict(format!("run {} has not ended", handle.id)));
        }
        let Some(folder) = self.known(handle) else {
            return Ok(());
        };
        blocking(move || lost::forget(&folder)).await
    }

    async fn read_log(&self, handle: &Handle, offset: u64, max_bytes: usize) -> Result<LogChunk> {
        let folder = self
            .known(handle)
            .ok_or_else(|| Error::NotFound(format!("run {}", handle.id)))?;
        // Asked first: what is written before the end is then read.
        let exited = self
            .status(handle)
            .await?
            .is_none_or(|s| s.phase == Phase::Exited);
        blocking(move || reading::read(&folder.log(), offset, max_bytes, exited)).await
    }

    async fn address(&self, handle: &Handle) -> Result<Option<PathBuf>> {
        let Some(folder) = self.known(handle) else {
            return Ok(None);
        };
        let Some(status) = self.status(handle).await? else {
            return Ok(None);
        };
        if status.phase != Phase::Running || !status.ready {
            return Ok(None);
        }
        let plan = folder
            .read_plan()
            .context(|| format!("the plan of {} cannot be read", handle.id))?;
        Ok(plan
            .filter(|p| p.spec.endpoint.is_some())
            .map(|p| p.endpoint_socket()))
    }

    fn log_path(&self, handle: &Handle) -> Option<PathBuf> {
        self.folder(&handle.id).map(|f| f.log())
    }

    fn owner(&self, uid_slot: Option<u32>) -> Result<Option<(u32, u32)>> {
        if !host::is_root() {
            return Ok(None);
        }
        let (first, count) = self.inner.config.uids;
        let slot = uid_slot
            .ok_or_else(|| Error::Invalid("root must say which uid the work gets".into()))?;
        let uid = first
            .checked_add(slot)
            .filter(|uid| slot < count && *uid != 0);
        let uid = uid.ok_or_else(|| {
            Error::Invalid(format!(
                "there is no uid {slot} in the configured range of {count}"
            ))
        })?;
        Ok(Some((uid, uid)))
    }
}

impl ProcessRuntime {
    /// Whether the run has ended in time, asked by way of its supervisor.
    async fn stop_kindly(&self, handle: &Handle, folder: &Folder, grace: Duration) -> Result<bool> {
        let asked = async {
            client::stop(folder, grace).await;
            self.exited(handle).await
        };
        match tokio::time::timeout(grace.saturating_add(STOP_SLACK), asked).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(e)) if !e.retryable() => Err(e),
            _ => Ok(false),
        }
    }

    async fn exited(&self, handle: &Handle) -> Result<()> {
        let mut seen = self.status(handle).await?;
        while let Some(now) = seen.take().filter(|s| s.phase != Phase::Exited) {
            seen = Some(self.changed(handle, &now).await?);
        }
        Ok(())
    }
}

/// Runs what waits for the disk or for processes.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("work was cut short", io::Error::other(e)))?
}
