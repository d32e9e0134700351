//! Environments by name: how far each is, building one, its log. The building itself is the spawner's.

use serde::Serialize;
use spawner::environments::State as Built;

use crate::{Control, Error, Result};

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
const LOG_BYTES: u64 = 256 * 1024;

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
        let spec = self.spec(name)?;
        let digest = self.builder().digest(spec).await?;
        let (state, message) = match self.builder().state(spec).await? {
            Built::Missing => (State::Missing, None),
            Built::Building => (State::Building, None),
            Built::Ready => (State::Ready, None),
            Built::Failed(message) => (State::Failed, Some(message)),
        };
        Ok(Environment {
            name: name.to_owned(),
            digest: Some(digest),
            state,
            message,
            packages: spec.packages.clone(),
            python: spec.python.clone(),
        })
    }

    /// Begins to build an environment unless it is ready or being built; returns at once. Its log tells how it goes.
    pub async fn build_environment(&self, name: &str) -> Result<Environment> {
        let spec = self.spec(name)?.clone();
        let builder = self.builder().clone();
        tokio::spawn(async move {
            if let Err(error) = builder.ensure(&spec).await {
                tracing::warn!(environment.name = spec.name, %error, "the environment was not built");
            }
        });
        self.environment(name).await
    }

    /// The log of an environment's last build from byte `offset` on, at most 256 KiB of it; empty before the first build.
    pub async fn environment_log(&self, name: &str, offset: u64) -> Result<BuildLog> {
        use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

        let digest = self.builder().digest(self.spec(name)?).await?;
        let path = self.builder().log_path(&digest);
        let mut file = match tokio::fs::File::open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BuildLog {
                    next: offset,
                    ..BuildLog::default()
                });
            }
            Err(error) => {
                return Err(Error::internal(
                    "an environment's log cannot be opened",
                    error,
                ));
            }
        };
        let failed = |error| Error::internal("an environment's log cannot be read", error);
        file.seek(std::io::SeekFrom::Start(offset))
            .await
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES)
            .read_to_end(&mut bytes)
            .await
            .map_err(failed)?;
        Ok(BuildLog {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            next: offset + bytes.len() as u64,
        })
    }

    fn spec(&self, name: &str) -> Result<&spawner::EnvironmentSpec> {
        self.settings()
            .environments
            .get(name)
            .ok_or_else(|| Error::NotFound("there is no such environment".to_owned()))
    }
}
