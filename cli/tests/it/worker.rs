//! A second machine: a worker with a data directory of its own. Real jobs and servers run there, through the death of either side.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
};

use super::{
    far::{MACHINE_TYPE, Worker, until},
    rig::{Restart, Rig, has_uv},
};

const COUNT: &str = "i=0; while [ $i -lt 80 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; \
    cat data/input.txt > $CAIRN_OUTPUTS/copy.txt; exit 5";

/// Runs a job that counts on the worker, does `meanwhile` while it counts, and expects every line once and its outputs.
fn a_job_goes_on_through(meanwhile: impl FnOnce(&mut Rig, &mut Worker)) {
    if !has_uv() {
        return;
    }
    let mut rig = Rig::signed_in_with(MACHINE_TYPE);
    let mut worker = Worker::start(&rig);
    std::fs::create_dir(rig.path("data")).unwrap();
    rig.write("data/input.txt", "what was sent");
    rig.write("count.sh", COUNT);
    let mut run = rig
        .command(&["run", "--wait", "--machine", "far", "--", "sh", "count.sh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut seen: Vec<String> = lines.by_ref().take(10).collect();
    let runs = std::fs::read_dir(worker.data.join("runs")).unwrap();
    assert_eq!(runs.count(), 1, "it runs on the worker");
    meanwhile(&mut rig, &mut worker);
    seen.extend(lines);
    let expected: Vec<String> = (0..80).map(|number| format!("line {number}")).collect();
    assert_eq!(seen, expected, "every line exactly once, in its order");
    assert_eq!(run.wait().unwrap().code(), Some(5));
    let logs = rig.cairn(&["logs", "1"]);
    assert_eq!(logs.out.lines().collect::<Vec<_>>(), expected);
    assert_eq!(rig.cairn(&["outputs", "1", "get", "../out"]).code, 0);
    let copy = std::fs::read_to_string(rig.path("../out/copy.txt")).unwrap();
    assert_eq!(copy, "what was sent");
    until("nothing of the job is left on the worker", || {
        let left = std::fs::read_dir(worker.data.join("attempts")).ok()?;
        (left.count() == 0).then_some(())
    });
}

#[test]
fn a_job_runs_on_a_worker() {
    a_job_goes_on_through(|_, _| {});
}

#[test]
fn a_job_on_a_worker_goes_on_through_the_death_of_the_server() {
    a_job_goes_on_through(|rig, _| rig.restart(Restart::Kill));
}

#[test]
fn a_job_on_a_worker_goes_on_through_the_death_of_the_worker() {
    a_job_goes_on_through(|rig, worker| {
        worker.kill();
        worker.is_online(rig, false);
        worker.start_again();
    });
}

#[test]
fn a_job_on_a_worker_goes_on_through_the_death_of_both() {
    a_job_goes_on_through(|rig, worker| {
        worker.kill();
        rig.restart(Restart::Kill);
        worker.start_again();
    });
}

#[test]
fn a_server_runs_on_a_worker_and_answers_at_its_own_address() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in_with(&format!(
        "\n[environments.lab]\npackages = [\"jupyterlab\", \"ipykernel\"]\n{MACHINE_TYPE}"
    ));
    let worker = Worker::start(&rig);
    let made = rig.cairn(&[
        "ws",
        "create",
        "notes",
        "--env",
        "lab",
        "--machine",
        "far",
        "--json",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let started = rig.cairn(&["ws", "start", "notes", "--wait"]);
    assert_eq!(started.code, 0, "{}", started.err);
    assert!(worker.data.join("homes").join(&id).join("work").is_dir());
    let token = rig
        .cairn(&["token", "create", "--name", "test"])
        .out
        .trim()
        .to_owned();
    let status = get(&rig, &token, &format!("/w/{id}/api/status"));
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    assert!(status.contains("\"kernels\""), "{status}");
    let lab = get(&rig, &token, &format!("/w/{id}/lab"));
    assert!(lab.contains("JupyterLab"), "{lab}");
    // What is written there is what a job gets that runs here.
    std::fs::write(
        worker.data.join("homes").join(&id).join("work/say.sh"),
        "echo from afar",
    )
    .unwrap();
    let ran = rig.cairn(&[
        "run",
        "--wait",
        "--workspace",
        "notes",
        "--machine",
        "local",
        "--env",
        "default",
        "--",
        "sh",
        "say.sh",
    ]);
    assert_eq!((ran.code, ran.out.trim()), (0, "from afar"), "{}", ran.err);
    assert_eq!(rig.cairn(&["ws", "stop", "notes", "--wait"]).code, 0);
    assert_eq!(rig.cairn(&["ws", "rm", "notes", "--yes"]).code, 0);
    until("the home is gone", || {
        (!worker.data.join("homes").join(&id).exists()).then_some(())
    });
}

/// A request to the app's own listener, with the token.
fn get(rig: &Rig, token: &str, path: &str) -> String {
    let host = rig.url().strip_prefix("http://").unwrap().to_owned();
    let mut socket = TcpStream::connect(&host).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
