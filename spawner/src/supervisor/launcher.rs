//! The launcher: becomes what the order says (group, uid, limits, sandbox), then the init. One thread, no runtime, no way back.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit};

use super::init;
use crate::frame::{self, Order, Report};
use crate::sandbox::{self, Descriptors, Plan};
use crate::status::Failure;
use crate::{host, sys};

/// Open files a program may have; the inherited limit of 1024 is too few for data loaders.
const OPEN_FILES: u64 = 65_536;

/// Reads its order from standard input, which is the connection to the supervisor.
pub(super) fn run() -> ExitCode {
    let Ok(mut control) = connection() else {
        return ExitCode::FAILURE;
    };
    let order = match frame::read::<Order>(&mut control) {
        Ok(Some(order)) => order,
        Ok(None) => return ExitCode::FAILURE,
        Err(e) => {
            return fail(
                &mut control,
                Failure::Refused,
                &format!("its order cannot be read: {e}"),
            );
        }
    };
    if let Err((failure, message)) = become_work(&order) {
        return fail(&mut control, failure, &message);
    }
    let Some(plan) = &order.sandbox else {
        return init::run(&[]);
    };
    let error = enter(plan, &order);
    fail(
        &mut control,
        Failure::SandboxFailed,
        &format!("the sandbox could not be made: {error}"),
    )
}

/// Standard input as the socket that it is.
pub(super) fn connection() -> io::Result<UnixStream> {
    let fd: OwnedFd = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    Ok(UnixStream::from(fd))
}

/// Tells the supervisor why nothing runs. If even that fails, it sees the connection end.
pub(super) fn fail(control: &mut UnixStream, failure: Failure, message: &str) -> ExitCode {
    let report = Report::Failed {
        failure,
        message: message.to_owned(),
    };
    drop(frame::write(control, &report));
    ExitCode::FAILURE
}

fn become_work(order: &Order) -> Result<(), (Failure, String)> {
    let refused =
        |what: &'static str| move |e: io::Error| (Failure::Refused, format!("{what}: {e}"));
    for file in &order.groups {
        fs::write(file, "0").map_err(refused("the control group cannot be joined"))?;
    }
    host::offer_to_oom_killer();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    limit(order).map_err(refused("a limit cannot be set"))?;
    if order.sandbox.is_none() {
        become_uid(order).map_err(refused("the uid cannot be taken"))?;
    }
    host::die_with(order.supervisor).map_err(refused("it cannot be watched"))
}

/// Limits that every program gets, whatever else holds: no core files, and as many open files as may be.
pub(super) fn limit_files() -> io::Result<()> {
    rustix::process::setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    let files = rustix::process::getrlimit(Resource::Nofile);
    let wanted = files.maximum.map_or(OPEN_FILES, |m| m.min(OPEN_FILES));
    rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: files.maximum,
        },
    )?;
    Ok(())
}

fn limit(order: &Order) -> io::Result<()> {
    limit_files()?;
    if let Some(bytes) = order.data_bytes {
        rustix::process::setrlimit(
            Resource::Data,
            Rlimit {
                current: Some(bytes),
                maximum: Some(bytes),
            },
        )?;
    }
    if let Some(count) = order.processes {
        rustix::process::setrlimit(
            Resource::Nproc,
            Rlimit {
                current: Some(count),
                maximum: Some(count),
            },
        )?;
    }
    Ok(())
}

/// Gives up root for ever.
fn become_uid(order: &Order) -> io::Result<()> {
    let Some((uid, gid)) = order.owner else {
        return Ok(());
    };
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Gid, Uid};
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::thread::set_no_new_privs(true)?;
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::Error::other(format!(
        "work cannot become uid {uid}:{gid} on this system"
    )))
}

/// Replaces this process by bubblewrap, which replaces itself by the init. Returns only if that fails.
fn enter(plan: &Plan, order: &Order) -> io::Error {
    let prepare = || -> io::Result<Command> {
        let staged = if order.owner.is_some() {
            host::stage(&plan.mounts)?
        } else {
            plan.mounts.clone()
        };
        become_uid(order)?;
        host::die_with(order.supervisor)?;
        command(&Plan {
            mounts: staged,
            ..plan.clone()
        })
    };
    match prepare() {
        Ok(mut command) => command.exec(),
        Err(e) => e,
    }
}

/// All that bubblewrap needs comes through descriptors: neither its arguments nor its environment show anything of the work.
fn command(plan: &Plan) -> io::Result<Command> {
    let (passwd, group) = sandbox::accounts(&plan.home, (sandbox::INSIDE, sandbox::INSIDE));
    let passwd = host::handed_down("passwd", passwd.as_bytes())?;
    let group = host::handed_down("group", group.as_bytes())?;
    let program = host::handed_down_executable()?;
    let fds = Descriptors {
        passwd: passwd.as_raw_fd(),
        group: group.as_raw_fd(),
    };
    let mut bytes = Vec::new();
    for argument in sandbox::arguments(plan, fds) {
        bytes.extend(argument.into_encoded_bytes());
        bytes.push(0);
    }
    let arguments = host::handed_down("arguments", &bytes)?;
    let mut command = Command::new(&plan.bwrap);
    let number = program.as_raw_fd().to_string();
    command.args([
        "--args",
        &arguments.as_raw_fd().to_string(),
        "--",
        &format!("/proc/self/fd/{number}"),
    ]);
    command
        .args(["supervise", "--init", &number])
        .env_clear()
        .current_dir("/");
    // They must outlive this function: the next program closes them.
    for fd in [passwd, group, program, arguments] {
        sys::hand_down(fd);
    }
    Ok(command)
}
