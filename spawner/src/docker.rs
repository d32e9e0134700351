//! The `docker` runtime: each run is a container of its own on a network of its own, made by the run's supervisor through the engine's API.
//!
//! The container's first process is our own init, which speaks with the supervisor over a socket in a folder that is shown to it. So no log
//! passes through the engine, no secret is ever told to it, and the end of a run is known also while the engine is not there.

mod capabilities;
mod container;
pub(crate) mod engine;
mod firewall;
pub(crate) mod launch;
mod mounts;
mod network;
mod sweep;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use capabilities::{Capabilities, probe};
pub(crate) use container::INIT;
pub use mounts::sees_mounts;

use crate::supervised::{Supervised, Way};
use crate::{Error, Result, process};

/// Where and how the runtime works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its folders and uids. `runs` must be no other runtime's; `sandbox` and `hidden` have no effect.
    pub base: process::Config,
    /// The engine's unix socket. The engine must be on this machine and see the folders at the same paths.
    pub engine: PathBuf,
    /// The program `cairn-inside`, shown to every container: linked statically, so that it runs in any image.
    pub inside: PathBuf,
    /// The runs' networks.
    pub network: Network,
    /// How long the engine may take for one answer; starting a container on a busy machine takes the longest.
    pub patience: Duration,
    /// For tests: the step of a start after which the supervisor is killed.
    #[doc(hidden)]
    pub crash_at: Option<String>,
}

/// The networks of runs, and where they lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The addresses that runs' networks are cut from, sixteen for each, as `10.213.0.0/16`: room for 4096 runs.
    pub pool: String,
    /// Private networks that runs may reach, as `10.1.0.0/16`. By default they reach none: neither other machines of this network nor, ever,
    /// this machine or link-local addresses.
    pub allow: Vec<String>,
    /// Whether runs reach the public internet.
    pub outside: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            pool: "10.213.0.0/16".into(),
            allow: Vec::new(),
            outside: true,
        }
    }
}

impl Config {
    /// The usual configuration over two folders and the system's engine.
    pub fn new(base: process::Config, inside: impl Into<PathBuf>) -> Self {
        Self {
            base,
            engine: "/var/run/docker.sock".into(),
            inside: inside.into(),
            network: Network::default(),
            patience: Duration::from_mins(1),
            crash_at: None,
        }
    }

    /// What is fixed when a run starts; `key` names the run on this machine.
    pub(crate) fn plan(&self, key: &str) -> Plan {
        Plan {
            engine: self.engine.clone(),
            inside: self.inside.clone(),
            name: format!("cairn-{key}"),
            bridge: format!("{}{}", firewall::prefix(&self.network), &key[..9]),
            installation: self.installation(),
            network: self.network.clone(),
            patience_ms: u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX),
            crash_at: self.crash_at.clone(),
        }
    }

    /// Tells this runtime's containers from another's on the same engine.
    fn installation(&self) -> String {
        let runs = self.base.runs.as_os_str().as_encoded_bytes();
        blake3::hash(runs).to_hex()[..16].to_owned()
    }
}

/// How a run's container is made, as its folder keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) engine: PathBuf,
    pub(crate) inside: PathBuf,
    /// The name of the container and of its network.
    pub(crate) name: String,
    /// The network's interface on this machine.
    pub(crate) bridge: String,
    pub(crate) installation: String,
    pub(crate) network: Network,
    pub(crate) patience_ms: u64,
    #[serde(default)]
    pub(crate) crash_at: Option<String>,
}

/// Runs work in containers of this machine's engine. Cheap to clone.
pub type DockerRuntime = Supervised<Docker>;

/// Names the runtime that launches containers.
#[derive(Debug)]
pub enum Docker {}

impl Supervised<Docker> {
    /// Opens the runtime, making its folders. Many may be open over the same folders, in any number of processes.
    ///
    /// Does not ask the engine, which may be down: runs then fail to start, and those that run go on. From now on what crashes left on the
    /// engine is looked for and removed, now and then.
    ///
    /// # Errors
    /// `Invalid` if a path or a network is not a valid one, `Internal` if a folder cannot be made.
    pub fn open(config: Config) -> Result<Self> {
        let networks = std::iter::once(&config.network.pool).chain(&config.network.allow);
        for network in networks {
            network::Block::parse(network).ok_or_else(|| {
                Error::Invalid(format!("{network} is not a network such as 10.1.0.0/16"))
            })?;
        }
        network::Pool::parse(&config.network.pool).ok_or_else(|| {
            let pool = &config.network.pool;
            Error::Invalid(format!("{pool} is too small or too large to be cut up"))
        })?;
        let base = config.base.clone();
        let way = Way::Docker(Box::new(config), OnceLock::new());
        let runtime = Self::over(base, way)?;
        sweep::begin(Arc::downgrade(&runtime.inner));
        Ok(runtime)
    }

    /// Removes from the engine what belongs to no run that somebody looks after: what crashes left, at any step.
    ///
    /// # Errors
    /// `Unavailable` if the engine cannot be asked.
    pub async fn sweep(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || sweep::sweep(&inner))
            .await
            .map_err(|e| Error::internal("the sweep was cut short", std::io::Error::other(e)))?
    }
}
