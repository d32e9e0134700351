//! A second machine: a worker with a data directory of its own. Real jobs and servers run there, through the death of either side.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::rig::{Restart, Rig, has_uv};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);
const MACHINE_TYPE: &str = "\n[machines.far]\nlabels = [\"far\"]\n";

/// A worker of a server. Dropping it ends it and what it runs.
struct Worker {
    data: PathBuf,
    url: String,
    command: Command,
    down: Command,
    process: Child,
}

impl Worker {
    /// Makes a machine known, and starts a worker for it.
    fn start(rig: &Rig) -> Self {
        let added = rig.cairn(&["machines", "add", "far-1", "--json"]);
        assert_eq!(added.code, 0, "{}", added.err);
        let data = rig.path("../worker");
        std::fs::create_dir_all(&data).unwrap();
        let token = data.join("token");
        std::fs::write(&token, added.json()["token"].as_str().unwrap()).unwrap();
        let mut command = rig.command(&[
            "worker",
            "--url",
            &rig.url(),
            "--token-file",
            token.to_str().unwrap(),
            "--label",
            "far",
            "--data-dir",
            data.to_str().unwrap(),
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let mut down = rig.command(&["down", "--data-dir", data.to_str().unwrap()]);
        down.stderr(Stdio::null());
        let worker = Self {
            data,
            url: rig.url(),
            command,
            down,
            process,
        };
        worker.is_online(rig, true);
        worker
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = self.command.spawn().unwrap();
    }

    /// Waits until the server says so.
    fn is_online(&self, rig: &Rig, online: bool) {
        until(&format!("{} is online: {online}", self.url), || {
            let list = rig.cairn(&["machines", "--json"]).json();
            let found = machine(&list)?;
            ((found["state"] == "online") == online).then_some(())
        });
    }
}

/// The worker's machine in what `cairn machines` prints.
fn machine(list: &Value) -> Option<&Value> {
    let all = [list, &list["machines"]];
    let items = all
        .iter()
        .find_map(|list| list["items"].as_array().or(list.as_array()))?;
    items.iter().find(|machine| machine["name"] == "far-1")
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.down.status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "it does not come to pass: {what}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

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
