//! Events: one gapless, ordered line of what changed, for everybody who follows changes live.
//! They name what changed and whom it concerns, never what it is now: a reader asks for that with their own rights.

use serde::Serialize;

use crate::db::{Db, Read, Record, Row, all, required, sql};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::names::named;

named! {
    /// What happened.
    Kind {
        /// A workspace was made, moved on or deleted; subject: its id.
        WorkspaceChanged = "workspace.changed",
        /// A job was accepted or moved on; subject: its id.
        JobChanged = "job.changed",
        /// A job has new metadata; subject: its id.
        JobMetadata = "job.metadata",
        /// A project was made, changed or deleted; subject: its id.
        ProjectChanged = "project.changed",
        /// Somebody joined, left or got another role; subject: the user's id.
        MemberChanged = "member.changed",
        /// A user was made, changed or disabled; subject: the user's id.
        UserChanged = "user.changed",
        /// A session ended before its time; subject: its id.
        SessionRevoked = "session.revoked",
        /// A token ended before its time; subject: its id.
        TokenRevoked = "token.revoked",
        /// A dataset was made, changed or deleted, or has another version or alias; subject: its id.
        DatasetChanged = "dataset.changed",
        /// A machine came, went, or has other room; subject: its id.
        MachineChanged = "machine.changed",
    }
}

/// An event to record: see [`Tx::notice`](crate::Tx::notice).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: Kind,
    /// The project whose members may see it.
    pub project_id: Option<ProjectId>,
    /// The user who may see it, member or not.
    pub user_id: Option<UserId>,
    /// What it happened to.
    pub subject: String,
}

/// An event that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its place in the line: 1, 2, 3 and so on, without gaps.
    pub number: i64,
    /// What happened.
    pub kind: Kind,
    /// The project it happened in.
    pub project_id: Option<ProjectId>,
    /// The user it concerns.
    pub user_id: Option<UserId>,
    /// What it happened to.
    pub subject: String,
    /// When, in milliseconds UTC.
    pub created_ms: i64,
}

impl Record for Event {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            number: row.int("number")?,
            kind: row.parsed("kind")?,
            project_id: row.maybe_parsed("project_id")?,
            user_id: row.maybe_parsed("user_id")?,
            subject: row.text("subject")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

/// The events after `number`, oldest first, at most `limit`, whoever they concern.
pub async fn after(db: &Db, number: i64, limit: u32) -> Result<Vec<Event>> {
    let text = "SELECT number, kind, project_id, user_id, subject, created_ms FROM events WHERE number > $1 ORDER BY number LIMIT $2";
    all(db, sql(text).bind(number).bind(i64::from(limit))).await
}

/// What one user may see of the events after `number`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The visible ones, oldest first.
    pub events: Vec<Event>,
    /// Where to go on: everything up to this number has been looked at.
    pub upto: i64,
}

/// Looks at the next `limit` events after `number` and returns those that concern `user_id`, a project they are a member of, or machines,
/// which are everybody's.
///
/// It makes progress also where nothing is visible: go on from `upto`.
pub async fn visible_after(db: &Db, user_id: UserId, number: i64, limit: u32) -> Result<Seen> {
    let window = "SELECT COALESCE(MAX(number), $1) FROM \
         (SELECT number FROM events WHERE number > $1 ORDER BY number LIMIT $2) AS newer";
    let upto: i64 = required(db, sql(window).bind(number).bind(i64::from(limit))).await?;
    let text = "SELECT number, kind, project_id, user_id, subject, created_ms FROM events e \
         WHERE number > $1 AND number <= $2 AND (e.user_id = $3 OR e.kind = 'machine.changed' OR EXISTS \
         (SELECT 1 FROM members m WHERE m.project_id = e.project_id AND m.user_id = $3)) ORDER BY number";
    let events = all(db, sql(text).bind(number).bind(upto).bind(user_id)).await?;
    Ok(Seen { events, upto })
}

/// The number of the newest event; 0 before the first.
pub async fn newest<'c>(from: impl Read<'c>) -> Result<i64> {
    required(
        from,
        sql("SELECT value FROM counters WHERE name = 'events'"),
    )
    .await
}

/// Whether every event after `number` is still kept. If not, a follower must read everything anew and go on from [`newest`].
///
/// False too for a number that has not been given out yet: it came from another database.
pub async fn kept_after(db: &Db, number: i64) -> Result<bool> {
    let text = "SELECT CASE WHEN $1 <= c.value AND $1 >= COALESCE((SELECT MIN(number) FROM events) - 1, c.value) THEN 1 ELSE 0 END \
         FROM counters c WHERE c.name = 'events'";
    Ok(required::<i64>(db, sql(text).bind(number)).await? == 1)
}
