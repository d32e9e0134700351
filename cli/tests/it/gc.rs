//! `cairn gc`: what nothing uses goes, by command and by itself.

use std::fs;

use super::rig::{Rig, has_uv};

/// How many objects the server's store has.
fn objects(rig: &Rig) -> usize {
    let folders = fs::read_dir(rig.data().join("store/objects")).unwrap();
    folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .count()
}

fn is_there(rig: &Rig, text: &str) -> bool {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let place = format!("store/objects/{}/{}", &hash[..2], &hash[2..]);
    rig.data().join(place).exists()
}

#[test]
fn a_version_that_was_taken_back_is_said_to_go_then_goes_and_others_stay() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in_with("gc_interval_s = 2\n");
    rig.write("../scans/same.txt", "the same");
    rig.write("../scans/old.txt", "the old one");
    let push = ["data", "push", "digits", "../scans"];
    assert_eq!(rig.cairn(&push).code, 0);
    fs::remove_file(rig.path("../scans/old.txt")).unwrap();
    assert_eq!(rig.cairn(&push).code, 0);
    assert_eq!(rig.cairn(&["data", "rm", "digits:1"]).code, 0);
    let would = rig.cairn(&["gc", "--dry-run"]);
    assert_eq!(would.code, 0, "{}", would.err);
    assert!(would.out.contains("digits:1"), "{}", would.out);
    assert!(is_there(&rig, "the old one"));
    rig.until("the old file goes by itself", |rig| {
        (!is_there(rig, "the old one")).then_some(())
    });
    assert!(is_there(&rig, "the same"));
    assert!(objects(&rig) > 0);
    let done = rig.until("a round can be had", |rig| {
        let done = rig.cairn(&["gc", "--json"]);
        // Others run by themselves.
        (done.code == 0).then(|| done.json())
    });
    assert_eq!(done["state"], "done");
    assert_eq!(done["report"]["unreadable"], serde_json::json!([]));
    let pulled = rig.cairn(&["data", "pull", "digits:2", "../back"]);
    assert_eq!(pulled.code, 0, "{}", pulled.err);
}
