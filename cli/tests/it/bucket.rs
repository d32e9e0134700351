//! A service whose store is in a bucket, by the real binary: passed over, with the reason printed, where `CAIRN_TEST_S3` names no server.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::rig::{Rig, has_uv, restore};

const PACKAGES: &str = "environments.default.packages = [\"ipykernel\"]\n";

/// `[s3]` for a part of a test server's bucket that nobody else uses.
fn bucket() -> Option<String> {
    let Ok(addresses) = std::env::var("CAIRN_TEST_S3") else {
        eprintln!("skipped: CAIRN_TEST_S3 names no servers");
        return None;
    };
    let endpoint = addresses.split_whitespace().next().unwrap();
    let prefix = uuid::Uuid::new_v4();
    Some(format!(
        "\n[s3]\nbucket = \"cairn\"\nendpoint = \"{endpoint}\"\nprefix = \"it/{prefix}/\"\naccess_key_id = \"cairn\"\nsecret_access_key = \"cairn-secret\"\n"
    ))
}

fn ok(rig: &Rig, arguments: &[&str]) -> Value {
    let said = rig.cairn(arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    if arguments.contains(&"--json") {
        said.json()
    } else {
        Value::Null
    }
}

/// Removes every copy that this host has.
fn lose(rig: &Rig) {
    for space in ["objects", "manifests"] {
        for folder in fs::read_dir(rig.data().join("store").join(space)).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }
}

fn work(rig: &Rig) {
    rig.write("../scans/a.txt", "the first");
    rig.write("../scans/deep/b.txt", &"long ".repeat(60_000));
    ok(rig, &["data", "push", "digits", "../scans"]);
    let job = "import os, shutil; shutil.copytree(os.environ['CAIRN_INPUTS'] + '/digits', os.environ['CAIRN_OUTPUTS'] + '/seen')";
    let run = [
        "run", "--wait", "--input", "digits:1", "--", "python", "-c", job,
    ];
    ok(rig, &run);
}

fn is_whole(rig: &Rig, job: &str) {
    let folder = rig.path("../got");
    let _ = fs::remove_dir_all(&folder);
    ok(rig, &["outputs", job, "get", folder.to_str().unwrap()]);
    let read = |path: &str| fs::read_to_string(folder.join("seen").join(path)).unwrap();
    assert_eq!(read("a.txt"), "the first");
    assert_eq!(read("deep/b.txt"), "long ".repeat(60_000));
}

#[test]
fn work_goes_on_from_a_bucket_when_the_disk_has_lost_everything() {
    let Some(bucket) = bucket().filter(|_| has_uv()) else {
        return;
    };
    let rig = Rig::signed_in_with(&format!("gc_interval_s = 0\n{bucket}"));
    work(&rig);
    lose(&rig);
    is_whole(&rig, "1");
    lose(&rig);
    let again = [
        "run",
        "--wait",
        "--input",
        "digits:1",
        "--",
        "python",
        "-c",
        "import os; print(len(os.listdir(os.environ['CAIRN_INPUTS'] + '/digits')))",
    ];
    ok(&rig, &again);
    ok(&rig, &["data", "verify", "digits:1", "--full"]);
    ok(&rig, &["gc", "--json"]);
    let doctor = rig.cairn(&["doctor", "--data-dir", rig.data().to_str().unwrap()]);
    assert!(doctor.out.contains("s3://cairn/it/"), "{}", doctor.out);
    assert!(!doctor.out.contains("cairn-secret"), "{}", doctor.out);
}

#[test]
fn a_store_moves_from_files_to_a_bucket_and_back() {
    let Some(bucket) = bucket().filter(|_| has_uv()) else {
        return;
    };
    let files = Rig::signed_in();
    work(&files);
    let first = backup(&files, "first.tar");
    let config = format!("{PACKAGES}{bucket}");
    let moved = Rig::restored(&first, &config, true);
    lose(&moved);
    is_whole(&moved, "1");
    moved.write("../scans/c.txt", "since then");
    ok(&moved, &["data", "push", "digits", "../scans"]);
    let second = backup(&moved, "second.tar");
    // The bucket has a database now: another one does not get it.
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("cairn.toml"), &config).unwrap();
    let refused = restore(other.path(), &second).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("another Cairn's store"), "{said}");
    let back = Rig::restored(&second, PACKAGES, true);
    is_whole(&back, "1");
    let versions = ok(&back, &["data", "ls", "digits", "--json"]);
    assert!(versions.to_string().contains("\"number\":2"), "{versions}");
}

fn backup(rig: &Rig, name: &str) -> std::path::PathBuf {
    let file = rig.path("..").join(name);
    let data = rig.data();
    let [place, data] = [&file, &data]
        .map(|path: &std::path::PathBuf| Path::new(path).to_str().unwrap().to_owned());
    ok(rig, &["backup", &place, "--data-dir", &data, "--json"]);
    file
}
