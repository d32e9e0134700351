//! Asks the system whether it has killed something here for want of memory.

use std::path::PathBuf;

/// How often the kernel of the system has killed a process of our control group for want of memory; `None` where it
/// does not say.
pub(super) fn kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let counters = groups.lines().filter_map(counter);
    counters.filter_map(|path| read(&path)).max()
}

/// The file with the counter, in either version of control groups.
fn counter(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.trim_start_matches('/');
    if controllers.is_empty() {
        return Some(
            PathBuf::from("/sys/fs/cgroup")
                .join(path)
                .join("memory.events"),
        );
    }
    let is_memory = controllers.split(',').any(|name| name == "memory");
    is_memory.then(|| {
        PathBuf::from("/sys/fs/cgroup/memory")
            .join(path)
            .join("memory.oom_control")
    })
}

fn read(path: &PathBuf) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("oom_kill "));
    lines.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::counter;

    #[test]
    fn both_versions_of_control_groups_are_known() {
        let path = |line| counter(line).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(
            path("0::/a/b").as_deref(),
            Some("/sys/fs/cgroup/a/b/memory.events")
        );
        assert_eq!(
            path("9:cpu,memory:/a").as_deref(),
            Some("/sys/fs/cgroup/memory/a/memory.oom_control")
        );
        assert_eq!(path("3:cpu:/a"), None);
        assert_eq!(path("x"), None);
    }
}
