//! Reads `/proc/self/cgroup` and `/proc/self/mountinfo`: which folders may hold our groups.

use std::path::{Path, PathBuf};

/// This process's own folder in a version 1 hierarchy: groups below it inherit the limits that this process has.
pub(super) fn legacy(own: &str, table: &str, controller: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        fields
            .next()?
            .split(',')
            .any(|c| c == controller)
            .then_some(())?;
        fields.next()
    })?;
    let mount = mounts(table)
        .find(|m| m.kind == "cgroup" && m.options.split(',').any(|o| o == controller))?;
    mount.resolve(path)
}

/// Candidates in the version 2 hierarchy, best first: the highest ancestor of this process's own group.
///
/// High, because a group with processes of its own hands no controllers down, and because a service manager that starts this program anew
/// expects to find its own group without subgroups.
pub(super) fn unified(own: &str, table: &str) -> Vec<PathBuf> {
    let Some(path) = own.lines().find_map(|l| l.strip_prefix("0::")) else {
        return Vec::new();
    };
    let Some(mount) = mounts(table).find(|m| m.kind == "cgroup2") else {
        return Vec::new();
    };
    let Some(folder) = mount.resolve(path) else {
        return Vec::new();
    };
    let mut chain: Vec<_> = folder
        .ancestors()
        .take_while(|a| a.starts_with(mount.point))
        .map(Path::to_owned)
        .collect();
    chain.reverse();
    chain
}

struct MountPoint<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl MountPoint<'_> {
    /// Where a group of the hierarchy is found, if this mount shows it.
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(self.root).ok()?;
        Some(if below.as_os_str().is_empty() {
            self.point.into()
        } else {
            Path::new(self.point).join(below)
        })
    }
}

/// Source: proc(5), `mountinfo`.
fn mounts(table: &str) -> impl Iterator<Item = MountPoint<'_>> {
    table.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let mut right = right.split(' ');
        Some(MountPoint {
            root: left.next()?,
            point: left.next()?,
            kind: right.next()?,
            options: right.nth(1)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn finds_its_own_folder_in_each_legacy_hierarchy() {
        let own = "4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/\n";
        assert_eq!(
            legacy(own, HYBRID, "memory"),
            Some("/sys/fs/cgroup/memory/a/b".into())
        );
        assert_eq!(
            legacy(own, HYBRID, "cpu"),
            Some("/sys/fs/cgroup/cpu,cpuacct/c".into())
        );
        assert_eq!(legacy(own, HYBRID, "pids"), None);
    }

    #[test]
    fn a_container_sees_its_group_at_the_mount() {
        let table = "30 24 0:26 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert_eq!(
            legacy("4:memory:/docker/x\n", table, "memory"),
            Some("/sys/fs/cgroup/memory".into())
        );
        assert_eq!(legacy("4:memory:/other\n", table, "memory"), None);
    }

    #[test]
    fn tries_the_highest_unified_group_first() {
        let table = "32 24 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = unified("0::/user.slice/user-1.slice\n", table);
        let want: Vec<PathBuf> = [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/user.slice",
            "/sys/fs/cgroup/user.slice/user-1.slice",
        ]
        .map(Into::into)
        .into();
        assert_eq!(found, want);
    }
}
