//! A workspace as the API shows it.

use serde::Serialize;
use storage::{
    ids::{MachineId, ProjectId, UserId, WorkspaceId},
    leases::Subject,
    workspaces as records,
};
use utoipa::ToSchema;

use super::{home::Home, progress::Progress};
use crate::api::{
    inputs::Input,
    placed::{Placed, QueuePlace},
};

/// What a workspace is doing.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WorkspaceState {
    /// Nothing runs.
    Stopped,
    /// Its server is on the way.
    Starting,
    /// Its server answers.
    Running,
    /// Its server is ending.
    Stopping,
    /// Its server could not start, or ended by itself; `message` says why.
    Error,
}

impl WorkspaceState {
    /// What was asked counts at once: between a request and its first effect nobody sees the old state as if nothing had been asked.
    fn of(workspace: &records::Workspace) -> Self {
        use records::{Desired, State};
        let asked_again = workspace.run_generation < workspace.generation;
        match (workspace.state, workspace.desired) {
            (State::Stopped, Desired::Running) => Self::Starting,
            (State::Error, Desired::Running) if asked_again => Self::Starting,
            (State::Starting | State::Running, Desired::Stopped | Desired::Deleted) => {
                Self::Stopping
            }
            (State::Running, Desired::Running) if asked_again => Self::Stopping,
            (State::Stopped, _) => Self::Stopped,
            (State::Starting, _) => Self::Starting,
            (State::Running, _) => Self::Running,
            (State::Stopping, _) => Self::Stopping,
            (State::Error, _) => Self::Error,
        }
    }
}

/// One person's home directory in a project, with a choice of environment and machine type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workspace {
    /// Never changes.
    #[schema(value_type = String)]
    id: WorkspaceId,
    /// Its name, unique among the person's workspaces in the project.
    name: String,
    /// The project's id.
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// The project's name.
    project: String,
    /// Whose it is.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Their name.
    user: String,
    /// The name of its environment.
    environment: String,
    /// The name of its machine type.
    machine: String,
    /// The machine of its present or last server.
    #[schema(value_type = Option<String>)]
    machine_id: Option<MachineId>,
    /// That machine's name.
    machine_name: Option<String>,
    /// The ids of the devices of its present server.
    devices: Vec<String>,
    /// What an hour of its present server costs, as a decimal number.
    price_per_hour: Option<String>,
    /// What its present server has cost so far, as a decimal number; null where that has no price.
    cost: Option<String>,
    /// Where it stands, while it waits for a machine.
    queue: Option<QueuePlace>,
    /// What it is doing.
    state: WorkspaceState,
    /// What a start has come to.
    phase: Option<String>,
    /// What went wrong.
    message: Option<String>,
    /// What is mounted into it.
    inputs: Vec<Input>,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When its server was started, in milliseconds since 1970, UTC.
    started_ms: Option<i64>,
    /// When it was last used, in milliseconds since 1970, UTC.
    last_activity_ms: Option<i64>,
    /// Its home directory, once its server has run.
    home: Option<Home>,
    /// The steps of the start, stop or move that is under way.
    progress: Option<Progress>,
}

impl Workspace {
    /// The same with what other records say.
    pub(crate) fn with(self, home: Option<Home>, progress: Option<Progress>) -> Self {
        Self {
            home,
            progress,
            ..self
        }
    }
}

impl Workspace {
    /// The workspace with where it is and what it costs.
    pub(crate) fn placed(workspace: records::Workspace, placed: &Placed) -> Self {
        let subject = Subject::Workspace(workspace.id);
        Self {
            machine_name: placed.name(workspace.machine_id),
            devices: placed.devices(subject),
            price_per_hour: placed.price(subject),
            cost: placed.cost(subject),
            queue: placed.place(subject),
            ..Self::bare(workspace)
        }
    }

    fn bare(workspace: records::Workspace) -> Self {
        let state = WorkspaceState::of(&workspace);
        Self {
            id: workspace.id,
            name: workspace.name,
            project_id: workspace.project_id,
            project: workspace.project,
            user_id: workspace.user_id,
            user: workspace.user,
            environment: workspace.environment,
            machine: workspace.machine,
            machine_id: workspace.machine_id,
            machine_name: None,
            devices: Vec::new(),
            price_per_hour: None,
            cost: None,
            queue: None,
            state,
            phase: workspace.phase,
            message: workspace.message,
            inputs: workspace.inputs.into_iter().map(Input::from).collect(),
            created_ms: workspace.created_ms,
            started_ms: workspace.started_ms,
            last_activity_ms: workspace.last_activity_ms,
            home: None,
            progress: None,
        }
    }
}
