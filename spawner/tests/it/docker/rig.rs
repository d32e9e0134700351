//! A docker runtime over temporary folders and the engine that `CAIRN_TEST_DOCKER` names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spawner::conformance::Rig;
use spawner::{DockerRuntime, Mount, Runtime, Spec, docker, process};

use crate::rig::program;

/// A rig with what it stands on; dropping it ends and removes what still runs.
pub(crate) struct Docked {
    pub(crate) rig: Rig,
    pub(crate) config: docker::Config,
    pub(crate) folder: tempfile::TempDir,
}

impl std::ops::Deref for Docked {
    type Target = Rig;
    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl Drop for Docked {
    fn drop(&mut self) {
        let runtime = self.open();
        let end = async move {
            for handle in runtime.list().await.unwrap_or_default() {
                drop(runtime.stop(&handle, Duration::ZERO).await);
                drop(runtime.remove(&handle).await);
            }
            drop(runtime.sweep().await);
        };
        let work = || {
            let runtime = tokio::runtime::Runtime::new().expect("threads");
            runtime.block_on(end);
        };
        drop(std::thread::spawn(work).join());
    }
}

impl Docked {
    /// Over the shared engine, if there is one; says so if not.
    pub(crate) fn new() -> Option<Self> {
        Self::with(|_| {})
    }

    /// The same with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut docker::Config)) -> Option<Self> {
        let named = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let (Some(engine), Some(inside)) = (named("CAIRN_TEST_DOCKER"), named("CAIRN_TEST_INSIDE"))
        else {
            eprintln!(
                "skipped: CAIRN_TEST_DOCKER and CAIRN_TEST_INSIDE name no engine and no static program"
            );
            return None;
        };
        let engine = engine.strip_prefix("unix://").unwrap_or(&engine);
        Some(Self::over(Path::new(engine), Path::new(&inside), change))
    }

    fn over(engine: &Path, inside: &Path, change: impl FnOnce(&mut docker::Config)) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("dk")
            .tempdir()
            .expect("a folder");
        let mut base =
            process::Config::new(folder.path().join("data/runs"), folder.path().join("s"));
        base.program = Some(program());
        let mut config = docker::Config::new(base, inside);
        engine.clone_into(&mut config.engine);
        change(&mut config);
        let shown = folder.path().join("shown");
        std::fs::create_dir(&shown).expect("a folder");
        let later = config.clone();
        let rig = Rig {
            runtime: Box::new(DockerRuntime::open(config.clone()).expect("a runtime")),
            again: Box::new(move || {
                Box::new(DockerRuntime::open(later.clone()).expect("a runtime"))
            }),
            folder: shown,
            uid_slot: Some(7),
            image: Some("debian:bookworm-slim".into()),
        };
        Self {
            rig,
            config,
            folder,
        }
    }

    pub(crate) fn open(&self) -> DockerRuntime {
        DockerRuntime::open(self.config.clone()).expect("a runtime")
    }

    /// Runs a script to its end and gives what it wrote.
    pub(crate) async fn inside(&self, id: &str, mounts: Vec<Mount>, script: &str) -> String {
        let spec = Spec {
            mounts,
            ..self.command(id, &["bash", "-c", script])
        };
        let handle = self.start(spec).await;
        let exit = self.end(&handle).await;
        let output = self.output(&handle).await;
        assert!(exit.success(), "{exit:?}\n{output}");
        output
    }

    /// What the engine has of a run: containers and networks. In no run of these tests are there two with one id and one folder.
    pub(crate) fn left(&self, run: &str) -> Vec<String> {
        let plan = self.config.base.runs.join(run);
        let hash = blake3::hash(plan.as_os_str().as_encoded_bytes()).to_hex();
        let name = format!("name=cairn-{}", &hash[..16]);
        let containers = self.docker(&[
            "ps",
            "-a",
            "--filter",
            &name,
            "--format",
            "container {{.Names}}",
        ]);
        let networks = self.docker(&[
            "network",
            "ls",
            "--filter",
            &name,
            "--format",
            "network {{.Name}}",
        ]);
        containers
            .lines()
            .chain(networks.lines())
            .map(str::to_owned)
            .collect()
    }

    /// The name of a run's container.
    pub(crate) fn name(&self, run: &str) -> String {
        let path = self.config.base.runs.join(run);
        let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
        format!("cairn-{}", &hash[..16])
    }

    /// Asks the engine by its command line.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let mut command = Command::new("docker");
        command
            .arg("-H")
            .arg(format!("unix://{}", self.config.engine.display()));
        output(command.args(args))
    }

    /// The address of a run in its own network.
    pub(crate) fn address(&self, run: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.docker(&["inspect", "--format", format, &self.name(run)])
            .trim()
            .to_owned()
    }

    pub(crate) fn supervisor(&self, run: &str) -> String {
        let state =
            std::fs::read(self.config.base.runs.join(run).join("state.json")).expect("a state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
        state["supervisor"]["pid"].to_string()
    }
}

/// Waits until nothing is left of a run.
pub(crate) async fn gone(bench: &Docked, run: &str) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while !bench.left(run).is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "left: {:?}",
            bench.left(run)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a command prints; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn shell(script: &str) -> String {
    output(Command::new("sh").args(["-c", script]))
}

/// A script of `deploy/testbed`.
pub(crate) fn testbed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/testbed")
        .join(name)
}
