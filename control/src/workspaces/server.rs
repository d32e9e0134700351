//! Describes the Jupyter server of a workspace as a plain spec for the spawner. Pure: starts nothing, asks nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use spawner::{Endpoint, Environment, Limits, Mount, Spec};
use storage::ids::WorkspaceId;

use crate::machine::{Provided, Work};

/// The home inside the server.
pub(crate) const HOME: &str = "/home/cairn";
/// Where inputs are mounted, one folder each.
pub(crate) const INPUTS: &str = "/cairn/inputs";
const LAB_CONFIG: &str = "/cairn/jupyter";
/// Where the Python package is mounted.
pub(crate) const PYTHON: &str = "/cairn/python";
const SOCKET: &str = "/cairn/run/server.sock";
const START_TIMEOUT_MS: u64 = 60_000;

/// What a server is made of, all found beforehand.
pub(crate) struct Parts<'a> {
    pub(crate) work: &'a Work,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) environment: &'a Environment,
    pub(crate) home: PathBuf,
    /// What all servers are given.
    pub(crate) provided: Provided,
    /// The folder of inputs.
    pub(crate) shelf: PathBuf,
    /// What is mounted in it: name and folder.
    pub(crate) inputs: Vec<(String, PathBuf)>,
    /// Where the server reaches the API; browsers reach the app by the work's own address.
    pub(crate) api_url: &'a str,
}

/// Base path of a workspace's server, with both slashes.
pub fn base_path(id: &WorkspaceId) -> String {
    format!("/w/{id}/")
}

/// The spec of a workspace's server, without its secrets.
pub(crate) fn spec(parts: Parts<'_>) -> Spec {
    let (work, base) = (parts.work, base_path(&parts.workspace_id));
    let argv = argv(&parts, &base);
    let mut mounts = vec![
        Mount::read_write(parts.home, HOME),
        Mount::read_only(parts.provided.jupyter, LAB_CONFIG),
        Mount::read_only(parts.provided.python, PYTHON),
        Mount::read_only(parts.shelf, INPUTS),
    ];
    mounts.extend(parts.environment.mounts.iter().cloned());
    mounts.extend(
        parts
            .inputs
            .into_iter()
            .map(|(name, source)| Mount::read_only(source, Path::new(INPUTS).join(name))),
    );
    Spec {
        id: work.run_id.clone(),
        argv,
        env: variables(parts.environment, parts.workspace_id, parts.api_url),
        secrets: Vec::new(),
        cwd: Path::new(HOME).join("work"),
        mounts,
        uid_slot: work.uid_slot,
        gpus: work.gpus.clone(),
        limits: Limits {
            memory_bytes: work.machine.memory_bytes,
            cpu_millicores: work.machine.cpu_millicores,
            ..Limits::default()
        },
        endpoint: Some(Endpoint {
            target: SOCKET.into(),
            ready_path: format!("{base}api"),
            start_timeout_ms: START_TIMEOUT_MS,
        }),
        image: parts.environment.image.clone(),
        ..Spec::default()
    }
}

/// The gateway checks who asks and from which page, so the server trusts its forwarded headers and any Host
/// (reference: `jupyter_server` configuration, `ServerApp`).
///
/// The settings `hub_…` are those of JupyterHub: they keep the server's token out of its pages, and JupyterLab's own menu and its
/// "server unavailable" dialog then lead to the app (source: `jupyterlab/labapp.py`, `initialize_handlers`).
fn argv(parts: &Parts<'_>, base: &str) -> Vec<String> {
    let python = parts
        .environment
        .path
        .join("bin/python")
        .to_string_lossy()
        .into_owned();
    let fixed = [
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ServerApp.allow_remote_access=True",
        "--ServerApp.trust_xheaders=True",
        "--KernelManager.transport=ipc",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extra_labextensions_path=/cairn/jupyter/labextensions",
        // Outputs land in the notebook whether or not a browser is there (`python/src/cairn_server`); where the environment has shared
        // documents, what they keep beside the files is of this run only.
        "--ServerApp.jpserver_extensions={'cairn_server': True}",
        "--YDocExtension.document_save_delay=0.5",
        "--SQLiteYStore.db_path=/cairn/run/documents.db",
        "--YDocExtension.session_store_path=/cairn/run/documents.json",
    ];
    let mut argv = vec![python];
    argv.extend(fixed.map(str::to_owned));
    for (key, value) in [
        ("hub_prefix", &"/hub/".to_owned()),
        ("hub_host", &parts.work.api_url),
        ("user", &parts.workspace_id.to_string()),
    ] {
        argv.push(format!("--ServerApp.tornado_settings={key}={value}"));
    }
    argv.push(format!("--ServerApp.sock={SOCKET}"));
    argv.push(format!("--ServerApp.base_url={base}"));
    argv.push(format!("--ServerApp.root_dir={HOME}"));
    argv.push(format!("--ServerApp.preferred_dir={HOME}/work"));
    argv
}

fn variables(
    environment: &Environment,
    id: WorkspaceId,
    api_url: &str,
) -> BTreeMap<String, String> {
    let own = [
        ("HOME", HOME.to_owned()),
        ("USER", "cairn".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("SHELL", "/bin/bash".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        (
            "JUPYTER_TOKEN_FILE",
            "/cairn/secrets/server-token".to_owned(),
        ),
        ("JUPYTER_CONFIG_PATH", LAB_CONFIG.to_owned()),
        ("JUPYTER_RUNTIME_DIR", "/cairn/run/jupyter".to_owned()),
        ("CAIRN_API_URL", api_url.to_owned()),
        ("CAIRN_TOKEN_FILE", "/cairn/secrets/token".to_owned()),
        ("CAIRN_WORKSPACE_ID", id.to_string()),
        ("CAIRN_INPUTS", INPUTS.to_owned()),
    ];
    let mut all = environment.env.clone();
    all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    all.insert("PYTHONPATH".to_owned(), python_path(environment));
    all
}

/// Our package after what the environment has of its own, so that it hides nothing.
pub(crate) fn python_path(environment: &Environment) -> String {
    match environment.env.get("PYTHONPATH") {
        Some(own) if !own.is_empty() => format!("{own}:{PYTHON}"),
        _ => PYTHON.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use storage::{
        clock::{Clock, Fixed},
        ids::{ProjectId, UserId, WorkspaceId},
        workspaces::{Desired, State, Workspace},
    };

    /// A workspace that is stopped and was never started.
    pub(crate) fn workspace() -> Workspace {
        let clock: &dyn Clock = &Fixed::at(1_800_000_000_000);
        Workspace {
            id: WorkspaceId::new(clock),
            project_id: ProjectId::new(clock),
            project: "vision".to_owned(),
            user_id: UserId::new(clock),
            user: "ada".to_owned(),
            name: "main".to_owned(),
            environment: "default".to_owned(),
            machine: "local".to_owned(),
            machine_id: None,
            desired: Desired::Stopped,
            state: State::Stopped,
            message: None,
            phase: None,
            generation: 0,
            run_generation: 0,
            run_id: None,
            run_handle: None,
            fence: 0,
            token_sealed: None,
            inputs: Vec::new(),
            queued_ms: None,
            created_ms: 0,
            started_ms: None,
            last_activity_ms: None,
            deleted_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use spawner::EnvironmentSpec;

    use super::*;
    use crate::{MachineType, machine::Task};

    fn work(workspace_id: WorkspaceId) -> Work {
        Work {
            run_id: "w-1".to_owned(),
            environment: EnvironmentSpec {
                name: "default".to_owned(),
                python: None,
                packages: Vec::new(),
                image: None,
                contained: false,
            },
            machine: MachineType {
                memory_bytes: Some(1 << 30),
                ..MachineType::default()
            },
            gpus: Vec::new(),
            inputs: Vec::new(),
            uid_slot: Some(3),
            api_url: "http://localhost:8000".to_owned(),
            task: Task::Server { workspace_id },
        }
    }

    #[test]
    fn the_server_listens_on_its_socket_below_its_own_path() {
        let id = testing::workspace().id;
        let environment = Environment {
            digest: "d".to_owned(),
            image: None,
            env: BTreeMap::new(),
            jupyter: true,
            path: "/data/environments/d".into(),
            mounts: vec![Mount::read_only(
                "/data/environments/d",
                "/data/environments/d",
            )],
        };
        let spec = spec(Parts {
            work: &work(id),
            workspace_id: id,
            environment: &environment,
            home: "/data/homes/1".into(),
            provided: Provided {
                jupyter: "/data/jupyter".into(),
                python: "/data/python".into(),
            },
            shelf: "/data/shelves/1/inputs".into(),
            inputs: vec![("model".to_owned(), "/data/store/farm/ab".into())],
            api_url: "http://localhost:8000",
        });
        spec.validate().expect("valid");
        let base = base_path(&id);
        assert!(spec.argv.contains(&format!("--ServerApp.base_url={base}")));
        assert!(
            spec.argv
                .contains(&"--ServerApp.sock=/cairn/run/server.sock".to_owned())
        );
        assert_eq!(
            spec.endpoint
                .as_ref()
                .map(|endpoint| endpoint.ready_path.clone()),
            Some(format!("{base}api"))
        );
        assert_eq!(spec.limits.memory_bytes, Some(1 << 30));
        let writable: Vec<_> = spec
            .mounts
            .iter()
            .filter(|mount| mount.access == spawner::Access::ReadWrite)
            .collect();
        assert_eq!(writable.len(), 1, "only the home can be written");
        assert_eq!(writable[0].target, Path::new(HOME));
    }
}
