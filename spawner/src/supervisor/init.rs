//! The init: first process inside the sandbox, parent of the command. Starts it, reaps what it leaves, passes signals on.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::{Pid, Signal, WaitOptions};

use super::api;
use super::launcher::{connection, fail};
use crate::docker::INIT;
use crate::frame::{self, Report, Request, Work};
use crate::status::Failure;
use crate::{host, sys};

/// `args` is the number of the descriptor that this program was executed from, if it was.
pub(super) fn run(args: &[String]) -> ExitCode {
    let Ok(mut control) = connection() else {
        return ExitCode::FAILURE;
    };
    match begin(args, &mut control, None) {
        Ok(child) => watch(&control, &child),
        Err((failure, message)) => fail(&mut control, failure, &message),
    }
}

/// The first process of a container: finds its supervisor by itself, and is sent the ends of the log's pipes.
pub(super) fn run_inside() -> ExitCode {
    let called = UnixStream::connect(Path::new(INIT).join("socket"));
    let met = called.and_then(|control| Ok((receive_outputs(&control)?, control)));
    let Ok((outputs, mut control)) = met else {
        // There is nobody to tell.
        return ExitCode::FAILURE;
    };
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let limited = super::launcher::limit_files()
        .map_err(|e| (Failure::Refused, format!("a limit cannot be set: {e}")));
    match limited.and_then(|()| begin(&[], &mut control, Some(outputs))) {
        Ok(child) => watch(&control, &child),
        Err((failure, message)) => fail(&mut control, failure, &message),
    }
}

fn receive_outputs(control: &UnixStream) -> io::Result<[OwnedFd; 2]> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::empty();
    rustix::net::recvmsg(
        control,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        flags,
    )?;
    let mut received = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            received.extend(fds);
        }
    }
    for fd in &received {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    }
    received
        .try_into()
        .map_err(|_| io::ErrorKind::UnexpectedEof.into())
}

type Refusal = (Failure, String);

fn begin(
    args: &[String],
    control: &mut UnixStream,
    outputs: Option<[OwnedFd; 2]>,
) -> Result<Child, Refusal> {
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
    if let Some(port) = work.api_port {
        let socket = Path::new(INIT).join("api");
        api::listen(port, &socket).map_err(refused("the API's port cannot be opened"))?;
    }
    let child = spawn(&work, outputs)?;
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

fn spawn(work: &Work, outputs: Option<[OwnedFd; 2]>) -> Result<Child, Refusal> {
    let folder = work.cwd.display();
    if !work.cwd.is_dir() {
        let refused = std::fs::metadata(&work.cwd)
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        let why = if refused {
            "cannot be reached by the user that the work has: without the sandbox of bubblewrap, Cairn as root needs folders that everybody can enter"
        } else {
            "does not exist or cannot be entered"
        };
        return Err((
            Failure::FolderNotFound,
            format!("The working folder {folder} {why}."),
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
    if let Some([out, err]) = outputs {
        command.stdout(out).stderr(err);
    }
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
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => (
            Failure::ProgramNotFound,
            format!("The program {name} is not one for this machine."),
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
            oom_kills: oom_kills(),
        };
        drop(frame::write(&mut &*control, &report));
        return ExitCode::SUCCESS;
    }
}

/// What the kernel counts for the control group that a container sees as the only one; nothing elsewhere.
fn oom_kills() -> u64 {
    let files = [
        "/sys/fs/cgroup/memory/memory.oom_control",
        "/sys/fs/cgroup/memory.events",
    ];
    if !Path::new(INIT).is_dir() {
        return 0;
    }
    let text = files.iter().find_map(|f| fs::read_to_string(f).ok());
    crate::cgroup::oom_kills(&text.unwrap_or_default())
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
