//! The data directory as a whole: where it is, who serves it, and the files at its top.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use storage::{clock::System, ids::MachineId};
use url::Url;

/// Holds the id of the machine whose worker keeps its data here.
pub(crate) const WORKER_OF: &str = "worker-of";

/// A data directory that exists.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder(PathBuf);

/// Who serves a data directory, as the server itself wrote it down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// Where people reach it.
    pub(crate) url: String,
    /// Which executable it is, so that a newer build is noticed.
    pub(crate) build: String,
}

/// The right to serve a data directory; given up by dropping it, also by a crash.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, never read")] File);

impl DataFolder {
    /// Where the directory named is, or the usual one would be. Makes nothing.
    pub(crate) fn place(named: Option<&Path>) -> Result<PathBuf> {
        match named {
            Some(path) => {
                std::path::absolute(path).context("the data directory has no absolute path")
            }
            None => usual(),
        }
    }

    /// The same directory, if a server has ever kept its data there. Makes nothing.
    pub(crate) fn find(named: Option<&Path>) -> Result<Option<Self>> {
        let path = Self::place(named)?;
        if !path.join("serve.lock").is_file() {
            return Ok(None);
        }
        Self::open(Some(&path)).map(Some)
    }

    /// The directory named, or the usual one: `$XDG_DATA_HOME/cairn`, else `~/.local/share/cairn`. Made if missing, private to its owner.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self> {
        let path = Self::place(named)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data directory {} cannot be entered", path.display()))?;
        Ok(Self(path))
    }

    /// Its absolute path, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A short folder for sockets, the same for every process that works on this directory, also from a session with another
    /// environment: the first choice is written down and kept.
    pub(crate) fn sockets(&self) -> Result<PathBuf> {
        let kept = fs::read_to_string(self.0.join("sockets")).ok();
        let kept = kept.map(|text| PathBuf::from(text.trim_end()));
        if let Some(folder) = kept.filter(|folder| folder.parent().is_some_and(Path::is_dir)) {
            return Ok(folder);
        }
        let folder = self.choose_sockets();
        self.write("sockets", &format!("{}\n", folder.display()))?;
        Ok(folder)
    }

    /// A small file at the top; none where there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// Keeps this directory for the machine `id` of a server: homes and runs of two machines must never mix.
    ///
    /// # Errors
    /// It belongs to another machine; the text says what to do.
    pub(crate) fn claim(&self, id: MachineId, url: &Url) -> Result<()> {
        match self.read(WORKER_OF)? {
            Some(kept) if kept.trim_end() == id.to_string() => Ok(()),
            Some(_) => bail!(
                "{} belongs to another machine than the token names at {url}: give another --data-dir",
                self.0.display()
            ),
            None => self.write(WORKER_OF, &format!("{id}\n")),
        }
    }

    /// Names this machine for ever: made by whoever asks first.
    pub(crate) fn machine_id(&self) -> Result<MachineId> {
        let path = self.0.join("machine-id");
        if !path.exists() {
            let name = format!("machine-id.{}", std::process::id());
            self.write(&name, &format!("{}\n", MachineId::new(&System)))?;
            let fresh = self.0.join(name);
            let named = fs::hard_link(&fresh, &path);
            let gone = fs::remove_file(&fresh);
            // Whoever was faster has named it.
            if !path.exists() {
                named.and(gone).context("the machine cannot be named")?;
            }
        }
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        text.trim_end()
            .parse()
            .with_context(|| format!("{} holds no machine's name", path.display()))
    }

    fn choose_sockets(&self) -> PathBuf {
        let name = &blake3::hash(self.0.as_os_str().as_encoded_bytes()).to_hex()[..8];
        let uid = rustix::process::getuid();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_dir() && path.as_os_str().len() < 40);
        match runtime {
            Some(runtime) if !uid.is_root() => runtime.join(format!("cairn-{name}")),
            _ if uid.is_root() => PathBuf::from(format!("/run/cairn-{name}")),
            _ => PathBuf::from(format!("/tmp/cairn-{}-{name}", uid.as_raw())),
        }
    }

    /// Takes the right to serve it.
    ///
    /// # Errors
    /// Another server has it; the text says which.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.0.join("serve.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(Errno::WOULDBLOCK) => {
                let who = self
                    .running()
                    .map(|running| format!(" (process {}, {})", running.pid, running.url))
                    .unwrap_or_default();
                bail!(
                    "{} is being served already{who}; stop that server first, or give another --data-dir",
                    self.0.display()
                )
            }
            Err(error) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// Who serves it now, if anybody does.
    pub(crate) fn running(&self) -> Option<Running> {
        let file = File::open(self.0.join("serve.lock")).ok()?;
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        serde_json::from_slice(&fs::read(self.0.join("serve.json")).ok()?).ok()
    }

    /// Writes down who serves it.
    pub(crate) fn record(&self, running: &Running) -> Result<()> {
        self.write("serve.json", &serde_json::to_string(running)?)
    }

    /// Keeps a sign-in link where only its owner can read it.
    pub(crate) fn keep_link(&self, link: &str) -> Result<()> {
        self.write("sign-in-link", &format!("{link}\n"))
    }

    /// Where a server in the background logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("serve.log")
    }

    /// Writes a small private file, whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, fresh) = (self.0.join(name), self.0.join(format!(".{name}.new")));
        let written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Names this executable: its content would be exact, its size and time of change are quick and change with every build.
pub(crate) fn build() -> String {
    let about = std::env::current_exe().and_then(fs::metadata);
    about.map_or_else(
        |_| "unknown".to_owned(),
        |about| {
            use std::os::unix::fs::MetadataExt as _;
            format!(
                "{}-{}-{}.{}",
                env!("CARGO_PKG_VERSION"),
                about.len(),
                about.mtime(),
                about.mtime_nsec()
            )
        },
    )
}

fn usual() -> Result<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(path) = from("CAIRN_DATA_DIR") {
        return Ok(path);
    }
    from("XDG_DATA_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("cairn"))
        .context("neither HOME nor XDG_DATA_HOME is set: give --data-dir")
}

/// Reads at most 4 KiB of the end of a file as text; empty where there is none.
pub(crate) fn tail(path: &Path) -> String {
    use std::io::{Seek as _, SeekFrom};
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
