//! Removes records whose time is over. Nothing here decides whether something still works: every lookup checks the time itself.

use crate::db::{Db, execute, required, sql};
use crate::error::Result;

/// How many rows of a table one transaction removes: others can write between two.
const AT_ONCE: i64 = 1000;
/// How long links and device codes stay after their end, so that an old one is told apart from one that never was while somebody asks.
const GRACE_MS: i64 = 24 * 60 * 60 * 1000;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Sessions, workspace sessions, links and device codes.
    pub sign_ins: u64,
    /// Events.
    pub events: u64,
}

/// Removes sign-ins that ended, and events older than `keep_events_ms`; the newest event always stays.
///
/// Safe to call at any time, by any number of processes; stops between two transactions when it is dropped.
pub async fn remove(db: &Db, keep_events_ms: i64) -> Result<Removed> {
    const SIGN_INS: [(&str, i64); 4] = [
        (
            "DELETE FROM workspace_sessions WHERE id IN (SELECT id FROM workspace_sessions WHERE expires_ms <= $1 LIMIT $2)",
            0,
        ),
        (
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_ms <= $1 LIMIT $2)",
            0,
        ),
        (
            "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE expires_ms <= $1 LIMIT $2)",
            GRACE_MS,
        ),
        (
            "DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE expires_ms <= $1 LIMIT $2)",
            GRACE_MS,
        ),
    ];
    let now_ms = db.now_ms();
    let mut removed = Removed::default();
    for (text, grace_ms) in SIGN_INS {
        removed.sign_ins += drain(db, text, now_ms - grace_ms).await?;
    }
    removed.events = remove_events(db, now_ms.saturating_sub(keep_events_ms)).await?;
    Ok(removed)
}

/// Removes a prefix of the line only: clocks go backwards, numbers do not.
async fn remove_events(db: &Db, before_ms: i64) -> Result<u64> {
    let text = "SELECT COALESCE((SELECT MIN(number) FROM events WHERE created_ms > $1), (SELECT MAX(number) FROM events), 0)";
    let first_kept: i64 = required(db, sql(text).bind(before_ms)).await?;
    let text = "DELETE FROM events WHERE number IN (SELECT number FROM events WHERE number < $1 ORDER BY number LIMIT $2)";
    drain(db, text, first_kept).await
}

async fn drain(db: &Db, text: &'static str, bound: i64) -> Result<u64> {
    let mut removed = 0;
    loop {
        let now = db
            .write(
                |mut tx| async move { execute(&mut tx, sql(text).bind(bound).bind(AT_ONCE)).await },
            )
            .await?;
        removed += now;
        if now < AT_ONCE.unsigned_abs() {
            return Ok(removed);
        }
    }
}
