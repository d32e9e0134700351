//! The runtimes of one machine as one: a spec with an image goes to the engine, any other to a process.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::{DockerRuntime, Handle, LogChunk, ProcessRuntime, Result, Runtime, Spec, Status};

/// Both runtimes of a machine. A handle of either is good here, and so is one that names this, for runs have ids of their own.
#[derive(Clone, Debug)]
pub struct Runtimes {
    process: ProcessRuntime,
    docker: DockerRuntime,
}

impl Runtimes {
    /// Puts them together. Their folders of runs must differ.
    pub fn new(process: ProcessRuntime, docker: DockerRuntime) -> Self {
        Self { process, docker }
    }

    /// Whose run it is, and its handle there; an unknown run is a process.
    fn find(&self, handle: &Handle) -> (&dyn Runtime, Handle) {
        let runtime: &dyn Runtime = if self.docker.has(&handle.id) {
            &self.docker
        } else {
            &self.process
        };
        let found = Handle {
            runtime: runtime.name().to_owned(),
            id: handle.id.clone(),
        };
        (runtime, found)
    }
}

#[async_trait]
impl Runtime for Runtimes {
    fn name(&self) -> &'static str {
        "machine"
    }

    async fn start(&self, spec: Spec) -> Result<Handle> {
        // Started before, perhaps by way of the other: the same run.
        let known = self.docker.has(&spec.id) || self.process.has(&spec.id);
        let is_contained = spec.image.is_some();
        if known && self.docker.has(&spec.id) != is_contained {
            let (_, handle) = self.find(&Handle {
                runtime: self.name().to_owned(),
                id: spec.id,
            });
            return Ok(handle);
        }
        if is_contained {
            self.docker.start(spec).await
        } else {
            self.process.start(spec).await
        }
    }

    async fn list(&self) -> Result<Vec<Handle>> {
        let mut all = self.process.list().await?;
        all.extend(self.docker.list().await?);
        Ok(all)
    }

    async fn status(&self, handle: &Handle) -> Result<Option<Status>> {
        let (runtime, handle) = self.find(handle);
        runtime.status(&handle).await
    }

    async fn changed(&self, handle: &Handle, seen: &Status) -> Result<Status> {
        let (runtime, handle) = self.find(handle);
        runtime.changed(&handle, seen).await
    }

    async fn stop(&self, handle: &Handle, grace: Duration) -> Result<()> {
        let (runtime, handle) = self.find(handle);
        runtime.stop(&handle, grace).await
    }

    async fn remove(&self, handle: &Handle) -> Result<()> {
        let (runtime, handle) = self.find(handle);
        runtime.remove(&handle).await
    }

    async fn read_log(&self, handle: &Handle, offset: u64, max_bytes: usize) -> Result<LogChunk> {
        let (runtime, handle) = self.find(handle);
        runtime.read_log(&handle, offset, max_bytes).await
    }

    async fn address(&self, handle: &Handle) -> Result<Option<PathBuf>> {
        let (runtime, handle) = self.find(handle);
        runtime.address(&handle).await
    }

    fn log_path(&self, handle: &Handle) -> Option<PathBuf> {
        let (runtime, handle) = self.find(handle);
        runtime.log_path(&handle)
    }

    fn owner(&self, uid_slot: Option<u32>) -> Result<Option<(u32, u32)>> {
        self.process.owner(uid_slot)
    }
}
