//! One control group per run, on cgroup v2, v1, or both side by side: limits, kills for lack of memory, and killing all at once.
//!
//! Knows neither specs nor supervisors. Where nothing may be made, [`Layout`] is empty and nothing is limited or measured here.

mod mounts;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::Limits;

/// The folder under which all runs' groups lie, in every hierarchy.
const PARENT: &str = "cairn";
/// The group of all supervisors; no run has this name.
const SUPERVISORS: &str = "supervisors";
/// Microseconds in which a share of CPU is measured.
const PERIOD_US: u64 = 100_000;

/// Where groups can be made on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// The folder for groups in the version 2 hierarchy, with the controllers it offers.
    pub(crate) unified: Option<(PathBuf, Vec<String>)>,
    /// Folders for groups in version 1 hierarchies, by controller.
    pub(crate) legacy: Vec<(String, PathBuf)>,
}

impl Layout {
    /// Looks where this process may make groups, by making and removing one.
    pub(crate) fn discover() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut layout = Self::default();
        for controller in ["memory", "pids", "cpu"] {
            let folder = mounts::legacy(&own, &table, controller).filter(|f| can_make(f));
            layout
                .legacy
                .extend(folder.map(|f| (controller.to_owned(), f)));
        }
        layout.unified = mounts::unified(&own, &table)
            .into_iter()
            .find(|f| can_make(f))
            .map(|f| {
                let controllers = enable_controllers(&f);
                (f, controllers)
            });
        layout
    }

    /// Whether a controller (`memory`, `pids`, `cpu`) limits runs here.
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.legacy.iter().any(|(c, _)| c == controller)
            || self
                .unified
                .as_ref()
                .is_some_and(|(_, all)| all.iter().any(|c| c == controller))
    }

    /// Moves this process out of the group of whoever started it, so that it does not end with that group.
    pub(crate) fn leave_starter(&self) -> io::Result<()> {
        let Some((folder, _)) = &self.unified else {
            return Ok(());
        };
        let folder = folder.join(PARENT).join(SUPERVISORS);
        make(&folder)?;
        fs::write(folder.join("cgroup.procs"), "0")
    }

    /// Makes the group `name` with its limits.
    pub(crate) fn create(&self, name: &str, limits: &Limits) -> io::Result<Group> {
        let mut group = Group::default();
        if let Some((folder, controllers)) = &self.unified {
            let folder = folder.join(PARENT).join(name);
            make(&folder)?;
            if controllers.iter().any(|c| c == "memory") {
                group.memory = Some(folder.clone());
            }
            limit_unified(&folder, controllers, limits)?;
            group.folders.push(folder);
        }
        for (controller, folder) in &self.legacy {
            let folder = folder.join(PARENT).join(name);
            make(&folder)?;
            if controller == "memory" {
                group.memory = Some(folder.clone());
            }
            limit_legacy(&folder, controller, limits)?;
            group.folders.push(folder);
        }
        Ok(group)
    }
}

/// A run's group: one folder in each hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    #[serde(default)]
    folders: Vec<PathBuf>,
    #[serde(default)]
    memory: Option<PathBuf>,
}

impl Group {
    /// The files that a process writes `0` into to join.
    pub(crate) fn procs(&self) -> Vec<PathBuf> {
        self.folders
            .iter()
            .map(|f| f.join("cgroup.procs"))
            .collect()
    }

    /// How many processes the kernel has ended for lack of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let Some(folder) = &self.memory else { return 0 };
        let text = ["memory.events", "memory.oom_control"]
            .iter()
            .find_map(|f| fs::read_to_string(folder.join(f)).ok());
        oom_kills(&text.unwrap_or_default())
    }

    /// Sends SIGKILL to every process in the group; those that fork meanwhile need another call.
    pub(crate) fn kill(&self) {
        for folder in &self.folders {
            if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                return;
            }
        }
        if let Some(folder) = self.folders.first() {
            kill_listed(folder);
        }
    }

    /// Removes the group. Fails while a process is in it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.folders.iter().try_for_each(|f| remove(f))
    }
}

/// Reads the count in `memory.events` or `memory.oom_control`.
pub(crate) fn oom_kills(text: &str) -> u64 {
    text.lines()
        .filter_map(|l| l.strip_prefix("oom_kill "))
        .find_map(|n| n.parse().ok())
        .unwrap_or(0)
}

fn can_make(folder: &Path) -> bool {
    let parent = folder.join(PARENT);
    let probe = parent.join(format!("probe-{}", std::process::id()));
    let made = make(&probe).is_ok() && probe.join("cgroup.procs").exists();
    let joins = made && may_write(&folder.join("cgroup.procs"));
    joins & remove(&probe).is_ok()
}

fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Hands controllers down to the runs' groups; answers which arrived.
fn enable_controllers(folder: &Path) -> Vec<String> {
    let wanted = ["memory", "pids", "cpu"];
    for level in [folder.to_owned(), folder.join(PARENT)] {
        for controller in wanted {
            // Refused where the controller is not there or the folder has processes of its own: seen below.
            drop(fs::write(
                level.join("cgroup.subtree_control"),
                format!("+{controller}"),
            ));
        }
    }
    let given =
        fs::read_to_string(folder.join(PARENT).join("cgroup.subtree_control")).unwrap_or_default();
    given
        .split_ascii_whitespace()
        .filter(|c| wanted.contains(c))
        .map(str::to_owned)
        .collect()
}

fn limit_unified(folder: &Path, controllers: &[String], limits: &Limits) -> io::Result<()> {
    let has = |c: &str| controllers.iter().any(|x| x == c);
    if let Some(bytes) = limits.memory_bytes.filter(|_| has("memory")) {
        fs::write(folder.join("memory.max"), bytes.to_string())?;
        write_if_there(&folder.join("memory.swap.max"), "0")?;
    }
    if let Some(pids) = limits.pids.filter(|_| has("pids")) {
        fs::write(folder.join("pids.max"), pids.to_string())?;
    }
    if let Some(millicores) = limits.cpu_millicores.filter(|_| has("cpu")) {
        fs::write(
            folder.join("cpu.max"),
            format!("{} {PERIOD_US}", quota_us(millicores)),
        )?;
    }
    Ok(())
}

fn limit_legacy(folder: &Path, controller: &str, limits: &Limits) -> io::Result<()> {
    match controller {
        "memory" => {
            let Some(bytes) = limits.memory_bytes else {
                return Ok(());
            };
            fs::write(folder.join("memory.limit_in_bytes"), bytes.to_string())?;
            write_if_there(
                &folder.join("memory.memsw.limit_in_bytes"),
                &bytes.to_string(),
            )
        }
        "pids" => limits.pids.map_or(Ok(()), |n| {
            fs::write(folder.join("pids.max"), n.to_string())
        }),
        "cpu" => {
            let Some(millicores) = limits.cpu_millicores else {
                return Ok(());
            };
            fs::write(folder.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(
                folder.join("cpu.cfs_quota_us"),
                quota_us(millicores).to_string(),
            )
        }
        _ => Ok(()),
    }
}

/// The kernel takes nothing below 1 ms.
fn quota_us(millicores: u64) -> u64 {
    (millicores.saturating_mul(PERIOD_US) / 1000).max(1000)
}

fn write_if_there(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() {
        fs::write(path, text)
    } else {
        Ok(())
    }
}

fn kill_listed(folder: &Path) {
    let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in listed
        .lines()
        .filter_map(|l| l.parse().ok())
        .filter_map(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// A group stays busy for a moment after its last process was waited for.
fn remove(folder: &Path) -> io::Result<()> {
    for _ in 0..50 {
        match fs::remove_dir(folder) {
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}
