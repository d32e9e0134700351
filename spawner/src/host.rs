//! What only the operating system knows: process trees, identities, mount tables. One file per system behind one set of names.

#[cfg(target_os = "linux")]
#[path = "host/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "host/other.rs"]
mod system;

pub(crate) use system::*;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Tells one process from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Ticks after boot, 0 where unknown.
    #[serde(default)]
    pub(crate) started: u64,
    /// Which boot, empty where unknown.
    #[serde(default)]
    pub(crate) boot: String,
}

impl Identity {
    /// This process.
    pub(crate) fn own() -> Self {
        Self::of(std::process::id())
    }

    /// Another process, as it is now.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            pid,
            started: start_time(pid).unwrap_or(0),
            boot: boot_id(),
        }
    }

    /// Whether that very process is still there.
    pub(crate) fn alive(&self) -> bool {
        self.boot == boot_id() && start_time(self.pid).is_some_and(|t| t == self.started)
    }
}

/// This program again, with other arguments to the `supervise` subcommand, nothing inherited but stdio.
pub(crate) fn own_program<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(None);
    command
        .arg("supervise")
        .args(args.into_iter().map(Into::into))
        .env_clear()
        .current_dir("/");
    command
}

/// The program at `path`, or else this one.
pub(crate) fn program(path: Option<&Path>) -> Command {
    let Some(path) = path else {
        let mut command = Command::new(own_executable());
        command.arg0("cairn");
        return command;
    };
    Command::new(path)
}

/// The uid and gid of this process.
pub(crate) fn own_ids() -> (u32, u32) {
    let uid = rustix::process::geteuid().as_raw();
    (uid, rustix::process::getegid().as_raw())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
