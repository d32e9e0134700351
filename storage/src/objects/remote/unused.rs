//! Removes keys from the bucket that nothing is in: slowly, so that whoever was told of a place reads what is there, and twice.

use super::Remote;
use super::places;
use crate::Result;
use crate::db::{Tx, execute, sql};

/// How long a key may be on its way.
const STAGED_MS: i64 = 24 * 3_600_000;
/// Keys removed with one request.
const AT_ONCE: i64 = 500;

/// What was removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Remote {
    /// Dooms what was staged and not ended, and removes what has been doomed for so long. The bucket must be known to be ours.
    ///
    /// # Errors
    /// `Unavailable` where the bucket does not answer: what is left goes next time.
    pub(crate) async fn remove_unused(&self, interval_ms: i64) -> Result<Removed> {
        let now_ms = self.db().now_ms();
        let work = |mut tx: Tx| async move {
            let text = "UPDATE bucket_keys SET state = 'doomed', changed_ms = $1 WHERE state = 'staged' AND changed_ms <= $2";
            let query = sql(text).bind(now_ms).bind(now_ms - STAGED_MS);
            execute(&mut tx, query).await?;
            // Two transactions that took the last two things out of a key did not see each other.
            let text = "UPDATE bucket_keys SET state = 'doomed', changed_ms = $1 WHERE state = 'live' AND changed_ms <= $2 \
                        AND NOT EXISTS (SELECT 1 FROM bucket_places p WHERE p.key_id = bucket_keys.id)";
            let query = sql(text).bind(now_ms).bind(now_ms - STAGED_MS);
            execute(&mut tx, query).await
        };
        self.db().write(work).await?;
        let before_ms = now_ms.saturating_sub(interval_ms);
        let removed = self.remove_all("doomed", before_ms).await?;
        self.remove_all("gone", before_ms).await?;
        Ok(removed)
    }

    async fn remove_all(&self, state: &'static str, before_ms: i64) -> Result<Removed> {
        let mut removed = Removed::default();
        loop {
            let unused = places::unused(self.db(), state, before_ms, AT_ONCE).await?;
            if unused.is_empty() {
                return Ok(removed);
            }
            let names: Vec<String> = unused.iter().map(|key| key.name.clone()).collect();
            self.inner.bucket.remove(&names).await?;
            for key in &unused {
                let in_parts = key.bytes > crate::bucket::PART_BYTES;
                if state == "doomed" && in_parts && self.inner.abilities.lists_uploads {
                    // A rule of the bucket may do it, too.
                    if let Err(error) = self.inner.bucket.give_up(&key.name).await {
                        tracing::warn!(%error, "an upload that was cut off may be left in the bucket");
                    }
                }
                removed.count += 1;
                removed.bytes += key.bytes;
            }
            let unused = &unused;
            let work = |mut tx: Tx| async move {
                for key in unused {
                    if state == "gone" {
                        places::forget(&mut tx, &key.id).await?;
                    } else {
                        places::advance(&mut tx, &key.id, (state, "gone")).await?;
                    }
                }
                Ok(())
            };
            self.db().write(work).await?;
        }
    }
}
