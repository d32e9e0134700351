//! The supervisor: one process per run that owns the work, its log and its end. Also the small programs it is helped by.
//!
//! `supervise RUN_DIR` detaches, `--detached RUN_DIR` is the supervisor, `--launch` and `--init` lie between it and the command; in a container
//! `--inside` does.

mod api;
mod begin;
mod container;
pub(crate) mod control;
mod events;
mod init;
mod launcher;
mod outcome;
pub(crate) mod prepare;
mod pump;
mod ready;
mod tail;
mod watch;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use serde::{Deserialize, Serialize};

use crate::run::{Folder, Plan, State, VERSION};
use crate::status::{Phase, Status};
use crate::{clock, files, frame, host, sys};

/// From whoever starts the run to its supervisor, over standard input: what must not lie on a disk.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Given {
    /// Names and hexadecimal content.
    pub(crate) secrets: Vec<(String, String)>,
}

/// The supervisor's answer: it has taken the run over.
#[derive(Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) version: u32,
}

/// Runs one of the programs; `args` is all that follows `supervise`.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["--launch"] => launcher::run(),
        ["--inside"] => init::run_inside(),
        ["--init", ref rest @ ..] => {
            init::run(&rest.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
        }
        ["--detached", folder] => complain(supervise(Path::new(folder))),
        [folder] if !folder.starts_with("--") => complain(detach(folder)),
        _ => complain(Err(io::Error::other("usage: supervise RUN_DIR"))),
    }
}

/// Starts a launcher on one end of a connection.
pub(crate) fn launcher(control: OwnedFd, out: Stdio, err: Stdio) -> std::process::Command {
    let mut command = host::own_program(["--launch"]);
    command.stdin(Stdio::from(control)).stdout(out).stderr(err);
    command
}

fn complain(result: io::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    note(&error.to_string());
    ExitCode::FAILURE
}

/// Standard error is the run's `supervisor.log`; if that fails there is nobody left to tell.
fn note(text: &str) {
    drop(writeln!(
        io::stderr(),
        "{} supervisor: {text}",
        clock::now_ms()
    ));
}

/// Leaves the starter: it must not be the supervisor's parent, nor have a child left behind.
fn detach(folder: &str) -> io::Result<()> {
    let mut command = host::own_program(["--detached", folder]);
    command
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit());
    command.spawn().map(drop)
}

/// Standard input is the connection to the starter, standard output the locked lock file.
fn supervise(path: &Path) -> io::Result<()> {
    rustix::process::setsid()?;
    let mut starter = launcher::connection()?;
    let lock = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    sys::silence(&[0, 1])?;
    host::adopt_orphans()?;
    let given: Given = frame::read(&mut starter)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let folder = Folder::new(path);
    if folder.read_exit()?.is_some() {
        return frame::write(&mut starter, &Taken { version: VERSION });
    }
    let run = Run::take(folder, given)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(watch::run(run, starter));
    drop(lock);
    result
}

/// A run in its supervisor's hands.
struct Run {
    folder: Folder,
    plan: Plan,
    given: Given,
    state: State,
    log: File,
}

impl Run {
    /// Takes the run over: from the moment that this is on disk, an end is owed.
    fn take(folder: Folder, given: Given) -> io::Result<Self> {
        let plan = folder.read_plan()?.ok_or(io::ErrorKind::NotFound)?;
        if let Err(e) = plan.groups.leave_starter() {
            note(&format!("it stays in its starter's control group: {e}"));
        }
        files::make_folder(
            &plan.sockets,
            if plan.owner.is_some() { 0o711 } else { 0o700 },
        )?;
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.log())?;
        let state = State {
            version: VERSION,
            supervisor: host::Identity::own(),
            started_ms: clock::now_ms(),
            group: crate::cgroup::Group::default(),
            on_engine: false,
            init: None,
        };
        folder.write_state(&state)?;
        Ok(Self {
            folder,
            plan,
            given,
            state,
            log,
        })
    }

    fn first_status(&self) -> Status {
        Status {
            phase: Phase::Starting,
            ready: false,
            started_ms: self.state.started_ms,
            pid: Some(self.state.supervisor.pid),
            exit: None,
            log_bytes: 0,
            oom_kills: 0,
        }
    }
}

fn taken(starter: &mut UnixStream) -> io::Result<()> {
    frame::write(starter, &Taken { version: VERSION })
}
