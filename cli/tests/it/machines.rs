//! Jobs and one declared card: one holder at a time, a visible queue, and nothing lost by a crash of the server.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rig::{Restart, Rig, has_uv};

const GPU: &str = r#"
[machines.gpu]
gpus = 1
gpu_model = "H100"
price_per_hour = "3600"

[machines.gpu-large]
gpus = 4
gpu_model = "H100"

[local]
name = "desk"
gpus = [{ id = "GPU-7", model = "NVIDIA H100 80GB HBM3" }]
"#;

/// Waits until it is let go.
fn waits() -> Vec<String> {
    let script = "while ! [ -e \"$CAIRN_OUTPUTS/go\" ]; do sleep 0.2; done";
    let words = [
        "run",
        "--json",
        "--machine",
        "gpu",
        "--",
        "sh",
        "-c",
        script,
    ];
    words.map(str::to_owned).to_vec()
}

/// Lets every job go that runs now.
fn let_go(rig: &Rig) {
    let attempts = std::fs::read_dir(rig.data().join("attempts"));
    for attempt in attempts.into_iter().flatten().flatten() {
        // Its folder may be on the way, or going.
        let _ = std::fs::write(attempt.path().join("outputs/go"), "");
    }
}

/// Lets a job go, and waits for its end.
fn completes(rig: &Rig, number: &str) -> Value {
    rig.until(&format!("{number} complete"), |rig| {
        let_go(rig);
        let job = job(rig, number);
        assert!(
            !["error", "stopped"].contains(&job["state"].as_str().unwrap()),
            "{job}"
        );
        (job["state"] == "complete").then_some(job)
    })
}

fn submit(rig: &Rig, arguments: &[String]) -> String {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = rig.cairn(&words);
    assert_eq!(said.code, 0, "{}", said.err);
    said.json()["number"].to_string()
}

fn job(rig: &Rig, number: &str) -> Value {
    let number: u64 = number.parse().unwrap();
    let jobs = rig.cairn(&["jobs", "--json"]).json();
    let mut found = jobs["items"].as_array().unwrap().iter();
    found.find(|job| job["number"] == number).unwrap().clone()
}

fn until(rig: &Rig, number: &str, state: &str) -> Value {
    rig.until(&format!("{number} {state}"), |rig| {
        let job = job(rig, number);
        let over = ["error", "stopped", "complete"].contains(&job["state"].as_str().unwrap());
        assert!(job["state"] == state || !over, "{job}");
        (job["state"] == state).then_some(job)
    })
}

fn queued(rig: &Rig, number: &str, position: u64) -> Value {
    rig.until(&format!("{number} waits as number {position}"), |rig| {
        let job = job(rig, number);
        (job["queue"]["position"] == position).then_some(job)
    })
}

/// Who holds the card.
fn card(rig: &Rig) -> Value {
    let machines = rig.cairn(&["machines", "--json"]).json();
    machines["machines"]["items"][0]["devices"][0].clone()
}

#[test]
fn two_jobs_share_one_card_one_after_the_other() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in_with(GPU);
    rig.write("x", "");
    let types = rig.cairn(&["machines", "--json"]).json();
    let gpu = &types["machine_types"]["items"][0];
    assert_eq!((&gpu["name"], &gpu["free"]), (&"gpu".into(), &1.into()));
    refused_at_once(&rig);

    let first = submit(&rig, &waits());
    let second = submit(&rig, &waits());
    let third = submit(&rig, &waits());
    let running = until(&rig, &first, "started");
    assert_eq!(running["machine_name"], "desk");
    assert_eq!(running["devices"], serde_json::json!(["GPU-7"]));
    assert_eq!(running["price_per_hour"], "3600.00");
    let waiting = queued(&rig, &second, 1);
    assert_eq!(
        waiting["queue"]["reason"],
        "The only GPU of its kind is in use."
    );
    assert_eq!(queued(&rig, &third, 2)["queue"]["length"], 2);
    assert_eq!(card(&rig)["run"]["number"].to_string(), first);

    assert_eq!(rig.cairn(&["stop", &second]).code, 0);
    assert_eq!(
        until(&rig, &second, "stopped")["attempt"],
        0,
        "it never ran"
    );
    queued(&rig, &third, 1);
    let ended = completes(&rig, &first);
    assert!(ended["cost"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    until(&rig, &third, "started");
    assert_eq!(card(&rig)["run"]["number"].to_string(), third);
    completes(&rig, &third);
    assert_eq!(card(&rig)["held"], false);
}

fn refused_at_once(rig: &Rig) {
    let refused = rig.cairn(&["run", "--machine", "gpu-large", "--", "true"]);
    assert_ne!(refused.code, 0);
    let why =
        "Machine type `gpu-large` wants 4 GPUs of model H100; the largest machine, desk, has 1.";
    assert!(refused.err.contains(why), "{}", refused.err);
    assert!(
        rig.cairn(&["ws", "create", "lab", "--machine", "gpu-large"])
            .code
            == 0
    );
    let refused = rig.cairn(&["ws", "start", "lab"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("wants 4 GPUs"), "{}", refused.err);
}

#[test]
fn a_killed_server_leaks_no_card_and_hands_none_out_twice() {
    if !has_uv() {
        return;
    }
    let mut rig = Rig::signed_in_with(GPU);
    rig.write("x", "");
    let first = submit(&rig, &waits());
    let second = submit(&rig, &waits());
    until(&rig, &first, "started");
    queued(&rig, &second, 1);
    rig.restart(Restart::Kill);
    assert_eq!(card(&rig)["run"]["number"].to_string(), first);
    queued(&rig, &second, 1);
    assert_eq!(completes(&rig, &first)["attempt"], 1);
    until(&rig, &second, "started");
    // The server dies at the moment at which the card changes hands once more.
    let_go(&rig);
    rig.restart(Restart::Kill);
    completes(&rig, &second);
    let third = submit(&rig, &waits());
    completes(&rig, &third);
    assert_eq!(card(&rig)["held"], false);
}

#[test]
fn a_drained_machine_finishes_what_it_has_and_takes_nothing_new() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in_with(GPU);
    rig.write("x", "");
    let first = submit(&rig, &waits());
    until(&rig, &first, "started");
    assert_eq!(rig.cairn(&["machines", "drain", "desk"]).code, 0);
    let second = submit(&rig, &waits());
    completes(&rig, &first);
    let waiting = queued(&rig, &second, 1);
    assert_eq!(waiting["queue"]["reason"], "desk takes no new work now.");
    assert_ne!(rig.cairn(&["machines", "rm", "desk"]).code, 0);
    assert_eq!(rig.cairn(&["machines", "undrain", "desk"]).code, 0);
    completes(&rig, &second);
}

#[test]
fn two_servers_on_one_database_run_each_their_own_and_nothing_twice() {
    if !has_uv() {
        return;
    }
    let first = Rig::signed_in_with("[local]\nname = \"desk\"\n");
    let Some(second) = first.second() else {
        eprintln!("skipped: the servers of this test share a PostgreSQL database");
        return;
    };
    let mut numbers = Vec::new();
    for rig in [&first, &second, &first, &second] {
        rig.write("x", "");
        let words = ["run", "--json", "--", "sh", "-c", "echo once"];
        numbers.push((rig, submit(rig, &words.map(str::to_owned))));
    }
    let mut where_they_ran = BTreeSet::new();
    for (rig, number) in &numbers {
        let done = until(rig, number, "complete");
        assert_eq!(done["attempt"], 1);
        assert_eq!(rig.cairn(&["logs", number]).out, "once\n");
        where_they_ran.insert((rig.url(), done["machine_name"].to_string()));
    }
    assert_eq!(
        where_they_ran.len(),
        2,
        "each on its own: {where_they_ran:?}"
    );
}
