//! Environments by name: how far each is, building one, its log. The building itself is the spawner's.

use std::sync::Arc;

use serde::Serialize;
use spawner::environments::State as Built;

use crate::{Control, Error, Result, settings::software};

/// An environment as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Its name in the configuration.
    pub name: String,
    /// What names its content; changes with the packages.
    pub digest: Option<String>,
    /// How far it is.
    pub state: State,
    /// What the last build said last, where it failed.
    pub message: Option<String>,
    /// Requirements as pip writes them.
    pub packages: Vec<String>,
    /// What it is an image of, where it is one: its name, or what is built.
    pub image: Option<String>,
    /// The Python version wanted, if one is.
    pub python: Option<String>,
}

/// How far an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Never built; the first use builds it.
    Missing,
    /// Being built now.
    Building,
    /// Ready for use.
    Ready,
    /// The last build failed; its log says why.
    Failed,
}

/// Part of an environment's build log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BuildLog {
    /// The text from the offset asked for; bytes that are not UTF-8 are shown as U+FFFD.
    pub text: String,
    /// Byte offset to ask for next.
    pub next: u64,
}

/// Most bytes of a build log in one answer.
const LOG_BYTES: usize = 256 * 1024;

impl Control {
    /// Every environment of the configuration, by name.
    pub async fn environments(&self) -> Result<Vec<Environment>> {
        let mut all = Vec::new();
        for name in self.settings().environments.keys() {
            all.push(self.environment(name).await?);
        }
        Ok(all)
    }

    /// One environment.
    ///
    /// # Errors
    /// `NotFound` for a name that is not in the configuration.
    pub async fn environment(&self, name: &str) -> Result<Environment> {
        let spec = &self.spec(name)?;
        let built = self.hosts().local().environment(spec).await?;
        let (state, message) = match built.state {
            Built::Missing => (State::Missing, None),
            Built::Building => (State::Building, None),
            Built::Ready => (State::Ready, None),
            Built::Failed(message) => (State::Failed, Some(message)),
        };
        Ok(Environment {
            name: name.to_owned(),
            digest: Some(built.digest),
            state,
            message,
            packages: spec.packages.clone(),
            image: spec.image.as_ref().map(|image| image.source.to_string()),
            python: spec.python.clone(),
        })
    }

    /// Begins to build an environment unless it is ready or being built; returns at once. Its log tells how it goes.
    pub async fn build_environment(&self, name: &str) -> Result<Environment> {
        let spec = self.spec(name)?;
        let machine = Arc::clone(self.hosts().local());
        tokio::spawn(async move {
            if let Err(error) = machine.build(&spec).await {
                tracing::warn!(environment.name = spec.name, %error, "the environment was not built");
            }
        });
        self.environment(name).await
    }

    /// The log of an environment's last build from byte `offset` on, at most 256 KiB of it; empty before the first build.
    pub async fn environment_log(&self, name: &str, offset: u64) -> Result<BuildLog> {
        let spec = self.spec(name)?;
        let machine = self.hosts().local();
        let bytes = machine.build_log(&spec, offset, LOG_BYTES).await?;
        Ok(BuildLog {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            next: offset + bytes.len() as u64,
        })
    }

    /// As the usual machine type takes it.
    fn spec(&self, name: &str) -> Result<spawner::EnvironmentSpec> {
        let known = self.settings().environments.get(name);
        let spec =
            known.ok_or_else(|| Error::NotFound("there is no such environment".to_owned()))?;
        let (_, machine) = self.settings().machine(None)?;
        Ok(software(spec.clone(), machine))
    }
}
