//! Workspaces: what was asked of each, and what each is. Every change is a compare-and-set; control decides which change to make.

mod inputs;
mod states;

use serde::Serialize;
use serde_json::Value;

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{MachineId, ProjectId, UserId, WorkspaceId};
use crate::list::{List, Page};
use crate::names::{self, named};

pub use inputs::{Input, LeftOut, attach_input, detach_input};
pub use states::{
    Note, begin_start, deleted, desire, record_handle, restart, set_phase, touch, transition,
};

named! {
    /// What was asked of a workspace.
    Desired {
        /// Its server is to run.
        Running = "running",
        /// Its server is not to run.
        Stopped = "stopped",
        /// It is to go, with its home.
        Deleted = "deleted",
    }
}

named! {
    /// What a workspace is.
    State {
        /// Nothing runs.
        Stopped = "stopped",
        /// Its server is on the way: see its phase.
        Starting = "starting",
        /// Its server answers.
        Running = "running",
        /// Its server is being ended.
        Stopping = "stopping",
        /// Nothing runs, because something failed: see its message.
        Error = "error",
    }
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workspace {
    /// Its id, which never changes; it is in its origin and its paths.
    pub id: WorkspaceId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// That project's name.
    pub project: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Their name.
    pub user: String,
    /// Its name; unique among this user's in this project.
    pub name: String,
    /// The environment of its server.
    pub environment: String,
    /// The machine type of its server.
    pub machine: String,
    /// The machine of its present or last run: where its home lies.
    pub machine_id: Option<MachineId>,
    /// What was asked for.
    pub desired: Desired,
    /// What it is.
    pub state: State,
    /// What to tell people about its state.
    pub message: Option<String>,
    /// The step of a start under way.
    pub phase: Option<String>,
    /// How often a start or restart was asked for.
    #[serde(skip)]
    pub generation: i64,
    /// The generation that the present run was started for; an older one is to be replaced.
    #[serde(skip)]
    pub run_generation: i64,
    /// The present run, for the spawner.
    #[serde(skip)]
    pub run_id: Option<String>,
    /// What the spawner needs to find the present run again.
    #[serde(skip)]
    pub run_handle: Option<Value>,
    /// The fencing number of the present or last run.
    #[serde(skip)]
    pub fence: i64,
    /// The sealed token of the present run's server.
    #[serde(skip)]
    pub token_sealed: Option<String>,
    /// Versions and outputs mounted into it, by name.
    pub inputs: Vec<Input>,
    /// Since when it waits to begin the run that was asked for; none once that has begun.
    pub queued_ms: Option<i64>,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
    /// When its server last began to answer.
    pub started_ms: Option<i64>,
    /// When it was last used.
    pub last_activity_ms: Option<i64>,
    /// When it was deleted.
    pub deleted_ms: Option<i64>,
}

/// A workspace to make.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// See [`Workspace::project_id`].
    pub project_id: ProjectId,
    /// See [`Workspace::user_id`].
    pub user_id: UserId,
    /// See [`Workspace::name`].
    pub name: String,
    /// See [`Workspace::environment`].
    pub environment: String,
    /// See [`Workspace::machine`].
    pub machine: String,
    /// See [`Workspace::inputs`].
    pub inputs: Vec<Input>,
}

/// Which workspaces to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this project only.
    pub project_id: Option<ProjectId>,
    /// Of this user only.
    pub user_id: Option<UserId>,
}

impl Record for Workspace {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            project_id: row.parsed("project_id")?,
            project: row.text("project")?,
            user_id: row.parsed("user_id")?,
            user: row.text("user_name")?,
            name: row.text("name")?,
            environment: row.text("environment")?,
            machine: row.text("machine")?,
            machine_id: row.maybe_parsed("machine_id")?,
            desired: row.parsed("desired")?,
            state: row.parsed("state")?,
            message: row.maybe_text("message")?,
            phase: row.maybe_text("phase")?,
            generation: row.int("generation")?,
            run_generation: row.int("run_generation")?,
            run_id: row.maybe_text("run_id")?,
            run_handle: row.maybe_json("run_handle")?,
            fence: row.int("fence")?,
            token_sealed: row.maybe_text("token_sealed")?,
            inputs: Vec::new(),
            queued_ms: row.maybe_int("queued_ms")?,
            created_ms: row.int("created_ms")?,
            started_ms: row.maybe_int("started_ms")?,
            last_activity_ms: row.maybe_int("last_activity_ms")?,
            deleted_ms: row.maybe_int("deleted_ms")?,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT w.*, p.name AS project, u.name AS user_name FROM workspaces w \
             JOIN projects p ON p.id = w.project_id JOIN users u ON u.id = w.user_id ",
            $rest
        )
    };
}

/// Makes a workspace that is stopped and is asked to stay so.
///
/// # Errors
/// `Invalid` for a name against the rule; `Conflict` for one in use; `NotFound` for an unknown project or user.
pub async fn create(tx: &mut Tx, new: &NewWorkspace) -> Result<Workspace> {
    names::check("workspace", &new.name)?;
    crate::projects::lock(tx, new.project_id).await?;
    let id = WorkspaceId::new(tx.clock());
    let text = "INSERT INTO workspaces (id, project_id, user_id, name, environment, machine, desired, state, generation, run_generation, \
         fence, created_ms) VALUES ($1, $2, $3, $4, $5, $6, 'stopped', 'stopped', 0, 0, 0, $7) \
         ON CONFLICT (project_id, user_id, name) WHERE deleted_ms IS NULL DO NOTHING";
    let query = sql(text)
        .bind(id)
        .bind(new.project_id)
        .bind(new.user_id)
        .bind(new.name.as_str());
    let query = query
        .bind(new.environment.as_str())
        .bind(new.machine.as_str())
        .bind(tx.now_ms());
    if execute(tx, query).await? == 0 {
        return Err(Error::conflict(
            "you have a workspace with this name in this project",
        ));
    }
    for input in &new.inputs {
        inputs::insert(tx, id, input).await?;
    }
    changed(tx, id).await
}

/// The workspace with this id, unless it is deleted.
pub async fn get(db: &Db, id: WorkspaceId) -> Result<Option<Workspace>> {
    let found = optional(
        db,
        sql(select!("WHERE w.id = $1 AND w.deleted_ms IS NULL")).bind(id),
    )
    .await?;
    with_inputs(db, found).await
}

/// The workspace of this name that a user has in a project.
pub async fn by_name(
    db: &Db,
    project_id: ProjectId,
    user_id: UserId,
    name: &str,
) -> Result<Option<Workspace>> {
    let query = sql(select!(
        "WHERE w.project_id = $1 AND w.user_id = $2 AND w.name = $3 AND w.deleted_ms IS NULL"
    ));
    let found = optional(db, query.bind(project_id).bind(user_id).bind(name)).await?;
    with_inputs(db, found).await
}

/// The workspaces that `filter` lets through, newest first.
pub async fn list(db: &Db, filter: &Filter, page: &Page) -> Result<List<Workspace>> {
    let query = sql(select!(
        "WHERE w.deleted_ms IS NULL AND ($1 IS NULL OR w.project_id = $1) AND ($2 IS NULL OR w.user_id = $2) \
         AND ($3 IS NULL OR w.id < $3) ORDER BY w.id DESC LIMIT $4"
    ));
    let query = query
        .bind(filter.project_id)
        .bind(filter.user_id)
        .bind(page.after::<WorkspaceId>()?)
        .bind(page.fetch());
    let mut list = List::cut(all(db, query).await?, page, |workspace: &Workspace| {
        workspace.id
    });
    inputs::fill(db, &mut list.items).await?;
    Ok(list)
}

/// Every workspace that is, or is asked to be, something else than quietly stopped: what a reconciler has to look at.
pub async fn active(db: &Db) -> Result<Vec<Workspace>> {
    let query = sql(select!(
        "WHERE w.deleted_ms IS NULL AND (w.state NOT IN ('stopped', 'error') OR w.desired = 'deleted' \
         OR (w.desired = 'running' AND w.state = 'stopped') OR (w.state = 'error' AND w.run_generation < w.generation) \
         OR (w.state = 'error' AND w.desired = 'stopped')) ORDER BY w.id"
    ));
    let mut found = all(db, query).await?;
    inputs::fill(db, &mut found).await?;
    Ok(found)
}

/// Every workspace that waits for a run to begin, of those that the server on the machine `origin` may place; in the order in which they
/// asked.
pub async fn waiting(db: &Db, origin: MachineId) -> Result<Vec<Workspace>> {
    let query = sql(select!(
        "WHERE w.deleted_ms IS NULL AND w.desired = 'running' AND (w.origin_id IS NULL OR w.origin_id = $1) \
         AND (w.state = 'stopped' OR (w.state = 'error' AND w.run_generation < w.generation)) ORDER BY COALESCE(w.queued_ms, 0), w.id"
    ));
    all(db, query.bind(origin)).await
}

async fn with_inputs(db: &Db, found: Option<Workspace>) -> Result<Option<Workspace>> {
    let mut found = found.map(|workspace| [workspace]);
    if let Some(one) = &mut found {
        inputs::fill(db, one).await?;
    }
    Ok(found.map(|[workspace]| workspace))
}

/// The workspace as this transaction sees it, without its inputs, deleted or not.
pub(crate) async fn bare<'c>(from: impl Read<'c>, id: WorkspaceId) -> Result<Option<Workspace>> {
    optional(from, sql(select!("WHERE w.id = $1")).bind(id)).await
}

/// Tells whoever follows the workspace that its place in the queue is another.
pub async fn moved_up(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    changed(tx, id).await.map(|_| ())
}

/// Records that the workspace changed; returns it as it is now.
async fn changed(tx: &mut Tx, id: WorkspaceId) -> Result<Workspace> {
    let mut one = [bare(&mut *tx, id).await?.ok_or_else(missing)?];
    inputs::fill(&mut *tx, &mut one).await?;
    let [workspace] = one;
    let (project_id, user_id) = (Some(workspace.project_id), Some(workspace.user_id));
    tx.notice(Notice {
        kind: Kind::WorkspaceChanged,
        project_id,
        user_id,
        subject: id.to_string(),
    });
    Ok(workspace)
}

fn missing() -> Error {
    Error::not_found("there is no such workspace")
}
