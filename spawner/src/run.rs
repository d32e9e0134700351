//! A run on disk: its folder, and the records in it that outlive every process and version. Unknown fields are ignored, new ones have defaults.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cgroup::{Group, Layout};
use crate::docker;
use crate::files;
use crate::host::Identity;
use crate::spec::Spec;
use crate::status::Status;

/// The version that this program writes.
pub(crate) const VERSION: u32 = 1;

/// One run's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Locked for as long as the run's supervisor lives.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// What the supervisor itself has to complain about.
    pub(crate) fn complaints(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    pub(crate) fn read_plan(&self) -> io::Result<Option<Plan>> {
        files::read_json(&self.0.join("spec.json"))
    }

    pub(crate) fn write_plan(&self, plan: &Plan) -> io::Result<()> {
        files::write_json(&self.0.join("spec.json"), plan)
    }

    pub(crate) fn read_state(&self) -> io::Result<Option<State>> {
        files::read_json(&self.0.join("state.json"))
    }

    pub(crate) fn write_state(&self, state: &State) -> io::Result<()> {
        files::write_json(&self.0.join("state.json"), state)
    }

    /// What is added later matters only until the machine restarts.
    pub(crate) fn update_state(&self, state: &State) -> io::Result<()> {
        files::update_json(&self.0.join("state.json"), state)
    }

    pub(crate) fn read_exit(&self) -> io::Result<Option<Status>> {
        Ok(files::read_json::<Ended>(&self.0.join("exit.json"))?.map(|e| e.status))
    }

    /// Records the end unless one is recorded already, and returns the one that holds.
    pub(crate) fn write_exit(&self, status: Status) -> io::Result<Status> {
        let ended = Ended {
            version: VERSION,
            status,
        };
        if files::write_json_once(&self.0.join("exit.json"), &ended)? {
            return Ok(ended.status);
        }
        self.read_exit()?
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// `spec.json`: what to run and how, fixed at the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) version: u32,
    pub(crate) spec: Spec,
    /// The run's folder for sockets.
    pub(crate) sockets: PathBuf,
    /// The uid and gid of the work, if the supervisor is root.
    #[serde(default)]
    pub(crate) owner: Option<(u32, u32)>,
    /// Bubblewrap, if it works here.
    #[serde(default)]
    pub(crate) bwrap: Option<PathBuf>,
    #[serde(default)]
    pub(crate) groups: Layout,
    #[serde(default)]
    pub(crate) hidden: Vec<PathBuf>,
    /// The container, if it is to be one.
    #[serde(default)]
    pub(crate) docker: Option<docker::Plan>,
}

impl Plan {
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.sockets.join("control")
    }

    /// The endpoint's socket where the work cannot touch it.
    pub(crate) fn endpoint_socket(&self) -> PathBuf {
        self.sockets.join("server")
    }

    /// The folder that the work makes its socket in.
    pub(crate) fn endpoint_folder(&self) -> PathBuf {
        self.sockets.join("run")
    }

    /// A short name for control groups and sockets, unlike that of any other run on this machine.
    pub(crate) fn key(&self) -> String {
        self.sockets
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// `state.json`: who looks after the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u32,
    pub(crate) supervisor: Identity,
    pub(crate) started_ms: i64,
    #[serde(default)]
    pub(crate) group: Group,
    /// Whether the container engine may have something of it.
    #[serde(default)]
    pub(crate) on_engine: bool,
    /// The first process of its container.
    #[serde(default)]
    pub(crate) init: Option<Identity>,
}

#[derive(Serialize, Deserialize)]
struct Ended {
    version: u32,
    status: Status,
}
