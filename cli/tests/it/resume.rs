//! A notebook job whose cell fails is held, and goes on with a corrected notebook in the same kernel.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::rig::{Restart, Rig, has_uv};

fn notebook(cells: &[&str]) -> String {
    let cell = |source: &&str| json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": source});
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    let metadata = json!({"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}});
    json!({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}).to_string()
}

const COSTLY: &str = "import os\nvalue = 41\nprint('costly', os.getpid())";

/// Submits a notebook whose second cell fails, and waits until its job is held; gives its hold.
fn held(rig: &Rig) -> Value {
    held_on(rig, &[])
}

/// The same on another machine type.
fn held_on(rig: &Rig, place: &[&str]) -> Value {
    rig.write(
        "train.ipynb",
        &notebook(&[COSTLY, "print(valeu + 1)", "print('end')"]),
    );
    let words = ["run", "--notebook", "train.ipynb", "--hold-on-error", "2h"];
    let accepted = rig.cairn(&[&words[..], place, &["--json"]].concat());
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert_eq!(accepted.json()["hold_ms"], 7_200_000);
    rig.until("the hold", |rig| {
        let hold = job(rig)["hold"].clone();
        hold.is_object().then_some(hold)
    })
}

fn job(rig: &Rig) -> Value {
    rig.cairn(&["jobs", "--json"]).json()["items"][0].clone()
}

/// The whole record of the job once it is over; lists leave out how often it was held.
fn ended(rig: &Rig) -> Value {
    rig.until("the end", |rig| {
        let job = job(rig);
        let is_over = ["complete", "error", "stopped"].contains(&job["state"].as_str().unwrap());
        is_over.then_some(())
    });
    let token = rig.cairn(&["token", "create", "--name", "look", "--json"]);
    let token = format!(
        "Authorization: Bearer {}",
        token.json()["token"].as_str().unwrap()
    );
    let job = format!("{}/api/v1/projects/admin/jobs/1", rig.url());
    let shown = Command::new("curl")
        .args(["-sSf", "-H", &token, &job])
        .output();
    serde_json::from_slice(&shown.unwrap().stdout).unwrap()
}

#[test]
fn a_failed_cell_is_corrected_and_the_job_completes() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    let hold = held(&rig);
    assert_eq!(
        (&hold["cell_number"], &hold["cells"], &hold["ename"]),
        (&json!(2), &json!(3), &json!("NameError"))
    );
    let listed = rig.cairn(&["jobs"]);
    assert!(listed.out.contains("started, held"), "{}", listed.out);
    assert!(
        listed.err.contains("cairn resume admin#1 NOTEBOOK"),
        "{}",
        listed.err
    );
    let mut follow = rig
        .command(&["logs", "1", "-f"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(
        lines.any(|line| line.contains("admin#1 is held until")),
        "a follower is told"
    );
    notebooks_of_no_use_are_refused(&rig);
    goes_on_with_the_second_answer(&rig);
    the_record_tells_of_it(&rig);
    assert!(follow.wait().unwrap().success());
    let late = rig.cairn(&["resume", "1"]);
    assert!(
        late.code == 1 && late.err.contains("not held"),
        "{}",
        late.err
    );
}

fn notebooks_of_no_use_are_refused(rig: &Rig) {
    rig.write("other.ipynb", &notebook(&["value = 1", "print(value + 1)"]));
    let refused = rig.cairn(&["resume", "1", "other.ipynb"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("code cell 1") && refused.err.contains("still held"),
        "{}",
        refused.err
    );
    rig.write("none.ipynb", "[]");
    let refused = rig.cairn(&["resume", "1", "none.ipynb"]);
    assert!(
        refused.code == 1 && refused.err.contains("not a notebook"),
        "{}",
        refused.err
    );
}

fn goes_on_with_the_second_answer(rig: &Rig) {
    let again = rig.cairn(&["resume", "1"]);
    assert_eq!(again.code, 0, "{}", again.err);
    rig.until("the second hold", |rig| {
        (job(rig)["hold"]["number"] == 2).then_some(())
    });
    rig.write(
        "fixed.ipynb",
        &notebook(&[COSTLY, "print(value + 1)", "print('better', os.getpid())"]),
    );
    let resumed = rig.cairn(&["resume", "1", "fixed.ipynb"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert!(resumed.err.contains("goes on"), "{}", resumed.err);
}

fn the_record_tells_of_it(rig: &Rig) {
    let job = ended(rig);
    assert_eq!(
        (&job["state"], &job["hold"]),
        (&json!("complete"), &Value::Null),
        "{job}"
    );
    let holds = job["holds"].as_array().unwrap();
    let states: Vec<_> = holds
        .iter()
        .map(|hold| hold["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["resumed", "resumed"]);
    assert_eq!(holds[0]["notebook_hash"], Value::Null);
    assert_eq!(
        holds[1]["notebook_hash"].as_str().unwrap().len(),
        64,
        "the record tells that the code changed"
    );
    assert_eq!(holds[1]["resumed_by_name"], "admin");
    let log = rig.cairn(&["logs", "1"]).out;
    let pid = log
        .lines()
        .next()
        .unwrap()
        .strip_prefix("costly ")
        .unwrap()
        .to_owned();
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        [
            format!("costly {pid}"),
            "42".to_owned(),
            format!("better {pid}")
        ]
    );
    assert_eq!(rig.cairn(&["outputs", "1", "get", "out"]).code, 0);
    let kept = std::fs::read_to_string(rig.path("out/train.ipynb")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(
        kept["metadata"]["cairn"]["resumed"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_hold_outlives_the_death_of_the_server() {
    if !has_uv() {
        return;
    }
    let mut rig = Rig::signed_in();
    held(&rig);
    rig.restart(Restart::Kill);
    assert_eq!(job(&rig)["hold"]["state"], "held");
    rig.write("fixed.ipynb", &notebook(&[COSTLY, "print(value + 1)"]));
    let resumed = rig.cairn(&["resume", "1", "fixed.ipynb"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert_eq!(ended(&rig)["state"], "complete");
    assert!(rig.cairn(&["logs", "1"]).out.ends_with("42\n"));
}

#[test]
fn a_job_that_is_held_is_stopped() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    held(&rig);
    assert_eq!(rig.cairn(&["stop", "1"]).code, 0);
    let job = ended(&rig);
    assert_eq!(
        (&job["state"], &job["holds"][0]["state"]),
        (&json!("stopped"), &json!("stopped")),
        "{job}"
    );
}

#[test]
fn a_job_in_a_container_is_held_and_goes_on() {
    let Some(socket) = super::engine::socket() else {
        return;
    };
    let socket = format!("docker_socket = {:?}\n", socket.display().to_string());
    let types =
        "[environments.base]\nimage = \"cairn/base\"\n[machines.box]\nruntime = \"docker\"\n";
    let rig = Rig::signed_in_with(&[&socket, types].concat());
    held_on(&rig, &["--machine", "box", "--env", "base"]);
    rig.write("fixed.ipynb", &notebook(&[COSTLY, "print(value + 1)"]));
    let resumed = rig.cairn(&["resume", "1", "fixed.ipynb"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert_eq!(ended(&rig)["state"], "complete");
    assert!(rig.cairn(&["logs", "1"]).out.ends_with("42\n"));
}
