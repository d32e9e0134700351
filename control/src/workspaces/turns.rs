//! How many servers of one machine are on their way at the same time. Each has a time limit, and who shares the cores with too many others
//! would not make it: all would start, and none be ready in time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use storage::ids::MachineId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For each core: with so many, JupyterLab takes a quarter of its time limit.
const PER_CORE: usize = 8;

/// One queue for each machine, first come first served.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<MachineId, Arc<Semaphore>>>);

impl Turns {
    /// Waits until a server may begin on a machine of this many cores; the turn ends when what is returned is dropped.
    pub(super) async fn wait(&self, machine: MachineId, cores: usize) -> OwnedSemaphorePermit {
        let turns = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let make = || Arc::new(Semaphore::new(PER_CORE * cores.max(1)));
            Arc::clone(all.entry(machine).or_insert_with(make))
        };
        let turn = turns.acquire_owned().await;
        turn.expect("nobody closes it")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage::clock::System;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_comes_too_many_waits_for_one_that_is_through() {
        let (turns, one, other) = (
            Turns::default(),
            MachineId::new(&System),
            MachineId::new(&System),
        );
        let mut begun = Vec::new();
        for _ in 0..PER_CORE {
            begun.push(turns.wait(one, 1).await);
        }
        // Asked once: what is free is free at once.
        let may = |machine| timeout(Duration::ZERO, turns.wait(machine, 1));
        assert!(may(one).await.is_err());
        assert!(may(other).await.is_ok());
        begun.pop();
        assert!(may(one).await.is_ok());
    }
}
