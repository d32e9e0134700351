//! Machine types as people see them, with what is free now.

use serde::Serialize;
use storage::jobs;

use crate::{Control, Result};

/// A machine type and its free capacity.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Its name in the configuration.
    pub name: String,
    /// Thousandths of a core that one server or attempt may use; none means all of the machine's.
    pub cpu_millicores: Option<u64>,
    /// Bytes of memory that one server or attempt may use; none means all of the machine's.
    pub memory_bytes: Option<u64>,
    /// GPUs that one server or attempt gets.
    pub gpus: u32,
    /// A job on it is stopped after this many ms.
    pub time_limit_ms: Option<i64>,
    /// How many jobs may run at the same time, all machine types of this machine together.
    pub capacity: usize,
    /// How many more could start now.
    pub free: usize,
    /// How many jobs wait for a place.
    pub queued: usize,
}

impl Control {
    /// Every machine type, by name.
    pub async fn machines(&self) -> Result<Vec<Machine>> {
        let capacity = self.settings().max_jobs.get();
        let running = jobs::running(self.db()).await?.len();
        let queued = usize::try_from(jobs::waiting(self.db()).await?).unwrap_or(usize::MAX);
        let all = self.settings().machines.iter().map(|(name, kind)| Machine {
            name: name.clone(),
            cpu_millicores: kind.cpu_millicores,
            memory_bytes: kind.memory_bytes,
            gpus: 0,
            time_limit_ms: kind.time_limit_ms,
            capacity,
            free: capacity.saturating_sub(running),
            queued,
        });
        Ok(all.collect())
    }
}
