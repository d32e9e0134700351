//! The server dies, as by `kill -9`, after each step of a start and of a stop: what comes after is exactly one server or none, and every file.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::rig::{self, Rig, has_uv};

/// Far beyond what a start takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);
const BEFORE_LAUNCH: [&str; 4] = [
    "start: begun",
    "start: environment",
    "start: home",
    "start: home recorded",
];
const FROM_LAUNCH: [&str; 4] = [
    "start: prepared",
    "start: launched",
    "start: answers",
    "start: running",
];
const STOP: [&str; 3] = ["stop: asked", "stop: ended", "stop: stopped"];

#[test]
fn a_start_that_dies_before_its_launch_ends_in_one_server_with_every_file() {
    starts_that_die(BEFORE_LAUNCH);
}

#[test]
fn a_start_that_dies_from_its_launch_on_ends_in_one_server_with_every_file() {
    starts_that_die(FROM_LAUNCH);
}

fn starts_that_die(points: [&str; 4]) {
    let Some(mut bed) = Bed::new() else { return };
    for point in points {
        bed.rig.restart_to_crash_at(point);
        // Its answer may be lost with the server.
        bed.rig.cairn(&["ws", "start", "lab"]);
        bed.rig.await_crash(PATIENCE);
        bed.rig.start_again();
        bed.await_state("running", point);
        assert_eq!(bed.supervisors(), 1, "{point}");
        bed.check_files(point);
        bed.stop(point);
    }
}

#[test]
fn a_stop_that_dies_after_any_step_ends_in_no_server_with_every_file() {
    let Some(mut bed) = Bed::new() else { return };
    for point in STOP {
        bed.start(point);
        bed.rig.restart_to_crash_at(point);
        assert_eq!(
            bed.supervisors(),
            1,
            "a restart of the service ends nothing"
        );
        bed.rig.cairn(&["ws", "stop", "lab"]);
        bed.rig.await_crash(PATIENCE);
        bed.rig.start_again();
        bed.await_state("stopped", point);
        assert_eq!(bed.supervisors(), 0, "{point}");
        bed.check_files(point);
    }
}

/// A server with a workspace whose environment is built and whose home holds a file.
struct Bed {
    rig: Rig,
}

impl Bed {
    /// None where no environment can be made.
    fn new() -> Option<Self> {
        if !has_uv() {
            return None;
        }
        let bed = Self {
            rig: Rig::with_packages(&["jupyterlab"]),
        };
        let made = bed.rig.cairn(&["ws", "create", "lab"]);
        assert_eq!(made.code, 0, "{}", made.err);
        bed.start("the first start");
        std::fs::write(bed.file(), "precious").unwrap();
        bed.stop("the first start");
        Some(bed)
    }

    fn workspace(&self) -> Option<Value> {
        let said = self.rig.cairn(&["ws", "ls", "--json"]);
        let list: Value = serde_json::from_str(&said.out).ok()?;
        list["items"].get(0).cloned()
    }

    fn file(&self) -> std::path::PathBuf {
        let workspace = self.workspace().expect("there is a workspace");
        let id = workspace["id"].as_str().unwrap();
        self.rig.data().join("homes").join(id).join("work/precious")
    }

    fn check_files(&self, point: &str) {
        let text = std::fs::read_to_string(self.file());
        assert_eq!(text.unwrap(), "precious", "{point}");
    }

    fn start(&self, point: &str) {
        self.rig.cairn(&["ws", "start", "lab"]);
        self.await_state("running", point);
    }

    fn stop(&self, point: &str) {
        self.rig.cairn(&["ws", "stop", "lab"]);
        self.await_state("stopped", point);
        assert_eq!(self.supervisors(), 0, "{point}");
    }

    fn await_state(&self, state: &str, point: &str) {
        let begun = Instant::now();
        loop {
            let workspace = self.workspace().unwrap_or_default();
            if workspace["state"] == state {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{point}: {workspace}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn supervisors(&self) -> usize {
        rig::supervisors(&[&self.rig.data()], "")
    }
}
