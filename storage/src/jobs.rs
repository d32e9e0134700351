//! Jobs: the record of what was asked, what came of it, and the queue between the two.

mod create;
mod query;
mod states;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::{Record, Row, Tx};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{JobId, MachineId, ProjectId, SnapshotId, UserId, WorkspaceId};
use crate::names::named;
use crate::snapshots::Skipped;
use crate::workspaces::Input;

pub use create::{Created, NewJob, create};
pub use query::{
    Filter, Queued, by_key, by_number, get, list, queue, queued, running, unfinished, waiting,
};
pub use states::{
    Ending, Stop, claim_job, end_without_attempt, enqueue, finish, request_stop, requeue, retry,
};

named! {
    /// Where a job is in its life. The last three end it.
    State {
        /// Accepted, not yet ready to run.
        Created = "created",
        /// Waits for a machine.
        Queued = "queued",
        /// An attempt is at it.
        Started = "started",
        /// Its attempt is being ended because somebody asked.
        Stopping = "stopping",
        /// It was stopped.
        Stopped = "stopped",
        /// It failed.
        Error = "error",
        /// It did what it was to do.
        Complete = "complete",
    }
}

impl State {
    /// Whether the job's life is over.
    pub fn is_final(self) -> bool {
        match self {
            Self::Created | Self::Queued | Self::Started | Self::Stopping => false,
            Self::Stopped | Self::Error | Self::Complete => true,
        }
    }
}

/// What a job left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The digest of their manifest.
    pub manifest_digest: String,
    /// The digest of their content, which anyone can compute.
    pub content_digest: String,
    /// How many files.
    pub files: i64,
    /// How many bytes.
    pub bytes: i64,
    /// What could not be kept.
    pub skipped: Vec<Skipped>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its number in its project, which with the project's name is how people call it.
    pub number: i64,
    /// What it is called; may be empty.
    pub name: String,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// That project's name.
    pub project: String,
    /// Who asked for it.
    pub user_id: UserId,
    /// Their name.
    pub user: String,
    /// The workspace it came from.
    pub workspace_id: Option<WorkspaceId>,
    /// The code it runs.
    pub snapshot_id: SnapshotId,
    /// The command it runs; none where it runs a notebook.
    pub command: Option<Vec<String>>,
    /// The notebook it runs, a path in the snapshot.
    pub notebook: Option<String>,
    /// What it is given, by name.
    pub parameters: Map<String, Value>,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// The environment it runs in.
    pub environment: String,
    /// The machine type it runs on.
    pub machine: String,
    /// The machine of its present or last attempt.
    pub machine_id: Option<MachineId>,
    /// Where it is in its life.
    pub state: State,
    /// What to tell people about that.
    pub message: Option<String>,
    /// How its process ended.
    pub exit_code: Option<i64>,
    /// The signal that ended its process.
    pub signal: Option<i64>,
    /// The latest value of each key it printed.
    pub metadata: Map<String, Value>,
    /// What it left; none before it ended.
    pub outputs: Option<Outputs>,
    /// The job it repeats.
    pub rerun_of: Option<JobId>,
    /// How long it may run, in milliseconds.
    pub time_limit_ms: Option<i64>,
    /// How long one cell of its notebook may run, in milliseconds.
    pub cell_time_limit_ms: Option<i64>,
    /// How long a run of its notebook is held, with its kernel, at a cell that failed, in milliseconds.
    pub hold_ms: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How often an attempt that failed is followed by another.
    pub retries: i64,
    /// How many attempts have failed and were followed by another.
    pub failures: i64,
    /// When it was accepted, in milliseconds UTC.
    pub created_ms: i64,
    /// When it began to wait for a machine.
    pub queued_ms: Option<i64>,
    /// When its present or last attempt began.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// When somebody first asked to stop it.
    pub stop_requested_ms: Option<i64>,
    /// The number of its present or last attempt; 0 before the first.
    pub attempt: i64,
    /// How long the log of that attempt is; 0 until it ended.
    pub log_bytes: i64,
}

impl Record for Job {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            number: row.int("number")?,
            name: row.text("name")?,
            project_id: row.parsed("project_id")?,
            project: row.text("project")?,
            user_id: row.parsed("user_id")?,
            user: row.text("user_name")?,
            workspace_id: row.maybe_parsed("workspace_id")?,
            snapshot_id: row.parsed("snapshot_id")?,
            command: row.maybe_json("command")?,
            notebook: row.maybe_text("notebook")?,
            parameters: row.json("parameters")?,
            inputs: row.json("inputs")?,
            environment: row.text("environment")?,
            machine: row.text("machine")?,
            machine_id: row.maybe_parsed("machine_id")?,
            state: row.parsed("state")?,
            message: row.maybe_text("message")?,
            exit_code: row.maybe_int("exit_code")?,
            signal: row.maybe_int("signal")?,
            metadata: row.json("metadata")?,
            outputs: outputs(row)?,
            rerun_of: row.maybe_parsed("rerun_of")?,
            time_limit_ms: row.maybe_int("time_limit_ms")?,
            cell_time_limit_ms: row.maybe_int("cell_time_limit_ms")?,
            hold_ms: row.maybe_int("hold_ms")?,
            tags: row.json("tags")?,
            retries: row.int("retries")?,
            failures: row.int("failures")?,
            created_ms: row.int("created_ms")?,
            queued_ms: row.maybe_int("queued_ms")?,
            started_ms: row.maybe_int("started_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
            stop_requested_ms: row.maybe_int("stop_requested_ms")?,
            attempt: row.maybe_int("attempt")?.unwrap_or_default(),
            log_bytes: row.maybe_int("log_bytes")?.unwrap_or_default(),
        })
    }
}

fn outputs(row: &Row) -> Result<Option<Outputs>> {
    let Some(manifest_digest) = row.maybe_text("output_manifest")? else {
        return Ok(None);
    };
    Ok(Some(Outputs {
        manifest_digest,
        content_digest: row.text("output_content")?,
        files: row.int("output_files")?,
        bytes: row.int("output_bytes")?,
        skipped: row.json("output_skipped")?,
    }))
}

/// Records that the job changed; returns it as this transaction sees it.
async fn changed(tx: &mut Tx, id: JobId) -> Result<Job> {
    let job = get(&mut *tx, id).await?.ok_or_else(missing)?;
    notice(tx, &job, Kind::JobChanged);
    Ok(job)
}

/// Tells whoever follows the job that its place in the queue is another.
pub async fn moved_up(tx: &mut Tx, id: JobId) -> Result<()> {
    changed(tx, id).await.map(|_| ())
}

pub(crate) fn notice(tx: &mut Tx, job: &Job, kind: Kind) {
    tx.notice(Notice {
        kind,
        project_id: Some(job.project_id),
        user_id: Some(job.user_id),
        subject: job.id.to_string(),
    });
}

fn missing() -> Error {
    Error::not_found("there is no such job")
}
