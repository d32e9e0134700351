//! Room on this host: copies of what a bucket keeps go when there are too many.

use std::time::Duration;

use storage::room;
use tokio_util::sync::CancellationToken;

use crate::{Control, Result};

/// How often it is looked.
const LOOK: Duration = Duration::from_mins(2);

impl Control {
    /// Keeps the copies on this host within their bounds, until told to stop. Nothing, where there are none.
    pub async fn keep_room(&self, shutdown: CancellationToken) {
        let Some(most_bytes) = self.settings().copies_bytes else {
            return;
        };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Err(error) = self.make_room(most_bytes).await {
                tracing::warn!(%error, "no room could be made for what the bucket keeps");
            }
        }
    }

    async fn make_room(&self, most_bytes: u64) -> Result<()> {
        // Where it is not known what runs see, nothing goes.
        let Some(seen) = self.hosts().local().seen().await? else {
            return Ok(());
        };
        let made = room::make(self.store(), most_bytes, seen).await?;
        if made.removed_bytes > 0 {
            let (before, removed) = (made.before_bytes, made.removed_bytes);
            tracing::info!(
                copies.bytes = before,
                removed.bytes = removed,
                "room was made"
            );
        } else if made.before_bytes > most_bytes {
            tracing::warn!(
                copies.bytes = made.before_bytes,
                "everything that the bucket keeps and that has a copy here is in use: there is no more room to make"
            );
        }
        Ok(())
    }
}
