//! Jobs: submitting, listing, stopping, running again, and the series of what they print.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{
    ids::{JobId, ProjectId, SnapshotId, UserId, WorkspaceId},
    jobs::{self as records, Filter},
    projects::Project,
    series::Point,
    snapshots,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    inputs::{self, Input, NewInput},
    types::{Listing, PageQuery},
};
use crate::{
    app::App,
    auth::{Bound, Principal},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
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

impl From<records::Job> for Job {
    fn from(job: records::Job) -> Self {
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
            state: job.state.into(),
            message: job.message,
            exit_code: job.exit_code,
            signal: job.signal,
            metadata: job.metadata,
            outputs: job.outputs.map(Outputs::from),
            rerun_of: job.rerun_of,
            time_limit_ms: job.time_limit_ms,
            created_ms: job.created_ms,
            started_ms: job.started_ms,
            ended_ms: job.ended_ms,
            attempt: job.attempt,
            log_bytes: job.log_bytes,
        }
    }
}

/// A job to run: a command or a notebook, on the code of a workspace or of a snapshot.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJob {
    /// What people call it; made from what it runs where left out.
    name: Option<String>,
    /// The program and its arguments.
    command: Option<Vec<String>>,
    /// The path of a notebook in the code.
    notebook: Option<String>,
    /// What to give it.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// What it reads.
    #[serde(default)]
    inputs: Vec<NewInput>,
    /// The name of an environment; that of the workspace, or `default`, where left out.
    environment: Option<String>,
    /// The name of a machine type.
    machine: Option<String>,
    /// Takes a snapshot of this workspace of the caller's own.
    workspace_id: Option<String>,
    /// Or runs on this snapshot, which an upload made.
    snapshot_id: Option<String>,
    /// A text of the client's choice: submitting again with the same one answers with the same job.
    idempotency_key: Option<String>,
    /// It is stopped after running this long.
    time_limit_ms: Option<i64>,
}

/// What to change when a job is run again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunRequest {
    /// Values for some parameters; the others stay.
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// How many items at most, 1 to 1000. Usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<JobState>,
    /// Only those with this text in their name.
    name: Option<String>,
}

impl JobsQuery {
    fn filter(&self) -> Filter {
        let state = self.state.and_then(|state| {
            let all = records::State::ALL.iter().copied();
            all.into_iter()
                .find(|record| JobState::from(*record) == state)
        });
        Filter {
            state,
            name: self.name.clone(),
            ..Filter::default()
        }
    }

    fn page(self) -> Result<storage::Page, ApiError> {
        let (limit, cursor) = (self.limit, self.cursor);
        PageQuery { limit, cursor }.page()
    }
}

/// Lists the latest jobs of all the caller's projects.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "jobs", params(JobsQuery),
    responses((status = 200, body = Listing<Job>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_jobs(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<JobsQuery>,
) -> Result<Json<Listing<Job>>, ApiError> {
    authz::require_general(&principal, Action::ListProjects)?;
    let mut filter = query.filter();
    match principal.bound() {
        Bound::Workspace { project, .. } | Bound::Job { project, .. } => {
            let project = project.to_string();
            let (project, _) =
                authz::project(&app, &principal, Action::ReadProject, &project).await?;
            filter.project_id = Some(project.id);
        }
        Bound::None => filter.visible_to = Some(principal.user.id),
    }
    Ok(Json(
        records::list(app.db(), &filter, &query.page()?)
            .await?
            .into(),
    ))
}

/// Lists the jobs of a project.
#[utoipa::path(get, path = "/projects/{project}/jobs", operation_id = "list_project_jobs", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), JobsQuery),
    responses((status = 200, body = Listing<Job>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_project_jobs(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Query(query): Query<JobsQuery>,
) -> Result<Json<Listing<Job>>, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::ListJobs, &project).await?;
    let filter = Filter {
        project_id: Some(project.id),
        ..query.filter()
    };
    Ok(Json(
        records::list(app.db(), &filter, &query.page()?)
            .await?
            .into(),
    ))
}

/// Submits a job.
///
/// With an `idempotency_key` that was used before in the project the answer is 200 and the job that it made then.
#[utoipa::path(post, path = "/projects/{project}/jobs", operation_id = "create_job", tag = "jobs", request_body = NewJob,
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 201, body = Job), (status = 200, body = Job), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_job(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Json(new): Json<NewJob>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::SubmitJob, &project).await?;
    let (workspace_id, snapshot_id) = code(&app, &principal, &project, &new).await?;
    let asked = control::jobs::NewJob {
        name: new.name,
        command: new.command,
        notebook: new.notebook,
        parameters: new.parameters,
        inputs: inputs::readable(&app, &principal, &project, new.inputs).await?,
        environment: new.environment,
        machine: new.machine,
        workspace_id,
        snapshot_id,
        idempotency_key: new.idempotency_key,
        time_limit_ms: new.time_limit_ms,
    };
    let user = principal.user.id;
    let created = app.control().submit_job(user, project.id, asked).await?;
    let status = if created.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(created.job.into())))
}

/// The code: a workspace of the caller's own in this project, or a snapshot of this project.
async fn code(
    app: &App,
    principal: &Principal,
    project: &Project,
    new: &NewJob,
) -> Result<(Option<WorkspaceId>, Option<SnapshotId>), ApiError> {
    match (&new.workspace_id, &new.snapshot_id) {
        (Some(id), None) => {
            let workspace = authz::workspace(app, principal, Action::RunFromWorkspace, id).await?;
            if workspace.project_id != project.id {
                return Err(ApiError::not_found("workspace"));
            }
            Ok((Some(workspace.id), None))
        }
        (None, Some(id)) => {
            let missing = || ApiError::not_found("snapshot");
            let id: SnapshotId = id.parse().map_err(|_| missing())?;
            let snapshot = snapshots::get(app.db(), id).await?.ok_or_else(missing)?;
            if snapshot.project_id != project.id {
                return Err(missing());
            }
            Ok((None, Some(id)))
        }
        _ => Err(ApiError::invalid(
            "Give either `workspace_id` or `snapshot_id`.",
        )),
    }
}

/// Shows a job.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}", operation_id = "get_job", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)),
    responses((status = 200, body = Job), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
) -> Result<Json<Job>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    Ok(Json(job.into()))
}

/// Stops a job. Its outputs are kept. Stopping one that has ended changes nothing.
#[utoipa::path(post, path = "/projects/{project}/jobs/{number}/stop", operation_id = "stop_job", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)),
    responses((status = 202, body = Job), (status = "4XX", body = Envelope)))]
pub(crate) async fn stop_job(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let job = authz::job(&app, &principal, Action::StopJob, (&project, &number)).await?;
    let job = app.control().stop_job(job.id).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Runs a job again on the same code and inputs, with other values for some parameters if they are given.
#[utoipa::path(post, path = "/projects/{project}/jobs/{number}/rerun", operation_id = "rerun_job", tag = "jobs",
    request_body = Option<RerunRequest>,
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)),
    responses((status = 201, body = Job), (status = "4XX", body = Envelope)))]
pub(crate) async fn rerun_job(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    body: Option<Json<RerunRequest>>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let job = authz::job(&app, &principal, Action::SubmitJob, (&project, &number)).await?;
    let parameters = body.map(|Json(rerun)| rerun.parameters).unwrap_or_default();
    let user = principal.user.id;
    let created = app.control().rerun_job(user, job.id, parameters).await?;
    Ok((StatusCode::CREATED, Json(created.job.into())))
}

/// Which series, and how finely.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesQuery {
    /// One key; all of them where left out.
    key: Option<String>,
    /// About how many points of each key at most, reduced so that the smallest and largest stay. Usually 1000.
    #[param(minimum = 2, maximum = 10_000)]
    points: Option<usize>,
}

/// The points of one key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Series {
    /// The key.
    key: String,
    /// `[x, y, ms]` each: the step, the value, and when it was printed.
    #[schema(value_type = Vec<Vec<f64>>)]
    points: Vec<Point>,
    /// How many points there are before reduction.
    total: i64,
}

/// Reads the series of a job: the numbers that it printed, by key.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/series", operation_id = "get_job_series", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), SeriesQuery),
    responses((status = 200, body = Listing<Series>), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_series(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<Listing<Series>>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let points = query.points.unwrap_or(1000);
    if !(2..=10_000).contains(&points) {
        return Err(ApiError::invalid("`points` is a number from 2 to 10000."));
    }
    let key = query.key.as_deref();
    let series = app.control().job_series(job.id, key, points).await?;
    let items = series.into_iter().map(|series| Series {
        key: series.key,
        points: series.points,
        total: series.total,
    });
    Ok(Json(Listing {
        items: items.collect(),
        next: None,
    }))
}
