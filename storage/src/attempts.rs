//! Attempts at jobs. A job has at most one live attempt (a unique index sees to it), and only that one can change anything.

use serde::Serialize;
use serde_json::Value;

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::{AttemptId, JobId, MachineId};
use crate::leases::{self, Subject};
use crate::names::named;
use crate::objects::{Space, revive};

named! {
    /// Whether an attempt still acts.
    State {
        /// It acts for its job.
        Live = "live",
        /// It ended, or was given up; what it reports is refused.
        Done = "done",
    }
}

/// One try at carrying out a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The job.
    pub job_id: JobId,
    /// 1 for the first, without gaps; also the fencing number of what it reports.
    pub number: i64,
    /// The machine it is on.
    pub machine_id: Option<MachineId>,
    /// Its run, for the spawner: the same text as its id.
    pub run_id: String,
    /// What the spawner needs to find the run again; none before it was started.
    #[serde(skip)]
    pub run_handle: Option<Value>,
    /// Whether it still acts.
    pub state: State,
    /// The hash of its log, where the store has it.
    pub log_hash: Option<String>,
    /// How long its log is; 0 until it ended.
    pub log_bytes: i64,
    /// How far its log has been read for metadata.
    pub metadata_offset: i64,
    /// How many lines of metadata that gave: the x of a point that names none.
    pub metadata_lines: i64,
    /// When it began, in milliseconds UTC.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

impl Record for Attempt {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            job_id: row.parsed("job_id")?,
            number: row.int("number")?,
            machine_id: row.maybe_parsed("machine_id")?,
            run_id: row.text("run_id")?,
            run_handle: row.maybe_json("run_handle")?,
            state: row.parsed("state")?,
            log_hash: row.maybe_text("log_hash")?,
            log_bytes: row.int("log_bytes")?,
            metadata_offset: row.int("metadata_offset")?,
            metadata_lines: row.int("metadata_lines")?,
            started_ms: row.int("started_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
        })
    }
}

/// The attempt with this id.
pub async fn get<'c>(from: impl Read<'c>, id: AttemptId) -> Result<Option<Attempt>> {
    optional(from, sql("SELECT * FROM attempts WHERE id = $1").bind(id)).await
}

/// The present or last attempt at a job.
pub async fn latest<'c>(from: impl Read<'c>, job_id: JobId) -> Result<Option<Attempt>> {
    optional(
        from,
        sql("SELECT * FROM attempts WHERE job_id = $1 ORDER BY number DESC LIMIT 1").bind(job_id),
    )
    .await
}

/// The attempts at a job, the first one first.
pub async fn list(db: &Db, job_id: JobId) -> Result<Vec<Attempt>> {
    all(
        db,
        sql("SELECT * FROM attempts WHERE job_id = $1 ORDER BY number").bind(job_id),
    )
    .await
}

/// Every live attempt, oldest first: what a reconciler has to look at.
pub async fn live(db: &Db) -> Result<Vec<Attempt>> {
    all(
        db,
        sql("SELECT * FROM attempts WHERE state = 'live' ORDER BY id"),
    )
    .await
}

/// Records what the spawner needs to find the run again. Returns whether the attempt is live.
pub async fn record_handle(tx: &mut Tx, id: AttemptId, handle: &Value) -> Result<bool> {
    let query = sql("UPDATE attempts SET run_handle = $2 WHERE id = $1 AND state = 'live'")
        .bind(id)
        .bind(handle.to_string());
    Ok(execute(tx, query).await? > 0)
}

/// Begins the next attempt at a job; part of claiming it.
pub(crate) async fn begin(tx: &mut Tx, job_id: JobId) -> Result<Attempt> {
    let id = AttemptId::new(tx.clock());
    let text = "INSERT INTO attempts (id, job_id, number, run_id, state, log_bytes, metadata_offset, metadata_lines, started_ms) \
         VALUES ($1, $2, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE job_id = $2), $3, 'live', 0, 0, 0, $4)";
    execute(
        tx,
        sql(text)
            .bind(id)
            .bind(job_id)
            .bind(id.to_string())
            .bind(tx.now_ms()),
    )
    .await?;
    get(tx, id)
        .await?
        .ok_or_else(|| Error::fault("an attempt vanished as it was made"))
}

/// Ends a live attempt and releases what it held of a machine; returns its job, or `None` where it was not live.
pub(crate) async fn end(
    tx: &mut Tx,
    id: AttemptId,
    log_hash: Option<&str>,
    log_bytes: i64,
) -> Result<Option<JobId>> {
    let text = "UPDATE attempts SET state = 'done', ended_ms = $2, log_hash = $3, log_bytes = $4 \
         WHERE id = $1 AND state = 'live' RETURNING job_id";
    let query = sql(text)
        .bind(id)
        .bind(tx.now_ms())
        .bind(log_hash.map(str::to_owned))
        .bind(log_bytes);
    let job: Option<JobId> = optional::<String>(&mut *tx, query)
        .await?
        .map(|job| job.parse())
        .transpose()?;
    if let Some(job) = job {
        if let Some(log) = log_hash {
            revive(tx, &[(Space::Objects, log.parse()?)]).await?;
        }
        leases::release(tx, Subject::Job(job)).await?;
    }
    Ok(job)
}
