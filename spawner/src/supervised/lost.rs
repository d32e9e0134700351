//! Runs without a supervisor: told apart from live ones by the lock, cleaned up after, and put on record.

use std::fs::{DirEntry, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal};

use crate::error::Context;
use crate::run::{Folder, State};
use crate::status::{Exit, Failure, Phase, Reason};
use crate::supervisor::prepare::MARK;
use crate::{Error, Result, Status, clock, files, host};

/// How long a supervisor may take from its last record to its end.
const LEAVING: Duration = Duration::from_secs(10);

/// How long the container engine may take to remove what it still has.
const REMOVAL: Duration = Duration::from_secs(8);

/// Nothing begun stays half done this long.
const HALF_DONE: Duration = Duration::from_hours(1);

pub(super) enum Found {
    /// Its supervisor lives, or someone is just starting it.
    Alive,
    /// It has ended, and this is on record.
    Ended(Status),
    /// There is no such run.
    Nothing,
}

/// Looks at a run whose supervisor did not answer; if there is none any more, records the run as lost.
pub(super) fn look(folder: &Folder) -> Result<Found> {
    let failed = || format!("the run in {} cannot be looked at", folder.path().display());
    let Some(_lock) = try_lock(folder).context(failed)? else {
        return Ok(if folder.path().is_dir() {
            Found::Alive
        } else {
            Found::Nothing
        });
    };
    if let Some(status) = folder.read_exit().context(failed)? {
        return Ok(Found::Ended(status));
    }
    let Some(state) = folder.read_state().context(failed)? else {
        return Ok(Found::Ended(never_started()));
    };
    kill_leftovers(folder, &state);
    // What cannot be removed yet is removed with the run.
    drop(state.group.remove());
    let status = folder.write_exit(lost(folder, &state)).context(failed)?;
    Ok(Found::Ended(status))
}

/// Kills a supervisor that does not do what it is asked to, and all that it looked after.
pub(super) fn end_by_force(folder: &Folder) -> Result<()> {
    let failed = || format!("the run in {} cannot be ended", folder.path().display());
    if let Some(state) = folder.read_state().context(failed)? {
        if state.supervisor.alive() {
            kill(state.supervisor.pid);
        }
        kill_leftovers(folder, &state);
    }
    Ok(())
}

/// Removes an exited run from this machine.
pub(super) fn forget(folder: &Folder) -> Result<()> {
    let failed = || format!("the run in {} cannot be removed", folder.path().display());
    let deadline = Instant::now() + LEAVING;
    let _lock = loop {
        match try_lock(folder).context(failed)? {
            Some(lock) => break lock,
            None if !folder.path().is_dir() => return Ok(()),
            None if Instant::now() > deadline => {
                return Err(Error::Unavailable {
                    message: failed(),
                    source: None,
                });
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let state = folder.read_state().context(failed)?;
    if let Some(state) = &state {
        state.group.remove().context(failed)?;
    }
    if let Some(plan) = folder.read_plan().context(failed)? {
        let is_there = state.is_some_and(|s| s.on_engine);
        if let Some(container) = plan.docker.filter(|_| is_there) {
            container.remove_blocking(REMOVAL);
        }
        files::remove_all(&plan.sockets).context(failed)?;
    }
    // Out of the list first: a removal that is cut short leaves nothing that looks like a run.
    let name = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let aside = folder.path().with_file_name(format!(".removed-{name}"));
    std::fs::rename(folder.path(), &aside).context(failed)?;
    files::remove_all(&aside).context(failed)
}

/// Removes what starts and removals left that were cut short. Young ones may still be at work.
pub(super) fn sweep(runs: &Path) {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let half_done = |e: &DirEntry| e.file_name().as_encoded_bytes().starts_with(b".");
    let old = |e: &DirEntry| {
        e.metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|m| m.elapsed().is_ok_and(|age| age > HALF_DONE))
    };
    for entry in entries.filter(half_done).filter(old) {
        if let Err(e) = files::remove_all(&entry.path()) {
            tracing::warn!(error = %e, path = %entry.path().display(), "a leftover cannot be removed");
        }
    }
}

/// The lock of a run that nobody looks after, or `None` if somebody does or it does not exist.
pub(crate) fn try_lock(folder: &Folder) -> io::Result<Option<File>> {
    let file = match OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.lock())
    {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The kernel ends a sandbox with its supervisor; what ran without one may have outlived it.
fn kill_leftovers(folder: &Folder, state: &State) {
    if let Some(init) = state.init.as_ref().filter(|i| i.alive()) {
        kill(init.pid);
    }
    if state.on_engine
        && let Ok(Some(plan)) = folder.read_plan()
        && let Some(container) = plan.docker
    {
        container.remove_blocking(REMOVAL);
    }
    if state.supervisor.boot != host::boot_id() {
        return;
    }
    state.group.kill();
    let id = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    host::with_environment(&format!("{MARK}={id}"))
        .into_iter()
        .for_each(kill);
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn lost(folder: &Folder, state: &State) -> Status {
    let restarted = state.supervisor.boot != host::boot_id();
    let message = if restarted {
        "The machine was restarted while it ran."
    } else {
        "Its supervisor was killed, and it with it."
    };
    let log_bytes = folder.log().metadata().map_or(0, |m| m.len());
    ended(Reason::Lost, None, message, (state.started_ms, log_bytes))
}

/// Not on record: a start with the same id still makes it run.
fn never_started() -> Status {
    ended(
        Reason::StartFailed,
        Some(Failure::Refused),
        "Whoever began to start it was killed first.",
        (clock::now_ms(), 0),
    )
}

fn ended(
    reason: Reason,
    failure: Option<Failure>,
    message: &str,
    (started_ms, log_bytes): (i64, u64),
) -> Status {
    let message = message.to_owned();
    let exit = Exit {
        code: None,
        signal: None,
        reason,
        failure,
        message,
        ended_ms: clock::now_ms(),
    };
    Status {
        phase: Phase::Exited,
        ready: false,
        started_ms,
        pid: None,
        exit: Some(exit),
        log_bytes,
        oom_kills: 0,
    }
}
