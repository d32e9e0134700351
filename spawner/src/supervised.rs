//! What the runtimes of one machine share: each run is a supervisor process, found again through its folder. What the supervisor launches is
//! the runtime's [`Way`].

mod client;
pub(crate) mod lost;
mod reading;
mod start;

use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use crate::capabilities::Capabilities;
use crate::cgroup::Layout;
use crate::error::Context;
use crate::process::Config;
use crate::run::Folder;
use crate::spec::check_id;
use crate::status::Phase;
use crate::{Error, Handle, LogChunk, Result, Runtime, Spec, Status, docker, files, host};

/// How long a stop may take beyond its grace.
const STOP_SLACK: Duration = Duration::from_secs(15);
/// The longest path of the socket folder: what follows must fit into the 108 bytes of a socket's address.
const SOCKETS_BYTES: usize = 60;

/// A runtime whose runs each have a supervisor on this machine; `K` names what it launches. Cheap to clone.
pub struct Supervised<K> {
    pub(crate) inner: Arc<Inner>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Supervised<K> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            kind: PhantomData,
        }
    }
}

impl<K> fmt::Debug for Supervised<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) way: Way,
}

/// What a supervisor launches.
#[derive(Debug)]
pub(crate) enum Way {
    /// Processes of this machine, in a sandbox where there is one.
    Process(OnceLock<Capabilities>),
    /// Containers.
    Docker(Box<docker::Config>, OnceLock<Layout>),
}

impl Inner {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Process(_) => "process",
            Way::Docker(..) => "docker",
        }
    }

    fn handle(&self, id: &str) -> Handle {
        Handle {
            runtime: self.name().to_owned(),
            id: id.to_owned(),
        }
    }

    /// Refuses what this way of launching can never do.
    fn admit(&self, spec: &Spec) -> Result<()> {
        spec.validate()?;
        match (&self.way, &spec.image) {
            (Way::Process(_), Some(_)) => Err(Error::Invalid(
                "an image needs the docker runtime; this is process".into(),
            )),
            (Way::Docker(..), None) => Err(Error::Invalid(
                "the docker runtime needs an image to run".into(),
            )),
            _ => Ok(()),
        }
    }
}

impl<K: 'static> Supervised<K> {
    /// Makes the folders. Many may be open over the same folders, in any number of processes.
    pub(crate) fn over(config: Config, way: Way) -> Result<Self> {
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
            inner: Arc::new(Inner { config, way }),
            kind: PhantomData,
        })
    }

    fn folder(&self, id: &str) -> Option<Folder> {
        check_id(id).ok()?;
        Some(Folder::new(self.inner.config.runs.join(id)))
    }

    /// Whether there is such a run.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.folder(id).is_some_and(|f| f.path().is_dir())
    }

    /// The folder of a run that exists.
    fn known(&self, handle: &Handle) -> Option<Folder> {
        if handle.runtime != self.name() {
            return None;
        }
        self.folder(&handle.id).filter(|f| f.path().is_dir())
    }
}

#[async_trait]
impl<K: 'static> Runtime for Supervised<K> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn start(&self, spec: Spec) -> Result<Handle> {
        self.inner.admit(&spec)?;
        let owner = self.owner(spec.uid_slot)?;
        let inner = Arc::clone(&self.inner);
        // On a thread of its own, so that dropping the future does not leave it half done.
        blocking(move || start::start(&inner, spec, owner)).await
    }

    async fn list(&self) -> Result<Vec<Handle>> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let runs = &inner.config.runs;
            let entries =
                fs::read_dir(runs).context(|| format!("{} cannot be read", runs.display()))?;
            let names = entries
                .flatten()
                .filter_map(|e| e.file_name().into_string().ok());
            Ok(names
                .filter(|n| check_id(n).is_ok())
                .map(|n| inner.handle(&n))
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

impl<K: 'static> Supervised<K> {
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
