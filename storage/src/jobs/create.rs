//! Accepting a job: its number, its inputs and its place in the queue, in one transaction.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Job, State, by_key, changed};
use crate::db::{Tx, execute, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, ProjectId, SnapshotId, UserId, WorkspaceId};
use crate::workspaces::Input;
use crate::{holds, names, objects, projects};

const NAME_BYTES: usize = 200;
const KEY_BYTES: usize = 200;
const TAG_BYTES: usize = 200;
const MOST_TAGS: usize = 100;
const MOST_RETRIES: i64 = 100;

/// A job to accept. Exactly one of `command` and `notebook` is given.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// See [`Job::project_id`].
    pub project_id: ProjectId,
    /// See [`Job::user_id`].
    pub user_id: UserId,
    /// See [`Job::name`].
    pub name: String,
    /// See [`Job::workspace_id`].
    pub workspace_id: Option<WorkspaceId>,
    /// See [`Job::snapshot_id`].
    pub snapshot_id: SnapshotId,
    /// See [`Job::command`].
    pub command: Option<Vec<String>>,
    /// See [`Job::notebook`].
    pub notebook: Option<String>,
    /// See [`Job::parameters`].
    pub parameters: Map<String, Value>,
    /// See [`Job::inputs`].
    pub inputs: Vec<Input>,
    /// See [`Job::environment`].
    pub environment: String,
    /// See [`Job::machine`].
    pub machine: String,
    /// The same request with the same key in the same project gets the job of the first.
    pub idempotency_key: Option<String>,
    /// See [`Job::rerun_of`].
    pub rerun_of: Option<JobId>,
    /// See [`Job::time_limit_ms`].
    pub time_limit_ms: Option<i64>,
    /// See [`Job::cell_time_limit_ms`].
    pub cell_time_limit_ms: Option<i64>,
    /// See [`Job::hold_ms`].
    pub hold_ms: Option<i64>,
    /// See [`Job::tags`].
    pub tags: Vec<String>,
    /// See [`Job::retries`].
    pub retries: i64,
    /// Whether it may run at once, or waits in `created` for [`enqueue`](super::enqueue).
    pub queue: bool,
}

/// An accepted job.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// The job.
    pub job: Job,
    /// Whether this request made it; else an earlier one with the same key did.
    pub new: bool,
}

impl NewJob {
    fn check(&self) -> Result<()> {
        names::check_text("name of a job", &self.name, NAME_BYTES)?;
        Input::check_names(&self.inputs)?;
        if self.command.is_some() == self.notebook.is_some() {
            return Err(Error::invalid("a job runs either a command or a notebook"));
        }
        if self
            .command
            .as_ref()
            .is_some_and(|command| command.first().is_none_or(String::is_empty))
        {
            return Err(Error::invalid("the command of a job is empty"));
        }
        let limits = [self.time_limit_ms, self.cell_time_limit_ms];
        if limits.iter().flatten().any(|limit_ms| *limit_ms <= 0) {
            return Err(Error::invalid(
                "the time limit of a job or a cell is longer than nothing",
            ));
        }
        if self.cell_time_limit_ms.is_some() && self.notebook.is_none() {
            return Err(Error::invalid(
                "a command has no cells that a time limit could hold for: limit the job",
            ));
        }
        self.check_hold()?;
        if !(0..=MOST_RETRIES).contains(&self.retries) {
            return Err(Error::invalid(format!(
                "a job is retried 0 to {MOST_RETRIES} times"
            )));
        }
        if self.tags.len() > MOST_TAGS {
            return Err(Error::invalid(format!(
                "a job has at most {MOST_TAGS} tags"
            )));
        }
        for tag in &self.tags {
            names::check_text("tag of a job", tag, TAG_BYTES)?;
            if tag.is_empty() {
                return Err(Error::invalid("a tag of a job is empty"));
            }
        }
        if self
            .idempotency_key
            .as_ref()
            .is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES)
        {
            return Err(Error::invalid(format!(
                "an idempotency key has 1 to {KEY_BYTES} bytes"
            )));
        }
        Ok(())
    }

    fn check_hold(&self) -> Result<()> {
        let Some(hold_ms) = self.hold_ms else {
            return Ok(());
        };
        if self.notebook.is_none() {
            return Err(Error::invalid(
                "a command has no cells that it could be held at: only a notebook can be held and resumed",
            ));
        }
        if !(1..=holds::MOST_MS).contains(&hold_ms) {
            return Err(Error::invalid("a job is held for 7 days at most"));
        }
        Ok(())
    }

    /// Whether this asks for the same as what made `job`. Of a workspace the snapshot does not count: each request takes its own.
    fn repeats(&self, job: &Job) -> bool {
        let same_code = self.workspace_id == job.workspace_id
            && (self.workspace_id.is_some() || self.snapshot_id == job.snapshot_id);
        let same_work = self.command == job.command
            && self.notebook == job.notebook
            && self.parameters == job.parameters
            && self.inputs == job.inputs;
        let same_place = self.environment == job.environment
            && self.machine == job.machine
            && self.time_limit_ms == job.time_limit_ms
            && self.cell_time_limit_ms == job.cell_time_limit_ms
            && self.hold_ms == job.hold_ms
            && self.retries == job.retries;
        let same_asker = self.user_id == job.user_id
            && self.name == job.name
            && self.tags == job.tags
            && self.rerun_of == job.rerun_of;
        same_code && same_work && same_place && same_asker
    }
}

/// Accepts a job under the next number of its project.
///
/// Numbers have no gaps: the project is held until the transaction ends, and what is undone has taken no number.
///
/// # Errors
/// `Invalid` where `new` is; `NotFound` for an unknown project, user, workspace, snapshot or earlier job; `Conflict` for a key under
/// which something else was asked for.
pub async fn create(tx: &mut Tx, new: &NewJob) -> Result<Created> {
    new.check()?;
    let number = projects::lock(tx, new.project_id).await?;
    if let Some(key) = &new.idempotency_key
        && let Some(job) = by_key(&mut *tx, new.project_id, key).await?
    {
        return if new.repeats(&job) {
            Ok(Created { job, new: false })
        } else {
            Err(Error::conflict(format!(
                "this idempotency key was used for job #{}, which is another request: use a new key",
                job.number
            )))
        };
    }
    let id = JobId::new(tx.clock());
    insert(tx, id, number, new).await?;
    for input in &new.inputs {
        objects::hold(tx, &input.manifest_digest).await?;
        let text = "INSERT INTO job_inputs (job_id, name, ref, manifest_digest, files, bytes, version_id, source_job_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sql(text)
            .bind(id)
            .bind(input.name.as_str())
            .bind(input.reference.as_str());
        execute(
            tx,
            query
                .bind(input.manifest_digest.as_str())
                .bind(input.files)
                .bind(input.bytes)
                .bind(input.version_id)
                .bind(input.source_job_id),
        )
        .await?;
    }
    execute(
        tx,
        sql("UPDATE projects SET next_number = $2 WHERE id = $1")
            .bind(new.project_id)
            .bind(number + 1),
    )
    .await?;
    Ok(Created {
        job: changed(tx, id).await?,
        new: true,
    })
}

async fn insert(tx: &mut Tx, id: JobId, number: i64, new: &NewJob) -> Result<()> {
    let (state, queued_ms) = if new.queue {
        (State::Queued, Some(tx.now_ms()))
    } else {
        (State::Created, None)
    };
    let text = "INSERT INTO jobs (id, project_id, number, name, user_id, workspace_id, snapshot_id, command, notebook, parameters, inputs, \
         environment, machine, state, metadata, idempotency_key, rerun_of, time_limit_ms, created_ms, queued_ms, tags, retries, cell_time_limit_ms, hold_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '{}', $15, $16, $17, $18, $19, $20, $21, $22, $23)";
    let query = sql(text)
        .bind(id)
        .bind(new.project_id)
        .bind(number)
        .bind(new.name.as_str())
        .bind(new.user_id);
    let query = query.bind(new.workspace_id).bind(new.snapshot_id);
    let query = query
        .bind(new.command.as_ref().map(json).transpose()?)
        .bind(new.notebook.clone());
    let query = query.bind(json(&new.parameters)?).bind(json(&new.inputs)?);
    let query = query
        .bind(new.environment.as_str())
        .bind(new.machine.as_str())
        .bind(state.as_str());
    let query = query
        .bind(new.idempotency_key.clone())
        .bind(new.rerun_of)
        .bind(new.time_limit_ms);
    let query = query.bind(tx.now_ms()).bind(queued_ms);
    let query = query.bind(json(&new.tags)?).bind(new.retries);
    let query = query.bind(new.cell_time_limit_ms).bind(new.hold_ms);
    execute(tx, query).await?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a record is not JSON", error))
}
