//! Starts a run exactly once, whoever asks how often.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{Inner, Way, lost};
use crate::capabilities;
use crate::cgroup::Layout;
use crate::error::Context;
use crate::run::{Folder, Plan, VERSION};
use crate::supervisor::{Given, Taken};
use crate::{Error, Handle, Result, Spec, files, frame, host};

/// How long a supervisor may take to take over.
const TAKEOVER: Duration = Duration::from_secs(30);

/// Makes the run's folder under its lock, then hands the lock to a new supervisor: there is no moment at which the run is nobody's.
pub(super) fn start(runtime: &Inner, spec: Spec, owner: Option<(u32, u32)>) -> Result<Handle> {
    let handle = runtime.handle(&spec.id);
    let given = Given {
        secrets: spec
            .secrets
            .iter()
            .map(|s| (s.name.clone(), hex::encode(&s.bytes)))
            .collect(),
    };
    let folder = Folder::new(runtime.config.runs.join(&spec.id));
    if !folder.path().is_dir() {
        let plan = plan(runtime, spec, owner);
        if let Some(lock) = make(&folder, &plan)
            .map_err(|e| Error::unavailable("the run's folder cannot be made", e))?
        {
            return launch(runtime, &folder, lock, &given).map(|()| handle);
        }
    }
    // Somebody was faster, or began and did not finish.
    let failed = || format!("the run in {} cannot be taken up", folder.path().display());
    let Some(lock) = lost::try_lock(&folder).context(failed)? else {
        return Ok(handle);
    };
    let known = folder.read_exit().context(failed)?.is_some()
        || folder.read_state().context(failed)?.is_some();
    if !known {
        launch(runtime, &folder, lock, &given)?;
    }
    Ok(handle)
}

fn plan(runtime: &Inner, spec: Spec, owner: Option<(u32, u32)>) -> Plan {
    let config = &runtime.config;
    let mut hidden = config.hidden.clone();
    hidden.extend([config.runs.clone(), config.sockets.clone()]);
    let folder = config.runs.join(&spec.id);
    let key = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    let key = &key[..16];
    let (bwrap, groups, docker) = match &runtime.way {
        Way::Process(found) => {
            let found = found.get_or_init(|| capabilities::probe(config));
            (found.bwrap.clone(), found.groups.clone(), None)
        }
        Way::Docker(docker, groups) => {
            let groups = groups.get_or_init(Layout::discover).clone();
            (None, groups, Some(docker.plan(key)))
        }
    };
    Plan {
        version: VERSION,
        spec,
        sockets: config.sockets.join(key),
        owner,
        bwrap,
        groups,
        hidden,
        docker,
    }
}

/// Makes the folder and returns its lock, or `None` if it exists.
fn make(folder: &Folder, plan: &Plan) -> io::Result<Option<fs::File>> {
    let name = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let unique = format!(
        ".new-{name}-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let temporary = Folder::new(folder.path().with_file_name(unique));
    files::remove_all(temporary.path())?;
    let made = fill(&temporary, plan).and_then(|lock| {
        fs::rename(temporary.path(), folder.path())?;
        fs::File::open(folder.path().parent().unwrap_or(Path::new("/")))?.sync_all()?;
        Ok(lock)
    });
    match made {
        Ok(lock) => Ok(Some(lock)),
        Err(e) => {
            files::remove_all(temporary.path())?;
            if folder.path().is_dir() {
                Ok(None)
            } else {
                Err(e)
            }
        }
    }
}

fn fill(folder: &Folder, plan: &Plan) -> io::Result<fs::File> {
    files::make_folder(folder.path(), 0o700)?;
    folder.write_plan(plan)?;
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.lock())?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Starts the supervisor and waits until it has taken over. If it cannot, nothing is left of the run.
fn launch(runtime: &Inner, folder: &Folder, lock: fs::File, given: &Given) -> Result<()> {
    let again = lock
        .try_clone()
        .context(|| "the lock cannot be kept".to_owned())?;
    let Err(error) = hand_over(runtime, folder, lock, given) else {
        return Ok(());
    };
    let began = folder.read_state().is_ok_and(|s| s.is_some());
    if began {
        // It was taken over and is lost by now, or will still answer: either way it has an end to be asked for.
        return Ok(());
    }
    let message = format!(
        "no supervisor could be started: {}",
        complaint(folder).unwrap_or_else(|| error.to_string())
    );
    files::remove_all(folder.path())
        .context(|| "a failed start cannot be cleaned up".to_owned())?;
    drop(again);
    Err(Error::unavailable(message, error))
}

fn hand_over(runtime: &Inner, folder: &Folder, lock: fs::File, given: &Given) -> io::Result<()> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let complaints = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.complaints())?;
    let mut command = host::program(runtime.config.program.as_deref());
    command
        .arg("supervise")
        .arg(folder.path())
        .env_clear()
        .current_dir("/");
    command
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(lock))
        .stderr(Stdio::from(complaints));
    let mut child = command.spawn()?;
    // The ends that it has now.
    drop(command);
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "the supervisor ended with {status}"
        )));
    }
    ours.set_read_timeout(Some(TAKEOVER))?;
    frame::write(&mut ours, given)?;
    frame::read::<Taken>(&mut ours)?
        .map(drop)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn complaint(folder: &Folder) -> Option<String> {
    let mut text = String::new();
    fs::File::open(folder.complaints())
        .ok()?
        .take(4096)
        .read_to_string(&mut text)
        .ok()?;
    text.lines().last().map(str::to_owned)
}
