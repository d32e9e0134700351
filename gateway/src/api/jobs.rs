//! Jobs: submitting, listing, stopping, running again.

mod record;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use storage::{
    ids::{SnapshotId, WorkspaceId},
    jobs::{self as records, Filter},
    projects::Project,
    snapshots,
};
use utoipa::{IntoParams, ToSchema};

pub(crate) use record::{Job, JobState, Skipped};

use super::{
    inputs::{self, NewInput},
    types::{Listing, PageQuery},
};
use crate::{
    app::App,
    auth::{Bound, Principal},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

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
    /// Or some cells of a notebook of the workspace, as it is in the editor.
    cells: Option<NewCells>,
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
    /// A text of the client's choice: submitting the same again with it answers with the same job.
    idempotency_key: Option<String>,
    /// It is stopped after running this long.
    time_limit_ms: Option<i64>,
    /// A cell of its notebook is interrupted after running this long, and the job ends there.
    cell_time_limit_ms: Option<i64>,
    /// A run of its notebook is held this long, with its kernel, at a cell that failed, for somebody to resume it. At most 7 days; 0 is not at all.
    #[schema(minimum = 0, maximum = 604_800_000)]
    hold_ms: Option<i64>,
    /// Words to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// How often an attempt that failed is followed by another, 0 to 100.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    retries: i64,
}

/// The cells of a notebook that a job runs. The notebook that they make lies beside the original in the job's code: `a.cells.ipynb`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCells {
    /// The notebook, in format 4; what its cells gave is not needed.
    #[schema(value_type = Object)]
    notebook: Box<RawValue>,
    /// Where it lies within the project folder, whether it is saved there or not.
    path: String,
    /// The positions of the cells to run, among all cells from 0, in the order to run them.
    keep: Vec<usize>,
    /// Names that are assigned plainly once in these cells, which become parameters.
    #[serde(default)]
    lift: Vec<String>,
    /// Code that runs before everything else.
    prelude: Option<String>,
}

/// What to change when a job is run again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunRequest {
    /// Values for some parameters; the others stay.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// Takes inputs also where files of them are missing or damaged, without these; the record says so.
    #[serde(default)]
    allow_damaged: bool,
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
    /// Only those with this tag.
    tag: Option<String>,
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
            tag: self.tag.clone(),
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
    let page = records::list(app.db(), &filter, &query.page()?).await?;
    Ok(Json(Job::page(&app, page).await?))
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
    let page = records::list(app.db(), &filter, &query.page()?).await?;
    Ok(Json(Job::page(&app, page).await?))
}

/// Submits a job.
///
/// The same request with an `idempotency_key` that was used before in the project is answered with 200 and the job that it made then;
/// another request with that key is refused with 409.
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
        cells: new.cells.map(cells),
        parameters: new.parameters,
        inputs: inputs::readable(&app, &principal, &project, new.inputs).await?,
        environment: new.environment,
        machine: new.machine,
        workspace_id,
        snapshot_id,
        idempotency_key: new.idempotency_key,
        time_limit_ms: new.time_limit_ms,
        cell_time_limit_ms: new.cell_time_limit_ms,
        hold_ms: new.hold_ms.filter(|hold_ms| *hold_ms != 0),
        tags: new.tags,
        retries: new.retries,
    };
    let user = principal.user.id;
    let created = app.control().submit_job(user, project.id, asked).await?;
    let status = if created.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(Job::of(&app, created.job).await?)))
}

fn cells(new: NewCells) -> control::cells::Cells {
    control::cells::Cells {
        notebook: new.notebook,
        path: new.path,
        keep: new.keep,
        lift: new.lift,
        prelude: new.prelude,
    }
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
    Ok(Json(Job::of(&app, job).await?))
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
    Ok((StatusCode::ACCEPTED, Json(Job::of(&app, job).await?)))
}

/// Runs a job again on the same code and inputs, with other values for some parameters if they are given.
///
/// Inputs that were or are damaged are found anew, so that the caller has to be allowed to read them.
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
    let rerun = body.map(|Json(rerun)| rerun).unwrap_or_default();
    let anew = app.control().found_anew(job.project_id, &job.inputs);
    for reference in anew.await? {
        inputs::may_read(&app, &principal, &project, &reference).await?;
    }
    let again = control::jobs::Again {
        parameters: rerun.parameters,
        allow_damaged: rerun.allow_damaged,
    };
    let user = principal.user.id;
    let created = app.control().rerun_job(user, job.id, again).await?;
    Ok((StatusCode::CREATED, Json(Job::of(&app, created.job).await?)))
}
