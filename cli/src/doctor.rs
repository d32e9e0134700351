//! `cairn doctor`: what this machine offers to the service, and what each missing part costs. It changes nothing.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::config::Config;
use crate::exit;
use crate::output::{self, Table};
use crate::service::{self, DataFolder};

/// Below this much free space the service is in danger.
const LEAST_FREE_BYTES: u64 = 2_000_000_000;
/// How long a database on the network may take to answer.
const CONNECT: Duration = Duration::from_secs(3);

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

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// The service runs without it, at the cost that is named.
    Missing,
    /// The service does not run like this.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What it costs, or what to do.
    cost: Option<String>,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    data_dir: Option<PathBuf>,
    checks: Vec<Check>,
    capabilities: Option<spawner::Capabilities>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            cost: None,
        }
    }

    fn bad(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        cost: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            cost: Some(cost.into()),
        }
    }
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

fn disk(data: &Path) -> Check {
    let Some(there) = data.ancestors().find(|path| path.exists()) else {
        return Check::bad(
            "disk",
            State::Broken,
            "no folder of the data directory's path exists",
            "nothing can be kept",
        );
    };
    match rustix::fs::statvfs(there) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let found = format!("{} free at {}", output::bytes(free), there.display());
            if free >= LEAST_FREE_BYTES {
                Check::ok("disk", found)
            } else {
                Check::bad(
                    "disk",
                    State::Missing,
                    found,
                    "jobs will fail for want of space: make room",
                )
            }
        }
        Err(error) => Check::bad(
            "disk",
            State::Broken,
            format!("{}: {error}", there.display()),
            "nothing can be kept",
        ),
    }
}

fn database(config: &Config, data: &Path) -> Check {
    let name = "database";
    let url = match config.database_url(data) {
        Ok(url) => url,
        Err(error) => {
            return Check::bad(
                name,
                State::Broken,
                format!("{error:#}"),
                "the service does not start",
            );
        }
    };
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = Path::new(
            path.trim_start_matches("//")
                .split('?')
                .next()
                .unwrap_or(path),
        );
        return sqlite(path);
    }
    // The URL may hold a password: only its host is shown.
    let Some((host, port)) = Url::parse(&url)
        .ok()
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port().unwrap_or(5432))))
    else {
        return Check::ok(name, "PostgreSQL, not by network address: not tried");
    };
    let reached = (host.as_str(), port)
        .to_socket_addrs()
        .and_then(|mut addresses| {
            let address = addresses.next().ok_or(ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&address, CONNECT)
        });
    match reached {
        Ok(_) => Check::ok(
            name,
            format!("PostgreSQL at {host}:{port} takes connections"),
        ),
        Err(error) => Check::bad(
            name,
            State::Broken,
            format!("PostgreSQL at {host}:{port}: {error}"),
            "the service does not start",
        ),
    }
}

fn sqlite(path: &Path) -> Check {
    let mut head = [0; 16];
    let read = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    match read {
        Ok(()) if &head == b"SQLite format 3\0" => {
            Check::ok("database", format!("SQLite in {}", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Check::ok("database", "SQLite, made at the first start")
        }
        Ok(()) => Check::bad(
            "database",
            State::Broken,
            format!("{} is no SQLite database", path.display()),
            "the service does not start",
        ),
        Err(error) => Check::bad(
            "database",
            State::Broken,
            format!("{}: {error}", path.display()),
            "the service does not start",
        ),
    }
}

fn port(name: &'static str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => {
            let cost =
                "the service cannot listen there: stop what does, or set `listen` in cairn.toml";
            Check::bad(name, State::Broken, format!("{address}: {error}"), cost)
        }
    }
}

fn program(name: &'static str, program: &OsStr, without: State, cost: &str) -> Check {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Check::ok(name, output::clean(text.trim()))
        }
        Ok(output) => Check::bad(
            name,
            without,
            format!("{} fails: {}", program.display(), output.status),
            cost,
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Check::bad(name, without, "not found", cost)
        }
        Err(error) => Check::bad(
            name,
            without,
            format!("{}: {error}", program.display()),
            cost,
        ),
    }
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
    for note in report.capabilities.iter().flat_map(|found| &found.notes) {
        output::line(format!("\n{}", output::clean(note)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_broken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(
            port("port", taken.local_addr().unwrap()).state,
            State::Broken
        );
    }

    #[test]
    fn a_missing_program_says_what_it_costs() {
        let check = program(
            "uv",
            OsStr::new("/nonexistent/uv"),
            State::Broken,
            "nothing works",
        );
        assert_eq!(
            (check.state, check.cost.as_deref()),
            (State::Broken, Some("nothing works"))
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cairn.db");
        assert_eq!(sqlite(&path).state, State::Ok);
        std::fs::write(&path, "not a database at all").unwrap();
        assert_eq!(sqlite(&path).state, State::Broken);
    }

    #[test]
    fn the_databases_password_is_not_shown() {
        let config = Config {
            database: Some("postgres://u:hunter2@127.0.0.1:1/x".to_owned()),
            ..Config::default()
        };
        let check = database(&config, Path::new("/"));
        assert_eq!(check.state, State::Broken);
        assert!(!format!("{check:?}").contains("hunter2"));
    }
}
