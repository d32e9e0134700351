//! What the container engine of this machine offers, and what each missing part costs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use super::engine::{self, Engine, Refusal};
use super::{Config, firewall};

/// How long the engine may take.
const ANSWER: Duration = Duration::from_secs(10);

/// What was found. JSON for `cairn doctor --json`; `notes` are the sentences for people.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent finding"
)]
#[derive(Clone, Debug, Default, Serialize)]
pub struct Capabilities {
    /// The engine's version, if it answers.
    pub version: Option<String>,
    /// Its storage driver, such as `overlay2`.
    pub storage: Option<String>,
    /// `1` or `2`.
    pub cgroup_version: Option<String>,
    /// Whether the file system below the engine's images can limit the size of a folder.
    pub project_quota: bool,
    /// Whether containers can be given NVIDIA cards.
    pub nvidia: bool,
    /// Whether the walls of the runs' networks can be put up.
    pub firewall: bool,
    /// Whether `cairn-inside` is there.
    pub inside: bool,
    /// One plain sentence for each thing that is missing or worth knowing, with what it costs.
    pub notes: Vec<String>,
}

impl Capabilities {
    /// Whether runs can be started.
    pub fn works(&self) -> bool {
        self.version.is_some() && self.inside
    }
}

/// Asks the engine and looks around. Blocks, for ten seconds at most. Changes nothing.
pub fn probe(config: &Config) -> Capabilities {
    let mut found = Capabilities {
        inside: config.inside.is_file(),
        ..Capabilities::default()
    };
    let socket = config.engine.clone();
    let asked = engine::blocking(async move { timeout(ANSWER, about(&socket)).await });
    match asked {
        Ok(Ok(Ok(told))) => {
            found = Capabilities {
                inside: found.inside,
                ..told
            }
        }
        Ok(Ok(Err((_, message)))) => found.notes.push(message),
        Ok(Err(_)) => found
            .notes
            .push("The container engine does not answer.".into()),
        Err(e) => found
            .notes
            .push(format!("The container engine cannot be asked: {e}.")),
    }
    if found.version.is_none() {
        return found;
    }
    if !found.inside {
        let path = config.inside.display();
        found.notes.push(format!(
            "{path} is missing: nothing can be started in containers."
        ));
    }
    match firewall::available() {
        Ok(()) => found.firewall = true,
        Err(e) => found.notes.push(format!(
            "The kernel's packet filter cannot be used ({e}): containers reach this machine's services and the private networks around it."
        )),
    }
    if !found.project_quota {
        found.notes.push("The file system has no project quotas: the size of homes is measured now and then, not enforced.".into());
    }
    found
}

async fn about(socket: &Path) -> Result<Capabilities, Refusal> {
    let engine = Engine::connect(socket, ANSWER).await?;
    let info = engine
        .ask("tell about itself", engine.docker.info())
        .await?;
    let runtimes = info.runtimes.unwrap_or_default();
    let root = info.docker_root_dir.unwrap_or_default();
    Ok(Capabilities {
        version: info.server_version,
        storage: info.driver,
        cgroup_version: info.cgroup_version.map(|v| v.to_string()),
        project_quota: has_project_quota(Path::new(&root)),
        // The toolkit is a runtime of the engine, or a hook that its command line tool shows.
        nvidia: runtimes.contains_key("nvidia")
            || crate::capabilities::find_program("nvidia-container-cli").is_some(),
        ..Capabilities::default()
    })
}

/// Whether the file system that holds `path` was mounted with project quotas.
fn has_project_quota(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = table.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let at = words.nth(1)?;
        let options = words.nth(1)?;
        path.starts_with(at).then_some((at.len(), options))
    });
    let deepest = mounts.max_by_key(|(length, _)| *length);
    deepest.is_some_and(|(_, options)| options.split(',').any(|o| o == "prjquota" || o == "pquota"))
}
