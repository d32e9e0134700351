//! Ending in two steps: first nothing new, then what is in flight gets its time. Every connection is on the books until its last
//! byte.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A handle on the end of the service. Cheap to clone; all clones speak of the same end.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    begun: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    /// A service that goes on until `begin`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes nothing new from now on. Doing it twice is fine.
    pub fn begin(&self) {
        self.begun.cancel();
        self.tasks.close();
    }

    /// Waits until `begin` was called.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Begins, and waits until everything in flight has ended, for `grace` at most. Says whether it has.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.begin();
        timeout(grace, self.tasks.wait()).await.is_ok()
    }

    /// Runs a task that the end waits for.
    pub(crate) fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }
}
