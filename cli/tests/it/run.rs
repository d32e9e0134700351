//! `cairn run -- python train.py` from a folder: the job, its log, its outputs, its exit status.

use super::rig::{Rig, has_uv};

const TRAIN: &str = r#"
import json, os, sys
for step in range(3):
    print(json.dumps({"step": step, "loss": 1 / (step + 1)}))
print("a warning", file=sys.stderr)
outputs = os.environ["CAIRN_OUTPUTS"]
os.makedirs(os.path.join(outputs, "deep/er"), exist_ok=True)
with open(os.path.join(outputs, "deep/er/model.bin"), "w") as file:
    file.write("weights" * 1000)
"#;

#[test]
fn a_local_folder_runs_as_a_job() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    rig.write("train.py", TRAIN);
    rig.write(".env", "SECRET=1");
    rig.write(".gitignore", "*.log\n");
    rig.write("noise.log", "noise");
    runs_with_log_and_metadata(&rig);
    outputs_are_fetched_and_not_overwritten(&rig);
    outputs_are_the_next_jobs_input(&rig);
}

fn runs_with_log_and_metadata(rig: &Rig) {
    let arguments = [
        "run", "--wait", "--param", "lr=0.1", "--param", "name=x", "--", "python", "train.py",
    ];
    let said = rig.cairn(&arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(
        said.out.lines().count(),
        3,
        "stdout is the job's: {}",
        said.out
    );
    assert!(
        said.err.contains("a warning"),
        "stderr is the job's: {}",
        said.err
    );
    assert!(
        said.err.contains(".env (looks like a credential)"),
        "{}",
        said.err
    );
    let jobs = rig.cairn(&["jobs", "--json"]).json();
    let job = &jobs["items"][0];
    assert_eq!(job["state"], "complete");
    assert_eq!(
        job["parameters"],
        serde_json::json!({ "lr": 0.1, "name": "x" })
    );
    assert_eq!(job["metadata"]["step"], 2);
    assert_eq!(rig.cairn(&["logs", "1"]).out, said.out);
}

fn outputs_are_fetched_and_not_overwritten(rig: &Rig) {
    let list = rig
        .cairn(&["outputs", "1", "ls", "--recursive", "--json"])
        .json();
    assert_eq!(list["items"][0]["path"], "deep/er/model.bin");
    let model = rig.path("../out/deep/er/model.bin");
    assert_eq!(rig.cairn(&["outputs", "1", "get", "../out"]).code, 0);
    assert_eq!(
        std::fs::read_to_string(&model).unwrap(),
        "weights".repeat(1000)
    );
    let again = rig.cairn(&["outputs", "1", "get", "../out"]);
    assert_eq!(again.code, 0);
    assert!(
        again.err.contains("1 more were there already"),
        "{}",
        again.err
    );
    std::fs::write(&model, "mine").unwrap();
    let kept = rig.cairn(&["outputs", "1", "get", "../out"]);
    assert_eq!(kept.code, 1);
    assert!(kept.err.contains("--force"), "{}", kept.err);
    assert_eq!(std::fs::read_to_string(&model).unwrap(), "mine");
}

fn outputs_are_the_next_jobs_input(rig: &Rig) {
    rig.write(
        "use.sh",
        "wc -c < \"$CAIRN_INPUTS/model/deep/er/model.bin\"; ls",
    );
    let said = rig.cairn(&["run", "--wait", "--input", "model=#1", "--", "sh", "use.sh"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let words: Vec<&str> = said.out.split_whitespace().collect();
    assert_eq!(
        words,
        ["7000", "train.py", "use.sh"],
        "ignored files are not sent"
    );
    rig.until("nothing is mounted for a job that has ended", |rig| {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let place = rig.data().join("store/mnt");
        (!table.contains(place.to_str()?)).then_some(())
    });
}

#[test]
fn a_failure_is_followed_by_other_attempts() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    rig.write("x", "");
    let again = [
        "run",
        "--wait",
        "--json",
        "--retries=2",
        "--tag=often",
        "--",
        "sh",
        "-c",
        "exit 9",
    ];
    let said = rig.cairn(&again);
    let job = said.json();
    assert_eq!(said.code, 9);
    assert_eq!(
        (&job["attempt"], &job["failures"], &job["tags"][0]),
        (&3.into(), &2.into(), &"often".into())
    );
    let found = rig.cairn(&["jobs", "--json", "tag=often"]).json();
    assert_eq!(found["items"][0]["id"], job["id"]);
}

#[test]
fn wait_exits_as_the_job_did() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    rig.write("x", "");
    let code = |arguments: &[&str]| rig.cairn(arguments).code;
    assert_eq!(code(&["run", "--wait", "--", "sh", "-c", "exit 7"]), 7);
    assert_eq!(
        code(&["run", "--wait", "--", "sh", "-c", "kill -9 $$"]),
        137
    );
    assert_eq!(
        code(&["run", "--", "sh", "-c", "exit 7"]),
        0,
        "accepted is enough without --wait"
    );
    assert_eq!(
        code(&["run", "--wait", "--env", "nowhere", "--", "true"]),
        125
    );
    assert_eq!(code(&["run", "--wait", "--notebook", "missing.ipynb"]), 125);

    let job = rig.cairn(&["run", "--json", "--", "sleep", "1000"]).json();
    let number = job["number"].to_string();
    assert_eq!(code(&["stop", &number]), 0);
    assert_eq!(rig.cairn(&["logs", "-f", &number]).code, 0);
    let waiting = rig
        .command(&[
            "run",
            "--wait",
            "--",
            "sh",
            "-c",
            "echo up; exec sleep 1000",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut waiting = waiting.unwrap();
    let mut line = [0; 3];
    std::io::Read::read_exact(waiting.stdout.as_mut().unwrap(), &mut line).unwrap();
    let latest =
        rig.cairn(&["jobs", "--limit", "1", "--json"]).json()["items"][0]["number"].to_string();
    assert_eq!(code(&["stop", &latest]), 0);
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
}
