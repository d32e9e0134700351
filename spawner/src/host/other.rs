//! Other systems (macOS): no sandbox, no cgroups, process groups instead of trees.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::spec::Mount;

pub(crate) fn own_executable() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "cairn".into())
}

pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::test_kill_process(pid).is_ok().then_some(0)
}

pub(crate) fn boot_id() -> String {
    String::new()
}

pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

pub(crate) fn die_with(_parent: u32) -> io::Result<()> {
    Ok(())
}

pub(crate) fn hide_memory() -> io::Result<()> {
    Ok(())
}

/// Orphans are lost sight of: they belong to the first process of the system.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let Ok(output) = std::process::Command::new("/bin/ps")
        .args(["-axo", "pid=,ppid="])
        .output()
    else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pair = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        Some((
            fields.next()?.parse::<u32>().ok()?,
            fields.next()?.parse::<u32>().ok()?,
        ))
    };
    let table: Vec<(u32, u32)> = text.lines().filter_map(pair).collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            table
                .iter()
                .filter(|(pid, above)| *above == parent && *pid != parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found.split_off(1)
}

pub(crate) fn sync_file_system(folder: &std::fs::File) -> io::Result<()> {
    folder.sync_all()
}

pub(crate) fn with_environment(_entry: &str) -> Vec<u32> {
    Vec::new()
}

pub(crate) fn signal_all(_signal: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn offer_to_oom_killer() {}

pub(crate) fn handed_down(_name: &str, _bytes: &[u8]) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn handed_down_executable() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn stage(_mounts: &[Mount]) -> io::Result<Vec<Mount>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Another process, to be waited for.
pub(crate) struct Watched(u32);

impl Watched {
    #[expect(clippy::unnecessary_wraps, reason = "as where the kernel can refuse")]
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        Ok(Self(pid))
    }

    /// Returns once it has ended.
    pub(crate) fn wait(&self) {
        let pid = i32::try_from(self.0)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        while pid.is_some_and(|p| rustix::process::test_kill_process(p).is_ok()) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
