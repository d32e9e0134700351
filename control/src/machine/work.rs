//! What a machine is asked to run, in names and digests only; it crosses the wire as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use spawner::{EnvironmentSpec, Gpu};
use storage::{
    Hash,
    ids::{AttemptId, JobId, ProjectId, WorkspaceId},
    workspaces::Input,
};

use crate::MachineType;

/// One run: a workspace's server, or an attempt at a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Names the run for ever.
    pub run_id: String,
    /// Its software.
    pub environment: EnvironmentSpec,
    /// What it may use.
    pub machine: MachineType,
    /// The cards that are leased for it.
    pub gpus: Vec<Gpu>,
    /// What is mounted into it, read-only.
    pub inputs: Vec<Input>,
    /// Which uid of the machine's range it gets.
    pub uid_slot: Option<u32>,
    /// Where people reach the app, and work the API.
    pub api_url: String,
    /// What it does.
    pub task: Task,
}

/// What a run does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// JupyterLab over the home of a workspace.
    Server {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// A command or a notebook.
    Attempt(Box<AttemptWork>),
}

/// An attempt at a job. Exactly one of `command` and `notebook` is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptWork {
    /// The attempt.
    pub id: AttemptId,
    /// The job.
    pub job_id: JobId,
    /// What people call the job, such as `vision#12`.
    pub job: String,
    /// The project.
    pub project_id: ProjectId,
    /// The manifest of the code it runs.
    pub repository: Hash,
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    /// A notebook, as a path within the repository.
    pub notebook: Option<String>,
    /// Values by name.
    pub parameters: Map<String, Value>,
    /// How long it may run.
    pub time_limit_ms: Option<i64>,
    /// How long each cell of the notebook may run.
    pub cell_time_limit_ms: Option<i64>,
    /// How long the run is held at a cell that failed.
    #[serde(default)]
    pub hold_ms: Option<i64>,
}

/// What only the run itself may know. Never logged.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// Its token for the API.
    pub api_token: String,
    /// What requests to a workspace's server must carry.
    pub server_token: Option<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}
