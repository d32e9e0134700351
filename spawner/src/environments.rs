//! Software for runs: named lists of Python packages, each built once by `uv` into a shared, content-named virtual environment.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Mount, Result};

/// What an environment consists of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// For people; does not change what is built.
    pub name: String,
    /// The Python version wanted, such as `3.12`. Default: the newest that every uid can execute.
    #[serde(default)]
    pub python: Option<String>,
    /// Requirements as pip writes them.
    pub packages: Vec<String>,
}

/// A built environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Names its content.
    pub digest: String,
    /// The virtual environment: `path/bin/python`. It works at this path only.
    pub path: PathBuf,
    /// What a run must be shown, read-only, for it to work: the environment and, where that lies outside the system, its interpreter.
    pub mounts: Vec<Mount>,
}

/// How far an environment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never asked for.
    Missing,
    /// Some process is building it.
    Building,
    /// It can be used.
    Ready,
    /// The last build failed with this message.
    Failed(String),
}

/// All environments of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Environments {
    dir: PathBuf,
    uv: PathBuf,
}

impl Environments {
    /// Uses `dir` (made if missing) and the `uv` program.
    pub fn new(dir: impl Into<PathBuf>, uv: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            uv: uv.into(),
        }
    }

    /// Builds the environment unless it is there, and returns it.
    ///
    /// Concurrent calls, also of other processes, share one build. A failed build leaves nothing but its log; the next call tries again.
    /// Dropping the future leaves the build running.
    ///
    /// # Errors
    /// `Build` with the installer's last lines; `Invalid` for a requirement or version that cannot be one.
    pub async fn ensure(&self, spec: &EnvironmentSpec) -> Result<Environment> {
        Err(Error::Unavailable {
            message: format!("{} ({}) lands later", spec.name, self.uv.display()),
            source: None,
        })
    }

    /// The digest that `ensure` would build under.
    pub async fn digest(&self, spec: &EnvironmentSpec) -> Result<String> {
        Err(Error::Unavailable {
            message: format!("{} lands later", spec.name),
            source: None,
        })
    }

    /// How far it is, without building.
    pub async fn state(&self, spec: &EnvironmentSpec) -> Result<State> {
        Err(Error::Unavailable {
            message: format!("{} lands later", spec.name),
            source: None,
        })
    }

    /// The log of the last build, visible while it runs: plain text.
    pub fn log_path(&self, digest: &str) -> PathBuf {
        self.dir.join(Path::new(digest)).with_extension("log")
    }
}
