//! Workspaces: making, starting, stopping, opening, and what is mounted into them.

mod home;
mod progress;
mod record;

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    Page, audit,
    ids::{HomeSnapshotId, ProjectId},
    links, members,
    projects::{self, Project},
    workspaces::{self as records, Filter},
};
use utoipa::{IntoParams, ToSchema};

use record::Workspace;

use super::{
    inputs::{self, NewInput},
    logs::{LogPage, LogQuery},
    placed::{Placed, WorkspaceRun},
    types::{Listing, PageQuery},
};
use crate::{
    app::App,
    auth::{Bound, Principal, ms, next::local_path},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// Runs of a workspace in one answer.
const RUNS: u32 = 200;

/// A workspace to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWorkspace {
    /// Lower-case letters, digits, dots, underscores, hyphens.
    name: String,
    /// The name of an environment; `default` where left out.
    environment: Option<String>,
    /// The name of a machine type.
    machine: Option<String>,
    /// What to mount into it.
    #[serde(default)]
    inputs: Vec<NewInput>,
}

/// Where to start.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMachine {
    /// The name of another machine type; it stays where left out.
    machine: Option<String>,
    /// The snapshot of the home to go on from, as an error `home_unreachable` named it: what is newer on the machine that cannot be reached
    /// is put into the home later, in a folder `conflict-…`.
    #[schema(value_type = Option<String>)]
    accept_snapshot: Option<HomeSnapshotId>,
}

/// Where in the workspace to go.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    /// A path below `/w/{workspace}/`; JupyterLab where left out.
    next: Option<String>,
}

/// Where the browser enters the workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Opened {
    /// Good once, for a minute.
    url: String,
}

/// What to attach under the name in the path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputRequest {
    /// `[PROJECT]#NUMBER[/PATH]` or `[PROJECT/]NAME:VERSION[/PATH]`.
    #[serde(rename = "ref")]
    reference: String,
    /// Takes it also where files of it are missing or damaged, without these; the record says so.
    #[serde(default)]
    allow_damaged: bool,
}

/// Which workspaces.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkspacesQuery {
    /// How many items at most, 1 to 1000. Usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `1`: everybody's. For administrators.
    all: Option<u8>,
}

/// Lists the caller's workspaces in all projects.
#[utoipa::path(get, path = "/workspaces", operation_id = "list_workspaces", tag = "workspaces", params(WorkspacesQuery),
    responses((status = 200, body = Listing<Workspace>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_workspaces(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<WorkspacesQuery>,
) -> Result<Json<Listing<Workspace>>, ApiError> {
    authz::require_general(&principal, Action::ListProjects)?;
    if let Bound::Workspace { workspace, .. } = principal.bound() {
        let id = workspace.to_string();
        let own = authz::workspace(&app, &principal, Action::ReadWorkspace, &id).await?;
        return alone(&app, own).await;
    }
    let all = query.all == Some(1);
    if all {
        authz::require_general(&principal, Action::Administer)?;
    }
    let filter = Filter {
        project_id: None,
        user_id: (!all).then_some(principal.user.id),
    };
    let (limit, cursor) = (query.limit, query.cursor);
    listing(&app, &filter, &PageQuery { limit, cursor }.page()?).await
}

/// Lists the workspaces of a project that the caller may see: their own, or everybody's for its owners.
#[utoipa::path(get, path = "/projects/{project}/workspaces", operation_id = "list_project_workspaces", tag = "workspaces",
    params(("project" = String, Path, description = "Id or name"), PageQuery),
    responses((status = 200, body = Listing<Workspace>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_project_workspaces(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<Workspace>>, ApiError> {
    let (project, role) = authz::project(&app, &principal, Action::ReadProject, &project).await?;
    match principal.bound() {
        Bound::None => {}
        Bound::Job { .. } => {
            return Ok(Json(Listing {
                items: Vec::new(),
                next: None,
            }));
        }
        Bound::Workspace { workspace, .. } => {
            let id = workspace.to_string();
            let own = authz::workspace(&app, &principal, Action::ReadWorkspace, &id).await?;
            return alone(&app, own).await;
        }
    }
    let filter = Filter {
        project_id: Some(project.id),
        user_id: (role != members::Role::Owner).then_some(principal.user.id),
    };
    listing(&app, &filter, &page.page()?).await
}

async fn alone(app: &App, own: records::Workspace) -> Result<Json<Listing<Workspace>>, ApiError> {
    let items = vec![shown(app, own).await?];
    Ok(Json(Listing { items, next: None }))
}

async fn listing(
    app: &App,
    filter: &Filter,
    page: &Page,
) -> Result<Json<Listing<Workspace>>, ApiError> {
    let page = records::list(app.db(), filter, page).await?;
    let ids: Vec<_> = page.items.iter().map(|workspace| workspace.id).collect();
    let mut homes = home::of(app, &ids).await?;
    let placed = Placed::workspaces(app, &page.items).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for workspace in page.items {
        let home = homes.remove(&workspace.id);
        let progress = progress::of(app, &workspace).await?;
        items.push(Workspace::placed(workspace, &placed).with(home, progress));
    }
    let next = page.next;
    Ok(Json(Listing { items, next }))
}

/// The workspace with its home, how far it has come, where it is and what it costs.
async fn shown(app: &App, workspace: records::Workspace) -> Result<Workspace, ApiError> {
    let home = home::of(app, &[workspace.id]).await?.remove(&workspace.id);
    let progress = progress::of(app, &workspace).await?;
    let placed = Placed::workspaces(app, std::slice::from_ref(&workspace)).await?;
    Ok(Workspace::placed(workspace, &placed).with(home, progress))
}

/// Makes a workspace of the caller's own. It does not start by itself.
#[utoipa::path(post, path = "/projects/{project}/workspaces", operation_id = "create_workspace", tag = "workspaces",
    request_body = NewWorkspace, params(("project" = String, Path, description = "Id or name")),
    responses((status = 201, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Json(new): Json<NewWorkspace>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let action = Action::CreateWorkspace;
    let (project, _) = authz::project(&app, &principal, action, &project).await?;
    let new = control::workspaces::NewWorkspace {
        name: new.name,
        environment: new.environment,
        machine: new.machine,
        inputs: inputs::readable(&app, &principal, &project, new.inputs).await?,
    };
    let owner = principal.user.id;
    let workspace = app
        .control()
        .create_workspace(owner, project.id, new)
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&app, workspace).await?)))
}

/// Shows a workspace.
#[utoipa::path(get, path = "/workspaces/{workspace}", operation_id = "get_workspace", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id")),
    responses((status = 200, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Workspace>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::ReadWorkspace, &id).await?;
    Ok(Json(shown(&app, workspace).await?))
}

/// Deletes a workspace with its home directory. What jobs were run from it stays.
#[utoipa::path(delete, path = "/workspaces/{workspace}", operation_id = "delete_workspace", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::DeleteWorkspace, &id).await?;
    tell(&app, &principal, "delete_workspace", &workspace).await?;
    app.control().delete_workspace(workspace.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a workspace's server. Starting one that runs changes nothing.
#[utoipa::path(post, path = "/workspaces/{workspace}/start", operation_id = "start_workspace", tag = "workspaces",
    request_body = Option<UpdateMachine>, params(("workspace" = String, Path, description = "Id")),
    responses((status = 202, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn start_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
    body: Option<Json<UpdateMachine>>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::StartWorkspace, &id).await?;
    let update = body.map(|Json(update)| update).unwrap_or_default();
    let (machine, accepted) = (update.machine.as_deref(), update.accept_snapshot);
    let workspace = app
        .control()
        .start_workspace(workspace.id, machine, accepted)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&app, workspace).await?)))
}

/// Stops a workspace's server; its home directory stays. Stopping one that is stopped changes nothing.
#[utoipa::path(post, path = "/workspaces/{workspace}/stop", operation_id = "stop_workspace", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id")),
    responses((status = 202, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn stop_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::StopWorkspace, &id).await?;
    tell(&app, &principal, "stop_workspace", &workspace).await?;
    let workspace = app.control().stop_workspace(workspace.id).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&app, workspace).await?)))
}

/// Stops a workspace's server and starts it again, on another machine type if one is given.
#[utoipa::path(post, path = "/workspaces/{workspace}/restart", operation_id = "restart_workspace", tag = "workspaces",
    request_body = Option<UpdateMachine>, params(("workspace" = String, Path, description = "Id")),
    responses((status = 202, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn restart_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
    body: Option<Json<UpdateMachine>>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::StartWorkspace, &id).await?;
    let update = body.map(|Json(update)| update).unwrap_or_default();
    let (machine, accepted) = (update.machine.as_deref(), update.accept_snapshot);
    let workspace = app
        .control()
        .restart_workspace(workspace.id, machine, accepted)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&app, workspace).await?)))
}

/// Makes the address at which the caller's browser enters the workspace's own origin.
#[utoipa::path(post, path = "/workspaces/{workspace}/open", operation_id = "open_workspace", tag = "workspaces",
    request_body = Option<OpenRequest>, params(("workspace" = String, Path, description = "Id")),
    responses((status = 200, body = Opened), (status = "4XX", body = Envelope)))]
pub(crate) async fn open_workspace(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
    body: Option<Json<OpenRequest>>,
) -> Result<Json<Opened>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::OpenWorkspace, &id).await?;
    let base = format!("/w/{}/", workspace.id);
    let next = body
        .and_then(|Json(open)| open.next)
        .unwrap_or_else(|| format!("{base}lab"));
    let next = local_path(&next, &base)
        .ok_or_else(|| ApiError::invalid("`next` is a path below /w/{workspace}/."))?;
    let origin = app
        .origins()
        .of_workspace(&workspace.id)
        .ok_or_else(|| ApiError::unavailable("no origin is configured for workspaces"))?;
    let parent = principal.parent();
    let ttl_ms = ms(app.config().lifetimes.workspace_code);
    let (user, id) = (principal.user.id, workspace.id);
    let made = app
        .db()
        .write(move |mut tx| async move {
            links::create_workspace(&mut tx, user, id, parent, ttl_ms).await
        })
        .await?;
    let mut url =
        url::Url::parse(&format!("{origin}{base}.cairn/enter")).map_err(ApiError::internal)?;
    url.query_pairs_mut()
        .append_pair("code", made.expose())
        .append_pair("next", next);
    Ok(Json(Opened { url: url.into() }))
}

/// Mounts something into a workspace, or something else under a name that is taken. It shows at once, but in place of one that the server
/// started with after the next start.
#[utoipa::path(put, path = "/workspaces/{workspace}/inputs/{name}", operation_id = "put_workspace_input", tag = "workspaces",
    request_body = InputRequest,
    params(("workspace" = String, Path, description = "Id"), ("name" = String, Path, description = "The folder's name")),
    responses((status = 200, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn put_workspace_input(
    State(app): State<App>,
    principal: Principal,
    Path((id, name)): Path<(String, String)>,
    Json(input): Json<InputRequest>,
) -> Result<Json<Workspace>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::ChangeInputs, &id).await?;
    let home = home(&app, workspace.project_id).await?;
    let input = NewInput {
        name: Some(name),
        reference: input.reference,
        allow_damaged: input.allow_damaged,
    };
    let input = inputs::readable_one(&app, &principal, &home, input).await?;
    let workspace = app.control().attach_input(workspace.id, &input).await?;
    Ok(Json(shown(&app, workspace).await?))
}

/// Takes an input out of a workspace. It is gone at once, but one that the server started with after the next start.
#[utoipa::path(delete, path = "/workspaces/{workspace}/inputs/{name}", operation_id = "delete_workspace_input", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id"), ("name" = String, Path, description = "The folder's name")),
    responses((status = 200, body = Workspace), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_workspace_input(
    State(app): State<App>,
    principal: Principal,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<Workspace>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::ChangeInputs, &id).await?;
    let workspace = app.control().detach_input(workspace.id, &name).await?;
    Ok(Json(shown(&app, workspace).await?))
}

/// Lists the latest runs of a workspace's server, newest first: when, where, and what each cost.
#[utoipa::path(get, path = "/workspaces/{workspace}/runs", operation_id = "list_workspace_runs", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id")),
    responses((status = 200, body = Listing<WorkspaceRun>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_workspace_runs(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Listing<WorkspaceRun>>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::ReadWorkspace, &id).await?;
    let items = WorkspaceRun::of(&app, workspace.id, RUNS).await?;
    Ok(Json(Listing { items, next: None }))
}

/// Reads the log of a workspace's server.
#[utoipa::path(get, path = "/workspaces/{workspace}/log", operation_id = "get_workspace_log", tag = "workspaces",
    params(("workspace" = String, Path, description = "Id"), LogQuery),
    responses((status = 200, body = LogPage), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_workspace_log(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    let workspace = authz::workspace(&app, &principal, Action::ReadWorkspace, &id).await?;
    let page = app
        .control()
        .server_log(workspace.id, query.offset(), query.bytes())
        .await?;
    Ok(Json(page.into()))
}

/// Notes in the audit record what one person is about to do to another's workspace: before it is done, so that nothing is done unseen.
async fn tell(
    app: &App,
    principal: &Principal,
    action: &str,
    workspace: &records::Workspace,
) -> Result<(), ApiError> {
    if workspace.user_id == principal.user.id {
        return Ok(());
    }
    let by = Some(principal.user.id);
    let subject = format!("{}/{}", workspace.project, workspace.name);
    let (subject, detail) = (
        subject.as_str(),
        &json!({"owner": workspace.user, "id": workspace.id}),
    );
    app.db()
        .write(
            move |mut tx| async move { audit::record(&mut tx, by, action, subject, detail).await },
        )
        .await?;
    Ok(())
}

async fn home(app: &App, id: ProjectId) -> Result<Project, ApiError> {
    let project = projects::get(app.db(), id).await?;
    project.ok_or_else(|| ApiError::not_found("project"))
}
