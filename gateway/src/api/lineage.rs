//! What versions and jobs came from, and what came from them.

mod export;
mod openlineage;
mod prov;

use std::collections::HashMap;

use axum::{
    extract,
    response::{IntoResponse, Response},
};
use control::lineage::{Graph, How, Key, Node};
use export::Export;
use serde::{Deserialize, Serialize};
use storage::{
    Page,
    datasets::Visibility,
    holds,
    ids::ProjectId,
    jobs::{Job as JobRecord, State},
    leases::Subject,
    members::Role,
    projects, snapshots,
};
use utoipa::{IntoParams, ToSchema};

use super::{inputs, placed::Placed};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action, Decision, Resource},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// How far a walk goes where the caller does not say, and at most.
const USUAL_DEPTH: usize = 5;
const MOST_DEPTH: usize = 50;

/// Where to begin, and how far to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LineageQuery {
    /// A version or a job: `NAME:VERSION` or `[PROJECT]#NUMBER`.
    #[serde(rename = "ref")]
    reference: String,
    /// How many steps back and forth, at most 50. Usually 5.
    depth: Option<usize>,
    /// In which form. Usually `json`.
    #[param(inline)]
    format: Option<LineageFormat>,
}

/// The forms that a lineage comes in.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LineageFormat {
    /// Nodes and edges.
    #[default]
    Json,
    /// A list of OpenLineage events, version 2-0-2.
    OpenLineage,
    /// PROV-JSON, as W3C's member submission of 2013 has it.
    Prov,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NodeKind {
    /// A version of a dataset.
    Version,
    /// A job.
    Job,
    /// A workspace.
    Workspace,
}

/// How something came of something.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EdgeKind {
    /// `to` read `from` as an input.
    Read,
    /// `from` left `to`.
    Left,
    /// `to` is made of `from`.
    MadeOf,
    /// `to` repeats `from`.
    Repeats,
    /// The code of `to` was taken in `from`.
    Code,
}

impl From<How> for EdgeKind {
    fn from(how: How) -> Self {
        match how {
            How::Read => Self::Read,
            How::Left => Self::Left,
            How::MadeOf => Self::MadeOf,
            How::Repeats => Self::Repeats,
            How::Code => Self::Code,
        }
    }
}

/// Something with a past or a future.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineageNode {
    /// Its name in this graph.
    id: String,
    /// What it is.
    kind: NodeKind,
    /// What people call it: `vision/digits:3`, `vision#12`, or a workspace's name.
    name: String,
    /// The project's name.
    project: String,
    /// What is said of it: a version's message, a job's name.
    title: String,
    /// Who made it.
    user: String,
    /// When, in milliseconds since 1970, UTC.
    created_ms: i64,
    /// How far a job is.
    state: Option<String>,
    /// Whether a job waits at a cell that failed.
    held: bool,
    /// The manifest of a version, or of what a job left.
    manifest_digest: Option<String>,
    /// The content digest of the code that a job ran.
    code_digest: Option<String>,
    /// The environment that a job ran in.
    environment: Option<String>,
    /// The machine type that a job ran on.
    machine: Option<String>,
    /// What a job has cost, as a decimal number.
    cost: Option<String>,
}

/// That something came of something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineageEdge {
    /// The node that was there first.
    from: String,
    /// The node that came of it.
    to: String,
    /// How.
    how: EdgeKind,
}

/// What something came from and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lineage {
    /// The node that was asked for.
    start: String,
    /// Every node, the start first, then by distance.
    nodes: Vec<LineageNode>,
    /// Every edge between them.
    edges: Vec<LineageEdge>,
    /// Whether there is more: beyond the depth, the 500 nodes of an answer, or the 500 neighbours of a kind that a node has.
    more: bool,
    /// How many neighbours the caller may not see.
    hidden: usize,
}

/// Says what a version or a job came from, and what came from it: as nodes and edges, or in a form for other programs.
#[utoipa::path(get, path = "/projects/{project}/lineage", operation_id = "get_lineage", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), LineageQuery),
    responses((status = 200, body = Lineage), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_lineage(
    extract::State(app): extract::State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Query(query): Query<LineageQuery>,
) -> Result<Response, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::ReadProject, &project).await?;
    let depth = query.depth.unwrap_or(USUAL_DEPTH);
    if depth > MOST_DEPTH {
        return Err(ApiError::invalid("`depth` is a number from 0 to 50."));
    }
    let reference =
        inputs::readable_reference(&app, &principal, &project.name, &query.reference).await?;
    let roles = roles(&app, &principal).await?;
    let sees = |node: &Node| sees(&principal, &roles, node);
    let control = app.control();
    let graph = control
        .lineage(project.id, &reference, depth, &sees)
        .await?;
    let jobs = graph.nodes.iter().filter_map(|node| match node {
        Node::Job(job) => Some(Subject::Job(job.id)),
        _ => None,
    });
    let placed = Placed::costs(&app, &jobs.collect::<Vec<_>>()).await?;
    match query.format.unwrap_or_default() {
        LineageFormat::Json => {
            let lineage = lineage(&app, graph, &placed).await?;
            Ok(Json(lineage).into_response())
        }
        LineageFormat::OpenLineage => {
            let export = Export::of(&app, &graph, &placed).await?;
            Ok(Json(openlineage::events(&export)).into_response())
        }
        LineageFormat::Prov => {
            let export = Export::of(&app, &graph, &placed).await?;
            Ok(Json(prov::document(&export)).into_response())
        }
    }
}

async fn lineage(app: &App, graph: Graph, placed: &Placed) -> Result<Lineage, ApiError> {
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        nodes.push(shown(app, placed, node).await?);
    }
    let edges = graph.edges.into_iter().map(|edge| LineageEdge {
        from: name(edge.from),
        to: name(edge.to),
        how: edge.how.into(),
    });
    Ok(Lineage {
        start: name(graph.start),
        nodes,
        edges: edges.collect(),
        more: graph.more,
        hidden: graph.hidden,
    })
}

/// The role of the caller in each of their projects, to judge nodes by without asking again for each.
async fn roles(app: &App, principal: &Principal) -> Result<HashMap<ProjectId, Role>, ApiError> {
    let mut roles = HashMap::new();
    let mut page = Page::first(1000);
    loop {
        let list = projects::list(app.db(), principal.user.id, false, &page).await?;
        let mine = list.items.iter();
        roles.extend(mine.filter_map(|one| Some((one.project.id, one.role?))));
        page.cursor = list.next;
        if page.cursor.is_none() {
            return Ok(roles);
        }
    }
}

/// Whether the caller may see a node: as if they asked for it by itself.
fn sees(principal: &Principal, roles: &HashMap<ProjectId, Role>, node: &Node) -> bool {
    let within = |project: ProjectId| Resource {
        project: Some((project, roles.get(&project).copied())),
        ..Resource::default()
    };
    let (action, resource) = match node {
        Node::Version(both) => {
            let shared = both.0.visibility != Visibility::Project;
            let resource = within(both.0.project_id);
            (Action::ReadDataset, Resource { shared, ..resource })
        }
        Node::Job(job) => {
            let resource = within(job.project_id);
            let job = Some(job.id);
            (Action::ReadJob, Resource { job, ..resource })
        }
        Node::Workspace(workspace) => (
            Action::ReadWorkspace,
            Resource {
                owner: Some(workspace.user_id),
                workspace: Some(workspace.id),
                ..within(workspace.project_id)
            },
        ),
    };
    authz::decide(principal, action, &resource) == Decision::Allow
}

fn name(key: Key) -> String {
    match key {
        Key::Version(id) => format!("version:{id}"),
        Key::Job(id) => format!("job:{id}"),
        Key::Workspace(id) => format!("workspace:{id}"),
    }
}

async fn shown(app: &App, placed: &Placed, node: &Node) -> Result<LineageNode, ApiError> {
    let id = name(node.key());
    Ok(match node {
        Node::Version(both) => {
            let (dataset, version) = &**both;
            LineageNode {
                id,
                kind: NodeKind::Version,
                name: format!("{}/{}:{}", dataset.project, dataset.name, version.number),
                project: dataset.project.clone(),
                title: version.message.clone(),
                user: version.user.clone(),
                created_ms: version.created_ms,
                state: None,
                held: false,
                manifest_digest: Some(version.manifest_digest.clone()),
                code_digest: None,
                environment: None,
                machine: None,
                cost: None,
            }
        }
        Node::Job(job) => of_job(app, placed, id, job).await?,
        Node::Workspace(workspace) => LineageNode {
            id,
            kind: NodeKind::Workspace,
            name: workspace.name.clone(),
            project: workspace.project.clone(),
            title: String::new(),
            user: workspace.user.clone(),
            created_ms: workspace.created_ms,
            state: None,
            held: false,
            manifest_digest: None,
            code_digest: None,
            environment: Some(workspace.environment.clone()),
            machine: Some(workspace.machine.clone()),
            cost: None,
        },
    })
}

async fn of_job(
    app: &App,
    placed: &Placed,
    id: String,
    job: &JobRecord,
) -> Result<LineageNode, ApiError> {
    let code = snapshots::get(app.db(), job.snapshot_id).await?;
    let held = job.state == State::Started && holds::current(app.db(), job.id).await?.is_some();
    Ok(LineageNode {
        id,
        kind: NodeKind::Job,
        name: format!("{}#{}", job.project, job.number),
        project: job.project.clone(),
        title: job.name.clone(),
        user: job.user.clone(),
        created_ms: job.created_ms,
        state: Some(job.state.to_string()),
        held,
        manifest_digest: job
            .outputs
            .as_ref()
            .map(|outputs| outputs.manifest_digest.clone()),
        code_digest: code.map(|code| code.content_digest),
        environment: Some(job.environment.clone()),
        machine: Some(job.machine.clone()),
        cost: placed.cost(Subject::Job(job.id)),
    })
}
