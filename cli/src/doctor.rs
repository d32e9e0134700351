//! `cairn doctor`: what this machine offers to the service, and what each missing part costs. It changes nothing.

mod bucket;
mod check;
mod docker;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use check::{Check, State, database, disk, port, program};
use serde::Serialize;

use crate::config::Config;
use crate::exit;
use crate::output::{self, Table};
use crate::service::{self, DataFolder};

/// Arguments of `cairn doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// The data directory to look at.
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    data_dir: Option<PathBuf>,
    checks: Vec<Check>,
    capabilities: Option<spawner::Capabilities>,
    docker: Option<spawner::docker::Capabilities>,
}

/// Looks at everything and prints it. Exits with 1 where the service cannot run.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let folder = DataFolder::find(args.data_dir.as_deref())?;
    let data = DataFolder::place(args.data_dir.as_deref())?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        data_dir: Some(data.clone()),
        checks: vec![disk(&data)],
        capabilities: None,
        docker: None,
    };
    match Config::load(args.config.as_deref(), &data, None) {
        Ok(config) => {
            report
                .checks
                .push(Check::ok("configuration", "can be read"));
            look(&config, folder.as_ref(), &data, &mut report);
        }
        Err(error) => {
            let what = format!("{error:#}");
            report.checks.push(Check::bad(
                "configuration",
                State::Broken,
                what,
                "the service does not start before this is put right",
            ));
        }
    }
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    let is_broken = report
        .checks
        .iter()
        .any(|check| check.state == State::Broken);
    Ok(exit::code(u8::from(is_broken)))
}

fn look(config: &Config, folder: Option<&DataFolder>, data: &Path, report: &mut Report) {
    report.checks.push(database(config, data));
    report.checks.extend(bucket::check(config));
    report.checks.push(check::quota(config.home_quota_bytes));
    let store = data.join("store");
    // Before the first start nothing is made there.
    let tried = if store.is_dir() {
        store
    } else {
        std::env::temp_dir()
    };
    report.checks.push(check::mounts(&tried));
    let running = folder.and_then(DataFolder::running);
    if let Some(running) = &running {
        let found = format!("serving {} as process {}", running.url, running.pid);
        report.checks.push(Check::ok("service", found));
    } else {
        report.checks.push(port("port", config.listen));
    }
    let uv = config.uv.as_deref().unwrap_or(Path::new("uv"));
    let without = "no environment can be made, so no workspace starts and no job runs: install it from https://docs.astral.sh/uv, or set `uv` in cairn.toml";
    report
        .checks
        .push(program("uv", uv.as_os_str(), State::Broken, without));
    let without = "uv fetches Python for environments where it can reach the network";
    report.checks.push(program(
        "python",
        OsStr::new("python3"),
        State::Missing,
        without,
    ));
    // Before the first start there is no folder for runs, and trying the sandbox needs none.
    let runtime = folder.map_or_else(
        || Ok(spawner::Config::new(data.join("runs"), data.join("run"))),
        |folder| service::runtime(config, folder),
    );
    match runtime {
        Ok(runtime) => {
            let found = spawner::probe(&runtime);
            report.checks.extend(capabilities(&found));
            report.capabilities = Some(found);
            let found = spawner::docker::probe(&service::docker(config, runtime));
            report.checks.extend(docker::checks(&found));
            report.docker = Some(found);
        }
        Err(error) => report.checks.push(Check::bad(
            "runtime",
            State::Broken,
            format!("{error:#}"),
            "nothing can be run",
        )),
    }
}

fn capabilities(found: &spawner::Capabilities) -> Vec<Check> {
    let tool = found
        .bubblewrap
        .clone()
        .unwrap_or_else(|| "no bubblewrap".to_owned());
    let sandbox = if found.sandbox {
        Check::ok("sandbox", tool)
    } else {
        let cost = "work can read and change what its user can: only for people who trust each other (Debian: apt-get install bubblewrap)";
        Check::bad("sandbox", State::Missing, tool, cost)
    };
    let limit = |name, has: bool, cost: &str| {
        if has {
            Check::ok(name, "control groups")
        } else {
            Check::bad(name, State::Missing, "no control group", cost)
        }
    };
    let uids = match found.uids {
        Some((first, count)) => Check::ok(
            "users inside",
            format!("{count} uids from {first}: each workspace has its own"),
        ),
        None => Check::ok(
            "users inside",
            "work runs as this user, in user namespaces where the sandbox works",
        ),
    };
    vec![
        sandbox,
        uids,
        limit(
            "memory limits",
            found.memory_limits,
            "memory of a machine type limits each process by itself, and a job that runs out of memory is not told from another failure",
        ),
        limit(
            "CPU limits",
            found.cpu_limits,
            "cpus of a machine type are not in force",
        ),
        limit(
            "process limits",
            found.process_limits,
            "a runaway job can fill the process table",
        ),
    ]
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut table = Table::new(&["", "WHAT", "FOUND"]);
    for check in &report.checks {
        let mark = match check.state {
            State::Ok => "ok",
            State::Missing => "--",
            State::Broken => "XX",
        };
        table.row([mark.to_owned(), check.name.to_owned(), check.found.clone()]);
    }
    table.print("")?;
    for check in &report.checks {
        if let Some(cost) = &check.cost {
            output::line(format!("\n{}: {cost}.", check.name))?;
        }
    }
    let notes = report.capabilities.iter().flat_map(|found| &found.notes);
    let more = report.docker.iter().flat_map(|found| &found.notes);
    for note in notes.chain(more) {
        output::line(format!("\n{}", output::clean(note)))?;
    }
    Ok(())
}
