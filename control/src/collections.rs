//! Garbage collection of the store: when it is done, that it goes on when whoever asked is gone, and that it stops with the server.

use std::time::Duration;

use storage::{
    gc::{self, Begun, Collection, Options},
    ids::UserId,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Control, Error, Result};

/// How often it is asked whether it is time.
const LOOK: Duration = Duration::from_mins(10);
/// How long the end of the server waits for a cycle to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// The cycles that go on by themselves.
#[derive(Default)]
pub(crate) struct Cycles {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Control {
    /// Begins a cycle of garbage collection, which goes on by itself; `dry` only says what one would do. Returns its record.
    ///
    /// # Errors
    /// `Conflict` while another one runs, and where the database is not the store's own.
    pub async fn collect(&self, by: Option<UserId>, dry: bool) -> Result<Collection> {
        let begun = self.begin_collection(by, dry).await?;
        let number = begun.number();
        let stop = self.cycles().stop.clone();
        self.cycles().tasks.spawn(carry_out(begun, stop));
        let missing = || Error::not_found("the collection vanished as it began");
        gc::get(self.db(), number).await?.ok_or_else(missing)
    }

    /// Collects whenever the interval has passed, until told to stop: then the cycles under way stop too. None begin, where there is no interval.
    pub async fn keep_collecting(&self, shutdown: CancellationToken) {
        if let Err(error) = gc::end_killed(self.store()).await {
            tracing::warn!(%error, "it could not be recorded that a collection was killed");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.collect_at_times() => {}
        }
        let Cycles { tasks, stop } = self.cycles();
        stop.cancel();
        tasks.close();
        if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
            tracing::warn!("a collection goes on to the end of the process");
        }
    }

    async fn collect_at_times(&self) {
        let Some(interval) = self.settings().collect_every else {
            return std::future::pending().await;
        };
        loop {
            if let Err(error) = self.collect_if_due(interval).await {
                tracing::warn!(%error, "the store could not be collected");
            }
            tokio::time::sleep(LOOK.min(interval)).await;
        }
    }

    async fn collect_if_due(&self, interval: Duration) -> Result<()> {
        if gc::is_due(self.db(), ms(interval)).await? {
            let begun = self.begin_collection(None, false).await?;
            let stop = self.cycles().stop.clone();
            let done = self.cycles().tasks.spawn(carry_out(begun, stop));
            // Told here already what came of it.
            let _ = done.await;
        }
        Ok(())
    }

    async fn begin_collection(&self, by: Option<UserId>, dry: bool) -> Result<Begun> {
        let usual = Options::default();
        let options = Options {
            interval_ms: self.settings().collect_every.map_or(usual.interval_ms, ms),
            dry,
            by,
            seen: self.hosts().local().seen().await?,
            ..usual
        };
        Ok(gc::begin(self.store(), options).await?)
    }
}

async fn carry_out(begun: Begun, stop: CancellationToken) {
    let (number, told) = (begun.number(), begun.stop());
    let mut run = std::pin::pin!(begun.run());
    let done = tokio::select! {
        done = &mut run => done,
        () = stop.cancelled() => {
            told.now();
            run.await
        }
    };
    match done {
        Ok(report) if !report.unreadable.is_empty() => tracing::error!(
            collection.number = number,
            unreadable = report.unreadable.len(),
            "nothing is collected: manifests that are needed cannot be read; `cairn data verify` tells more"
        ),
        Ok(report) => tracing::info!(
            collection.number = number,
            condemned.count = report.condemned.count,
            condemned.bytes = report.condemned.bytes,
            swept.count = report.swept.count,
            swept.bytes = report.swept.bytes,
            "the store was collected"
        ),
        Err(error) => tracing::warn!(collection.number = number, %error, "a collection broke off"),
    }
}

fn ms(interval: Duration) -> i64 {
    i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)
}
