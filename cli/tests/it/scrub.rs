//! What is stored is read again in the background; damage is told, is taken only by who allows it, and heals.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::rig::{Restart, Rig, has_uv};

/// The last pass that has ended, and all that passes found.
fn passes(rig: &Rig) -> (i64, Vec<Value>) {
    let listed = rig.cairn(&["scrub", "--json"]).json();
    let items = listed["items"].as_array().unwrap();
    let ended = items.iter().find(|pass| pass["state"] == "done");
    let found = items
        .iter()
        .flat_map(|pass| pass["found"].as_array().unwrap());
    let found = found.cloned().collect();
    (
        ended.map_or(0, |pass| pass["number"].as_i64().unwrap()),
        found,
    )
}

/// Removes what was pushed with this text; gives its place.
fn lose(rig: &Rig, text: &str) -> PathBuf {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let place = format!("store/objects/{}/{}", &hash[..2], &hash[2..]);
    let place = rig.data().join(place);
    fs::remove_file(&place).unwrap();
    place
}

/// Turns a bit of what was pushed with this text.
fn spoil(rig: &Rig, text: &str) {
    fs::write(lose(rig, text), text.to_uppercase()).unwrap();
}

#[test]
fn damage_is_found_by_itself_and_heals_when_the_same_is_sent_again() {
    if !has_uv() {
        return;
    }
    let mut rig = Rig::signed_in_with("scrub_period_s = 1\n");
    rig.write("../scans/good.txt", "good");
    rig.write("../scans/bad.txt", "bad");
    let push = ["data", "push", "digits", "../scans"];
    assert_eq!(rig.cairn(&push).code, 0);
    rig.until("a pass ends", |rig| (passes(rig).0 > 0).then_some(()));
    assert_eq!(passes(&rig).1, [] as [Value; 0]);
    spoil(&rig, "bad");
    rig.restart(Restart::Kill);
    let damage = rig.until("the damage is found", |rig| passes(rig).1.pop());
    assert_eq!(damage["files"][0]["path"], "bad.txt");
    assert_eq!(damage["integrity"], "partial");
    let version = json!({"kind": "version", "project": "admin", "name": "digits:1"});
    let concerns = damage["concerns"].as_array().unwrap();
    assert_eq!(
        (&concerns[0]["kind"], &concerns[0]["name"]),
        (&version["kind"], &version["name"])
    );
    let now = passes(&rig).0;
    rig.until("two more passes end", |rig| {
        (passes(rig).0 > now + 1).then_some(())
    });
    assert_eq!(passes(&rig).1.len(), 1, "what is known is not told again");
    let said = rig.cairn(&["scrub"]);
    assert!(said.out.contains("damaged bad.txt"), "{}", said.out);
    used_only_where_it_is_allowed(&rig);

    lose(&rig, "good");
    let more = rig.until("more damage to the same version is told", |rig| {
        let mut found = passes(rig).1.into_iter();
        found.rfind(|one| one["files"][0]["path"] == "good.txt")
    });
    assert_eq!(more["integrity"], "partial");
    assert_eq!(rig.cairn(&push).code, 0);
    rig.until("a pass finds it whole again", |rig| {
        let version = rig.cairn(&["data", "ls", "digits", "--json"]).json();
        version
            .to_string()
            .contains("\"integrity\":\"ok\"")
            .then_some(())
    });
    let whole = rig.cairn(&[
        "run",
        "--wait",
        "--input",
        "digits:1",
        "--",
        "ls",
        "/cairn/inputs/digits",
    ]);
    assert_eq!(whole.code, 0, "{}", whole.err);
}

fn used_only_where_it_is_allowed(rig: &Rig) {
    let look = [
        "--input",
        "digits:1",
        "--",
        "sh",
        "-c",
        "ls $CAIRN_INPUTS/digits",
    ];
    let refused = rig.cairn(&[&["run", "--wait"], &look[..]].concat());
    assert_ne!(refused.code, 0);
    let says = refused.err.contains("\"bad.txt\"") && refused.err.contains("--allow-damaged");
    assert!(says, "{}", refused.err);
    let ran = rig.cairn(&[&["run", "--wait", "--allow-damaged"], &look[..]].concat());
    assert_eq!((ran.code, &*ran.out), (0, "good.txt\n"), "{}", ran.err);
    let jobs = rig.cairn(&["jobs", "--json"]).json();
    let left_out = &jobs["items"][0]["inputs"][0]["left_out"];
    assert_eq!(left_out["paths"], json!(["bad.txt"]));
}
