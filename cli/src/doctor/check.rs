//! One thing that `cairn doctor` looks at: how it is, and what that costs.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use storage::mount::{self, Rung};
use url::Url;

use crate::config::Config;
use crate::output;

/// Below this much free space the service is in danger.
const LEAST_FREE_BYTES: u64 = 2_000_000_000;
/// How long a database on the network may take to answer.
const CONNECT: Duration = Duration::from_secs(3);

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// The service runs without it, at the cost that is named.
    Missing,
    /// The service does not run like this.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// What was found.
    pub(super) found: String,
    /// What it costs, or what to do.
    pub(super) cost: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            cost: None,
        }
    }

    pub(super) fn bad(
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

pub(super) fn disk(data: &Path) -> Check {
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

/// How homes are kept from filling the disk.
pub(super) fn quota(bytes: Option<u64>) -> Check {
    let name = "home quota";
    match bytes {
        Some(bytes) => Check::ok(
            name,
            format!(
                "{} MB for each home, measured every 30 s: a warning at 90 %, and no further start over it",
                bytes / 1_000_000
            ),
        ),
        None => Check::bad(
            name,
            State::Missing,
            "none is set",
            "one home can fill the disk: set `home_quota_bytes` in cairn.toml",
        ),
    }
}

/// How the store's versions are shown to work; `folder` is on its file system.
pub(super) fn mounts(folder: &Path) -> Check {
    let name = "kernel mounts";
    match mount::probe(folder) {
        Rung::Kernel(_) => Check::ok(
            name,
            "inputs are mounted at once and take no space: EROFS images over the store's objects",
        ),
        Rung::Farm(why) => Check::bad(
            name,
            State::Missing,
            why,
            "each version that is an input is first laid out as a tree, with a link or a copy for each of its files",
        ),
    }
}

pub(super) fn database(config: &Config, data: &Path) -> Check {
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

pub(super) fn port(name: &'static str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => {
            let cost =
                "the service cannot listen there: stop what does, or set `listen` in cairn.toml";
            Check::bad(name, State::Broken, format!("{address}: {error}"), cost)
        }
    }
}

pub(super) fn program(name: &'static str, program: &OsStr, without: State, cost: &str) -> Check {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_where_nothing_can_be_tried_says_what_it_costs() {
        let check = mounts(Path::new("/nonexistent"));
        assert_eq!((check.state, check.cost.is_some()), (State::Missing, true));
    }

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
