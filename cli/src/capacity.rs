//! What this machine has for work: cores, memory and cards, as the configuration says or as they are found.

use std::{fs, num::NonZeroUsize, path::Path};

use anyhow::Result;
use control::Capacity;
use storage::machines::Device;

use crate::config::{Local, millicores};

/// What this machine has, with `slots` jobs at the same time.
pub(crate) fn measure(local: &Local, slots: u32, runtimes: &[&str]) -> Result<Capacity> {
    let root = Path::new("/");
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Ok(Capacity {
        name: local.name.clone().unwrap_or_else(host_name),
        labels: local.labels.clone(),
        runtimes: runtimes.iter().map(|&name| name.to_owned()).collect(),
        cpu_millicores: Some(local.cpus.map_or(cores as u64 * 1000, millicores)),
        memory_bytes: local.memory.map(|bytes| bytes.0).or_else(|| memory(root)),
        slots: Some(slots),
        devices: local.devices(cards(root))?,
    })
}

/// The first part of the host's name, by the rule for names.
fn host_name() -> String {
    let system = rustix::system::uname();
    plain_name(&system.nodename().to_string_lossy())
}

fn plain_name(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default();
    let plain: String = first
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(56)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() {
        "machine".to_owned()
    } else {
        plain.to_owned()
    }
}

/// The memory that processes here may have: the machine's, or that of the control group around this one where it is less.
fn memory(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    let limit = [
        "sys/fs/cgroup/memory.max",
        "sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = limit.iter().filter_map(|file| {
        fs::read_to_string(root.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    });
    limits.chain([kib * 1024]).min()
}

/// The NVIDIA cards that have a device file here, by what their driver tells of each; in the order of their numbers.
fn cards(root: &Path) -> Vec<Device> {
    let told = fs::read_dir(root.join("proc/driver/nvidia/gpus"));
    let told = told.into_iter().flatten().flatten();
    let mut cards: Vec<Device> = told
        .filter_map(|folder| fs::read_to_string(folder.path().join("information")).ok())
        .filter_map(|text| card(root, &text))
        .collect();
    cards.sort_by_key(|card| card.minor);
    cards
}

fn card(root: &Path, information: &str) -> Option<Device> {
    let value = |key: &str| {
        let mut lines = information.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(name, value)| (name.trim() == key).then(|| value.trim().to_owned()))
    };
    let minor: i64 = value("Device Minor")?.parse().ok()?;
    if !root.join(format!("dev/nvidia{minor}")).exists() {
        return None;
    }
    // Before anything has used the card, its driver tells question marks.
    let uuid = value("GPU UUID").filter(|uuid| !uuid.contains('?'));
    Some(Device {
        id: uuid.unwrap_or_else(|| minor.to_string()),
        model: value("Model").unwrap_or_else(|| "NVIDIA".to_owned()),
        minor: Some(minor),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_become_names_of_machines() {
        for (host, name) in [
            ("desk.example.org", "desk"),
            ("My_Laptop", "my-laptop"),
            ("--", "machine"),
            ("", "machine"),
        ] {
            assert_eq!(plain_name(host), name);
        }
    }

    #[test]
    fn cards_are_those_with_a_device_file() {
        let root = tempfile::tempdir().expect("a folder");
        let gpus = root.path().join("proc/driver/nvidia/gpus");
        fs::create_dir_all(root.path().join("dev")).expect("made");
        for (bus, minor, uuid) in [
            ("0000:41:00.0", 1, "GPU-b"),
            ("0000:01:00.0", 0, "GPU-????"),
            ("0000:81:00.0", 2, "GPU-c"),
        ] {
            fs::create_dir_all(gpus.join(bus)).expect("made");
            let text = format!(
                "Model: \t\t NVIDIA A10\nIRQ:   1\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
            );
            fs::write(gpus.join(bus).join("information"), text).expect("written");
        }
        for minor in [0, 1] {
            fs::write(root.path().join(format!("dev/nvidia{minor}")), "").expect("written");
        }
        let found = cards(root.path());
        let ids: Vec<_> = found.iter().map(|card| card.id.as_str()).collect();
        assert_eq!(ids, ["0", "GPU-b"]);
        assert_eq!(
            (found[1].model.as_str(), found[1].minor),
            ("NVIDIA A10", Some(1))
        );
        assert!(cards(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn memory_is_the_least_of_what_limits_it() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("proc")).expect("made");
        fs::create_dir_all(root.path().join("sys/fs/cgroup")).expect("made");
        fs::write(
            root.path().join("proc/meminfo"),
            "MemTotal:    2048 kB\nMemFree: 1 kB\n",
        )
        .expect("written");
        assert_eq!(memory(root.path()), Some(2 << 20));
        fs::write(root.path().join("sys/fs/cgroup/memory.max"), "max\n").expect("written");
        assert_eq!(memory(root.path()), Some(2 << 20));
        fs::write(root.path().join("sys/fs/cgroup/memory.max"), "1048576\n").expect("written");
        assert_eq!(memory(root.path()), Some(1 << 20));
    }
}
