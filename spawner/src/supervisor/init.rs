//! The init: first process inside the sandbox, parent of the command. Starts it, reaps what it leaves, passes signals on.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, WaitOptions};

use super::launcher::{connection, fail};
use crate::frame::{self, Report, Request, Work};
use crate::status::Failure;
use crate::{host, sys};

/// `args` is the number of the descriptor that this program was executed from, if it was.
pub(super) fn run(args: &[String]) -> ExitCode {
    let Ok(mut control) = connection() else {
        return ExitCode::FAILURE;
    };
    match begin(args, &mut control) {
        Ok(child) => watch(&control, &child),
        Err((failure, message)) => fail(&mut control, failure, &message),
    }
}

type Refusal = (Failure, String);

fn begin(args: &[String], control: &mut UnixStream) -> Result<Child, Refusal> {
    let refused =
        |what: &'static str| move |e: io::Error| (Failure::Refused, format!("{what}: {e}"));
    if let Some(fd) = args.first().and_then(|n| n.parse().ok()) {
        sys::close_on_exec(fd).map_err(refused("the program cannot be closed"))?;
    }
    let work = frame::read::<Work>(control).map_err(refused("the command cannot be read"))?;
    let work = work.ok_or((Failure::Refused, "the supervisor is gone".to_owned()))?;
    host::hide_memory().map_err(refused("it cannot be protected"))?;
    if !is_first() {
        host::adopt_orphans().map_err(refused("orphans cannot be adopted"))?;
    }
    write_secrets(&work).map_err(refused("the secrets cannot be written"))?;
    let child = spawn(&work)?;
    frame::write(control, &Report::Started).map_err(refused("the supervisor is gone"))?;
    // Only the work itself keeps the log's pipes open.
    sys::silence(&[0, 1, 2]).map_err(refused("its output cannot be released"))?;
    Ok(child)
}

/// Whether this is the first process of a pid namespace, and so may signal all at once.
fn is_first() -> bool {
    std::process::id() == 1
}

fn write_secrets(work: &Work) -> io::Result<()> {
    if work.secrets.is_empty() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&work.secrets_folder)?;
    for (name, content) in &work.secrets {
        let bytes = hex::decode(content).map_err(io::Error::other)?;
        let path = work.secrets_folder.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(path)?
            .write_all(&bytes)?;
    }
    Ok(())
}

fn spawn(work: &Work) -> Result<Child, Refusal> {
    let folder = work.cwd.display();
    if !work.cwd.is_dir() {
        return Err((
            Failure::FolderNotFound,
            format!("The working folder {folder} does not exist or cannot be entered."),
        ));
    }
    let name = work.argv.first().map_or("", String::as_str);
    let mut command = program(name);
    command
        .args(&work.argv[1..])
        .env_clear()
        .envs(work.env.iter().cloned());
    command
        .current_dir(&work.cwd)
        .stdin(Stdio::null())
        .process_group(0);
    command
        .spawn()
        .map_err(|e| spawn_failure(name, &work.cwd, &e))
}

fn program(name: &str) -> Command {
    if name == crate::SELF {
        let mut command = Command::new(host::own_executable());
        command.arg0("cairn");
        return command;
    }
    Command::new(name)
}

fn spawn_failure(name: &str, cwd: &Path, error: &io::Error) -> Refusal {
    let cwd = cwd.display();
    match error.kind() {
        io::ErrorKind::NotFound => (
            Failure::ProgramNotFound,
            format!("There is no program {name} (or what it needs to start)."),
        ),
        io::ErrorKind::PermissionDenied => (
            Failure::ProgramNotFound,
            format!("The program {name} cannot be executed, or {cwd} cannot be entered."),
        ),
        _ => (
            Failure::Refused,
            format!("{name} could not be started: {error}"),
        ),
    }
}

/// Returns when the command has ended; inside a pid namespace everything else ends with this process.
fn watch(control: &UnixStream, child: &Child) -> ExitCode {
    let command = child.id();
    let requests = control.try_clone();
    std::thread::spawn(move || {
        if let Ok(requests) = requests {
            obey(requests, command);
        }
        signal_everything(Signal::KILL, command);
    });
    loop {
        let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::empty()) else {
            continue;
        };
        if u32::try_from(pid.as_raw_nonzero().get()).ok() != Some(command) {
            continue;
        }
        let report = Report::Exited {
            code: status.exit_status(),
            signal: status.terminating_signal(),
        };
        drop(frame::write(&mut &*control, &report));
        return ExitCode::SUCCESS;
    }
}

/// Carries out requests until the supervisor is gone.
fn obey(mut requests: UnixStream, command: u32) {
    while let Ok(Some(request)) = frame::read::<Request>(&mut requests) {
        match request {
            Request::Terminate => signal_everything(Signal::TERM, command),
        }
    }
}

fn signal_everything(signal: Signal, command: u32) {
    if is_first() && host::signal_all(signal).is_ok() {
        return;
    }
    let mut all = host::descendants(std::process::id());
    if all.is_empty() {
        all.push(command);
    }
    for pid in all
        .into_iter()
        .filter_map(|p| Pid::from_raw(i32::try_from(p).ok()?))
    {
        let _ = rustix::process::kill_process(pid, signal);
    }
    #[cfg(not(target_os = "linux"))]
    if let Some(group) = i32::try_from(command).ok().and_then(Pid::from_raw) {
        drop(rustix::process::kill_process_group(group, signal));
    }
}
