//! Runs that are held at a cell that failed, and go on or end. The question and its answer are files in a folder.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use kernels::{Answer, Held, Hold, HoldEnd};
use serde_json::{Value, json};

use super::bed::{self, Bed, Ran, notebook, wait_for};

/// Asks by `asked-N`, which holds why the answer before was refused, and reads the answer from `answer-N`; says the end in `over-N`.
pub(crate) struct Files(pub(crate) PathBuf);

#[async_trait]
impl Hold for Files {
    async fn ask(&self, held: &Held, refused: Option<&str>) -> Answer {
        let free = (1..1000).find(|count| !self.0.join(format!("asked-{count}")).exists());
        let count = free.unwrap();
        let asked = json!({"number": held.number, "cell": held.cell, "ename": held.ename, "refused": refused, "message": held.message});
        let temporary = self.0.join("asking");
        std::fs::write(&temporary, asked.to_string()).unwrap();
        std::fs::rename(temporary, self.0.join(format!("asked-{count}"))).unwrap();
        loop {
            if let Ok(text) = std::fs::read_to_string(self.0.join(format!("answer-{count}"))) {
                match text.as_str() {
                    "" => {}
                    "retry" => return Answer::Resume(None),
                    "away" => return Answer::GiveUp("the server is gone".to_owned()),
                    text => return Answer::Resume(Some(text.to_owned())),
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn over(&self, held: &Held, end: HoldEnd) -> bool {
        std::fs::write(self.0.join(format!("over-{}", held.number)), end.word()).unwrap();
        !self.0.join("late").exists()
    }
}

/// A run on its way, which is held for `limit_ms` where a cell fails.
struct Running<'a> {
    bed: &'a Bed,
    child: Child,
}

fn start<'a>(bed: &'a Bed, cells: &[&str], limit_ms: u64, more: &[&str]) -> Running<'a> {
    bed.write("in.ipynb", &notebook(cells).to_string());
    let limit_ms = limit_ms.to_string();
    let flags: Vec<&str> = ["--hold-ms", &limit_ms]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let mut command = bed.command(&flags, "out.ipynb");
    let child = command.env(bed::HOLD, bed.folder.path()).spawn().unwrap();
    Running { bed, child }
}

impl Running<'_> {
    /// Waits until the run asks for the `count`th time.
    fn asked(&self, count: u32) -> Value {
        let path = self.bed.path(&format!("asked-{count}"));
        wait_for(Duration::from_mins(1), "the question", || path.exists());
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn answer(&self, count: u32, text: &str) {
        self.bed.write("answering", text);
        std::fs::rename(
            self.bed.path("answering"),
            self.bed.path(&format!("answer-{count}")),
        )
        .unwrap();
    }

    fn ended(self) -> Ran {
        self.bed.ran(self.child.wait_with_output().unwrap())
    }
}

fn over(bed: &Bed, number: u32) -> String {
    std::fs::read_to_string(bed.path(&format!("over-{number}"))).unwrap()
}

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_corrected_notebook_goes_on_with_the_same_kernel() {
    let Some(bed) = Bed::new() else { return };
    let expensive = "import os\nopen('runs', 'a').write('x')\nvalue = 41\nprint('costly')";
    let run = start(
        &bed,
        &[expensive, "print(valeu + 1)", "print('never')"],
        HOUR_MS,
        &[],
    );
    let asked = run.asked(1);
    assert_eq!(
        (&asked["ename"], &asked["number"]),
        (&json!("NameError"), &json!(1))
    );
    assert_eq!(
        asked["cell"],
        json!({"number": 2, "total": 3, "title": "print(valeu + 1)"})
    );
    let saved: Value =
        serde_json::from_slice(&std::fs::read(bed.path("out.ipynb")).unwrap()).unwrap();
    assert_eq!(saved["cells"][1]["outputs"][0]["ename"], "NameError");
    run.answer(
        1,
        &notebook(&[
            expensive,
            "print(value + 1)",
            "more = value",
            "print('last', more)",
        ])
        .to_string(),
    );
    let ran = run.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "costly\n42\nlast 41\n");
    assert_eq!(
        std::fs::read_to_string(bed.path("runs")).unwrap(),
        "x",
        "what ran does not run again"
    );
    assert_eq!(ran.streams(0), [("stdout".into(), "costly\n".into())]);
    assert_eq!(ran.outputs(1).len(), 1, "the error is gone");
    tells_of_its_hold(&ran);
    assert_eq!(over(&bed, 1), "resumed");
}

fn tells_of_its_hold(ran: &Ran) {
    let statuses: Vec<_> = (0..4).map(|index| ran.status(index)).collect();
    assert_eq!(statuses, ["completed"; 4]);
    let resumed = &ran.notebook["metadata"]["cairn"]["resumed"][0];
    assert_eq!(
        (&resumed["cell"], &resumed["ename"], &resumed["corrected"]),
        (&json!(2), &json!("NameError"), &json!(true))
    );
    assert!(resumed["resumed_ms"].as_u64() >= resumed["held_ms"].as_u64());
    assert_eq!(
        ran.notebook["metadata"]["papermill"]["exception"],
        Value::Null
    );
    assert!(
        ran.stderr.contains("held: the kernel is kept for 3600 s"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("with a corrected notebook"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_cell_is_tried_again_as_often_as_wanted() {
    let Some(bed) = Bed::new() else { return };
    let flaky =
        "tries = globals().get('tries', 0) + 1\nprint('try', tries)\nassert tries == 3, tries";
    let run = start(&bed, &["x = 1", flaky, "print('done', x)"], HOUR_MS, &[]);
    for count in 1..=2 {
        assert_eq!(run.asked(count)["number"], json!(count));
        run.answer(count, "retry");
    }
    let ran = run.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.streams(1), [("stdout".into(), "try 3\n".into())]);
    let resumed = ran.notebook["metadata"]["cairn"]["resumed"]
        .as_array()
        .unwrap();
    assert_eq!(resumed.len(), 2);
}

#[test]
fn a_cell_that_ran_too_long_can_be_shortened() {
    let Some(bed) = Bed::new() else { return };
    let run = start(
        &bed,
        &["n = 60", "import time; time.sleep(n)", "print(n)"],
        HOUR_MS,
        &["--cell-timeout-ms", "1500"],
    );
    assert_eq!(run.asked(1)["ename"], "TimeLimitError");
    run.answer(1, &notebook(&["n = 60", "n = 0", "print(n)"]).to_string());
    let ran = run.ended();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "0\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_notebook_whose_earlier_cells_differ_is_refused_and_the_hold_goes_on() {
    let Some(bed) = Bed::new() else { return };
    bed.write("values.json", r#"{"n": 7}"#);
    let values = bed.path("values.json");
    let flags = ["--parameters", values.to_str().unwrap()];
    let run = start(
        &bed,
        &["#tag parameters\nn = 1", "m = n", "oops"],
        HOUR_MS,
        &flags,
    );
    assert_eq!(
        run.asked(1)["cell"]["number"],
        4,
        "the cell of parameters counts"
    );
    run.answer(1, "{}");
    assert!(
        run.asked(2)["refused"]
            .as_str()
            .unwrap()
            .contains("not a notebook")
    );
    run.answer(
        2,
        &notebook(&["#tag parameters\nn = 1", "m = n + 1", "print(m)"]).to_string(),
    );
    let refused = run.asked(3)["refused"].clone();
    let refused = refused.as_str().unwrap();
    assert!(refused.contains("code cell 3 (`m = n`)"), "{refused}");
    run.answer(
        3,
        &notebook(&["#tag parameters\nn = 1", "m = n", "print(m)"]).to_string(),
    );
    let ran = run.ended();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "7\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("the run is still held"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_hold_that_nobody_answers_ends_as_the_cell_did() {
    let Some(bed) = Bed::new() else { return };
    let run = start(&bed, &["1 / 0", "print('never')"], 700, &[]);
    run.asked(1);
    let ran = run.ended();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(over(&bed, 1), "expired");
    let told = ran.stderr.matches("raised ZeroDivisionError").count();
    assert_eq!(told, 1, "not said again at the end: {}", ran.stderr);
    assert_eq!(
        ran.notebook["metadata"]["papermill"]["exception"],
        json!(true)
    );
    assert_eq!(ran.notebook["metadata"]["cairn"], Value::Null);
}

#[test]
fn an_answer_at_the_last_moment_counts() {
    let Some(bed) = Bed::new() else { return };
    bed.write("late", "");
    let run = start(&bed, &["1 / 0", "print('on')"], 500, &[]);
    run.asked(2);
    run.answer(2, &notebook(&["1 / 1", "print('on')"]).to_string());
    let ran = run.ended();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "on\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nobody_to_ask_ends_the_hold_at_once() {
    let Some(bed) = Bed::new() else { return };
    let run = start(&bed, &["1 / 0"], HOUR_MS, &[]);
    run.answer(1, "away");
    let ran = run.ended();
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr
            .contains("cannot be held any longer: the server is gone"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_stop_ends_a_hold() {
    let Some(bed) = Bed::new() else { return };
    let run = start(&bed, &["1 / 0"], HOUR_MS, &[]);
    run.asked(1);
    let began = Instant::now();
    let killed = Command::new("kill")
        .arg(run.child.id().to_string())
        .status();
    assert!(killed.unwrap().success());
    let ran = run.ended();
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(over(&bed, 1), "stopped");
    assert!(
        ran.stderr.contains("error: stopped in cell 1 of 1"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_kernel_that_dies_while_held_ends_the_run() {
    let Some(bed) = Bed::new() else { return };
    let source = "import os\nopen('pid', 'w').write(str(os.getpid()))\n1 / 0";
    let run = start(&bed, &[source], HOUR_MS, &[]);
    run.asked(1);
    let kernel = std::fs::read_to_string(bed.path("pid")).unwrap();
    let killed = Command::new("kill").args(["-9", &kernel]).status();
    assert!(killed.unwrap().success());
    let ran = run.ended();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(over(&bed, 1), "died");
    assert!(
        ran.stderr.contains("while the run was held"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.outputs(0).last().unwrap()["ename"], "DeadKernelError");
}

#[test]
fn threads_of_the_kernel_print_on_while_it_is_held() {
    let Some(bed) = Bed::new() else { return };
    let source = "import threading, time\ndef later():\n    time.sleep(0.5)\n    print('from a thread', flush=True)\n    open('printed', 'w').close()\n    time.sleep(3)\n    print('after the correction', flush=True)\n    open('printed-2', 'w').close()\n\
                  threading.Thread(target=later).start()\n1 / 0";
    let run = start(&bed, &[source, "pass"], HOUR_MS, &[]);
    run.asked(1);
    wait_for(Duration::from_secs(20), "the thread", || {
        bed.path("printed").exists()
    });
    let patient = "while not os.path.exists('printed-2'): time.sleep(0.05)";
    run.answer(
        1,
        &notebook(&[&format!("import os\n{patient}"), "pass"]).to_string(),
    );
    let ran = run.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "from a thread\nafter the correction\n");
    // Which cell a thread's print belongs to is the kernel's to say; what came before the correction belongs to no cell that is left.
    let kept = ran.notebook.to_string();
    assert!(!kept.contains("from a thread"), "{kept}");
}

#[test]
fn what_has_run_otherwise_is_refused_also_where_it_is_not_source() {
    let Some(bed) = Bed::new() else { return };
    bed.write("p.json", r#"{"lr": 0.1}"#);
    let parameters = bed.path("p.json").to_string_lossy().into_owned();
    let cells = [
        "#tag parameters\nlr = 1.0",
        "#tag skip-execution\nhelper = 1",
        "1 / 0",
    ];
    let run = start(&bed, &cells, HOUR_MS, &["--parameters", &parameters]);
    run.asked(1);
    let executed: Value =
        serde_json::from_slice(&std::fs::read(bed.path("out.ipynb")).unwrap()).unwrap();
    let mut other = executed.clone();
    other["cells"][1]["source"] = json!("lr = 0.01");
    run.answer(1, &other.to_string());
    let refused = run.asked(2)["refused"].as_str().unwrap().to_owned();
    assert!(refused.contains("cell of parameters"), "{refused}");
    let mut other = executed.clone();
    other["cells"][2]["metadata"]["tags"] = json!([]);
    run.answer(2, &other.to_string());
    let refused = run.asked(3)["refused"].as_str().unwrap().to_owned();
    assert!(refused.contains("code cell 3"), "{refused}");
    let mut corrected = executed;
    corrected["cells"][3]["source"] = json!("print(lr)");
    run.answer(3, &corrected.to_string());
    let ran = run.ended();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "0.1\n"),
        "{}",
        ran.stderr
    );
}
