//! A runtime in which nothing happens by itself: the API is tested without starting processes. Logs are what a test puts there.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use spawner::{Error, Handle, LogChunk, Runtime, Spec, Status};

#[derive(Clone, Default)]
pub(crate) struct Quiet {
    log: Arc<Mutex<Vec<u8>>>,
    socket: Option<PathBuf>,
}

impl Quiet {
    /// Every run has this log, and a server that listens on this socket.
    pub(crate) fn listening(socket: PathBuf, records: &[u8]) -> Self {
        Self {
            log: Arc::new(Mutex::new(records.to_vec())),
            socket: Some(socket),
        }
    }

    /// Appends records to the log of every run.
    pub(crate) fn write(&self, records: &str) {
        self.log
            .lock()
            .unwrap()
            .extend_from_slice(records.as_bytes());
    }
}

#[async_trait::async_trait]
impl Runtime for Quiet {
    fn name(&self) -> &'static str {
        "quiet"
    }

    async fn start(&self, spec: Spec) -> Result<Handle, Error> {
        Ok(Handle {
            runtime: "quiet".to_owned(),
            id: spec.id,
        })
    }

    async fn list(&self) -> Result<Vec<Handle>, Error> {
        Ok(Vec::new())
    }

    async fn status(&self, _: &Handle) -> Result<Option<Status>, Error> {
        Ok(None)
    }

    async fn changed(&self, _: &Handle, seen: &Status) -> Result<Status, Error> {
        Ok(seen.clone())
    }

    async fn stop(&self, _: &Handle, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    async fn remove(&self, _: &Handle) -> Result<(), Error> {
        Ok(())
    }

    async fn read_log(&self, _: &Handle, offset: u64, _: usize) -> Result<LogChunk, Error> {
        let log = self.log.lock().unwrap();
        let start = usize::try_from(offset).unwrap().min(log.len());
        Ok(LogChunk {
            offset: start as u64,
            next: log.len() as u64,
            bytes: log[start..].to_vec(),
            ended: true,
        })
    }

    async fn address(&self, _: &Handle) -> Result<Option<PathBuf>, Error> {
        Ok(self.socket.clone())
    }

    fn log_path(&self, _: &Handle) -> Option<PathBuf> {
        None
    }

    fn owner(&self, _: Option<u32>) -> Result<Option<(u32, u32)>, Error> {
        Ok(None)
    }
}
