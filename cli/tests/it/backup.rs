//! `cairn backup` of a server that works, and `cairn restore` of it elsewhere, on either database.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use super::rig::{Rig, has_uv, restore};

const CONFIG: &str = "environments.default.packages = [\"ipykernel\"]\n";

fn backup(rig: &Rig, name: &str) -> (PathBuf, Value) {
    let file = rig.path("..").join(name);
    let data = rig.data();
    let said = rig.cairn(&[
        "backup",
        file.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    (file, said.json())
}

/// What people see of data and jobs.
fn seen(rig: &Rig) -> [Value; 3] {
    let ask = |arguments: &[&str]| {
        let said = rig.cairn(arguments);
        assert_eq!(said.code, 0, "{}", said.err);
        said.json()
    };
    [
        ask(&["data", "ls", "digits", "--json"]),
        ask(&["jobs", "--json"]),
        ask(&["outputs", "1", "ls", "-r", "--json"]),
    ]
}

fn pull(rig: &Rig, version: &str) -> String {
    let said = rig.cairn(&["data", "pull", version, "../pulled", "--force"]);
    assert_eq!(said.code, 0, "{}", said.err);
    fs::read_to_string(rig.path("../pulled/a.txt")).unwrap()
}

#[test]
fn a_backup_comes_back_the_same_on_either_database() {
    if !has_uv() {
        return;
    }
    let first = Rig::signed_in();
    first.write("../scans/a.txt", "the first");
    assert_eq!(first.cairn(&["data", "push", "digits", "../scans"]).code, 0);
    let job = "import os; open(os.environ['CAIRN_OUTPUTS'] + '/o', 'w').write('left')";
    let run = ["run", "--wait", "--", "python", "-c", job];
    assert_eq!(first.cairn(&run).code, 0);
    let before = seen(&first);
    let token = fs::read_to_string(first.home().join("credentials")).unwrap();

    let (file, told) = backup(&first, "one.tar");
    assert_eq!(told["lost"], 0);
    no_secrets(&file, &[&token, &read(&first, "secret_key")]);
    assert!(token.contains("cairn_"), "{token}");
    let second = Rig::restored(&file, CONFIG, true);
    assert_eq!(seen(&second), before);
    assert_eq!(pull(&second, "digits:1"), "the first");
    // Numbers go on, and so do collections: the store is the database's.
    second.write("../scans/a.txt", "the second");
    assert_eq!(
        second.cairn(&["data", "push", "digits", "../scans"]).code,
        0
    );
    let collected = second.cairn(&["gc", "--json"]);
    assert_eq!(collected.code, 0, "{}", collected.err);

    let (file, _) = backup(&second, "two.tar.zst");
    let third = Rig::restored(&file, CONFIG, false);
    assert_eq!(seen(&third), seen(&second));
    assert_eq!(pull(&third, "digits:2"), "the second");
    let again = third.cairn(&run);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(
        third.cairn(&["jobs", "--json"]).json()["items"][0]["number"],
        2
    );
}

fn read(rig: &Rig, name: &str) -> String {
    let text = fs::read(rig.data().join(name)).unwrap();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// No token in these, and no long word without a name's dashes, is in a file.
fn no_secrets(file: &Path, secrets: &[&str]) {
    let content = fs::read(file).unwrap();
    for secret in secrets {
        let words = secret.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
        let is_secret = |word: &&str| {
            word.starts_with("cairn_") || (word.len() >= 32 && uuid::Uuid::parse_str(word).is_err())
        };
        for word in words.filter(is_secret) {
            let found = content
                .windows(word.len())
                .any(|part| part == word.as_bytes());
            assert!(!found, "a secret is in the backup");
        }
    }
}

#[test]
fn what_runs_goes_on_beside_a_backup_and_is_told_as_it_is_after_a_restore() {
    if !has_uv() {
        return;
    }
    let config = "environments.default.packages = [\"jupyterlab\"]\n";
    let rig = Rig::with_packages(&["jupyterlab"]);
    for words in [
        &["ws", "create", "notes"][..],
        &["ws", "start", "notes", "--wait"],
    ] {
        let said = rig.cairn(words);
        assert_eq!(said.code, 0, "{}", said.err);
    }
    let home = only(&rig.data().join("homes"));
    fs::write(home.join("work/thesis.ipynb"), "{\"cells\": []}").unwrap();
    let run = ["run", "--", "python", "-c", "import time; time.sleep(600)"];
    let mut follows = rig.command(&run).stderr(Stdio::null()).spawn().unwrap();
    rig.until("the job runs", |rig| {
        let jobs = rig.cairn(&["jobs", "--json"]).json();
        (jobs["items"][0]["state"] == "started").then_some(())
    });
    follows.kill().unwrap();
    follows.wait().unwrap();
    let file = beside_others(&rig);
    let jobs = rig.cairn(&["jobs", "--json"]).json();
    assert_eq!(jobs["items"][0]["state"], "started");

    let restored = Rig::restored(&file, config, true);
    let jobs = restored.cairn(&["jobs", "--json"]).json();
    assert_eq!(jobs["items"][0]["state"], "error");
    let said = jobs["items"][0]["message"].as_str().unwrap();
    assert!(said.contains("this server was restored"), "{said}");
    let list = restored.cairn(&["ws", "ls", "--json"]).json();
    assert_eq!(list["items"][0]["state"], "stopped");
    let started = restored.cairn(&["ws", "start", "notes", "--wait"]);
    assert_eq!(started.code, 0, "{}", started.err);
    let home = only(&restored.data().join("homes"));
    let thesis = fs::read_to_string(home.join("work/thesis.ipynb"));
    assert_eq!(thesis.unwrap(), "{\"cells\": []}");
    let versions = restored.cairn(&["data", "ls", "digits", "--json"]).json();
    let versions = versions["items"].as_array().unwrap().iter();
    for version in versions.filter(|version| version["retracted_ms"].is_null()) {
        let name = format!("digits:{}", version["number"]);
        let checked = restored.cairn(&["data", "verify", &name, "--full"]);
        assert_eq!(checked.code, 0, "{}", checked.err);
    }
}

/// A backup while versions are pushed and taken back and the store is collected.
fn beside_others(rig: &Rig) -> PathBuf {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = Done(&over);
        scope.spawn(|| {
            for round in 1.. {
                rig.write("../scans/a.txt", &format!("round {round}"));
                assert_eq!(rig.cairn(&["data", "push", "digits", "../scans"]).code, 0);
                if round > 2 {
                    let old = format!("digits:{}", round - 2);
                    assert_eq!(rig.cairn(&["data", "rm", &old]).code, 0);
                }
                if over.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                rig.cairn(&["gc"]);
            }
        });
        rig.until("something is pushed", |rig| {
            let versions = rig.cairn(&["data", "ls", "digits", "--json"]);
            (versions.code == 0 && versions.json()["items"][0]["number"] != json!(1)).then_some(())
        });
        let (file, told) = backup(rig, "busy.tar.zst");
        drop(done);
        assert_eq!(
            told["homes"],
            json!({"saved": 1, "older": [], "lacking": []})
        );
        assert_eq!(told["lost"], 0);
        file
    })
}

/// Tells others that it is over, also where a test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn only(folder: &Path) -> PathBuf {
    let there = fs::read_dir(folder).unwrap().flatten();
    let named = there.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths[0].clone()
}

#[test]
fn a_restore_that_is_killed_keeps_servers_away_until_it_is_finished() {
    let rig = Rig::signed_in();
    // Longer than a pipe holds, and not to be packed.
    let noise: Vec<u8> = (0..1_u32 << 18)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::create_dir(rig.path("../scans")).unwrap();
    fs::write(rig.path("../scans/noise"), noise).unwrap();
    assert_eq!(rig.cairn(&["data", "push", "digits", "../scans"]).code, 0);
    let (file, _) = backup(&rig, "one.tar");
    let bytes = fs::read(&file).unwrap();

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let mut half = restore(folder.path(), Path::new("-"));
    let mut half = half.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = half.stdin.take().unwrap();
    pipe.write_all(&bytes[..bytes.len() * 3 / 4]).unwrap();
    half.kill().unwrap();
    half.wait().unwrap();
    assert!(folder.path().join("data/restoring").exists());

    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    for words in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["user", "ls"],
        &["backup", "x"],
    ] {
        let said = rig.cairn(&[words, &["--data-dir", data]].concat());
        assert_eq!(said.code, 1);
        assert!(said.err.contains("was cut off"), "{words:?}: {}", said.err);
    }
    let mut done = restore(folder.path(), &file);
    let done = done.arg("--json").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8(done.stdout).unwrap();
    for key in ["manifests", "objects", "homes"] {
        assert_eq!(told.matches(&format!("\"{key}\":")).count(), 1, "{told}");
    }
    let users = rig.cairn(&["user", "ls", "--json", "--data-dir", data]);
    assert_eq!(users.json()["items"][0]["name"], "admin");
}

#[test]
fn what_is_not_in_a_backup_is_told_by_its_status() {
    let rig = Rig::signed_in();
    rig.write("../scans/a.txt", "the only one");
    assert_eq!(rig.cairn(&["data", "push", "digits", "../scans"]).code, 0);
    let hash = blake3::hash(b"the only one").to_hex();
    let object = rig
        .data()
        .join("store/objects")
        .join(&hash[..2])
        .join(&hash[2..]);
    fs::remove_file(object).unwrap();
    let data = rig.data();
    let said = rig.cairn(&["backup", "x.tar", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(
        said.err.contains("1 object of what is in use"),
        "{}",
        said.err
    );
    assert!(rig.path("x.tar").exists());
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let rig = Rig::signed_in();
    let data = rig.data();
    let data = data.to_str().unwrap();
    let (file, _) = backup(&rig, "one.tar");
    let file = file.to_str().unwrap();
    let refused = |words: &[&str], why: &str| {
        let said = rig.cairn(words);
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(said.err.contains(why), "{words:?}: {}", said.err);
    };
    refused(&["backup", file, "--data-dir", data], "is there already");
    refused(
        &["backup", "-", "--json", "--data-dir", data],
        "needs a file",
    );
    refused(
        &["backup", "/nowhere/x", "--data-dir", data],
        "cannot be written",
    );
    refused(
        &["backup", "x", "--data-dir", "/nowhere"],
        "no server keeps its data",
    );
    refused(
        &["restore", file, "--data-dir", data],
        "being served already",
    );
    rig.write("rubbish", "rubbish");
    refused(&["restore", "rubbish", "--data-dir", "new"], "not a backup");
    rig.write("used/homes/x/y", "");
    refused(
        &["restore", file, "--data-dir", "used"],
        "homes is not empty",
    );
    rig.write("used.toml", &format!("database = {:?}\n", rig.database()));
    let into_used = [
        "restore",
        file,
        "--data-dir",
        "new",
        "--config",
        "used.toml",
    ];
    refused(&into_used, "the database is not empty");
    assert!(
        !rig.path("new").exists(),
        "nothing is made for what is refused"
    );
    let there = fs::read_dir(rig.path("used")).unwrap().count();
    assert_eq!(there, 1, "nothing is made beside what is there");

    // Whoever takes it may go away, or have no room.
    let mut gone = rig.command(&["backup", "-", "--data-dir", data]);
    let mut gone = gone.stdout(Stdio::piped()).spawn().unwrap();
    drop(gone.stdout.take());
    assert_eq!(gone.wait().unwrap().code(), Some(1));
    let mut full = rig.command(&["backup", "-", "--data-dir", data]);
    let full = full.stdout(File::options().write(true).open("/dev/full").unwrap());
    let full = full.output().unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    assert!(said.contains("the disk is full"), "{said}");
    assert_eq!(full.status.code(), Some(1));
}
