//! Environments that are container images: taken as they are, or built once into an image that is named by its content.
//!
//! `DIR/{key}.log` tells of the last pull or build of what [`Images::key`] names; `DIR/images/{id}.json` remembers what an image offers.

mod allow;
mod build;
mod conda;
mod context;
mod dockerfile;
pub(crate) mod engine;
mod layer;
mod probe;
mod pull;
mod recipe;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::Docker;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::environments::{State, is_locked, tail};
use crate::error::Context;
use crate::{Error, Result, files};
use recipe::Recipe;

pub use allow::allowed;

/// What an image environment is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Where it comes from.
    pub source: Source,
    /// Patterns (see [`allowed`]), one of which the image, or each that a Dockerfile names, must match: for what people bring. None: any
    /// image, for what the administrator has configured.
    #[serde(default)]
    pub allowed: Option<Vec<String>>,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It exists, under this name.
    Image(String),
    /// A `requirements.txt`, or a list of packages.
    Requirements {
        /// The image that it is installed on.
        base: String,
        /// The file's content.
        text: String,
    },
    /// An `environment.yml`, as far as it names packages of pip's.
    Conda {
        /// The image that it is installed on.
        base: String,
        /// The file's content.
        text: String,
    },
    /// A file of the project that the work is of; its name tells which of the other kinds it is. [`within`](Self::within) finds it.
    Project {
        /// The image that packages are installed on.
        base: String,
        /// The file, as a path within the project.
        path: String,
    },
    /// A Dockerfile on this machine. What lies beside and below it can be copied into the image.
    Dockerfile(PathBuf),
}

impl Source {
    /// A file of the project as what it is, found in the project's `folder`. Other sources stay as they are.
    ///
    /// The folder must not change meanwhile.
    ///
    /// # Errors
    /// `Invalid` where there is no such file in the folder, or it is none of the kinds.
    pub fn within(&self, folder: &Path) -> Result<Self> {
        let Self::Project { base, path } = self else {
            return Ok(self.clone());
        };
        let base = base.clone();
        let name = path.rsplit('/').next().unwrap_or_default();
        if name == "Dockerfile" || name.ends_with(".Dockerfile") {
            context::text(folder, Path::new(path))?;
            return Ok(Self::Dockerfile(folder.join(path)));
        }
        let text = context::text(folder, Path::new(path))?;
        match name.rsplit('.').next() {
            Some("yml" | "yaml") => Ok(Self::Conda { base, text }),
            Some("txt") => Ok(Self::Requirements { base, text }),
            _ => Err(Error::Invalid(format!(
                "{path} is neither a .txt file of requirements nor an environment.yml nor a Dockerfile"
            ))),
        }
    }
}

impl fmt::Display for Source {
    /// For people: an image's name, or what is built.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => f.write_str(name),
            Self::Requirements { base, .. } => write!(f, "requirements on {base}"),
            Self::Conda { base, .. } => write!(f, "environment.yml on {base}"),
            Self::Project { path, .. } => f.write_str(path),
            Self::Dockerfile(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An image that is on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What names its content: `sha256:…`.
    pub id: String,
    /// The image's own variables.
    pub env: BTreeMap<String, String>,
    /// Its Python, if it has one.
    pub python: Option<Python>,
}

/// The Python that is first on an image's `PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Python {
    /// Where it is installed: `prefix/bin/python`.
    pub prefix: PathBuf,
    /// Such as `3.11.2`.
    pub version: String,
    /// The version of JupyterLab, if it has that.
    pub jupyterlab: Option<String>,
}

/// The images of one engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Images {
    inner: Arc<Inner>,
}

/// How images are had.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The image that packages are installed on where nothing else is said; built by `deploy/images.sh`.
    pub base: String,
    /// Whether images that are not here may be fetched from their registry.
    pub pull: bool,
    /// Certificate authorities that builds trust: a whole bundle, such as [`crate::authorities::merge`] makes.
    pub authorities: Option<PathBuf>,
    /// Variables that builds get, such as `PIP_INDEX_URL` and `https_proxy`. In no image.
    pub variables: BTreeMap<String, String>,
    /// Network of builds, such as `host`. Default: the engine's.
    pub network: Option<String>,
}

#[derive(Debug)]
struct Inner {
    /// The engine's socket.
    socket: PathBuf,
    docker: OnceCell<Docker>,
    dir: PathBuf,
    options: Options,
}

impl Images {
    /// Uses the Docker engine that listens on `socket`, and keeps logs in `dir`. Asks nothing of it yet.
    pub fn new(socket: impl Into<PathBuf>, dir: impl Into<PathBuf>, options: Options) -> Self {
        let inner = Inner {
            socket: socket.into(),
            docker: OnceCell::new(),
            dir: dir.into(),
            options,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The image that packages are installed on where nothing else is said.
    pub(crate) fn base(&self) -> &str {
        &self.inner.options.base
    }

    /// Names what the spec asks for: the same files on images of the same names have the same key.
    ///
    /// # Errors
    /// `Invalid` for a spec that can never be an image; `NotFound` for a Dockerfile that is not there.
    pub async fn key(&self, name: &str, python: Option<&str>, spec: &ImageSpec) -> Result<String> {
        Ok(self.recipe(name, python, spec).await?.key)
    }

    /// Fetches or builds the image unless it is here, and returns it.
    ///
    /// Concurrent calls, also of other processes, share one build. A failed one leaves nothing but its log; the next call tries again.
    /// Dropping the future leaves the build running.
    ///
    /// # Errors
    /// `Build` with the engine's last lines; `Invalid` where the spec or the image can never serve here, such as an image that is not
    /// allowed or of another architecture; `NotFound` for an image that is nowhere; `Unavailable` where the engine does not answer.
    pub async fn ensure(
        &self,
        name: &str,
        python: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<Image> {
        let recipe = self.recipe(name, python, spec).await?;
        if let Some(image) = self.present(&recipe).await? {
            return Ok(image);
        }
        let this = self.clone();
        let making = tokio::spawn(async move { this.make(&recipe).await });
        making
            .await
            .map_err(|e| Error::internal("a build was cut short", io::Error::other(e)))?
    }

    /// How far it is, without fetching or building.
    ///
    /// # Errors
    /// As [`key`](Self::key), and `Unavailable` where the engine does not answer.
    pub async fn state(&self, name: &str, python: Option<&str>, spec: &ImageSpec) -> Result<State> {
        let recipe = self.recipe(name, python, spec).await?;
        if self.present(&recipe).await?.is_some() {
            return Ok(State::Ready);
        }
        let path = self.inner.dir.join(&recipe.key);
        if is_locked(&path).context(|| format!("{} cannot be looked at", path.display()))? {
            return Ok(State::Building);
        }
        let log = tail(&self.log_path(&recipe.key)).ok();
        Ok(log
            .filter(|text| !text.ends_with(READY))
            .map_or(State::Missing, State::Failed))
    }

    /// The log of the last pull or build, visible while it runs: plain text.
    pub fn log_path(&self, key: &str) -> PathBuf {
        self.inner.dir.join(Path::new(key)).with_extension("log")
    }

    async fn recipe(&self, name: &str, python: Option<&str>, spec: &ImageSpec) -> Result<Recipe> {
        files::make_folder(&self.inner.dir, 0o755)
            .context(|| format!("{} cannot be made", self.inner.dir.display()))?;
        let (name, python, spec) = (name.to_owned(), python.map(str::to_owned), spec.clone());
        tokio::task::spawn_blocking(move || Recipe::read(&name, python, &spec))
            .await
            .map_err(|e| Error::internal("reading was cut short", io::Error::other(e)))?
    }

    /// The image, if it and what it is made of are here.
    async fn present(&self, recipe: &Recipe) -> Result<Option<Image>> {
        let mut ids = Vec::new();
        for base in &recipe.bases {
            match engine::inspect(self.inner.docker().await?, base).await? {
                Some(found) => ids.push(found.id),
                None => return Ok(None),
            }
        }
        let name = match &recipe.image {
            Some(name) => name.clone(),
            None => recipe.tag(&ids, self.inner.options.authorities.as_deref())?,
        };
        match engine::inspect(self.inner.docker().await?, &name).await? {
            Some(found) => probe::remembered(&self.inner.dir, &found),
            None => Ok(None),
        }
    }

    /// Does what [`ensure`](Self::ensure) promises, under the key's lock.
    async fn make(&self, recipe: &Recipe) -> Result<Image> {
        let path = self.inner.dir.join(&recipe.key);
        let _lock = lock(path.with_extension("lock")).await?;
        // Somebody was faster.
        if let Some(image) = self.present(recipe).await? {
            return Ok(image);
        }
        let mut log = Log::create(&self.log_path(&recipe.key))?;
        let made = self.carry_out(recipe, &mut log).await;
        match &made {
            Ok(_) => log.line(READY)?,
            Err(error) => log.line(&error.to_string())?,
        }
        made
    }

    async fn carry_out(&self, recipe: &Recipe, log: &mut Log) -> Result<Image> {
        let inner = &*self.inner;
        let mut ids = Vec::new();
        for base in &recipe.bases {
            ids.push(pull::ensure(inner, base, log).await?.id);
        }
        let found = if let Some(name) = &recipe.image {
            pull::ensure(inner, name, log).await?
        } else {
            if let (Some(wanted), Some(base)) = (&recipe.python, recipe.bases.first()) {
                let base = pull::ensure(inner, base, log).await?;
                let base = probe::image(inner, base).await?;
                layer::check_python(&recipe.name, wanted, &base)?;
            }
            let tag = recipe.tag(&ids, inner.options.authorities.as_deref())?;
            build::run(inner, recipe, &tag, log).await?
        };
        probe::image(inner, found).await
    }
}

impl Inner {
    /// The engine, spoken to in a version that both know.
    async fn docker(&self) -> Result<&Docker> {
        let connect = async || {
            let path = self.socket.to_string_lossy();
            let docker =
                Docker::connect_with_unix(&path, PATIENCE_SECONDS, bollard::API_DEFAULT_VERSION)
                    .map_err(engine::failed)?;
            docker.negotiate_version().await.map_err(engine::failed)
        };
        self.docker.get_or_try_init(connect).await
    }
}

/// How long the engine may take to begin an answer.
const PATIENCE_SECONDS: u64 = 600;
/// A log that ends with this is of an image that was ready then.
const READY: &str = "Ready.";

/// Waits for a lock file without holding up the runtime.
async fn lock(path: PathBuf) -> Result<File> {
    let take = move || -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    };
    tokio::task::spawn_blocking(take)
        .await
        .map_err(io::Error::other)
        .and_then(|taken| taken)
        .context(|| "a build's lock cannot be taken".to_owned())
}

/// The log of one pull or build.
struct Log(File);

impl Log {
    fn create(path: &Path) -> Result<Self> {
        fs::File::create(path)
            .map(Self)
            .context(|| format!("{} cannot be written", path.display()))
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.0
            .write_all(text.as_bytes())
            .context(|| "a build's log cannot be written".to_owned())
    }

    fn line(&mut self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }
}
