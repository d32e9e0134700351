//! The API of jupyter-scheduler on our jobs, so that its panel in JupyterLab and its clients work as they stand: `/w/{id}/scheduler/…`.
//!
//! Its jobs are the notebooks that were run from this workspace; each runs on a snapshot of the project folder. Schedules are not offered, and
//! what was run is not deleted. Source: `jupyter_scheduler/{models,handlers}.py`, 2.12.

mod describe;
mod files;
mod query;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State},
    routing::{get, patch, post},
};
use bytes::Bytes;
use control::jobs::NewJob;
use http::{StatusCode, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use storage::{
    ids::JobId,
    jobs::{self, Filter, Job},
    list::MAX_LIMIT,
    workspaces::{self, Workspace},
};

use crate::{
    app::App,
    auth::{Bound, Principal},
    authz::{self, Action, Resource},
    error::ApiError,
    extract::{Json, Path},
};
use describe::{DescribeJob, Status};
use query::Asked;

/// The routes, below `/scheduler`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/jobs", get(list_jobs).post(create_job))
        .route("/jobs/count", get(count_jobs))
        .route(
            "/jobs/{id}",
            get(get_job).patch(update_job).delete(delete_job),
        )
        .route("/jobs/{id}/download_files", get(download_files))
        .route("/batch/jobs", axum::routing::delete(delete_jobs))
        .route(
            "/job_definitions",
            get(list_definitions).post(no_definitions),
        )
        .route(
            "/job_definitions/{id}",
            patch(no_definitions)
                .get(no_definitions)
                .delete(no_definitions),
        )
        .route("/job_definitions/{id}/jobs", post(no_definitions))
        .route("/runtime_environments", get(runtime_environments))
        .route("/features", get(async |_: Here| axum::Json(features())))
        .route("/config", get(config))
        .layer(DefaultBodyLimit::max(1 << 20))
}

/// The workspace whose page, or whose owner's program, asks.
struct Here {
    app: App,
    principal: Principal,
    workspace: Workspace,
}

impl FromRequestParts<App> for Here {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let missing = || ApiError::not_found("page");
        // Only what comes through a workspace's own path says which one is meant.
        let principal = parts.extensions.get::<Principal>().cloned();
        let principal = principal.ok_or_else(missing)?;
        let Bound::Workspace { workspace, .. } = principal.bound() else {
            return Err(missing());
        };
        let found = workspaces::get(app.db(), workspace).await?;
        Ok(Self {
            app: app.clone(),
            principal,
            workspace: found.ok_or_else(missing)?,
        })
    }
}

impl Here {
    /// A job of this workspace.
    async fn job(&self, id: &str, action: Action) -> Result<Job, ApiError> {
        let missing = || ApiError::not_found("job");
        let id: JobId = id.parse().map_err(|_| missing())?;
        let job = jobs::get(self.app.db(), id).await?.ok_or_else(missing)?;
        if job.workspace_id != Some(self.workspace.id) || job.notebook.is_none() {
            return Err(missing());
        }
        let role = storage::members::role(self.app.db(), job.project_id, self.principal.user.id);
        let resource = Resource {
            project: Some((job.project_id, role.await?)),
            job: Some(job.id),
            origin: job.workspace_id,
            ..Resource::default()
        };
        authz::require(&self.principal, action, &resource, "job")?;
        Ok(job)
    }

    /// The latest notebooks that were run from here, as many as are looked at.
    async fn jobs(&self) -> Result<Vec<Job>, ApiError> {
        let project = self.workspace.project_id.to_string();
        authz::project(&self.app, &self.principal, Action::ListJobs, &project).await?;
        let filter = Filter {
            workspace_id: Some(self.workspace.id),
            notebooks: true,
            ..Filter::default()
        };
        let page = storage::Page::first(MAX_LIMIT);
        Ok(jobs::list(self.app.db(), &filter, &page).await?.items)
    }
}

/// A body of JSON whatever it says that it is: the panel does not say. Where a request comes from was judged before it got here.
struct Loose<T>(T);

impl<T: DeserializeOwned> FromRequest<App> for Loose<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, app).await;
        let body = body.map_err(|refused| ApiError::invalid(refused.body_text()))?;
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| {
            ApiError::invalid(format!("The body is not as it should be: {error}."))
        })
    }
}

/// What is asked for; fields that are not named here are taken and passed over, as there.
#[derive(Deserialize)]
struct CreateJob {
    input_uri: String,
    name: String,
    runtime_environment_name: Option<String>,
    compute_type: Option<String>,
    idempotency_token: Option<String>,
    parameters: Option<Map<String, Value>>,
    tags: Option<Vec<String>>,
    timeout_seconds: Option<i64>,
    max_retries: Option<i64>,
}

async fn create_job(here: Here, Loose(new): Loose<CreateJob>) -> Result<Json<Value>, ApiError> {
    let notebook = files::in_project(&new.input_uri)?;
    let id = here.workspace.id.to_string();
    let (app, principal) = (&here.app, &here.principal);
    authz::workspace(app, principal, Action::RunFromWorkspace, &id).await?;
    let asked = NewJob {
        name: Some(new.name).filter(|name| !name.is_empty()),
        notebook: Some(notebook),
        parameters: new.parameters.unwrap_or_default(),
        environment: new.runtime_environment_name,
        machine: new.compute_type,
        workspace_id: Some(here.workspace.id),
        idempotency_key: new.idempotency_token,
        time_limit_ms: new.timeout_seconds.map(|s| s.saturating_mul(1000)),
        tags: new.tags.unwrap_or_default(),
        retries: new.max_retries.unwrap_or_default(),
        ..NewJob::default()
    };
    let (user, project) = (principal.user.id, here.workspace.project_id);
    let created = app.control().submit_job(user, project, asked).await?;
    Ok(Json(json!({"job_id": created.job.id})))
}

async fn list_jobs(
    here: Here,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let (page, total, next) = asked.pick(here.jobs().await?);
    let jobs = describe(&here, &page).await;
    Ok(Json(
        json!({"jobs": jobs, "total_count": total, "next_token": next}),
    ))
}

async fn count_jobs(
    here: Here,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let status = asked.status.unwrap_or(Status::InProgress);
    let jobs = here.jobs().await?;
    let count = jobs.iter().filter(|job| Status::of(job) == status).count();
    Ok(Json(json!({"count": count})))
}

async fn get_job(here: Here, Path(id): Path<String>) -> Result<Json<DescribeJob>, ApiError> {
    let job = here.job(&id, Action::ReadJob).await?;
    let mut described = describe(&here, &[job]).await;
    described
        .pop()
        .map(Json)
        .ok_or_else(|| ApiError::not_found("job"))
}

async fn describe(here: &Here, jobs: &[Job]) -> Vec<DescribeJob> {
    let copies: Vec<files::Copy> = jobs.iter().map(files::Copy::of).collect();
    // A list is good for something also where nobody can say what was copied.
    let home = files::Home::of(&here.app, here.workspace.id).await;
    let there = match home {
        Ok(Some(home)) => home.have(&copies).await,
        _ => vec![false; jobs.len()],
    };
    let described = jobs.iter().zip(&copies).zip(there);
    described
        .map(|((job, copy), is_there)| DescribeJob::new(job, copy, is_there))
        .collect()
}

/// What can be changed of a job: it can be stopped.
#[derive(Deserialize)]
struct UpdateJob {
    status: Option<Status>,
}

async fn update_job(
    here: Here,
    Path(id): Path<String>,
    Loose(change): Loose<UpdateJob>,
) -> Result<StatusCode, ApiError> {
    if change.status != Some(Status::Stopped) {
        return Err(ApiError::invalid(
            "A job can be stopped: `status` is STOPPED. Nothing else of it changes.",
        ));
    }
    let job = here.job(&id, Action::StopJob).await?;
    here.app.control().stop_job(job.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_job(here: Here, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    here.job(&id, Action::ReadJob).await?;
    Err(kept())
}

async fn delete_jobs(_: Here) -> ApiError {
    kept()
}

fn kept() -> ApiError {
    ApiError::conflict(
        "Jobs are kept: they are the record of what was run. A running one can be stopped.",
    )
}

async fn download_files(here: Here, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let job = here.job(&id, Action::ReadJob).await?;
    let home = files::Home::of(&here.app, here.workspace.id).await?;
    let home = home.ok_or_else(|| ApiError::conflict("The workspace does not run."))?;
    files::Copy::of(&job).make(&here.app, &home, &job).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_definitions(_: Here) -> Json<Value> {
    Json(json!({"job_definitions": [], "total_count": 0}))
}

async fn no_definitions(_: Here) -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "no_schedules",
        "This version of Cairn has no schedules: run the notebook now.",
    )
}

async fn runtime_environments(here: Here) -> Result<Json<Value>, ApiError> {
    authz::require_general(&here.principal, Action::ReadCatalog)?;
    let offers = here.app.control().machine_types().await?;
    let machines: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
    let environments = here.app.control().environments().await?;
    // The panel takes the first for the usual one.
    let (own, others): (Vec<_>, Vec<_>) = environments
        .into_iter()
        .partition(|environment| environment.name == here.workspace.environment);
    let shown = own.into_iter().chain(others).map(|environment| {
        json!({
            "name": environment.name,
            "label": environment.name,
            "description": environment.image.unwrap_or_else(|| environment.packages.join(", ")),
            "file_extensions": ["ipynb"],
            "output_formats": [{"name": "ipynb", "label": "Notebook"}],
            "metadata": null,
            "compute_types": machines,
            "default_compute_type": here.workspace.machine,
            "utc_only": null,
        })
    });
    Ok(Json(shown.collect()))
}

async fn config(State(_): State<App>, _: Here) -> Json<Value> {
    Json(json!({"supported_features": features(), "manage_environments_command": ""}))
}

/// `jupyter_scheduler.models.JobFeature`.
fn features() -> Value {
    json!({
        "job_name": true,
        "parameters": true,
        "output_formats": true,
        "job_definition": false,
        "idempotency_token": true,
        "tags": true,
        "email_notifications": false,
        "timeout_seconds": true,
        "retry_on_timeout": true,
        "max_retries": true,
        "min_retry_interval_millis": false,
        "output_filename_template": false,
        "stop_job": true,
        "delete_job": false,
    })
}
