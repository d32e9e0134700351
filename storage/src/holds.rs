//! Runs of jobs that are held at a cell that failed, until somebody says how to go on. A job has at most one open hold (a unique index sees
//! to it).

mod states;

use crate::db::{Read, Record, Row, all, optional, select_in, sql};
use crate::error::Result;
use crate::ids::{JobId, UserId};
use crate::names::named;
use crate::objects::Hash;

pub(crate) use states::lose;
pub use states::{Answered, NewHold, answer, end, open, refuse};

/// The longest that a run may be held at one cell: a week.
pub const MOST_MS: i64 = 7 * 24 * 3_600_000;

named! {
    /// What has come of a hold. The first two are open.
    State {
        /// The run waits.
        Held = "held",
        /// Somebody has said how to go on, and the run has not taken it in yet.
        Answered = "answered",
        /// The run went on.
        Resumed = "resumed",
        /// Nobody answered in time.
        Expired = "expired",
        /// The job was stopped.
        Stopped = "stopped",
        /// The kernel was gone.
        Died = "died",
        /// The attempt ended without a word about it.
        Lost = "lost",
    }
}

impl State {
    /// Whether the run still waits.
    pub fn is_open(self) -> bool {
        match self {
            Self::Held | Self::Answered => true,
            Self::Resumed | Self::Expired | Self::Stopped | Self::Died | Self::Lost => false,
        }
    }
}

/// A notebook that somebody gave to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notebook {
    /// The object that holds it.
    pub hash: Hash,
    /// How large it is.
    pub bytes: u64,
}

/// A run that was held at a cell, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The job.
    pub job_id: JobId,
    /// The number of its attempt.
    pub attempt: i64,
    /// 1 for the first within the attempt.
    pub number: i64,
    /// What has come of it.
    pub state: State,
    /// The cell's number among the code cells, from 1.
    pub cell_number: i64,
    /// How many code cells there were.
    pub cells: i64,
    /// The cell's first line.
    pub title: String,
    /// The exception's name.
    pub ename: String,
    /// What happened, for people.
    pub message: String,
    /// When it began, in milliseconds UTC.
    pub held_ms: i64,
    /// When it ends by itself.
    pub until_ms: i64,
    /// How many answers were given.
    pub answers: i64,
    /// When the last one was given.
    pub answered_ms: Option<i64>,
    /// Who gave the last one.
    pub resumed_by: Option<UserId>,
    /// Their name.
    pub resumed_by_name: Option<String>,
    /// The corrected notebook of the last answer, if it had one.
    pub notebook: Option<Notebook>,
    /// Why the run could not use the answer before.
    pub refused: Option<String>,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

impl Record for Hold {
    fn read(row: &Row) -> Result<Self> {
        let hash: Option<Hash> = row.maybe_parsed("notebook_hash")?;
        let bytes = row.maybe_int("notebook_bytes")?;
        let notebook = hash.zip(bytes).map(|(hash, bytes)| Notebook {
            hash,
            bytes: u64::try_from(bytes).unwrap_or_default(),
        });
        Ok(Self {
            job_id: row.parsed("job_id")?,
            attempt: row.int("attempt")?,
            number: row.int("number")?,
            state: row.parsed("state")?,
            cell_number: row.int("cell_number")?,
            cells: row.int("cells")?,
            title: row.text("title")?,
            ename: row.text("ename")?,
            message: row.text("message")?,
            held_ms: row.int("held_ms")?,
            until_ms: row.int("until_ms")?,
            answers: row.int("answers")?,
            answered_ms: row.maybe_int("answered_ms")?,
            resumed_by: row.maybe_parsed("resumed_by")?,
            resumed_by_name: row.maybe_text("resumed_by_name")?,
            notebook,
            refused: row.maybe_text("refused")?,
            ended_ms: row.maybe_int("ended_ms")?,
        })
    }
}

/// The open hold of a job.
pub async fn current<'c>(from: impl Read<'c>, job_id: JobId) -> Result<Option<Hold>> {
    let text = "SELECT h.*, u.name AS resumed_by_name FROM job_holds h LEFT JOIN users u ON u.id = h.resumed_by \
         WHERE h.job_id = $1 AND h.ended_ms IS NULL";
    optional(from, sql(text).bind(job_id)).await
}

/// The holds of a job in the order in which they began, the newest 100.
pub async fn of_job<'c>(from: impl Read<'c>, job_id: JobId) -> Result<Vec<Hold>> {
    let text = "SELECT h.*, u.name AS resumed_by_name FROM job_holds h LEFT JOIN users u ON u.id = h.resumed_by \
         WHERE h.job_id = $1 ORDER BY h.attempt DESC, h.number DESC LIMIT 100";
    let mut holds: Vec<Hold> = all(from, sql(text).bind(job_id)).await?;
    holds.reverse();
    Ok(holds)
}

/// The open holds of these jobs.
pub async fn open_of<'c>(from: impl Read<'c>, jobs: &[JobId]) -> Result<Vec<Hold>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let text = "SELECT h.*, u.name AS resumed_by_name FROM job_holds h LEFT JOIN users u ON u.id = h.resumed_by \
         WHERE h.ended_ms IS NULL AND h.job_id IN";
    let mut query = select_in(text, jobs.len(), "");
    for job in jobs {
        query = query.bind(*job);
    }
    all(from, query).await
}

/// A certain hold of a job's attempt.
pub async fn get<'c>(
    from: impl Read<'c>,
    job_id: JobId,
    attempt: i64,
    number: i64,
) -> Result<Option<Hold>> {
    let text = "SELECT h.*, u.name AS resumed_by_name FROM job_holds h LEFT JOIN users u ON u.id = h.resumed_by \
         WHERE h.job_id = $1 AND h.attempt = $2 AND h.number = $3";
    optional(from, sql(text).bind(job_id).bind(attempt).bind(number)).await
}
