//! Projects.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{
    ids::ProjectId,
    members,
    projects::{self as records, Change},
};
use utoipa::{IntoParams, ToSchema};

use super::types::{Listing, PageQuery, Role};
use crate::{
    app::App,
    auth::{Bound, Principal},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// A space for one problem.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Project {
    /// Never changes.
    #[schema(value_type = String)]
    id: ProjectId,
    /// In paths and commands.
    name: String,
    /// What it is for.
    description: String,
    /// What the caller may do in it: that of a member, or `owner` for an administrator.
    role: Role,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
}

impl Project {
    fn new(project: records::Project, role: members::Role) -> Self {
        Self {
            id: project.id,
            name: project.name,
            description: project.description,
            role: role.into(),
            created_ms: project.created_ms,
        }
    }
}

/// A project to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// In paths and commands: lower-case letters, digits, dots, underscores, hyphens.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

/// What to change about a project; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProject {
    /// In paths and commands.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
}

/// Which projects.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectsQuery {
    /// How many items at most, 1 to 1000. Usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `1`: also those that the caller is no member of. For administrators.
    all: Option<u8>,
}

/// Lists the caller's projects.
#[utoipa::path(get, path = "/projects", operation_id = "list_projects", tag = "projects", params(ProjectsQuery),
    responses((status = 200, body = Listing<Project>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_projects(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<ProjectsQuery>,
) -> Result<Json<Listing<Project>>, ApiError> {
    authz::require_general(&principal, Action::ListProjects)?;
    if let Bound::Workspace { project, .. } = principal.bound() {
        let (project, role) =
            authz::project(&app, &principal, Action::ReadProject, &project.to_string()).await?;
        return Ok(Json(Listing {
            items: vec![Project::new(project, role)],
            next: None,
        }));
    }
    let all = query.all == Some(1);
    if all {
        authz::require_general(&principal, Action::Administer)?;
    }
    let (limit, cursor) = (query.limit, query.cursor);
    let page = PageQuery { limit, cursor }.page()?;
    let list = records::list(app.db(), principal.user.id, all, &page).await?;
    let list = list.map(|seen| {
        let role = if principal.is_admin() {
            Some(members::Role::Owner)
        } else {
            seen.role
        };
        Project::new(seen.project, role.unwrap_or(members::Role::Viewer))
    });
    Ok(Json(Listing {
        items: list.items,
        next: list.next,
    }))
}

/// Makes a project, which the caller owns.
#[utoipa::path(post, path = "/projects", operation_id = "create_project", tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_project(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewProject>,
) -> Result<(StatusCode, Json<Project>), ApiError> {
    authz::require_general(&principal, Action::CreateProject)?;
    let (owner, new) = (principal.user.id, &new);
    let project = app
        .db()
        .write(move |mut tx| async move {
            records::create(&mut tx, &new.name, &new.description, owner).await
        })
        .await?;
    let project = Project::new(project, members::Role::Owner);
    Ok((StatusCode::CREATED, Json(project)))
}

/// Shows a project.
#[utoipa::path(get, path = "/projects/{project}", operation_id = "get_project", tag = "projects",
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 200, body = Project), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_project(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
) -> Result<Json<Project>, ApiError> {
    let (project, role) = authz::project(&app, &principal, Action::ReadProject, &project).await?;
    Ok(Json(Project::new(project, role)))
}

/// Changes a project's name or description.
#[utoipa::path(patch, path = "/projects/{project}", operation_id = "update_project", tag = "projects", request_body = UpdateProject,
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 200, body = Project), (status = "4XX", body = Envelope)))]
pub(crate) async fn update_project(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Json(update): Json<UpdateProject>,
) -> Result<Json<Project>, ApiError> {
    let (project, role) = authz::project(&app, &principal, Action::ChangeProject, &project).await?;
    let change = Change {
        name: update.name,
        description: update.description,
    };
    let (id, change) = (project.id, &change);
    let project = app
        .db()
        .write(move |mut tx| async move { records::update(&mut tx, id, change).await })
        .await?;
    Ok(Json(Project::new(project, role)))
}

/// Deletes a project in which there are no workspaces and nothing runs.
#[utoipa::path(delete, path = "/projects/{project}", operation_id = "delete_project", tag = "projects",
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_project(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::DeleteProject, &project).await?;
    let id = project.id;
    app.db()
        .write(move |mut tx| async move { records::delete(&mut tx, id).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
