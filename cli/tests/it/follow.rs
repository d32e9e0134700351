//! Following through the death of the server: every line once, and the job's own ending.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::rig::{Restart, Rig, has_uv};

#[test]
fn a_log_is_followed_through_the_death_of_the_server() {
    a_job_goes_on_through(Restart::Kill);
}

#[test]
fn a_log_is_followed_through_a_restart_of_the_service() {
    a_job_goes_on_through(Restart::Terminate);
}

#[test]
fn a_log_is_followed_through_an_upgrade() {
    a_job_goes_on_through(Restart::Upgrade);
}

fn a_job_goes_on_through(restart: Restart) {
    if !has_uv() {
        return;
    }
    let mut rig = Rig::signed_in();
    rig.write(
        "count.sh",
        "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 5",
    );
    let mut run = rig
        .command(&["run", "--wait", "--", "sh", "count.sh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut seen: Vec<String> = lines.by_ref().take(10).collect();
    rig.restart(restart);
    seen.extend(lines);
    let expected: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    assert_eq!(seen, expected, "every line exactly once, in its order");
    assert_eq!(run.wait().unwrap().code(), Some(5));
    assert_eq!(
        rig.cairn(&["logs", "1"]).out.lines().collect::<Vec<_>>(),
        expected
    );
}
