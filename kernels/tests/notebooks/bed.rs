//! Starts the runner on small notebooks and reads what came of it. The environment comes from `deploy/testbed/python.sh`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};

/// The folder with notebooks of one test.
pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) environment: PathBuf,
}

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) notebook: Value,
}

#[derive(Parser)]
struct Runner {
    #[command(flatten)]
    args: kernels::ExecuteArgs,
}

const ARGUMENTS: &str = "KERNELS_TEST_ARGUMENTS";
/// The folder in which a run that is held asks, see [`super::hold`].
pub(crate) const HOLD: &str = "KERNELS_TEST_HOLD";
/// What the test harness prints before a test that runs alone.
const PREAMBLE: &str = "\nrunning 1 test\n";

/// Not a test: the runner, when a test has started this binary again.
#[expect(
    clippy::disallowed_methods,
    reason = "in the process of the runner this is the main function"
)]
#[test]
fn runner() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    let arguments: Vec<String> = serde_json::from_str(&arguments).unwrap();
    let arguments = std::iter::once("runner".to_owned()).chain(arguments);
    let hold = std::env::var_os(HOLD).map(|folder| super::hold::Files(folder.into()));
    let hold = hold.as_ref().map(|hold| hold as &dyn kernels::Hold);
    let code = kernels::main_execute(Runner::parse_from(arguments).args, hold);
    std::process::exit(code.into());
}

impl Bed {
    /// The test's folder, or `None` after saying why the test is skipped.
    pub(crate) fn new() -> Option<Self> {
        let named = std::env::var_os("CAIRN_TEST_PYTHON_ENV").map(PathBuf::from);
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
        let environment =
            named.unwrap_or_else(|| cache.unwrap_or_else(home).join("cairn-testbed/kernels"));
        if !environment.join("bin/python").exists() {
            eprintln!("skipped: no Python environment; deploy/testbed/python.sh makes it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            folder,
            environment,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.environment.join("bin/python")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs cells of Python.
    pub(crate) fn run_cells(&self, cells: &[&str], flags: &[&str]) -> Ran {
        self.write("in.ipynb", &notebook(cells).to_string());
        self.run(flags)
    }

    /// Runs `in.ipynb`.
    pub(crate) fn run(&self, flags: &[&str]) -> Ran {
        let child = self.start(flags);
        self.ran(child.wait_with_output().unwrap())
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Child {
        self.command(flags, "out.ipynb").spawn().unwrap()
    }

    pub(crate) fn command(&self, flags: &[&str], output: &str) -> Command {
        let mut arguments = vec![
            self.path("in.ipynb").to_string_lossy().into_owned(),
            "--output".into(),
            self.path(output).to_string_lossy().into_owned(),
            "--environment".into(),
            self.environment.to_string_lossy().into_owned(),
        ];
        arguments.extend(flags.iter().map(ToString::to_string));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["notebooks::bed::runner", "--exact", "--nocapture"])
            .env(ARGUMENTS, serde_json::to_string(&arguments).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn ran(&self, output: Output) -> Ran {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let notebook = std::fs::read(self.path("out.ipynb")).ok();
        Ran {
            code: output.status.code(),
            stdout: stdout.strip_prefix(PREAMBLE).unwrap_or(&stdout).to_owned(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            notebook: notebook.map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap()),
        }
    }
}

impl Ran {
    pub(crate) fn cell(&self, index: usize) -> &Value {
        &self.notebook["cells"][index]
    }

    pub(crate) fn outputs(&self, index: usize) -> &Vec<Value> {
        self.cell(index)["outputs"].as_array().unwrap()
    }

    /// The text of a cell's streams, as `(name, text)`.
    pub(crate) fn streams(&self, index: usize) -> Vec<(String, String)> {
        let outputs = self.outputs(index).iter();
        let streams = outputs.filter(|output| output["output_type"] == "stream");
        streams
            .map(|output| {
                (
                    output["name"].as_str().unwrap().to_owned(),
                    joined(&output["text"]),
                )
            })
            .collect()
    }

    pub(crate) fn status(&self, index: usize) -> &str {
        self.cell(index)["metadata"]["papermill"]["status"]
            .as_str()
            .unwrap()
    }
}

/// A text that a notebook may hold as a list of lines.
pub(crate) fn joined(text: &Value) -> String {
    match text {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap()).collect(),
        other => panic!("not a text: {other}"),
    }
}

/// A notebook of Python with these code cells; one that begins with `#tag NAME` carries that tag.
pub(crate) fn notebook(cells: &[&str]) -> Value {
    let cell = |(index, source): (usize, &&str)| {
        let tag = source
            .strip_prefix("#tag ")
            .and_then(|rest| rest.split_whitespace().next());
        let metadata = tag.map_or_else(|| json!({}), |tag| json!({"tags": [tag]}));
        json!({
            "cell_type": "code", "execution_count": null, "id": format!("cell-{index}"),
            "metadata": metadata, "outputs": [], "source": source,
        })
    };
    json!({
        "cells": cells.iter().enumerate().map(cell).collect::<Vec<_>>(),
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4, "nbformat_minor": 5,
    })
}

/// Waits until `condition` holds; panics after `limit`.
pub(crate) fn wait_for(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < limit,
            "{what} did not come within {limit:?}"
        );
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Whether any process still has `text` in its command line.
pub(crate) fn is_running(text: &Path) -> bool {
    let text = text.to_string_lossy().into_owned();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let mut lines = processes
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(&text))
}
