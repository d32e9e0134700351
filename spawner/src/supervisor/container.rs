//! A container in place of a launcher: opens the doors that its init will come to, has it made, and lets the init in.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

use super::events::{Event, Events};
use super::pump::Pump;
use super::{Run, api};
use crate::docker::engine::{Engine, Refusal};
use crate::docker::launch::Launch;
use crate::spec::Mount;
use crate::status::Failure;
use crate::{docker, files, host, sandbox};

/// How long a started container may take until its first process calls.
const CALL: Duration = Duration::from_mins(1);
/// How often a silent container is looked at, and one whose process cannot be seen from here.
const LOOK: Duration = Duration::from_millis(250);

/// A container whose init has called.
pub(super) struct Contained {
    /// The connection to the init.
    pub(super) line: OwnedFd,
    /// Its process, if it can be seen from here.
    pub(super) pid: Option<u32>,
}

/// Makes the container and waits for its init, which is given the ends of the log's pipes.
pub(super) async fn launch(
    run: &mut Run,
    plan: &docker::Plan,
    mounts: &[Mount],
    pump: &Pump,
    outputs: [OwnedFd; 2],
) -> Result<Contained, Refusal> {
    let user = run.plan.owner.unwrap_or_else(host::own_ids);
    let doors = Doors::open(run, user).map_err(|e| {
        let message = format!("The container's folder cannot be made: {e}.");
        (Failure::Refused, message)
    })?;
    let launch = Launch {
        plan,
        spec: &run.plan.spec,
        mounts,
        user,
        init: &doors.folder,
        accounts: [&doors.passwd, &doors.group],
        lock: &run.plan.sockets.with_file_name(".firewall"),
        say: &|line| pump.note(line),
    };
    let engine = launch.prepare().await?;
    run.state.on_engine = true;
    run.folder.write_state(&run.state).map_err(|e| {
        let message = format!("The run's state cannot be written: {e}.");
        (Failure::Refused, message)
    })?;
    launch.carry_out(&engine).await?;
    let caller = doors.wait(&engine, plan, user.0).await?;
    plan.step("connected");
    let handed = hand_over(caller, &outputs, &doors.folder);
    handed.map_err(|e| {
        let message = format!("The container's first process cannot be reached: {e}.");
        (Failure::SandboxFailed, message)
    })
}

/// Tells when nothing of the container is left: its first process is the last one to go.
pub(super) fn watch(pid: Option<u32>, plan: &docker::Plan, events: Events) -> io::Result<()> {
    let Some(pid) = pid else {
        let plan = plan.clone();
        tokio::spawn(async move {
            while still_runs(&plan).await {
                sleep(LOOK).await;
            }
            drop(events.send(Event::TreeGone));
        });
        return Ok(());
    };
    let process = host::Watched::open(pid)?;
    let wait = move || {
        process.wait();
        drop(events.send(Event::TreeGone));
    };
    std::thread::Builder::new()
        .name("container".into())
        .spawn(wait)
        .map(drop)
}

/// Whether the engine says so, or nothing.
async fn still_runs(plan: &docker::Plan) -> bool {
    let looked = async {
        let engine = Engine::connect(&plan.engine, plan.patience()).await?;
        engine.look(&plan.name).await
    };
    looked
        .await
        .map_or(true, |look| look.is_some_and(|l| l.running))
}

/// What the container finds of the supervisor: a folder with sockets, and its accounts.
struct Doors {
    folder: PathBuf,
    listener: UnixListener,
    passwd: PathBuf,
    group: PathBuf,
}

impl Doors {
    fn open(run: &Run, user: (u32, u32)) -> io::Result<Self> {
        let folder = run.plan.sockets.join("init");
        files::make_folder(&folder, 0o711)?;
        let listener = listen(&folder.join("socket"), user)?;
        if let Some(api) = &run.plan.spec.api {
            let listener = listen(&folder.join("api"), user)?;
            tokio::spawn(api::serve(listener, api.clone()));
        }
        let home = run.plan.spec.env.get("HOME").map_or("/", String::as_str);
        let (passwd, group) = sandbox::accounts(home, user);
        let [passwd_file, group_file] = ["passwd", "group"].map(|n| run.plan.sockets.join(n));
        for (path, text) in [(&passwd_file, passwd), (&group_file, group)] {
            std::fs::write(path, text)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
        }
        Ok(Self {
            folder,
            listener,
            passwd: passwd_file,
            group: group_file,
        })
    }

    /// Waits for the init. The first that calls is it: nothing else runs in the container before it was answered.
    async fn wait(
        &self,
        engine: &Engine,
        plan: &docker::Plan,
        uid: u32,
    ) -> Result<UnixStream, Refusal> {
        let deadline = Instant::now() + CALL;
        loop {
            tokio::select! {
                called = self.listener.accept() => {
                    let own = |s: &UnixStream| s.peer_cred().is_ok_and(|c| c.uid() == uid);
                    if let Some(stream) = called.ok().map(|c| c.0).filter(own) {
                        return Ok(stream);
                    }
                }
                () = sleep(LOOK) => {
                    let look = engine.look(&plan.name).await?.unwrap_or_default();
                    if !look.running {
                        let why = if look.error.is_empty() { format!("status {}", look.code) } else { look.error };
                        return Err((Failure::SandboxFailed, format!("The container ended before its command began: {why}.")));
                    }
                }
            }
            if Instant::now() > deadline {
                let message = "The container's first process did not call.";
                return Err((Failure::SandboxFailed, message.to_owned()));
            }
        }
    }
}

/// A socket that only the work can connect to.
fn listen(path: &Path, (uid, gid): (u32, u32)) -> io::Result<UnixListener> {
    files::remove_all(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    if host::is_root() {
        chown(path, Some(uid), Some(gid))?;
    }
    Ok(listener)
}

/// Gives the init its outputs and closes the door: whatever it starts finds no socket to call at.
fn hand_over(stream: UnixStream, outputs: &[OwnedFd; 2], folder: &Path) -> io::Result<Contained> {
    let pid = stream.peer_cred()?.pid();
    let pid = pid.and_then(|p| u32::try_from(p).ok()).filter(|p| *p != 0);
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    files::remove_all(&folder.join("socket"))?;
    let fds = [outputs[0].as_fd(), outputs[1].as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(
        &stream,
        &[IoSlice::new(b"o")],
        &mut ancillary,
        SendFlags::empty(),
    )?;
    Ok(Contained {
        line: stream.into(),
        pid,
    })
}
