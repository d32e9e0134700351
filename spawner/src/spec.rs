//! What to run: the plain description that a runtime carries out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One server or attempt to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spec {
    /// Names this run for ever: 1 to 64 of `a-z0-9-`. Starting the same id twice starts one run.
    pub id: String,
    /// The command. `argv[0]` is looked up in the `PATH` of `env`; [`crate::SELF`] means this program itself.
    pub argv: Vec<String>,
    /// The whole environment: nothing else is passed on.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files under [`crate::SECRETS`], mode 0400, kept in memory only; never written into the run's folder.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// The working folder, as the work sees it.
    pub cwd: PathBuf,
    /// What the work sees besides the system's read-only folders and a private `/tmp`.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Which uid of the configured range the work gets when `serve` is root (see [`crate::process::Config::uids`]). Must then be given, and
    /// must be the same for all that shares files. Without root it has no effect.
    #[serde(default)]
    pub uid_slot: Option<u32>,
    /// What the work may use.
    #[serde(default)]
    pub limits: Limits,
    /// Where it listens, if it is a server.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// The container image: a name or an id that the engine has, or a name that it can pull. The `docker` runtime needs one; `process` refuses
    /// it. `env` stays the whole environment: that of the image is not added.
    #[serde(default)]
    pub image: Option<String>,
    /// The cards that the work may use. It sees no others, and none if this is empty.
    #[serde(default)]
    pub gpus: Vec<Gpu>,
    /// Where this machine reaches the API, as `HOST:PORT` with a name or a loopback address. Work on a network of its own (`docker`) finds it
    /// there too: the name is its own loopback interface, and what it sends is led out by way of the supervisor. Where the work shares the
    /// machine's network (`process`) this has no effect.
    #[serde(default)]
    pub api: Option<String>,
}

/// One graphics card of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// What `NVIDIA_VISIBLE_DEVICES` takes: an index such as `0`, or better a UUID such as `GPU-…`, which stays when cards are added.
    pub id: String,
    /// The number in `/dev/nvidiaN`. The `process` runtime shows that device alone, and none without it.
    #[serde(default)]
    pub minor: Option<u32>,
}

/// A file that only the work can read.
#[derive(Clone)]
pub struct Secret {
    /// The file's name under [`crate::SECRETS`]: 1 to 64 of `A-Za-z0-9._-`, not starting with a dot.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A file or folder of this machine that the work sees at `target`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path on this machine.
    pub source: PathBuf,
    /// Absolute path as the work sees it; may equal `source`. A deeper target lies over a shallower one.
    pub target: PathBuf,
    /// Whether the work may write.
    pub access: Access,
}

impl Mount {
    /// Shows `source` at `target`, and below it whatever is mounted there, without letting the work write.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            access: Access::ReadOnly,
        }
    }

    /// Shows `source` at `target` and gives its files to the work: where the work has a uid of its own and `source` belongs to another, the
    /// whole tree is given to it before the start (files with several hard links excepted).
    pub fn read_write(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            access: Access::ReadWrite,
        }
    }
}

/// What the work may do in a [`Mount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Also write. The whole folder belongs to the work.
    ReadWrite,
}

/// Hard limits. `None` is no limit beyond the machine's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all processes together. Beyond it the kernel ends one of them.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Thousandths of one CPU.
    #[serde(default)]
    pub cpu_millicores: Option<u64>,
    /// Processes and threads together.
    #[serde(default)]
    pub pids: Option<u64>,
    /// From start to end; then it is stopped with [`crate::Reason::TimeLimit`].
    #[serde(default)]
    pub time_limit_ms: Option<u64>,
    /// Size of the log file; what comes after is dropped and the log says so. The work goes on.
    #[serde(default)]
    pub log_limit_bytes: Option<u64>,
}

/// A server's unix socket, and how to tell that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The socket as the work sees it, such as `/cairn/run/server.sock`. Its folder is made and belongs to the work.
    pub target: PathBuf,
    /// `GET` of this path with any status under 500 means ready.
    pub ready_path: String,
    /// How long it may take until ready; then it is stopped with [`crate::Failure::NeverListened`].
    pub start_timeout_ms: u64,
}

impl Spec {
    /// Checks everything that can be checked without looking at this machine.
    ///
    /// # Errors
    /// `Invalid`, with a sentence that names the field.
    pub fn validate(&self) -> Result<()> {
        check_id(&self.id)?;
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(Error::Invalid("the command is empty".into()));
        }
        if self.argv.iter().any(|a| a.contains('\0')) {
            return Err(Error::Invalid("the command holds a NUL character".into()));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(Error::Invalid(format!(
                    "the environment variable {name:?} is not valid"
                )));
            }
        }
        for secret in &self.secrets {
            check_secret(&secret.name)?;
        }
        check_path("the working folder", &self.cwd)?;
        for mount in &self.mounts {
            check_path("a mount's source", &mount.source)?;
            check_path("a mount's target", &mount.target)?;
            check_target(&mount.target)?;
        }
        if let Some(image) = &self.image {
            check_image(image)?;
        }
        self.gpus.iter().try_for_each(check_gpu)?;
        if let Some(api) = &self.api {
            check_api(api)?;
        }
        self.endpoint.as_ref().map_or(Ok(()), check_endpoint)
    }
}

/// Checks a run's name; names become file names.
pub(crate) fn check_id(id: &str) -> Result<()> {
    let fits = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{id:?} is not a run's name: 1 to 64 of a-z, 0-9 and -"
        )))
    }
}

fn check_secret(name: &str) -> Result<()> {
    let fits = (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{name:?} is not a secret's name")))
    }
}

fn check_image(image: &str) -> Result<()> {
    let fits = (1..=512).contains(&image.len())
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b'@')
        });
    if fits {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{image:?} is not an image's name")))
    }
}

/// `HOST:PORT`, where the host is a name or loopback.
fn check_api(api: &str) -> Result<()> {
    let parts = api.rsplit_once(':');
    let name = |host: &str| {
        (1..=253).contains(&host.len())
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && host
                .parse::<std::net::Ipv4Addr>()
                .map_or(true, |ip| ip.is_loopback())
    };
    if parts.is_some_and(|(host, port)| name(host) && port.parse::<u16>().is_ok_and(|p| p > 0)) {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{api:?} is not an address that containers can be led to: it needs a name and a port"
        )))
    }
}

/// The ids are joined by commas in a variable, and `all` would mean every card.
fn check_gpu(gpu: &Gpu) -> Result<()> {
    let fits = (1..=80).contains(&gpu.id.len())
        && gpu
            .id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'/'))
        && !["all", "none", "void"].contains(&gpu.id.as_str());
    if fits {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{:?} is not a card", gpu.id)))
    }
}

fn check_path(what: &str, path: &Path) -> Result<()> {
    let plain = path.is_absolute()
        && path
            .components()
            .all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    let text = path.to_str().is_some_and(|t| !t.contains('\0'));
    if plain && text {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{what} is not an absolute, plain path: {}",
            path.display()
        )))
    }
}

/// Refuses targets that would hide what makes the sandbox one.
fn check_target(target: &Path) -> Result<()> {
    let reserved = [
        "/proc",
        "/dev",
        "/sys",
        crate::SECRETS,
        "/cairn/bin",
        "/cairn/init",
    ];
    let whole = [
        "/", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/cairn", "/run", "/tmp",
    ];
    let hit = reserved.iter().any(|r| target.starts_with(r))
        || whole.iter().any(|w| target == Path::new(w));
    if hit {
        Err(Error::Invalid(format!(
            "nothing can be mounted at {}",
            target.display()
        )))
    } else {
        Ok(())
    }
}

fn check_endpoint(endpoint: &Endpoint) -> Result<()> {
    check_path("the socket", &endpoint.target)?;
    let folder = endpoint.target.parent().unwrap_or(Path::new("/"));
    check_target(folder)?;
    let path = &endpoint.ready_path;
    if path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{path:?} is not a path that can be asked for"
    )))
}
