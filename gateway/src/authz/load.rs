//! Finds what a path names and lets the caller at it, or not. What they may not see looks as if it did not exist.

use storage::{
    datasets::{self, Dataset, Visibility},
    ids::{UploadId, WorkspaceId},
    jobs::{self, Job},
    members::{self, Role},
    projects::{self, Project},
    uploads::{self, Upload},
    workspaces::{self, Workspace},
};

use super::{Action, Decision, Resource, decide, require};
use crate::{
    app::App,
    auth::{Bound, Principal},
    error::ApiError,
};

/// The project called `text` (id or name) and the role in which the caller acts, if they may do `action` to it.
///
/// # Errors
/// 404 where there is none that the caller may see, 403 where they may not do this.
pub(crate) async fn project(
    app: &App,
    principal: &Principal,
    action: Action,
    text: &str,
) -> Result<(Project, Role), ApiError> {
    let found = projects::find(app.db(), text).await?;
    let project = found.ok_or_else(|| ApiError::not_found("project"))?;
    let member = members::role(app.db(), project.id, principal.user.id).await?;
    let resource = Resource {
        project: Some((project.id, member)),
        ..Resource::default()
    };
    require(principal, action, &resource, "project")?;
    let role = if principal.is_admin() {
        Role::Owner
    } else {
        member.unwrap_or(Role::Viewer)
    };
    Ok((project, role))
}

/// The workspace with the id `text`, if the caller may do `action` to it.
///
/// # Errors
/// 404 where there is none that the caller may see, 403 where they may not do this.
pub(crate) async fn workspace(
    app: &App,
    principal: &Principal,
    action: Action,
    text: &str,
) -> Result<Workspace, ApiError> {
    let missing = || ApiError::not_found("workspace");
    let id: WorkspaceId = text.parse().map_err(|_| missing())?;
    let found = workspaces::get(app.db(), id).await?;
    let workspace = found.ok_or_else(missing)?;
    let resource = of_workspace(app, principal, &workspace).await?;
    require(principal, action, &resource, "workspace")?;
    Ok(workspace)
}

/// Whether `principal` may do `action` to `workspace` now. For the proxy, which answers with pages of its own.
///
/// # Errors
/// 503 where the database does not answer.
pub(crate) async fn decide_workspace(
    app: &App,
    principal: &Principal,
    action: Action,
    workspace: &Workspace,
) -> Result<Decision, ApiError> {
    let resource = of_workspace(app, principal, workspace).await?;
    Ok(decide(principal, action, &resource))
}

async fn of_workspace(
    app: &App,
    principal: &Principal,
    workspace: &Workspace,
) -> Result<Resource, ApiError> {
    let role = members::role(app.db(), workspace.project_id, principal.user.id).await?;
    Ok(Resource {
        project: Some((workspace.project_id, role)),
        owner: Some(workspace.user_id),
        workspace: Some(workspace.id),
        ..Resource::default()
    })
}

/// The job with this number in the project called `text`, if the caller may do `action` to it.
///
/// # Errors
/// 404 where there is none that the caller may see, 403 where they may not do this.
pub(crate) async fn job(
    app: &App,
    principal: &Principal,
    action: Action,
    (project, number): (&str, &str),
) -> Result<Job, ApiError> {
    let (project, role) = self::project(app, principal, Action::ReadProject, project).await?;
    let missing = || ApiError::not_found("job");
    let number = job_number(number).ok_or_else(missing)?;
    let found = jobs::by_number(app.db(), project.id, number).await?;
    let job = found.ok_or_else(missing)?;
    let resource = Resource {
        project: Some((project.id, Some(role))),
        job: Some(job.id),
        origin: job.workspace_id,
        ..Resource::default()
    };
    require(principal, action, &resource, "job")?;
    Ok(job)
}

/// The job with this number in the project called `text`, if the caller is that job's own run. Its right does not hang on its person still being a
/// member: whoever may resume the job could not, else.
///
/// # Errors
/// 404 where there is none that the caller may see, 403 where they are not its run.
pub(crate) async fn own_job(
    app: &App,
    principal: &Principal,
    (text, number): (&str, &str),
) -> Result<Job, ApiError> {
    let missing = || ApiError::not_found("job");
    if let Bound::Job { job: own, .. } = principal.bound() {
        let project = projects::find(app.db(), text).await?.ok_or_else(missing)?;
        let number = job_number(number).ok_or_else(missing)?;
        let found = jobs::by_number(app.db(), project.id, number).await?;
        if let Some(job) = found.filter(|job| job.id == own) {
            let resource = Resource {
                project: Some((project.id, Some(Role::Viewer))),
                job: Some(job.id),
                ..Resource::default()
            };
            require(principal, Action::HoldJob, &resource, "job")?;
            return Ok(job);
        }
    }
    self::job(app, principal, Action::HoldJob, (text, number)).await
}

/// The dataset with this name in the project called `text`, if the caller may do `action` to it. Who is no member of the project learns of nothing but what
/// is open to all.
///
/// # Errors
/// 404 where there is none that the caller may see, 403 where they may not do this.
pub(crate) async fn dataset(
    app: &App,
    principal: &Principal,
    action: Action,
    (text, name): (&str, &str),
) -> Result<Dataset, ApiError> {
    let found = projects::find(app.db(), text).await?;
    let project = found.ok_or_else(|| ApiError::not_found("project"))?;
    let member = members::role(app.db(), project.id, principal.user.id).await?;
    let found = datasets::by_name(app.db(), project.id, name).await?;
    let shared = found
        .as_ref()
        .is_some_and(|dataset| dataset.visibility != Visibility::Project);
    let resource = Resource {
        project: Some((project.id, member)),
        shared,
        ..Resource::default()
    };
    let what = if shared { "dataset" } else { "project" };
    require(principal, action, &resource, what)?;
    found.ok_or_else(|| ApiError::not_found("dataset"))
}

/// The upload with the id `text`, if it is the caller's own and they may still send into its project.
///
/// # Errors
/// 404 where it is not theirs, 403 where they may not send any more.
pub(crate) async fn upload(
    app: &App,
    principal: &Principal,
    text: &str,
) -> Result<Upload, ApiError> {
    let missing = || ApiError::not_found("upload");
    let id: UploadId = text.parse().map_err(|_| missing())?;
    let found = uploads::get(app.control().store(), id).await?;
    let upload = found.ok_or_else(missing)?;
    if upload.user_id != principal.user.id {
        return Err(missing());
    }
    let role = members::role(app.db(), upload.project_id, principal.user.id).await?;
    let resource = Resource {
        project: Some((upload.project_id, role)),
        owner: Some(upload.user_id),
        ..Resource::default()
    };
    require(principal, Action::Upload, &resource, "upload")?;
    Ok(upload)
}

/// A job number as it stands in a path: decimal digits without a leading zero.
fn job_number(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok())?
}
