//! What happens between "start this" and the launcher: checks, ownership, the control group, and the two messages that follow.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use super::Run;
use crate::cgroup::Group;
use crate::frame::{Order, Work};
use crate::sandbox;
use crate::spec::{Access, Endpoint, Mount, Spec};
use crate::status::Failure;
use crate::{SECRETS, files, gpus};

/// A start that cannot be, and the sentence for whoever asked for it.
pub(super) type Refusal = (Failure, String);

/// Everything that the launcher and the init will be told.
pub(super) struct Prepared {
    pub(super) order: Order,
    pub(super) work: Work,
    /// All that the work sees besides the system.
    pub(super) mounts: Vec<Mount>,
    pub(super) group: Group,
    /// The endpoint's socket as this process sees it.
    pub(super) socket: Option<PathBuf>,
    /// To be removed after the end.
    pub(super) secrets_folder: Option<PathBuf>,
    /// What the log should say about limits that are not in force.
    pub(super) notes: Vec<String>,
}

/// Prepares the start. What it makes is found again through the run's plan, should this process die.
pub(super) fn prepare(run: &mut Run) -> Result<Prepared, Refusal> {
    let plan = run.plan.clone();
    let spec = &plan.spec;
    let mut mounts = spec.mounts.clone();
    mounts.iter().try_for_each(check_source)?;
    let socket = spec
        .endpoint
        .as_ref()
        .map(|e| endpoint(run, e, &mut mounts))
        .transpose()?;
    if let Some(owner) = plan.owner {
        let writable = mounts.iter().filter(|m| m.access == Access::ReadWrite);
        writable
            .into_iter()
            .try_for_each(|m| give(&m.source, owner))?;
    }
    let mut notes = Vec::new();
    let group = group(run, &mut notes);
    run.state.group = group.clone();
    run.folder.update_state(&run.state).map_err(|e| {
        (
            Failure::Refused,
            format!("The run's state cannot be written: {e}."),
        )
    })?;
    let is_walled = plan.bwrap.is_some() || plan.docker.is_some();
    let secrets_folder = (!is_walled).then(|| outside_secrets(&plan.key(), &plan.sockets));
    let work = work(run, &mounts, secrets_folder.as_deref());
    let home = spec.env.get("HOME").cloned().unwrap_or_else(|| "/".into());
    let hidden = plan.hidden.clone();
    let order = Order {
        supervisor: std::process::id(),
        owner: plan.owner,
        groups: group.procs(),
        data_bytes: spec
            .limits
            .memory_bytes
            .filter(|_| !plan.groups.has("memory")),
        processes: spec
            .limits
            .pids
            .filter(|_| !plan.groups.has("pids") && plan.owner.is_some()),
        sandbox: plan.bwrap.map(|bwrap| sandbox::Plan {
            bwrap,
            mounts: mounts.clone(),
            devices: gpus::devices(Path::new("/dev"), &spec.gpus),
            hidden,
            home,
        }),
    };
    Ok(Prepared {
        order,
        work,
        mounts,
        group,
        socket,
        secrets_folder,
        notes,
    })
}

fn check_source(mount: &Mount) -> Result<(), Refusal> {
    let source = mount.source.display();
    match mount.source.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => Err((
            Failure::MountMissing,
            format!(
                "{source}, to be shown at {}, is a symbolic link.",
                mount.target.display()
            ),
        )),
        Ok(_) => Ok(()),
        Err(e) => Err((
            Failure::MountMissing,
            format!(
                "{source}, to be shown at {}, cannot be found: {e}.",
                mount.target.display()
            ),
        )),
    }
}

/// Makes the folder that the socket will appear in, and answers where.
fn endpoint(run: &Run, endpoint: &Endpoint, mounts: &mut Vec<Mount>) -> Result<PathBuf, Refusal> {
    let folder = run.plan.endpoint_folder();
    files::make_folder(&folder, 0o700).map_err(|e| {
        (
            Failure::Refused,
            format!("The socket's folder cannot be made: {e}."),
        )
    })?;
    let name = endpoint.target.file_name().unwrap_or_default();
    let socket = folder.join(name);
    if let Some(target) = endpoint.target.parent() {
        mounts.push(Mount::read_write(folder, target));
    }
    Ok(socket)
}

/// Gives a folder and all in it to the work, unless the folder is its own already. Files with several names stay whose they are: they may
/// be somebody else's too.
fn give(source: &Path, owner: (u32, u32)) -> Result<(), Refusal> {
    let failed = |e: io::Error| {
        (
            Failure::Refused,
            format!(
                "{} cannot be given to uid {}: {e}.",
                source.display(),
                owner.0
            ),
        )
    };
    let meta = source.symlink_metadata().map_err(failed)?;
    if (meta.uid(), meta.gid()) == owner {
        return Ok(());
    }
    give_below(source, owner).map_err(failed)?;
    if meta.is_file() && meta.nlink() > 1 {
        return Ok(());
    }
    // Last, so that a walk that was cut short is taken up again.
    lchown(source, Some(owner.0), Some(owner.1)).map_err(failed)
}

fn give_below(folder: &Path, owner: (u32, u32)) -> io::Result<()> {
    if !folder.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            give_below(&entry.path(), owner)?;
        }
        if meta.is_dir() || meta.nlink() == 1 {
            lchown(entry.path(), Some(owner.0), Some(owner.1))?;
        }
    }
    Ok(())
}

fn group(run: &Run, notes: &mut Vec<String>) -> Group {
    let limits = &run.plan.spec.limits;
    if run.plan.docker.is_some() {
        // A container's limits are the engine's matter.
        return Group::default();
    }
    match run.plan.groups.create(&run.plan.key(), limits) {
        Ok(group) => group,
        Err(e) => {
            notes.push(format!("Memory, CPU and process limits are not in force: no control group could be made ({e})."));
            Group::default()
        }
    }
}

/// A folder in memory that the work can reach.
fn outside_secrets(key: &str, sockets: &Path) -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.join(format!("cairn-{key}"))
    } else {
        sockets.join("secrets")
    }
}

fn work(run: &Run, mounts: &[Mount], outside: Option<&Path>) -> Work {
    let spec: &Spec = &run.plan.spec;
    let mut shown = mounts.to_vec();
    if let Some(folder) = outside {
        shown.push(Mount::read_write(folder, SECRETS));
    }
    let say = |text: &str| {
        if outside.is_some() {
            sandbox::outside(text, &shown)
        } else {
            text.to_owned()
        }
    };
    let mut env: Vec<_> = spec.env.iter().map(|(k, v)| (k.clone(), say(v))).collect();
    env.push((MARK.to_owned(), spec.id.clone()));
    let cards = gpus::variables(&spec.gpus, outside.is_none());
    env.retain(|(name, _)| cards.iter().all(|(card, _)| card != name));
    env.extend(cards);
    let api = spec.api.as_ref().filter(|_| run.plan.docker.is_some());
    Work {
        argv: spec.argv.iter().map(|a| say(a)).collect(),
        env,
        cwd: say(&spec.cwd.to_string_lossy()).into(),
        secrets_folder: outside.map_or_else(|| SECRETS.into(), Path::to_owned),
        secrets: run.given.secrets.clone(),
        api_port: api.and_then(|a| a.rsplit_once(':')?.1.parse().ok()),
    }
}

/// The environment variable that tells whose a process is, should its supervisor be lost.
pub(crate) const MARK: &str = "CAIRN_RUN_ID";
