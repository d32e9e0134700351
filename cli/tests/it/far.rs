//! A second machine for tests: a worker with a data directory of its own, beside the server's.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::rig::Rig;

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);
/// As long as the server waits until it says of a machine that it cannot be reached, and a little.
const SILENCE_MS: i64 = 46_000;
/// A machine type that only the worker provides.
pub(crate) const MACHINE_TYPE: &str = "\n[machines.far]\nlabels = [\"far\"]\n";

/// A worker of a server. Dropping it ends it and what it runs.
pub(crate) struct Worker {
    /// Its data directory.
    pub(crate) data: PathBuf,
    url: String,
    command: Command,
    down: Command,
    process: Child,
}

impl Worker {
    /// Makes a machine known, and starts a worker for it.
    pub(crate) fn start(rig: &Rig) -> Self {
        Self::start_with(rig, "")
    }

    /// The same, with a configuration of its own.
    pub(crate) fn start_with(rig: &Rig, config: &str) -> Self {
        let added = rig.cairn(&["machines", "add", "far-1", "--json"]);
        assert_eq!(added.code, 0, "{}", added.err);
        let data = rig.path("../worker");
        std::fs::create_dir_all(&data).unwrap();
        // As the supervisors' command lines say it.
        let data = data.canonicalize().unwrap();
        std::fs::write(data.join("cairn.toml"), config).unwrap();
        std::fs::write(data.join("token"), added.json()["token"].as_str().unwrap()).unwrap();
        let mut command = command(rig, &data);
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

    /// Kills it; what runs there goes on.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Goes on as the same machine of another server, one that was restored from a backup.
    pub(crate) fn follow(&mut self, rig: &Rig) {
        self.kill();
        (self.url, self.command) = (rig.url(), command(rig, &self.data));
        self.start_again();
        self.is_online(rig, true);
    }

    /// Starts it after it was killed.
    pub(crate) fn start_again(&mut self) {
        self.process = self.command.spawn().unwrap();
    }

    /// Waits until the server has not heard of it for so long that it counts as out of reach.
    pub(crate) fn is_silent(&self, rig: &Rig) {
        until(&format!("{} is silent", self.url), || {
            let list = rig.cairn(&["machines", "--json"]).json();
            let seen_ms = machine(&list)?["seen_ms"].as_i64()?;
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            (i64::try_from(now.as_millis()).unwrap() - seen_ms > SILENCE_MS).then_some(())
        });
    }

    /// Waits until the server says so.
    pub(crate) fn is_online(&self, rig: &Rig, online: bool) {
        until(&format!("{} is online: {online}", self.url), || {
            let list = rig.cairn(&["machines", "--json"]).json();
            let found = machine(&list)?;
            ((found["state"] == "online") == online).then_some(())
        });
    }
}

/// The worker with its data in a directory, for a server.
fn command(rig: &Rig, data: &Path) -> Command {
    let mut command = rig.command(&[
        "worker",
        "--url",
        &rig.url(),
        "--token-file",
        data.join("token").to_str().unwrap(),
        "--label",
        "far",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
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

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
