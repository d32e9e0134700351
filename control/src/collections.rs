//! Garbage collection of the store: when it is done, and that it goes on when whoever asked is gone.

use std::time::Duration;

use storage::{
    gc::{self, Begun, Collection, Options},
    ids::UserId,
};
use tokio_util::sync::CancellationToken;

use crate::{Control, Error, Result};

/// How often it is asked whether it is time.
const LOOK: Duration = Duration::from_mins(10);

impl Control {
    /// Begins a cycle of garbage collection, which goes on by itself; `dry` only says what one would do. Returns its record.
    ///
    /// # Errors
    /// `Conflict` while another one runs.
    pub async fn collect(&self, by: Option<UserId>, dry: bool) -> Result<Collection> {
        let begun = self.begin_collection(by, dry).await?;
        let number = begun.number();
        tokio::spawn(carry_out(begun));
        let missing = || Error::not_found("the collection vanished as it began");
        gc::get(self.db(), number).await?.ok_or_else(missing)
    }

    /// Collects whenever the interval has passed, until told to stop: then the cycle under way stops too. Never, where there is no interval.
    pub async fn keep_collecting(&self, shutdown: CancellationToken) {
        let Some(interval) = self.settings().collect_every else {
            return;
        };
        let work = async {
            loop {
                if let Err(error) = self.collect_if_due(interval).await {
                    tracing::warn!(%error, "the store could not be collected");
                }
                tokio::time::sleep(LOOK.min(interval)).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    async fn collect_if_due(&self, interval: Duration) -> Result<()> {
        if gc::is_due(self.db(), ms(interval)).await? {
            carry_out(self.begin_collection(None, false).await?).await;
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

async fn carry_out(begun: Begun) {
    let number = begun.number();
    match begun.run().await {
        Ok(report) => tracing::info!(
            collection.number = number,
            condemned.count = report.condemned.count,
            condemned.bytes = report.condemned.bytes,
            swept.count = report.swept.count,
            swept.bytes = report.swept.bytes,
            unreadable = report.unreadable.len(),
            "the store was collected"
        ),
        Err(error) => tracing::warn!(collection.number = number, %error, "a collection broke off"),
    }
}

fn ms(interval: Duration) -> i64 {
    i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)
}
