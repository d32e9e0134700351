//! What a headless run of 100 cells costs, beside the bare kernel and beside papermill: the start of the kernel included, and of us and of papermill the
//! whole process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::report::{Figure, Report, median};

const CELLS: usize = 100;
const TURNS: usize = 5;
/// What each cell does: a few milliseconds of work, and an output of each kind that is frequent.
const CELL: &str = "total = sum(i * i for i in range(40_000))\nprint('cell <i>', total)\ntotal";

/// Runs the cells of a notebook in a kernel, one after the other, and does nothing else. Prints the milliseconds from the start of the kernel to
/// the end of the last cell: what comes before and after is this script's own.
const BARE: &str = r"
import json, sys, time
from jupyter_client.manager import start_new_kernel
began = time.monotonic()
manager, client = start_new_kernel(kernel_name='python3')
for cell in json.load(open(sys.argv[1]))['cells']:
    asked = client.execute(cell['source'])
    while True:
        told = client.get_iopub_msg(timeout=60)
        if told['parent_header'].get('msg_id') == asked and told['content'].get('execution_state') == 'idle':
            break
print((time.monotonic() - began) * 1000)
client.stop_channels()
manager.shutdown_kernel(now=True)
";

/// The environment that the variable names (`deploy/testbed/python.sh` makes one).
fn environment() -> Option<PathBuf> {
    let path = std::env::var_os("CAIRN_TEST_PYTHON_ENV").map(PathBuf::from)?;
    path.join("bin/papermill").exists().then_some(path)
}

/// Adds both figures.
///
/// # Errors
/// Without a Python environment.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let environment = environment().context("CAIRN_TEST_PYTHON_ENV names no environment")?;
    let folder = tempfile::tempdir()?;
    let stage = Stage {
        environment,
        folder: folder.path(),
    };
    std::fs::write(stage.folder.join("in.ipynb"), notebook().to_string())?;
    let mut times: [Vec<f64>; 3] = Default::default();
    // The first turn warms the caches of all three.
    for turn in 0..=TURNS {
        let took = [stage.ours()?, stage.bare()?, stage.papermill()?];
        if turn > 0 {
            for (all, one) in times.iter_mut().zip(took) {
                all.push(one);
            }
        }
    }
    let all = json!({"ours_ms": times[0], "bare_ms": times[1], "papermill_ms": times[2]});
    let [ours, bare, papermill] = times.each_mut().map(|times| median(times));
    report.add(&Figure {
        name: "notebook.run_100_cells",
        ours,
        peer: bare,
        goal: "<=1.05",
        met: ours <= bare * 1.05,
        detail: all,
    })?;
    report.add(&Figure {
        name: "notebook.run_100_cells_vs_papermill",
        ours,
        peer: papermill,
        goal: "<1",
        met: ours < papermill,
        detail: json!({}),
    })
}

fn notebook() -> Value {
    let cell = |at: usize| {
        let source = CELL.replace("<i>", &at.to_string());
        json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": null, "outputs": []})
    };
    let cells: Vec<Value> = (0..CELLS).map(cell).collect();
    let kernel = json!({"display_name": "Python 3", "language": "python", "name": "python3"});
    json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells})
}

struct Stage<'a> {
    environment: PathBuf,
    folder: &'a Path,
}

impl Stage<'_> {
    /// This program again, as `cairn execute`.
    fn ours(&self) -> Result<f64> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["execute", "in.ipynb", "-o", "out.ipynb", "--environment"]);
        command.arg(&self.environment);
        let took = self.time(&mut command)?;
        let text = std::fs::read_to_string(self.folder.join("out.ipynb"))?;
        let done: Value = serde_json::from_str(&text)?;
        let outputs = done["cells"][CELLS - 1]["outputs"].as_array();
        ensure!(
            outputs.map(Vec::len) == Some(2),
            "the last cell has a text and a value"
        );
        Ok(took)
    }

    fn bare(&self) -> Result<f64> {
        let mut command = Command::new(self.environment.join("bin/python"));
        let output = self.here(command.args(["-c", BARE, "in.ipynb"])).output()?;
        ensure!(
            output.status.success(),
            "the bare kernel: {}",
            output.status
        );
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    fn papermill(&self) -> Result<f64> {
        let mut command = Command::new(self.environment.join("bin/papermill"));
        self.time(command.args(["--no-progress-bar", "in.ipynb", "peer.ipynb"]))
    }

    fn here<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let bin = self.environment.join("bin");
        command
            .current_dir(self.folder)
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
    }

    /// Milliseconds from the start of a process to its end.
    fn time(&self, command: &mut Command) -> Result<f64> {
        self.here(command).stdout(Stdio::null());
        let began = Instant::now();
        let status = command.status().context("it can be started")?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        ensure!(status.success(), "{command:?}: {status}");
        Ok(took)
    }
}
