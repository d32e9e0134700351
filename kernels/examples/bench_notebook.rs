//! Measures notebooks: how long it takes to propose the cells that a selection needs, and what a headless run costs beside the bare kernel
//! and beside papermill, from the environment that `CAIRN_TEST_PYTHON_ENV` names. Prints `name ours peer ratio goal` (milliseconds), and the
//! same as JSON with `--json`.

#[path = "bench_notebook/analysis.rs"]
mod analysis;
#[path = "../../deploy/bench/report.rs"]
mod report;
#[path = "bench_notebook/runs.rs"]
mod runs;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The benchmark, or the runner that it measures.
#[derive(Parser)]
struct Arguments {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Run>,
}

#[derive(clap::Subcommand)]
enum Run {
    /// Runs a notebook, as `cairn execute` does.
    Execute(kernels::ExecuteArgs),
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Run::Execute(args)) = arguments.command {
        return Ok(kernels::main_execute(args, None).into());
    }
    let mut report = report::Report::new(arguments.json);
    analysis::measure(&mut report)?;
    runs::measure(&mut report)?;
    report.finish()?;
    Ok(ExitCode::SUCCESS)
}
