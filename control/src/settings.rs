//! What control is told at start: folders, environments, machine types, limits. Reads no file.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use spawner::EnvironmentSpec;

use crate::{Error, Result};

/// Everything that does not change while the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environments by name; `default` exists.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// Machine types by name; at least one.
    pub machines: BTreeMap<String, MachineType>,
    /// A folder for what is made and captured at once; beside the store.
    pub scratch: PathBuf,
    /// Jobs that run at the same time on this machine.
    pub max_jobs: NonZeroUsize,
    /// What runs on a machine that cannot be reached for this long is given up; the machine itself ends it before.
    pub offline_grace: Duration,
    /// Where work reaches the API: the public address.
    pub api_url: String,
}

/// A named size of machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MachineType {
    /// Thousandths of a core; none means no limit.
    pub cpu_millicores: Option<u64>,
    /// Memory in bytes; none means no limit.
    pub memory_bytes: Option<u64>,
    /// A job on it is stopped after this many ms.
    pub time_limit_ms: Option<i64>,
}

impl Settings {
    /// The environment called `name`, or `default`.
    pub(crate) fn environment(&self, name: Option<&str>) -> Result<(String, &EnvironmentSpec)> {
        pick(&self.environments, "environment", name, "default")
    }

    /// The machine type called `name`, or the first one (`local` where nothing else is configured).
    pub(crate) fn machine(&self, name: Option<&str>) -> Result<(String, &MachineType)> {
        let first = self.machines.keys().next().map_or("local", String::as_str);
        let usual = if self.machines.contains_key("local") {
            "local"
        } else {
            first
        };
        pick(&self.machines, "machine type", name, usual)
    }
}

fn pick<'a, T>(
    all: &'a BTreeMap<String, T>,
    kind: &str,
    name: Option<&str>,
    usual: &str,
) -> Result<(String, &'a T)> {
    let name = name.unwrap_or(usual);
    all.get(name)
        .map(|found| (name.to_owned(), found))
        .ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            let known = all
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            Error::invalid(format!(
                "there is no {kind} `{}`; there are: {known}",
                shown.escape_debug()
            ))
        })
}
