//! A plain Docker engine becomes a machine: the worker is started on it as a container, over its socket and over TLS.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::rig::Rig;

const TYPES: &str = r#"
[environments.base]
image = "cairn/base"

[machines.far]
labels = ["far"]
runtime = "docker"
"#;

/// The socket of the tests' engine, which has the shipped images; none where there is no engine.
pub(crate) fn socket() -> Option<PathBuf> {
    let address = std::env::var("CAIRN_TEST_DOCKER").unwrap_or_default();
    let path = address.strip_prefix("unix://").map(PathBuf::from);
    let inside = Path::new(env!("CARGO_BIN_EXE_cairn")).with_file_name("cairn-inside");
    if path.is_none() || !inside.is_file() {
        eprintln!(
            "skipped: CAIRN_TEST_DOCKER names no engine, or there is no {}",
            inside.display()
        );
        return None;
    }
    path
}

fn docker(socket: &Path, words: &[&str]) -> String {
    let mut command = Command::new("docker");
    command.args(["-H", &format!("unix://{}", socket.display())]);
    let output = command.args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A worker's configuration for an engine whose socket is not at its usual place.
fn config(rig: &Rig, socket: &Path) -> String {
    let text = format!(
        "docker_socket = \"{}\"\n[local]\nruntimes = [\"docker\"]\n",
        socket.display()
    );
    rig.write("worker.toml", &text);
    rig.path("worker.toml").display().to_string()
}

fn a_job_runs_there(rig: &Rig, socket: &Path, name: &str, place: &[&str]) {
    let data = rig.path("../far").join(name);
    fs::create_dir_all(&data).unwrap();
    let data = data.canonicalize().unwrap().display().to_string();
    let config = config(rig, socket);
    let words = ["machines", "add", name, "--label", "far", "--worker-data"];
    let setup = [&data, "--worker-config", &config];
    let words = [&words[..], &setup, place].concat();
    let added = rig.cairn(&words);
    assert_eq!(added.code, 0, "{}", added.err);
    let again = rig.cairn(&words);
    assert_ne!(again.code, 0, "a name is used once");

    let job = [
        "run",
        "--wait",
        "--machine",
        "far",
        "--env",
        "base",
        "--",
        "sh",
        "-c",
        "id -u; test -e /.dockerenv && echo contained",
    ];
    let ran = rig.cairn(&job);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let mut lines = ran.out.lines();
    assert_ne!(lines.next(), Some("0"), "never root");
    assert_eq!(lines.next(), Some("contained"), "{}", ran.out);

    let all = docker(socket, &["inspect", &format!("cairn-worker-{name}")]);
    assert!(!all.contains("cairn_"), "its token is not shown");
    let removed = [&["machines", "rm", name], place].concat();
    let removed = rig.cairn(&removed);
    assert_eq!(removed.code, 0, "{}", removed.err);
    let left = docker(
        socket,
        &[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &format!("label=cairn.worker={name}"),
        ],
    );
    assert_eq!(left, "");
}

#[test]
fn an_engine_becomes_a_machine_over_its_socket() {
    let Some(socket) = socket() else { return };
    let rig = Rig::signed_in_with(TYPES);
    let address = format!("unix://{}", socket.display());
    a_job_runs_there(&rig, &socket, "by-socket", &["--engine", &address]);
}

#[test]
fn an_engine_becomes_a_machine_over_tls() {
    let Some(socket) = socket() else { return };
    let rig = Rig::signed_in_with(TYPES);
    let both = std::env::var("CAIRN_TEST_DOCKER_TLS").unwrap_or_default();
    let Some((address, keys)) = both.split_once(' ') else {
        eprintln!("skipped: CAIRN_TEST_DOCKER_TLS names no engine and no folder of keys");
        return;
    };
    let place = ["--engine", address, "--tls", keys];
    a_job_runs_there(&rig, &socket, "by-tls", &place);
    let empty = rig.path("../empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    let refused = rig.cairn(&["machines", "add", "x", "--engine", address, "--tls", &empty]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("key.pem"), "{}", refused.err);
}

#[test]
fn a_worker_that_does_not_start_leaves_no_machine_and_no_container() {
    let Some(socket) = socket() else { return };
    let rig = Rig::signed_in_with(TYPES);
    let address = format!("unix://{}", socket.display());
    let data = rig.path("far");
    fs::create_dir_all(&data).unwrap();
    let data = data.canonicalize().unwrap().display().to_string();
    rig.write("wrong.toml", "no_such_key = 1\n");
    let wrong = rig.path("wrong.toml").display().to_string();
    let words = [
        "machines",
        "add",
        "broken",
        "--engine",
        &address,
        "--worker-data",
        &data,
        "--worker-config",
        &wrong,
    ];
    let refused = rig.cairn(&words);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("no_such_key"), "{}", refused.err);
    let machines = rig.cairn(&["machines", "--json"]);
    assert!(!machines.out.contains("broken"), "{}", machines.out);
    let left = docker(
        &socket,
        &[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            "label=cairn.worker=broken",
        ],
    );
    assert_eq!(left, "");
}
