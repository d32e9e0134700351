//! Software for runs: named lists of Python packages, each built once by `uv` into a shared, content-named virtual environment, or
//! container images (see [`crate::images`]).
//!
//! `DIR/{digest}/` is a virtual environment, complete once `cairn.json` lies in it; `DIR/{digest}.log` tells of the last build.

mod build;
mod interpreter;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::error::Context;
use crate::images::{Image, ImageSpec, Images, Source};
use crate::{Error, Mount, Result, authorities, files};
use interpreter::{Interpreter, Uv};

pub(crate) use build::{is_locked, tail};

/// Where programs of the system are, in an image that does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an environment consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// For people; does not change what is built.
    pub name: String,
    /// The Python version wanted, such as `3.12`. Default: the newest that every uid can execute.
    #[serde(default)]
    pub python: Option<String>,
    /// Requirements as pip writes them, such as `jupyterlab==4.6.*`; no options, no files.
    pub packages: Vec<String>,
    /// Where it is an image: then `packages` have no effect.
    #[serde(default)]
    pub image: Option<ImageSpec>,
    /// Wanted for runs in containers: packages become an image of their own, on the base image.
    #[serde(default)]
    pub contained: bool,
}

/// A built environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Names its content: the same interpreter, packages and platform give the same digest.
    pub digest: String,
    /// What [`crate::Spec::image`] must say for it.
    #[serde(default)]
    pub image: Option<String>,
    /// Where its Python is installed, as work sees it: `path/bin/python`. A virtual environment works at this path only.
    pub path: PathBuf,
    /// What a run must be shown, read-only, for it to work: a virtual environment and, where that lies outside the system, its
    /// interpreter; certificate authorities.
    pub mounts: Vec<Mount>,
    /// The variables that a run needs for it to work, `PATH` among them. The run's own come after them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether nothing is known against its running JupyterLab.
    pub jupyter: bool,
}

/// How far an environment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not built, and never tried.
    Missing,
    /// Some process is building it.
    Building,
    /// It can be used.
    Ready,
    /// The last build failed or was interrupted; its log ended with this.
    Failed(String),
}

/// All environments of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Environments {
    inner: Arc<Inner>,
    images: Option<Images>,
    authorities: Option<Arc<Path>>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    uv: PathBuf,
    /// By the version asked for: finding one takes a quarter of a second.
    interpreters: Mutex<HashMap<Option<String>, Arc<OnceCell<Interpreter>>>>,
}

impl Environments {
    /// Uses `dir` (made when needed) and the `uv` program. [`find_uv`] finds one.
    pub fn new(dir: impl Into<PathBuf>, uv: impl Into<PathBuf>) -> Self {
        let inner = Inner {
            dir: dir.into(),
            uv: uv.into(),
            interpreters: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
            images: None,
            authorities: None,
        }
    }

    /// Also has environments that are images.
    #[must_use]
    pub fn with_images(mut self, images: Images) -> Self {
        self.images = Some(images);
        self
    }

    /// Lets builds, and whatever runs in the environments, trust the authorities of a bundle such as [`authorities::merge`] makes.
    #[must_use]
    pub fn with_authorities(mut self, bundle: &Path) -> Self {
        self.authorities = Some(bundle.into());
        self
    }

    /// What is built for it here: its image, where it is wanted for containers.
    #[must_use]
    pub fn resolved(&self, spec: &EnvironmentSpec) -> EnvironmentSpec {
        let mut spec = spec.clone();
        if let (true, None, Some(images)) = (spec.contained, &spec.image, &self.images) {
            spec.image = Some(ImageSpec {
                source: Source::Requirements {
                    base: images.base().to_owned(),
                    text: spec.packages.join("\n"),
                },
                allowed: None,
            });
        }
        spec
    }

    /// Builds the environment unless it is there, and returns it.
    ///
    /// Concurrent calls, also of other processes, share one build. A failed build leaves nothing but its log; the next call
    /// tries again. Dropping the future leaves the build running.
    ///
    /// # Errors
    /// `Build` with the installer's last lines; `Invalid` for a requirement or version that cannot be one, and for an image where
    /// there is no container engine; else as [`Images::ensure`].
    pub async fn ensure(&self, spec: &EnvironmentSpec) -> Result<Environment> {
        if let Some(image) = &spec.image {
            let images = self.images(spec)?;
            let python = spec.python.as_deref();
            let digest = images.key(&spec.name, python, image).await?;
            let image = images.ensure(&spec.name, python, image).await?;
            return Ok(self.describe_image(digest, image));
        }
        let (interpreter, digest) = self.resolve(spec).await?;
        let found = self.describe(&digest, &interpreter)?;
        if build::is_complete(&found.path) {
            return Ok(found);
        }
        let job = build::Job {
            uv: self.uv(),
            path: found.path.clone(),
            log: self.log_path(&digest),
            interpreter: interpreter.program,
            spec: spec.clone(),
        };
        tokio::task::spawn_blocking(move || job.run())
            .await
            .map_err(|e| Error::internal("a build was cut short", io::Error::other(e)))??;
        Ok(found)
    }

    /// The digest that [`ensure`](Self::ensure) builds under, and with it the log's path. Takes a quarter of a second the first
    /// time.
    ///
    /// # Errors
    /// As [`ensure`](Self::ensure), but for the build.
    pub async fn digest(&self, spec: &EnvironmentSpec) -> Result<String> {
        if let Some(image) = &spec.image {
            let images = self.images(spec)?;
            return images.key(&spec.name, spec.python.as_deref(), image).await;
        }
        Ok(self.resolve(spec).await?.1)
    }

    /// How far it is, without building.
    ///
    /// # Errors
    /// As [`digest`](Self::digest).
    pub async fn state(&self, spec: &EnvironmentSpec) -> Result<State> {
        if let Some(image) = &spec.image {
            let images = self.images(spec)?;
            return images
                .state(&spec.name, spec.python.as_deref(), image)
                .await;
        }
        let (_, digest) = self.resolve(spec).await?;
        let path = self.inner.dir.join(&digest);
        if build::is_complete(&path) {
            return Ok(State::Ready);
        }
        let building = build::is_locked(&path)
            .context(|| format!("{} cannot be looked at", path.display()))?;
        if building {
            return Ok(State::Building);
        }
        // A build that was faster than this question has its log too.
        if build::is_complete(&path) {
            return Ok(State::Ready);
        }
        Ok(build::tail(&self.log_path(&digest)).map_or(State::Missing, State::Failed))
    }

    /// The log of the last build, visible while it runs: plain text.
    pub fn log_path(&self, digest: &str) -> PathBuf {
        self.inner.dir.join(Path::new(digest)).with_extension("log")
    }

    async fn resolve(&self, spec: &EnvironmentSpec) -> Result<(Interpreter, String)> {
        check(spec)?;
        let folder = &self.inner.dir;
        files::make_folder(folder, 0o755)
            .context(|| format!("{} cannot be made", folder.display()))?;
        let cell = {
            let mut known = self
                .inner
                .interpreters
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(spec.python.clone()).or_default())
        };
        let (uv, version) = (self.uv(), spec.python.clone());
        let find = async move {
            tokio::task::spawn_blocking(move || interpreter::find(&uv, version.as_deref()))
                .await
                .map_err(|e| {
                    Error::internal("looking for Python was cut short", io::Error::other(e))
                })?
        };
        let interpreter = cell.get_or_try_init(|| find).await?.clone();
        let digest = digest(&interpreter, &spec.packages);
        Ok((interpreter, digest))
    }

    fn describe(&self, digest: &str, interpreter: &Interpreter) -> Result<Environment> {
        let dir = &self.inner.dir;
        let dir = fs::canonicalize(dir).context(|| format!("{} cannot be found", dir.display()))?;
        let path = dir.join(digest);
        let mut mounts = vec![Mount::read_only(&path, &path)];
        mounts.extend(interpreter.folders.iter().map(|f| Mount::read_only(f, f)));
        let programs = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            path.join("bin").display()
        );
        let mut found = Environment {
            digest: digest.to_owned(),
            image: None,
            env: BTreeMap::from([
                ("PATH".to_owned(), programs),
                (
                    "VIRTUAL_ENV".to_owned(),
                    path.to_string_lossy().into_owned(),
                ),
            ]),
            path,
            mounts,
            jupyter: true,
        };
        self.trust(&mut found);
        Ok(found)
    }

    fn describe_image(&self, digest: String, image: Image) -> Environment {
        let mut env = image.env;
        env.entry("PATH".to_owned())
            .or_insert_with(|| PATH.to_owned());
        let jupyter = image
            .python
            .as_ref()
            .is_some_and(|p| p.jupyterlab.is_some());
        let mut found = Environment {
            digest,
            image: Some(image.id),
            path: image.python.map_or_else(|| "/usr".into(), |p| p.prefix),
            mounts: Vec::new(),
            env,
            jupyter,
        };
        self.trust(&mut found);
        found
    }

    fn trust(&self, environment: &mut Environment) {
        if let Some(bundle) = &self.authorities {
            environment.mounts.push(authorities::mount(bundle));
            let variables = authorities::variables();
            environment
                .env
                .extend(variables.map(|(name, path)| (name.to_owned(), path.to_owned())));
        }
    }

    fn images(&self, spec: &EnvironmentSpec) -> Result<&Images> {
        self.images.as_ref().ok_or_else(|| {
            Error::Invalid(format!(
                "the environment {} is a container image, and there is no container engine on this machine",
                spec.name
            ))
        })
    }

    fn uv(&self) -> Uv {
        Uv {
            program: self.inner.uv.clone(),
            dir: self.inner.dir.clone(),
            authorities: self.authorities.clone(),
        }
    }
}

/// Looks for the `uv` program: in `beside` (such as the data folder's `bin`), in the folders of `path` (the `PATH` variable), in
/// `home/.local/bin`.
pub fn find_uv(beside: &Path, path: &str, home: Option<&Path>) -> Option<PathBuf> {
    let folders = std::iter::once(beside.to_owned())
        .chain(
            path.split(':')
                .filter(|p| p.starts_with('/'))
                .map(PathBuf::from),
        )
        .chain(home.map(|h| h.join(".local/bin")));
    let executable =
        |p: &PathBuf| p.is_file() && rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok();
    folders.map(|f| f.join("uv")).find(executable)
}

/// Package names and versions only: options could read files or run programs as whoever runs this.
fn check(spec: &EnvironmentSpec) -> Result<()> {
    let name = |p: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b" ._-[],=<>!~*+;'\"()".contains(&b);
        p.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && p.len() <= 300
            && p.bytes().all(fits)
    };
    if let Some(bad) = spec.packages.iter().find(|p| !name(p)) {
        return Err(Error::Invalid(format!("{bad:?} is not a package")));
    }
    let version =
        |v: &str| (1..=20).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match &spec.python {
        Some(v) if !version(v) => Err(Error::Invalid(format!("{v:?} is not a Python version"))),
        _ => Ok(()),
    }
}

fn digest(interpreter: &Interpreter, packages: &[String]) -> String {
    let mut packages: Vec<String> = packages
        .iter()
        .map(|p| p.split_ascii_whitespace().collect())
        .collect();
    packages.sort();
    packages.dedup();
    let platform = (std::env::consts::OS, std::env::consts::ARCH);
    let all = serde_json::json!([
        1,
        interpreter.program,
        interpreter.version,
        platform,
        packages
    ]);
    blake3::hash(all.to_string().as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(packages: &[&str]) -> EnvironmentSpec {
        EnvironmentSpec {
            name: "x".into(),
            python: None,
            packages: packages.iter().map(|p| (*p).to_owned()).collect(),
            image: None,
            contained: false,
        }
    }

    #[test]
    fn options_files_and_addresses_are_no_packages() {
        for bad in [
            "-r/etc/passwd",
            "--index-url=http://x",
            "./here",
            "a @ file:///etc",
            "git+https://x",
            "",
            "a\n-e .",
        ] {
            assert!(
                matches!(check(&spec(&[bad])), Err(Error::Invalid(_))),
                "{bad:?}"
            );
        }
        check(&spec(&[
            "jupyterlab==4.6.*",
            "numpy>=1.2,<3",
            "x[y]",
            "a ; python_version < '3.12'",
        ]))
        .unwrap();
    }

    #[test]
    fn versions_are_numbers() {
        let with = |v: &str| EnvironmentSpec {
            python: Some(v.into()),
            ..spec(&[])
        };
        assert!(check(&with("3.12")).is_ok());
        assert!(check(&with("/bin/sh")).is_err());
        assert!(check(&with("")).is_err());
    }

    #[test]
    fn the_order_of_packages_does_not_matter_but_the_interpreter_does() {
        let python = |v: &str| Interpreter {
            program: "/usr/bin/python3".into(),
            version: v.into(),
            folders: vec![],
        };
        let list = |l: &[&str]| l.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let a = digest(&python("3.11.2"), &list(&["a", "b >= 1"]));
        assert_eq!(a, digest(&python("3.11.2"), &list(&["b>=1", "a", "a"])));
        assert_ne!(a, digest(&python("3.11.3"), &list(&["a", "b>=1"])));
        assert_eq!(a.len(), 32);
    }
}
