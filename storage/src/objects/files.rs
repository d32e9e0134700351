//! `Files`: objects as plain files under `objects/ab/cdef…`, manifest nodes under `manifests/ab/cdef…`, all 0444 and written once.
//!
//! Owns the folder's layout, its format file and the clean-up of what a crash left in `staging/`.

use std::collections::HashSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::claims::{Claim, Claims};
use super::settled::Settled;
use super::staging::{Scratch, Staging};
use super::{Batch, Hash, Objects, Source, Space, io_error};
use crate::{Error, Result};

/// The format this program reads and writes.
const FORMAT: u32 = 1;
/// The folders of the two name spaces.
const SPACES: [&str; 2] = ["objects", "manifests"];

/// The store on local files. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    layout: Arc<Layout>,
}

impl Files {
    /// Opens the store in `root`, making it when there is none, and removes what crashed batches left in staging.
    ///
    /// # Errors
    /// `Invalid` when the folder holds a format that this program does not know, or spans two file systems.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Layout::open(root)?;
        layout.clean_staging()?;
        Ok(Self {
            layout: Arc::new(layout),
        })
    }

    /// Whether the store in `root` holds nothing; also where there is none. Changes nothing.
    ///
    /// # Errors
    /// `Invalid` for a format that this program does not know.
    pub(crate) fn is_empty(root: &Path) -> Result<bool> {
        let failed = |error| {
            let what = format!("cannot look into the object store in {}", root.display());
            io_error(what, error)
        };
        match fs::read(root.join("repo.json")) {
            Ok(bytes) => drop(check_format(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        for space in SPACES {
            for entry in walkdir::WalkDir::new(root.join(space)).min_depth(2) {
                match entry.map_err(io::Error::from) {
                    Ok(_) => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(true)
    }

    /// The name this store got when it was made; a copy of the folder keeps it.
    pub fn id(&self) -> &str {
        &self.layout.id
    }

    /// The folder of the store.
    pub(crate) fn root(&self) -> &Path {
        &self.layout.root
    }

    /// Where something lies, whether it is there or not.
    pub(crate) fn place(&self, space: Space, hash: &Hash) -> PathBuf {
        self.layout.place(space, hash)
    }

    /// Makes a folder of its own on the store's file system, which goes away with the value.
    pub(crate) fn scratch(&self) -> Result<Scratch> {
        Scratch::make(&self.layout)
    }

    /// Opens a batch of this host's own.
    pub(super) fn stage(&self) -> Result<Staging> {
        Staging::begin(&self.layout)
    }

    /// Makes everything written to the store's file system durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.layout.sync_all()
    }

    /// What work under way relies on.
    pub(crate) fn claims(&self) -> &Claims {
        &self.layout.claims
    }

    /// Claims, before anything is looked for.
    pub(crate) fn claim(&self) -> Result<Claim> {
        self.layout.claim()
    }

    /// Keeps other processes from beginning work on the store, and says whether one has some under way.
    pub(crate) fn shut_out(&self) -> Result<(File, bool)> {
        let gate = self.layout.gate(true)?;
        let others = self.layout.has_others()?;
        Ok((gate, others))
    }

    /// Removes what batches left that no longer run.
    pub(crate) fn clean(&self) -> Result<()> {
        self.layout.clean_staging()
    }

    /// Takes the lock that whoever collects holds; none where another process holds it.
    pub(crate) fn collecting(&self) -> Result<Option<File>> {
        self.layout.try_lock("collect.lock")
    }

    /// The same for whoever scrubs.
    pub(crate) fn scrubbing(&self) -> Result<Option<File>> {
        self.layout.try_lock("scrub.lock")
    }

    /// The name of the current boot: files written under another one may be torn.
    pub(crate) fn boot_id(&self) -> &str {
        &self.layout.boot_id
    }
}

impl Objects for Files {
    fn begin(&self) -> Result<Box<dyn Batch>> {
        Ok(Box::new(self.stage()?))
    }

    fn open(&self, space: Space, hash: &Hash) -> Result<Option<Box<dyn Source>>> {
        match File::open(self.layout.place(space, hash)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(format!("cannot open object {hash}"), error)),
        }
    }

    fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>> {
        self.layout.size(space, hash)
    }

    fn list(
        &self,
        space: Space,
        prefix: u8,
        visit: &mut dyn FnMut(Hash, u64) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| io_error("cannot list the store", error);
        let prefix = hex::encode([prefix]);
        for file in fs::read_dir(self.layout.space(space).join(&prefix)).map_err(failed)? {
            let file = file.map_err(failed)?;
            let name = format!("{prefix}{}", file.file_name().to_string_lossy());
            // Anything that is not named by a hash is not ours to judge.
            let Ok(hash) = name.parse() else { continue };
            match file.metadata() {
                Ok(found) => visit(hash, found.len())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn remove(&self, space: Space, hash: &Hash) -> Result<()> {
        match fs::remove_file(self.layout.place(space, hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error(format!("cannot remove object {hash}"), error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, hash: &Hash) -> Option<PathBuf> {
        Some(self.layout.place(Space::Objects, hash))
    }
}

/// What is written into `repo.json`.
#[derive(Serialize, Deserialize)]
struct Format {
    #[serde(rename = "format")]
    version: u32,
    id: String,
    /// Features that a program must know to read the store.
    #[serde(default)]
    incompatible: Vec<String>,
}

/// Where things lie.
pub(super) struct Layout {
    root: PathBuf,
    id: String,
    boot_id: String,
    pub(super) settled: Settled,
    pub(super) claims: Claims,
    /// The folders in staging that are this process's.
    own: Mutex<HashSet<PathBuf>>,
}

impl Layout {
    fn open(root: &Path) -> Result<Self> {
        let failed = |error| {
            io_error(
                format!("cannot open the object store in {}", root.display()),
                error,
            )
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(root)
            .map_err(failed)?;
        let format = match fs::read(root.join("repo.json")) {
            Ok(bytes) => check_format(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(root).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let layout = Self {
            root: root.to_owned(),
            id: format.id,
            boot_id: boot_id(),
            settled: Settled::default(),
            claims: Claims::default(),
            own: Mutex::default(),
        };
        layout.check_one_file_system().map_err(failed)?;
        Ok(layout)
    }

    pub(super) fn space(&self, space: Space) -> PathBuf {
        let [objects, manifests] = SPACES;
        self.root.join(match space {
            Space::Objects => objects,
            Space::Manifests => manifests,
        })
    }

    pub(super) fn place(&self, space: Space, hash: &Hash) -> PathBuf {
        let hex = hash.to_hex();
        let mut path = self.space(space);
        path.push(&hex[..2]);
        path.push(&hex[2..]);
        path
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(super) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    pub(super) fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>> {
        Ok(self.look(space, hash)?.map(|found| found.len()))
    }

    /// The status of an object's file, if it is there.
    pub(super) fn look(&self, space: Space, hash: &Hash) -> Result<Option<Metadata>> {
        match fs::symlink_metadata(self.place(space, hash)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(format!("cannot look at object {hash}"), error)),
        }
    }

    /// Takes the lock that keeps clean-up away while a batch makes and locks its folder.
    pub(super) fn gate(&self, alone: bool) -> Result<File> {
        let gate = self.lock_file("staging.lock")?;
        let operation = if alone {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingLockShared
        };
        loop {
            match rustix::fs::flock(&gate, operation) {
                Ok(()) => return Ok(gate),
                Err(rustix::io::Errno::WOULDBLOCK) => super::claims::wait(),
                Err(error) => {
                    return Err(io_error("cannot lock the staging folder", error.into()));
                }
            }
        }
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.root.join(name))
            .map_err(|error| io_error(format!("cannot open {name}"), error))
    }

    /// Takes the lock of a file; none where another process holds it.
    fn try_lock(&self, name: &str) -> Result<Option<File>> {
        let lock = self.lock_file(name)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(io_error(format!("cannot lock {name}"), error.into())),
        }
    }

    /// The folders in staging that are this process's.
    pub(super) fn own(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claim(self: &Arc<Self>) -> Result<Claim> {
        Ok(self.claims.begin(Scratch::make(self)?))
    }

    /// Whether there is a batch of another process.
    fn has_others(&self) -> Result<bool> {
        let failed = |error| io_error("cannot look through the staging folder", error);
        for entry in fs::read_dir(self.staging()).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if self.own().contains(&path) {
                continue;
            }
            let Ok(folder) = File::open(&path) else {
                continue;
            };
            if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes everything written to the store's file system durable.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(rustix::fs::syncfs(File::open(self.staging())?)?);
        #[cfg(not(target_os = "linux"))]
        {
            rustix::fs::sync();
            File::open(&self.root)?.sync_all()
        }
    }

    /// Removes the folders of batches that no longer run: those of another boot, and those whose lock is free.
    fn clean_staging(&self) -> Result<()> {
        let _gate = self.gate(true)?;
        let failed = |error| io_error("cannot clean the staging folder", error);
        for entry in fs::read_dir(self.staging()).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let abandoned = match File::open(&path) {
                Ok(dir) => {
                    rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok()
                }
                Err(_) => false,
            };
            if abandoned {
                remove_tree(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn check_one_file_system(&self) -> io::Result<()> {
        let device = fs::metadata(self.staging())?.dev();
        for space in [Space::Objects, Space::Manifests] {
            if fs::metadata(self.space(space))?.dev() != device {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
        }
        Ok(())
    }
}

/// Removes a folder tree whose folders may be read-only.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => return other,
    }
    for entry in walkdir::WalkDir::new(path)
        .into_iter()
        .filter_map(Result::ok)
    {
        if entry.file_type().is_dir() {
            fs::set_permissions(
                entry.path(),
                std::os::unix::fs::PermissionsExt::from_mode(0o700),
            )?;
        }
    }
    fs::remove_dir_all(path)
}

/// A name that nobody else picks.
pub(crate) fn random_name() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    hex::encode(bytes)
}

fn check_format(bytes: &[u8]) -> Result<Format> {
    let format: Format = serde_json::from_slice(bytes)
        .map_err(|error| Error::internal("the object store's repo.json cannot be read", error))?;
    if format.version != FORMAT || !format.incompatible.is_empty() {
        return Err(Error::invalid(format!(
            "the object store has format {} {:?}, which this version of Cairn does not know",
            format.version, format.incompatible
        )));
    }
    Ok(format)
}

/// Makes an empty store; `repo.json` comes last, so a crash before it is a store not yet made.
fn make(root: &Path) -> io::Result<Format> {
    let folder = |path: &Path, mode| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
    };
    for space in SPACES {
        for prefix in 0..=u8::MAX {
            folder(&root.join(space).join(hex::encode([prefix])), 0o755)?;
        }
        File::open(root.join(space))?.sync_all()?;
    }
    for private in ["staging", "uploads", "index"] {
        folder(&root.join(private), 0o700)?;
    }
    folder(&root.join("farm"), 0o755)?;
    let format = Format {
        version: FORMAT,
        id: random_name(),
        incompatible: Vec::new(),
    };
    let fresh = root.join(format!("repo.json.{}", format.id));
    let mut file = File::create_new(&fresh)?;
    file.write_all(&serde_json::to_vec(&format)?)?;
    file.sync_all()?;
    fs::rename(&fresh, root.join("repo.json"))?;
    File::open(root)?.sync_all()?;
    // Another process may have made the store at the same moment: what lies there now is the truth.
    Ok(serde_json::from_slice(&fs::read(root.join("repo.json"))?)?)
}

/// Names the boot, or the process where the system does not say: then nothing survives a restart, which is safe.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| random_name(), |text| text.trim().replace('-', ""))
}

#[cfg(test)]
mod tests;
