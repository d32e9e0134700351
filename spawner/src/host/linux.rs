//! Linux: `/proc`, mount namespaces, subreapers.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
};
use rustix::process::{Pid, Signal};

use crate::spec::Mount;
use crate::sys;

/// Where sources are gathered for a uid that cannot reach their own paths. Any folder that every system has will do: only the launcher's
/// own mount table changes.
const STAGE: &str = "/tmp";

/// This program's file, also after it was replaced.
pub(crate) fn own_executable() -> PathBuf {
    "/proc/self/exe".into()
}

/// Ticks after boot at which a process began.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// Names the current boot.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|s| s.trim().to_owned())
        .unwrap_or_default()
}

/// Makes this process the parent of every orphan below it.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(
        rustix::process::getpid(),
    ))?)
}

/// Lets the kernel kill this process when its parent dies, or fails if `parent` has died already.
pub(crate) fn die_with(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = rustix::process::getppid().map_or(0, |p| p.as_raw_nonzero().get());
    if u32::try_from(now).is_ok_and(|p| p == parent) {
        Ok(())
    } else {
        Err(io::Error::other("its supervisor is gone"))
    }
}

/// Keeps other processes of the same uid from looking into this one.
pub(crate) fn hide_memory() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(
        rustix::process::DumpableBehavior::NotDumpable,
    )?)
}

/// Another process, to be waited for: no later one is taken for it.
pub(crate) struct Watched(OwnedFd);

impl Watched {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
        let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        Ok(Self(fd))
    }

    /// Returns once it has ended. The first process of a pid namespace ends after all others in it.
    pub(crate) fn wait(&self) {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
            if poll(&mut polled, None).is_ok() && !polled[0].revents().is_empty() {
                return;
            }
        }
    }
}

/// All processes below `root`, parents first.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in processes() {
        if let Some(parent) = stat_field(pid, 4).and_then(|p| p.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(next) = found.get(at).copied() {
        found.extend(children.remove(&next).unwrap_or_default());
        at += 1;
    }
    found.split_off(1)
}

/// All processes whose environment has this entry.
pub(crate) fn with_environment(entry: &str) -> Vec<u32> {
    let has = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|e| e.split(|b| *b == 0).any(|v| v == entry.as_bytes()))
    };
    processes().filter(has).collect()
}

/// SIGTERM or SIGKILL for every other process that this one may signal. Only for the first process of a pid namespace.
pub(crate) fn signal_all(signal: Signal) -> io::Result<()> {
    Ok(rustix::process::kill_process_group(Pid::INIT, signal)?)
}

/// Lets the kernel prefer the work over everything else when memory runs out.
pub(crate) fn offer_to_oom_killer() {
    if let Err(e) = fs::write("/proc/self/oom_score_adj", "300") {
        tracing::debug!(error = %e, "oom_score_adj");
    }
}

/// A descriptor that the next program may read `bytes` from.
pub(crate) fn handed_down(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::empty())?;
    let mut file = fs::File::from(fd);
    io::Write::write_all(&mut file, bytes)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// A descriptor of this program that the next one may execute.
pub(crate) fn handed_down_executable() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        "/proc/self/exe",
        OFlags::PATH,
        Mode::empty(),
    )?)
}

/// Makes everything durable that was written to the file system which holds `folder`.
pub(crate) fn sync_file_system(folder: &fs::File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

/// Gathers the mounts' sources at paths that every uid can reach, in a mount table of this process's own, and returns the mounts with those.
///
/// Never follows a link in a source's last component.
pub(crate) fn stage(mounts: &[Mount]) -> io::Result<Vec<Mount>> {
    sys::unshare_mounts()?;
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let open = |m: &Mount| rustix::mount::open_tree(CWD, &m.source, flags);
    let trees = mounts.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    mount_stage()?;
    let mut staged = Vec::with_capacity(mounts.len());
    for (n, (mount, tree)) in mounts.iter().zip(&trees).enumerate() {
        let at = Path::new(STAGE).join(n.to_string());
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
        if kind.is_dir() {
            fs::create_dir(&at)?;
        } else {
            fs::write(&at, "")?;
        }
        rustix::mount::move_mount(tree, "", CWD, &at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        staged.push(Mount {
            source: at,
            ..mount.clone()
        });
    }
    Ok(staged)
}

fn mount_stage() -> io::Result<()> {
    let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&fs, "mode", "0755")?;
    rustix::mount::fsconfig_create(&fs)?;
    let mount =
        rustix::mount::fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    Ok(rustix::mount::move_mount(
        &mount,
        "",
        CWD,
        STAGE,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// Field `number` (from 1) of `/proc/PID/stat`, for fields after the command's name, which may hold anything.
fn stat_field(pid: u32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace()
        .nth(number - 3)
        .map(str::to_owned)
}
