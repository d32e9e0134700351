//! Jobs: what people ask of them. What then happens is in `drive`.

mod check;
pub(crate) mod drive;
mod ending;
mod follow;
mod prepare;
pub(crate) mod process;
pub(crate) mod report;

use serde::Deserialize;
use serde_json::{Map, Value};
use storage::{
    ids::{JobId, ProjectId, SnapshotId, UserId, WorkspaceId},
    jobs::{self, Created, Job, State},
    leases::{self, Subject},
    series::{self, Series, Window},
    snapshots::{self, NewSnapshot, Snapshot},
    workspaces::{self, Workspace},
};

use crate::{Control, Error, Result, cells::Cells, inputs::NewInput};
use check::AddedFile;

/// Series in one answer; more have to be asked for by key.
const SERIES: usize = 100;

/// A job that is asked for. Exactly one of `command`, `notebook` and `cells`, and one of `workspace_id` and `snapshot_id`, is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewJob {
    /// What to call it; made from what it runs where none is given.
    pub name: Option<String>,
    /// Program and arguments; a word that is `{parameters}` becomes `--name=value` for each parameter.
    pub command: Option<Vec<String>>,
    /// A notebook, as a path within the snapshot.
    pub notebook: Option<String>,
    /// Or some cells of a notebook, as it is in the editor.
    pub cells: Option<Cells>,
    /// Values by name: for a notebook those of its `parameters` cell.
    pub parameters: Map<String, Value>,
    /// What it reads.
    pub inputs: Vec<NewInput>,
    /// Its environment; that of the workspace, else `default`, where none is named.
    pub environment: Option<String>,
    /// Its machine type; that of the workspace, else the usual one, where none is named.
    pub machine: Option<String>,
    /// The workspace whose project folder it runs a snapshot of, taken now.
    pub workspace_id: Option<WorkspaceId>,
    /// An earlier snapshot or an upload.
    pub snapshot_id: Option<SnapshotId>,
    /// The same request with the same key in the same project gets the job of the first; another request is refused.
    pub idempotency_key: Option<String>,
    /// How long it may run, in milliseconds.
    pub time_limit_ms: Option<i64>,
    /// How long one cell of its notebook may run, in milliseconds.
    pub cell_time_limit_ms: Option<i64>,
    /// How long a run of its notebook is held at a cell that failed, in milliseconds.
    pub hold_ms: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How often an attempt that failed is followed by another. Lost machines do not count.
    pub retries: i64,
}

/// What is to be different when a job is run again.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Values for some parameters; the others stay.
    pub parameters: Map<String, Value>,
    /// See [`NewInput::allow_damaged`].
    pub allow_damaged: bool,
}

impl Control {
    /// Accepts a job and queues it. Where it comes from a workspace, its project folder is captured before this returns.
    ///
    /// # Errors
    /// `Invalid` for whatever can never run: the text says what and where. `NotFound` for an unknown workspace or snapshot. `Conflict`
    /// for an idempotency key under which something else was asked for.
    pub async fn submit_job(
        &self,
        user_id: UserId,
        project_id: ProjectId,
        mut new: NewJob,
    ) -> Result<Created> {
        let file = check::cells(&mut new).await?;
        let (snapshot, usual) = self.source(user_id, project_id, &new, file).await?;
        let usual = usual.as_ref();
        let (environment, _) = self.settings().environment(
            new.environment
                .as_deref()
                .or(usual.map(|(environment, _)| environment.as_str())),
        )?;
        let (machine, _) = self.settings().machine(
            new.machine
                .as_deref()
                .or(usual.map(|(_, machine)| machine.as_str())),
        )?;
        self.check_fits(&machine, true).await?;
        let parameters = check::parameters(self, &snapshot, &new).await?;
        let record = jobs::NewJob {
            project_id,
            user_id,
            name: new.name.clone().unwrap_or_else(|| check::title(&new)),
            workspace_id: new.workspace_id,
            snapshot_id: snapshot.id,
            command: new.command,
            notebook: new.notebook,
            parameters,
            inputs: self.resolve_inputs(project_id, &new.inputs).await?,
            environment,
            machine,
            idempotency_key: new.idempotency_key,
            rerun_of: None,
            time_limit_ms: new.time_limit_ms,
            cell_time_limit_ms: new.cell_time_limit_ms,
            hold_ms: new.hold_ms,
            tags: new.tags,
            retries: new.retries,
            queue: true,
        };
        self.accept(&record).await
    }

    /// Accepts a job that repeats another: the same snapshot, inputs, environment and machine type, with other values for the
    /// parameters named.
    ///
    /// # Errors
    /// `NotFound` for an unknown job; `Invalid` for parameters that it does not take, and for damaged inputs where these are not allowed.
    pub async fn rerun_job(
        &self,
        user_id: UserId,
        job_id: JobId,
        Again {
            parameters,
            allow_damaged,
        }: Again,
    ) -> Result<Created> {
        let job = jobs::get(self.db(), job_id).await?.ok_or_else(missing)?;
        let snapshot = snapshots::get(self.db(), job.snapshot_id)
            .await?
            .ok_or_else(missing)?;
        let mut merged = job.parameters.clone();
        merged.extend(parameters);
        let again = NewJob {
            command: job.command.clone(),
            notebook: job.notebook.clone(),
            parameters: merged,
            ..NewJob::default()
        };
        let parameters = check::parameters(self, &snapshot, &again).await?;
        self.settings().environment(Some(&job.environment))?;
        self.check_fits(&job.machine, true).await?;
        let inputs = self
            .again(job.project_id, job.inputs, allow_damaged)
            .await?;
        let record = jobs::NewJob {
            project_id: job.project_id,
            user_id,
            name: job.name,
            workspace_id: job.workspace_id,
            snapshot_id: job.snapshot_id,
            command: job.command,
            notebook: job.notebook,
            parameters,
            inputs,
            environment: job.environment,
            machine: job.machine,
            idempotency_key: None,
            rerun_of: Some(job.id),
            time_limit_ms: job.time_limit_ms,
            cell_time_limit_ms: job.cell_time_limit_ms,
            hold_ms: job.hold_ms,
            tags: job.tags,
            retries: job.retries,
            queue: true,
        };
        self.accept(&record).await
    }

    /// Asks for a job to stop; one that waits ends at once. Fine for one that has ended.
    pub async fn stop_job(&self, id: JobId) -> Result<Job> {
        self.db()
            .write(move |mut tx| async move { jobs::request_stop(&mut tx, id).await })
            .await?;
        jobs::get(self.db(), id).await?.ok_or_else(missing)
    }

    /// Series of a job, or what `window` shows of them, each reduced to about `points` points that keep its minima and maxima; of one
    /// key, or of all.
    pub async fn job_series(
        &self,
        id: JobId,
        key: Option<&str>,
        points: usize,
        window: Option<Window>,
    ) -> Result<Vec<Series>> {
        let keys = match key {
            Some(key) => vec![key.to_owned()],
            None => series::keys(self.db(), id)
                .await?
                .into_iter()
                .map(|key| key.key)
                .take(SERIES)
                .collect(),
        };
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            all.push(series::read(self.db(), id, &key, points, window).await?);
        }
        Ok(all)
    }

    async fn accept(&self, record: &jobs::NewJob) -> Result<Created> {
        let here = self.hosts().local().id();
        let accepted = self.db().write(move |mut tx| async move {
            let created = jobs::create(&mut tx, record).await?;
            if created.new {
                leases::accepted(&mut tx, Subject::Job(created.job.id), here).await?;
            }
            Ok(created)
        });
        Ok(accepted.await?)
    }

    /// The snapshot to run, and the environment and machine type of the workspace that it comes from.
    async fn source(
        &self,
        user_id: UserId,
        project_id: ProjectId,
        new: &NewJob,
        file: Option<AddedFile>,
    ) -> Result<(Snapshot, Option<(String, String)>)> {
        // A request that comes a second time runs what the first one captured, however the folder has changed since.
        if let Some(earlier) = self.earlier(project_id, new, file.as_ref()).await? {
            return Ok(earlier);
        }
        match (new.workspace_id, new.snapshot_id) {
            (Some(id), None) => {
                let workspace = workspaces::get(self.db(), id)
                    .await?
                    .filter(|found| found.project_id == project_id);
                let workspace = workspace.ok_or_else(|| {
                    Error::not_found("there is no such workspace in this project")
                })?;
                let snapshot = self
                    .take_snapshot(user_id, project_id, &workspace, file)
                    .await?;
                Ok((snapshot, Some((workspace.environment, workspace.machine))))
            }
            (None, Some(id)) => {
                let found = snapshots::get(self.db(), id)
                    .await?
                    .filter(|found| found.project_id == project_id);
                Ok((
                    found.ok_or_else(|| {
                        Error::not_found("there is no such snapshot in this project")
                    })?,
                    None,
                ))
            }
            _ => Err(Error::invalid(
                "a job needs its code: give either workspace_id or snapshot_id",
            )),
        }
    }

    /// The same of the job that was accepted under the request's idempotency key from the same workspace.
    ///
    /// # Errors
    /// `Conflict` where that ran other cells.
    async fn earlier(
        &self,
        project_id: ProjectId,
        new: &NewJob,
        file: Option<&AddedFile>,
    ) -> Result<Option<(Snapshot, Option<(String, String)>)>> {
        let (Some(key), Some(workspace), None) =
            (&new.idempotency_key, new.workspace_id, new.snapshot_id)
        else {
            return Ok(None);
        };
        let job = jobs::by_key(self.db(), project_id, key).await?;
        let Some(job) = job.filter(|job| job.workspace_id == Some(workspace)) else {
            return Ok(None);
        };
        let snapshot = snapshots::get(self.db(), job.snapshot_id).await?;
        if let (Some(snapshot), Some(file)) = (&snapshot, file)
            && !check::holds(self, snapshot, file).await?
        {
            return Err(Error::conflict(format!(
                "this idempotency key was used for job #{}, which runs other cells: use a new key",
                job.number
            )));
        }
        Ok(snapshot.map(|snapshot| (snapshot, Some((job.environment, job.machine)))))
    }

    /// Captures a workspace's project folder as it is now, with one more file where there is one.
    async fn take_snapshot(
        &self,
        user_id: UserId,
        project_id: ProjectId,
        workspace: &Workspace,
        file: Option<AddedFile>,
    ) -> Result<Snapshot> {
        let machine = self.host_of(workspace)?;
        let mut pending = machine.snapshot(workspace.id, project_id).await?;
        if let Some(AddedFile { path, content }) = file {
            pending = pending.with_file(self.store(), path, content).await?;
        }
        let captured = pending.captured();
        let record = NewSnapshot {
            project_id,
            user_id,
            workspace_id: Some(workspace.id),
            manifest_digest: captured.summary.manifest_digest.to_string(),
            content_digest: captured.summary.content_digest.to_string(),
            files: signed(captured.summary.files),
            bytes: signed(captured.summary.bytes),
            skipped: captured.skipped.iter().map(ending::skipped).collect(),
        };
        let (pending_ref, record) = (&pending, &record);
        let kept = self.db().write(move |mut tx| async move {
            pending_ref.record(&mut tx).await?;
            snapshots::create(&mut tx, record).await
        });
        let snapshot = kept.await?;
        pending.recorded();
        Ok(snapshot)
    }
}

/// Whether a job still holds a place on a machine.
pub(crate) fn runs(job: &Job) -> bool {
    matches!(job.state, State::Started | State::Stopping)
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn missing() -> Error {
    Error::not_found("there is no such job")
}
