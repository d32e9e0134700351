//! A workspace moves between two machines: its files come along, whatever dies on the way, and it never has two servers.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    far::{Worker, until},
    rig::{Rig, has_uv},
};

const TYPES: &str = r#"
offline_grace_s = 10

[environments.lab]
packages = ["jupyterlab"]

[local]
labels = ["here"]

[machines.local]
labels = ["here"]

[machines.far]
labels = ["far"]
gpus = 1
"#;
/// The far machine has a card, only told of.
const CARD: &str = "[local]\ngpus = [{ id = \"GPU-7\", model = \"T4\" }]\n";
const LEAVING: [&str; 7] = [
    "save: taken",
    "save: recorded",
    "stop: asked",
    "stop: ended",
    "stop: stopped",
    "start: begun",
    "start: environment",
];
const ARRIVING: [&str; 6] = [
    "move: restored",
    "start: home recorded",
    "start: prepared",
    "start: launched",
    "start: answers",
    "start: running",
];

#[test]
fn a_move_that_dies_as_it_leaves_ends_in_one_server_with_every_file() {
    moves_that_die(&LEAVING);
}

#[test]
fn a_move_that_dies_as_it_arrives_ends_in_one_server_with_every_file() {
    moves_that_die(&ARRIVING);
}

fn moves_that_die(points: &[&str]) {
    let Some(mut bed) = Bed::new() else { return };
    bed.start_on("local");
    bed.furnish();
    let places = ["far", "local"].into_iter().cycle();
    // Which records they are makes no difference to most steps, and each takes a while.
    let every = if super::rig::is_on_postgres() { 3 } else { 1 };
    for (point, place) in points.iter().step_by(every).zip(places) {
        bed.write("latest", point);
        bed.rig.restart_to_crash_at(point);
        bed.worker.is_online(&bed.rig, true);
        // Its answer may be lost with the server.
        bed.rig.cairn(&["ws", "restart", "lab", "--machine", place]);
        bed.rig.await_crash(std::time::Duration::from_mins(2));
        bed.rig.start_again();
        bed.runs_on(place);
        assert_eq!(bed.supervisors(), 1, "{point}");
        assert_eq!(bed.read("latest"), *point);
        bed.is_furnished();
    }
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    assert_eq!(bed.supervisors(), 0);
}

#[test]
fn a_move_off_a_machine_that_is_out_of_reach_asks_first_and_keeps_what_comes_back() {
    let Some(mut bed) = Bed::new() else { return };
    bed.start_on("far");
    bed.write("latest", "saved");
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    bed.start_on("far");
    bed.write("latest", "not saved");
    bed.worker.kill();
    bed.worker.is_silent(&bed.rig);

    let refused = bed.rig.cairn(&["ws", "start", "lab", "--machine", "local"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("far-1 cannot be reached"),
        "{}",
        refused.err
    );
    let (_, snapshot) = refused.err.split_once("--accept-snapshot ").unwrap();
    let snapshot = snapshot.split('`').next().unwrap();
    let accepted = bed.rig.cairn(&[
        "ws",
        "start",
        "lab",
        "--machine",
        "local",
        "--accept-snapshot",
        snapshot,
    ]);
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    bed.runs_on("local");
    assert_eq!(bed.read("latest"), "saved");
    bed.write("latest", "written meanwhile");

    bed.worker.start_again();
    bed.worker.is_online(&bed.rig, true);
    until("the old server ends", || {
        (bed.supervisors() == 1).then_some(())
    });
    bed.move_to("far");
    assert_eq!(bed.read("latest"), "written meanwhile");
    assert_eq!(bed.kept("latest"), ["not saved"]);
}

/// What people may ask, in any order and at the same time.
const ASKS: [&[&str]; 7] = [
    &["ws", "start", "lab"],
    &["ws", "stop", "lab"],
    &["ws", "restart", "lab"],
    &["ws", "restart", "lab", "--machine", "local"],
    &["ws", "restart", "lab", "--machine", "far"],
    &["ws", "start", "rival"],
    &["ws", "stop", "rival"],
];

#[test]
fn starts_stops_and_moves_raced_a_hundred_ways_end_in_one_server_or_none() {
    let Some(bed) = Bed::new() else { return };
    bed.start_on("local");
    bed.furnish();
    let words = [
        "ws",
        "create",
        "rival",
        "--env",
        "lab",
        "--machine",
        "far",
        "--json",
    ];
    let rival = bed.rig.cairn(&words).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let seed = seed();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|asker| {
                let bed = &bed;
                scope.spawn(move || {
                    let mut dice = Dice(seed.wrapping_mul(4).wrapping_add(asker));
                    for _ in 0..25 {
                        let said = bed.rig.cairn(ASKS[dice.below(ASKS.len())]);
                        assert!(said.code == 0, "{}", said.err);
                        std::thread::sleep(std::time::Duration::from_millis(
                            dice.below(1500) as u64
                        ));
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                for id in [&bed.id, &rival] {
                    assert!(bed.supervisors_of(id) <= 1, "two servers of one workspace");
                }
                // Often enough to see two that live at the same time, without a core of its own.
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        for asker in askers {
            asker.join().unwrap();
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for name in ["lab", "rival"] {
        assert_eq!(bed.rig.cairn(&["ws", "stop", name, "--wait"]).code, 0);
    }
    assert_eq!(bed.supervisors(), 0);
    let machines = bed.rig.cairn(&["machines", "--json"]).out;
    assert!(!machines.contains("\"held\": true"), "{machines}");
    for place in ["far", "local"] {
        bed.start_on(place);
        bed.is_furnished();
    }
}

#[test]
fn a_home_that_is_gone_from_its_machine_is_restored() {
    let Some(bed) = Bed::new() else { return };
    bed.start_on("far");
    bed.furnish();
    let home = bed.home();
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    fs::remove_dir_all(home).unwrap();
    bed.start_on("far");
    bed.is_furnished();
}

#[test]
fn a_home_on_a_worker_that_is_newer_than_the_backup_is_moved_as_it_is_there() {
    let Some(mut bed) = Bed::new() else { return };
    bed.start_on("far");
    bed.write("latest", "in the backup");
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    let backup = bed.backup();
    bed.start_on("far");
    bed.write("latest", "since");
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    let _first = bed.restore(&backup);
    bed.start_on("local");
    assert_eq!(bed.read("latest"), "since");
}

#[test]
fn a_home_that_went_to_a_worker_after_the_backup_is_kept_there() {
    let Some(mut bed) = Bed::new() else { return };
    bed.start_on("local");
    bed.write("latest", "in the backup");
    let backup = bed.backup();
    bed.move_to("far");
    bed.write("latest", "since");
    assert_eq!(bed.rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    let _first = bed.restore(&backup);
    bed.start_on("local");
    assert_eq!(bed.read("latest"), "in the backup");
    bed.move_to("far");
    assert_eq!(bed.read("latest"), "in the backup");
    assert_eq!(bed.kept("latest"), ["since"]);
}

#[test]
fn a_home_that_was_never_saved_and_is_gone_keeps_no_workspace_from_starting_elsewhere() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in_with(TYPES);
    let id = create(&rig);
    // With one machine nothing is saved.
    let start = ["ws", "start", "lab", "--machine", "local", "--wait"];
    assert_eq!(rig.cairn(&start).code, 0);
    assert_eq!(rig.cairn(&["ws", "stop", "lab", "--wait"]).code, 0);
    fs::remove_dir_all(rig.data().join("homes").join(&id)).unwrap();
    let worker = Worker::start_with(&rig, CARD);
    Bed { worker, rig, id }.start_on("far");
}

/// A server, a second machine, and a workspace that was never started.
struct Bed {
    // Dropped before what it stands on.
    worker: Worker,
    rig: Rig,
    id: String,
}

impl Bed {
    /// None where no environment can be made.
    fn new() -> Option<Self> {
        if !has_uv() {
            return None;
        }
        let rig = Rig::signed_in_with(TYPES);
        let worker = Worker::start_with(&rig, CARD);
        let id = create(&rig);
        Some(Self { worker, rig, id })
    }

    fn start_on(&self, place: &str) {
        let words = ["ws", "start", "lab", "--machine", place, "--wait"];
        let started = self.rig.cairn(&words);
        assert_eq!(started.code, 0, "{}", started.err);
        self.runs_on(place);
    }

    fn move_to(&self, place: &str) {
        let words = ["ws", "restart", "lab", "--machine", place, "--wait"];
        let moved = self.rig.cairn(&words);
        assert_eq!(moved.code, 0, "{}", moved.err);
        self.runs_on(place);
    }

    fn workspace(&self) -> Option<Value> {
        let said = self.rig.cairn(&["ws", "ls", "--json"]);
        let list: Value = serde_json::from_str(&said.out).ok()?;
        let mut items = list["items"].as_array()?.iter();
        items.find(|item| item["name"] == "lab").cloned()
    }

    fn runs_on(&self, place: &str) {
        self.rig.until(&format!("it runs on {place}"), |_| {
            let found = self.workspace()?;
            assert_ne!(found["state"], "error", "{found}");
            (found["state"] == "running" && found["machine"] == place).then_some(())
        });
    }

    /// The home where the server runs now.
    fn home(&self) -> PathBuf {
        let is_far = self.workspace().unwrap()["machine"] == "far";
        let data = if is_far {
            self.worker.data.clone()
        } else {
            self.rig.data()
        };
        data.join("homes").join(&self.id)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.home().join("work").join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home().join("work").join(name)).unwrap()
    }

    /// What a file was in each home that lay where this one came to.
    fn kept(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.home()).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("conflict-"))
            .map(|entry| fs::read_to_string(entry.path().join("work").join(name)).unwrap())
            .collect()
    }

    fn backup(&self) -> PathBuf {
        let file = self.rig.path("../backup.tar");
        let data = self.rig.data();
        let said = self.rig.cairn(&[
            "backup",
            file.to_str().unwrap(),
            "--data-dir",
            data.to_str().unwrap(),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        file
    }

    /// Goes on with a server that is restored from a backup, and the same worker. Returns the server before, on whose disk the worker is.
    fn restore(&mut self, backup: &Path) -> Rig {
        let first = std::mem::replace(&mut self.rig, Rig::restored(backup, TYPES, false));
        self.worker.follow(&self.rig);
        first
    }

    /// A program, a link and a name that is no text: what a plain copy might lose.
    fn furnish(&self) {
        let work = self.home().join("work");
        let program = work.join("program");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o750)).unwrap();
        symlink("program", work.join("link")).unwrap();
        fs::write(work.join(odd_name()), "odd").unwrap();
        fs::create_dir(work.join("empty")).unwrap();
    }

    fn is_furnished(&self) {
        let work = self.home().join("work");
        let mode = fs::metadata(work.join("program"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o750);
        assert_eq!(
            fs::read_link(work.join("link")).unwrap(),
            Path::new("program")
        );
        assert_eq!(fs::read_to_string(work.join(odd_name())).unwrap(), "odd");
        assert!(work.join("empty").is_dir());
    }

    /// How many supervisors watch over servers on both machines.
    fn supervisors(&self) -> usize {
        self.supervisors_of("")
    }

    /// The same for the servers of one workspace.
    fn supervisors_of(&self, id: &str) -> usize {
        super::rig::supervisors(&[&self.rig.data(), &self.worker.data], id)
    }
}

/// Makes the workspace; returns its id.
fn create(rig: &Rig) -> String {
    let made = rig.cairn(&["ws", "create", "lab", "--env", "lab", "--json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// As `CAIRN_TEST_SEED` says, to do again what went wrong.
fn seed() -> u64 {
    let given = std::env::var("CAIRN_TEST_SEED");
    let seed = given.map_or_else(
        |_| u64::from(std::process::id()),
        |seed| seed.parse().unwrap(),
    );
    eprintln!("CAIRN_TEST_SEED={seed}");
    seed
}

/// Numbers that look random and are the same for the same seed. Sebastiano Vigna, "splitmix64".
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

fn odd_name() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(b"odd \xff name".to_vec())
}
