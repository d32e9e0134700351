//! A job as the API shows it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{
    List, holds,
    ids::{JobId, MachineId, ProjectId, SnapshotId, UserId, WorkspaceId},
    jobs as records,
    leases::Subject,
    snapshots,
};
use utoipa::ToSchema;

use crate::{
    api::{
        holds::Hold,
        inputs::Input,
        placed::{Placed, QueuePlace},
        types::Listing,
    },
    app::App,
    error::ApiError,
};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// Accepted.
    Created,
    /// Waiting for a place.
    Queued,
    /// Running.
    Started,
    /// Being stopped.
    Stopping,
    /// Ended because somebody stopped it.
    Stopped,
    /// Ended with a failure.
    Error,
    /// Ended well.
    Complete,
}

impl From<records::State> for JobState {
    fn from(state: records::State) -> Self {
        match state {
            records::State::Created => Self::Created,
            records::State::Queued => Self::Queued,
            records::State::Started => Self::Started,
            records::State::Stopping => Self::Stopping,
            records::State::Stopped => Self::Stopped,
            records::State::Error => Self::Error,
            records::State::Complete => Self::Complete,
        }
    }
}

/// A path that was left out of a snapshot or of outputs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Skipped {
    /// The path.
    path: String,
    /// Why.
    reason: String,
}

impl From<snapshots::Skipped> for Skipped {
    fn from(skipped: snapshots::Skipped) -> Self {
        let (path, reason) = (skipped.path, skipped.reason);
        Self { path, reason }
    }
}

/// What a job left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outputs {
    /// Names the manifest.
    manifest_digest: String,
    /// What anybody can compute from the files.
    content_digest: String,
    /// How many files.
    files: i64,
    /// How many bytes.
    bytes: i64,
    /// What could not be kept.
    skipped: Vec<Skipped>,
}

impl From<records::Outputs> for Outputs {
    fn from(outputs: records::Outputs) -> Self {
        Self {
            manifest_digest: outputs.manifest_digest,
            content_digest: outputs.content_digest,
            files: outputs.files,
            bytes: outputs.bytes,
            skipped: outputs.skipped.into_iter().map(Skipped::from).collect(),
        }
    }
}

/// One tracked run of a command or a notebook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Never changes.
    #[schema(value_type = String)]
    id: JobId,
    /// Its number in the project.
    number: i64,
    /// What people call it.
    name: String,
    /// The project's id.
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// The project's name.
    project: String,
    /// Who submitted it.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Their name.
    user: String,
    /// The workspace it was run from.
    #[schema(value_type = Option<String>)]
    workspace_id: Option<WorkspaceId>,
    /// The code it runs.
    #[schema(value_type = String)]
    snapshot_id: SnapshotId,
    /// The command, where it runs one.
    command: Option<Vec<String>>,
    /// The notebook's path in the snapshot, where it runs one.
    notebook: Option<String>,
    /// What it was given.
    parameters: Map<String, Value>,
    /// What it reads.
    inputs: Vec<Input>,
    /// The name of its environment.
    environment: String,
    /// The name of its machine type.
    machine: String,
    /// The machine of its present or last attempt.
    #[schema(value_type = Option<String>)]
    machine_id: Option<MachineId>,
    /// That machine's name.
    machine_name: Option<String>,
    /// The ids of the devices of its present or last attempt.
    devices: Vec<String>,
    /// What an hour of its present or last attempt costs, as a decimal number.
    price_per_hour: Option<String>,
    /// What its attempts have cost so far, as a decimal number; null where none had a price.
    cost: Option<String>,
    /// Where it stands, while it waits for a machine.
    queue: Option<QueuePlace>,
    /// How far it is.
    state: JobState,
    /// What went wrong, or what it waits for.
    message: Option<String>,
    /// How its process ended.
    exit_code: Option<i64>,
    /// The signal that ended its process.
    signal: Option<i64>,
    /// The latest value of each key that it printed.
    metadata: Map<String, Value>,
    /// What it left, once it has ended.
    outputs: Option<Outputs>,
    /// The job that it runs again.
    #[schema(value_type = Option<String>)]
    rerun_of: Option<JobId>,
    /// It is stopped after running this long.
    time_limit_ms: Option<i64>,
    /// A cell of its notebook is interrupted after running this long.
    cell_time_limit_ms: Option<i64>,
    /// How long a run of its notebook is held at a cell that failed.
    hold_ms: Option<i64>,
    /// What it waits for, while its run is held at a cell that failed. Its machine is still its own, and paid for.
    hold: Option<Hold>,
    /// Every time that its runs were held, the present one included, oldest first, the last 100. Empty in lists.
    holds: Vec<Hold>,
    /// Words to find it by.
    tags: Vec<String>,
    /// How often an attempt that failed is followed by another.
    retries: i64,
    /// How many attempts have failed and were followed by another.
    failures: i64,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When it ran first, in milliseconds since 1970, UTC.
    started_ms: Option<i64>,
    /// When it ended, in milliseconds since 1970, UTC.
    ended_ms: Option<i64>,
    /// The number of the latest attempt; 0 before the first.
    attempt: i64,
    /// The size of the latest attempt's log.
    log_bytes: i64,
}

impl Job {
    /// The job with where it is and what it costs.
    pub(crate) async fn of(app: &App, job: records::Job) -> Result<Self, ApiError> {
        let placed = Placed::jobs(app, std::slice::from_ref(&job)).await?;
        let holds = match job.hold_ms {
            Some(_) => holds::of_job(app.db(), job.id).await?,
            None => Vec::new(),
        };
        let holds = holds.iter().map(Hold::from).collect();
        Ok(Self {
            holds,
            ..Self::placed(job, &placed)
        })
    }

    /// The same for a page of them.
    pub(crate) async fn page(
        app: &App,
        page: List<records::Job>,
    ) -> Result<Listing<Self>, ApiError> {
        let placed = &Placed::jobs(app, &page.items).await?;
        Ok(page.map(|one| Self::placed(one, placed)).into())
    }

    fn placed(job: records::Job, placed: &Placed) -> Self {
        let subject = Subject::Job(job.id);
        Self {
            machine_name: placed.name(job.machine_id),
            devices: placed.devices(subject),
            price_per_hour: placed.price(subject),
            cost: placed.cost(subject),
            queue: placed.place(subject),
            hold: placed.hold(job.id),
            ..Self::bare(job)
        }
    }

    fn bare(job: records::Job) -> Self {
        Self {
            id: job.id,
            number: job.number,
            name: job.name,
            project_id: job.project_id,
            project: job.project,
            user_id: job.user_id,
            user: job.user,
            workspace_id: job.workspace_id,
            snapshot_id: job.snapshot_id,
            command: job.command,
            notebook: job.notebook,
            parameters: job.parameters,
            inputs: job.inputs.into_iter().map(Input::from).collect(),
            environment: job.environment,
            machine: job.machine,
            machine_id: job.machine_id,
            machine_name: None,
            devices: Vec::new(),
            price_per_hour: None,
            cost: None,
            queue: None,
            state: job.state.into(),
            message: job.message,
            exit_code: job.exit_code,
            signal: job.signal,
            metadata: job.metadata,
            outputs: job.outputs.map(Outputs::from),
            rerun_of: job.rerun_of,
            time_limit_ms: job.time_limit_ms,
            cell_time_limit_ms: job.cell_time_limit_ms,
            hold_ms: job.hold_ms,
            hold: None,
            holds: Vec::new(),
            tags: job.tags,
            retries: job.retries,
            failures: job.failures,
            created_ms: job.created_ms,
            started_ms: job.started_ms,
            ended_ms: job.ended_ms,
            attempt: job.attempt,
            log_bytes: job.log_bytes,
        }
    }
}
