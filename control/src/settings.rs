//! What control is told at start: folders, environments, machine types, limits. Reads no file.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use spawner::{EnvironmentSpec, ImageSpec, images::Source};
use storage::machines::Device;

use crate::{Error, Result};

/// Everything that does not change while the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environments by name; `default` exists.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// Patterns of images that people may name themselves, or build on; with none they bring no software of their own.
    pub allowed_images: Vec<String>,
    /// The image that people's requirements are installed on.
    pub base_image: String,
    /// Machine types by name; at least one.
    pub machines: BTreeMap<String, MachineType>,
    /// A folder for what is made and captured at once; beside the store.
    pub scratch: PathBuf,
    /// The parts of buckets that may be adopted.
    pub buckets: Vec<Adoptable>,
    /// What this machine has for work.
    pub capacity: Capacity,
    /// What runs on a machine that cannot be reached for this long is given up; the machine itself ends it before.
    pub offline_grace: Duration,
    /// Where work reaches the API: the public address.
    pub api_url: String,
    /// How homes are kept.
    pub homes: Homes,
    /// How often what nothing uses is collected, and how long it must have been unused before it goes; never, where there is none.
    pub collect_every: Option<Duration>,
    /// How much of what a bucket keeps may have copies on this host, in bytes; none: as much as there is.
    pub copies_bytes: Option<u64>,
    /// How everything in the store is read again; not at all, where there is none.
    pub scrub: Option<Scrub>,
}

/// How everything in the store is read again.
#[derive(Clone, Debug)]
pub struct Scrub {
    /// How long it takes to read all of it once.
    pub period: Duration,
    /// The most bytes that are read in a second, also where that takes longer.
    pub bytes_per_s: u64,
}

/// How homes are kept.
#[derive(Clone, Debug)]
pub struct Homes {
    /// What a home may take, in bytes; none means no limit.
    pub quota_bytes: Option<u64>,
    /// How often the home of a running server is saved, where there is another machine.
    pub save_every: Duration,
}

impl Default for Homes {
    fn default() -> Self {
        Self {
            quota_bytes: None,
            save_every: Duration::from_mins(10),
        }
    }
}

/// A part of a bucket that may become data of projects where it lies.
#[derive(Clone, Debug)]
pub struct Adoptable {
    /// What the configuration calls it.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// What keys begin with: empty, or ending with `/`.
    pub prefix: String,
    /// The names of the projects that may; none: all of them.
    pub projects: Option<Vec<String>>,
}

/// A named size of machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MachineType {
    /// Thousandths of a core, taken of its machine while it runs; none means no limit, and takes nothing.
    pub cpu_millicores: Option<u64>,
    /// Memory in bytes, taken in the same way.
    pub memory_bytes: Option<u64>,
    /// How many GPUs, each for one run at a time.
    #[serde(default)]
    pub gpus: u32,
    /// Words in the name of their model, such as `H100`; any where none is named.
    #[serde(default)]
    pub gpu_model: Option<String>,
    /// What an hour costs, in millionths of whatever the team counts in.
    #[serde(default)]
    pub price: Option<i64>,
    /// The runtime that it needs; any where none is named.
    #[serde(default)]
    pub runtime: Option<String>,
    /// Labels that its machine must have, all of them.
    #[serde(default)]
    pub labels: Vec<String>,
    /// A job on it is stopped after this many ms.
    pub time_limit_ms: Option<i64>,
}

/// What a machine has for work.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// What to call the machine.
    pub name: String,
    /// What can be asked of it.
    pub labels: Vec<String>,
    /// The runtimes that it has.
    pub runtimes: Vec<String>,
    /// Thousandths of a core that may be promised to runs; none means no limit.
    pub cpu_millicores: Option<u64>,
    /// Memory that may be promised to runs; none means no limit.
    pub memory_bytes: Option<u64>,
    /// Jobs at the same time; none means no limit.
    pub slots: Option<u32>,
    /// Its devices.
    pub devices: Vec<Device>,
}

impl Settings {
    /// The environment called `name`, or `default`. `image:NAME` and `file:PATH` are people's own: an image that is allowed, and what a file of
    /// the job's code describes.
    pub(crate) fn environment(&self, name: Option<&str>) -> Result<(String, EnvironmentSpec)> {
        if let Some((name, source)) = name.and_then(|name| Some((name, self.own(name)?))) {
            let spec = EnvironmentSpec {
                name: name.to_owned(),
                image: Some(ImageSpec {
                    source: source?,
                    allowed: Some(self.allowed_images.clone()),
                }),
                ..EnvironmentSpec::default()
            };
            return Ok((name.to_owned(), spec));
        }
        let (name, spec) = pick(&self.environments, "environment", name, "default")?;
        Ok((name, spec.clone()))
    }

    /// The environment of a workspace, which has no code of a job.
    pub(crate) fn workspace_environment(
        &self,
        name: Option<&str>,
    ) -> Result<(String, EnvironmentSpec)> {
        if name.is_some_and(|name| name.starts_with("file:")) {
            return Err(Error::invalid(
                "an environment that a file of the project describes serves jobs; workspaces need one with a name, or an image",
            ));
        }
        self.environment(name)
    }

    fn own(&self, name: &str) -> Option<Result<Source>> {
        let (kind, what) = name.split_once(':')?;
        let refused = |text: String| Some(Err(Error::invalid(text)));
        match kind {
            "image" if spawner::images::allowed(&self.allowed_images, what) => {
                Some(Ok(Source::Image(what.to_owned())))
            }
            "image" if self.allowed_images.is_empty() => refused(
                "images of people's own are not allowed here: the configuration's allowed_images is empty".to_owned(),
            ),
            "image" => refused(format!(
                "this image is not allowed here; these are: {}",
                self.allowed_images.join(", ")
            )),
            "file" if self.allowed_images.is_empty() => refused(
                "software from a project's files is not allowed here: the configuration's allowed_images is empty".to_owned(),
            ),
            "file" => Some(Ok(Source::Project {
                base: self.base_image.clone(),
                path: what.to_owned(),
            })),
            _ => None,
        }
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

/// An environment as the runtime of a machine type takes it.
pub(crate) fn software(mut environment: EnvironmentSpec, machine: &MachineType) -> EnvironmentSpec {
    environment.contained = machine.runtime.as_deref() == Some("docker");
    environment
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allowed: &[&str]) -> Settings {
        Settings {
            homes: Homes::default(),
            environments: BTreeMap::from([("default".to_owned(), EnvironmentSpec::default())]),
            allowed_images: allowed.iter().map(|&a| a.to_owned()).collect(),
            base_image: "cairn/base".to_owned(),
            machines: BTreeMap::new(),
            scratch: PathBuf::new(),
            offline_grace: std::time::Duration::ZERO,
            buckets: Vec::new(),
            capacity: Capacity::default(),
            api_url: String::new(),
            collect_every: None,
            copies_bytes: None,
            scrub: None,
        }
    }

    #[test]
    fn people_bring_software_only_as_far_as_it_is_allowed() {
        let none = settings(&[]);
        for name in ["image:python", "file:requirements.txt"] {
            let refused = none
                .environment(Some(name))
                .expect_err("refused")
                .to_string();
            assert!(refused.contains("allowed_images is empty"), "{refused}");
        }
        let some = settings(&["python"]);
        let (_, spec) = some
            .environment(Some("image:python:3.12"))
            .expect("allowed");
        let image = spec.image.expect("an image");
        assert_eq!(image.source, Source::Image("python:3.12".to_owned()));
        assert_eq!(image.allowed, Some(vec!["python".to_owned()]));
        assert!(some.environment(Some("image:debian")).is_err());
        assert!(some.environment(Some("file:requirements.txt")).is_ok());
        assert!(
            some.workspace_environment(Some("file:requirements.txt"))
                .is_err()
        );
        assert!(some.environment(Some("nothing:x")).is_err());
    }
}
