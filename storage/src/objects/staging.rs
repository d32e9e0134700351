//! A batch of the local store: a locked folder of its own, written without syncing, then one sync, renames, and one sync of the touched
//! folders. The folder is named by the boot, so that what a crash or a power cut left is told apart from what is being written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, RenameFlags};

use super::claims::{Claim, Key};
use super::files::Layout;
use super::settled::Sighting;
use super::{Batch, Hash, Space, io_error};
use crate::Result;

/// Content up to this size is held until its hash says whether it has to be written at all.
const HELD_BYTES: usize = 256 * 1024;
/// Up to this many files or folders are synced one by one; above, one `syncfs` is cheaper.
const SINGLE_SYNCS: usize = 12;

/// A folder in staging that lives as long as this value, or until the next start of a store after a crash.
pub(crate) struct Scratch {
    path: PathBuf,
    layout: Arc<Layout>,
    /// Holds the lock that says the folder is in use.
    _lock: File,
}

impl Scratch {
    pub(super) fn make(layout: &Arc<Layout>) -> Result<Self> {
        let gate = layout.gate(false)?;
        let path = layout.staging().join(format!(
            "{}-{}",
            layout.boot_id(),
            super::files::random_name()
        ));
        fs::create_dir(&path).map_err(|error| io_error("cannot make a staging folder", error))?;
        let lock =
            File::open(&path).map_err(|error| io_error("cannot open a staging folder", error))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| io_error("cannot lock a staging folder", error.into()))?;
        layout.own().insert(path.clone());
        drop(gate);
        Ok(Self {
            path,
            layout: Arc::clone(layout),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = super::files::remove_tree(&self.path) {
            tracing::warn!(staging.folder = %self.path.display(), %error, "a staging folder stays until the next start");
        }
        self.layout.own().remove(&self.path);
    }
}

/// One open batch.
pub(super) struct Staging {
    layout: Arc<Layout>,
    claim: Claim,
    next: AtomicU64,
    staged: Mutex<BTreeMap<Key, PathBuf>>,
    /// Objects that were there already: their folder entry may not be durable yet, unless it has settled.
    met: Mutex<BTreeMap<Key, Sighting>>,
}

impl Staging {
    pub(super) fn begin(layout: &Arc<Layout>) -> Result<Self> {
        Ok(Self {
            layout: Arc::clone(layout),
            claim: layout.claim()?,
            next: AtomicU64::new(0),
            staged: Mutex::default(),
            met: Mutex::default(),
        })
    }

    /// What it claims.
    pub(super) fn claim(&self) -> &Claim {
        &self.claim
    }

    fn fresh(&self) -> Result<PathBuf> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        Ok(self.claim.scratch()?.path.join(name))
    }

    /// Whether the object needs no writing: it is in the store with the right size, or in this batch.
    fn known(&self, key: Key, size: Option<u64>) -> Result<bool> {
        if lock(&self.staged).contains_key(&key) || lock(&self.met).contains_key(&key) {
            return Ok(true);
        }
        let look = || self.layout.look(key.0, &key.1);
        let Some(found) = self.claim.look(&self.layout.claims, key, look)? else {
            return Ok(false);
        };
        super::step("met");
        let known = size.is_none_or(|size| found.len() == size);
        if known {
            lock(&self.met).insert(key, Sighting::from(&found));
        }
        Ok(known)
    }

    /// Records a finished staged file; a second one of the same content is dropped.
    fn stage(&self, key: Key, path: PathBuf) {
        let double = match lock(&self.staged).entry(key) {
            Entry::Occupied(_) => path,
            Entry::Vacant(place) => {
                place.insert(path);
                return;
            }
        };
        // Best effort: the folder goes away with the batch.
        let _ = fs::remove_file(double);
    }

    fn write_held(&self, key: Key, bytes: &[u8]) -> Result<()> {
        let path = self.fresh()?;
        let written = create(&path).and_then(|mut file| file.write_all(bytes));
        settle(path, written).map(|path| self.stage(key, path))
    }

    fn put_long(&self, head: &[u8], body: &mut dyn Read) -> Result<(Hash, u64)> {
        let path = self.fresh()?;
        let written = copy_hashing(&path, head, body);
        let (hash, size) = match &written {
            Ok(sum) => *sum,
            Err(_) => (Hash::from_bytes([0; 32]), 0),
        };
        let path = settle(path, written)?;
        if self.known((Space::Objects, hash), Some(size))? {
            let _ = fs::remove_file(path);
        } else {
            self.stage((Space::Objects, hash), path);
        }
        Ok((hash, size))
    }

    /// Makes the contents of all staged files durable.
    fn sync_contents(&self, staged: &BTreeMap<Key, PathBuf>) -> Result<()> {
        let failed = |error| io_error("cannot make staged objects durable", error);
        if staged.len() > SINGLE_SYNCS {
            return self.layout.sync_all().map_err(failed);
        }
        let paths: Vec<&PathBuf> = staged.values().collect();
        sync_each(&paths).map_err(failed)
    }

    /// Moves one staged file to its place. That the place is taken by the same content is no error; a place taken by content of another
    /// size was damaged and is replaced.
    fn publish(&self, key: Key, path: &Path) -> Result<()> {
        let target = self.layout.place(key.0, &key.1);
        match rustix::fs::renameat_with(
            rustix::fs::CWD,
            path,
            rustix::fs::CWD,
            &target,
            RenameFlags::NOREPLACE,
        ) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::EXIST) => {}
            // A file system without the flag. Both files hold the same content, so replacing is as good.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                return fs::rename(path, &target)
                    .map_err(|error| io_error("cannot publish an object", error));
            }
            Err(error) => return Err(io_error("cannot publish an object", error.into())),
        }
        let sizes =
            fs::metadata(path).and_then(|ours| Ok((ours.len(), fs::metadata(&target)?.len())));
        match sizes {
            Ok((ours, theirs)) if ours == theirs => Ok(()),
            _ => fs::rename(path, &target)
                .map_err(|error| io_error("cannot publish an object", error)),
        }
    }

    fn sync_folders(&self, keys: impl Iterator<Item = Key>) -> Result<()> {
        let failed = |error| io_error("cannot make published objects durable", error);
        let folders: BTreeSet<PathBuf> = keys
            .filter_map(|(space, hash)| {
                self.layout.place(space, &hash).parent().map(Path::to_owned)
            })
            .collect();
        if folders.len() > SINGLE_SYNCS {
            return self.layout.sync_all().map_err(failed);
        }
        let folders: Vec<&PathBuf> = folders.iter().collect();
        sync_each(&folders).map_err(failed)
    }
}

impl Batch for Staging {
    fn put(&self, body: &mut dyn Read) -> Result<(Hash, u64)> {
        let mut head = Vec::new();
        let failed = |error| io_error("cannot read content to store", error);
        body.take(HELD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(failed)?;
        if head.len() == HELD_BYTES {
            return self.put_long(&head, body);
        }
        let (hash, size) = (Hash::of(&head), head.len() as u64);
        if !self.known((Space::Objects, hash), Some(size))? {
            self.write_held((Space::Objects, hash), &head)?;
        }
        Ok((hash, size))
    }

    fn adopt(&self, path: &Path, hash: &Hash) -> Result<()> {
        let failed = |error| io_error("cannot take over an uploaded object", error);
        let key = (Space::Objects, *hash);
        let size = fs::symlink_metadata(path).map_err(failed)?.len();
        if self.known(key, Some(size))? {
            return fs::remove_file(path).map_err(failed);
        }
        let staged = self.fresh()?;
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o444))
            .map_err(failed)?;
        fs::rename(path, &staged).map_err(failed)?;
        self.stage(key, staged);
        Ok(())
    }

    fn has_node(&self, digest: &Hash) -> Result<bool> {
        self.known((Space::Manifests, *digest), None)
    }

    fn put_node(&self, digest: &Hash, bytes: &[u8]) -> Result<()> {
        if self.has_node(digest)? {
            return Ok(());
        }
        self.write_held((Space::Manifests, *digest), bytes)
    }

    fn commit(self: Box<Self>) -> Result<Claim> {
        let staged = std::mem::take(&mut *lock(&self.staged));
        let met = std::mem::take(&mut *lock(&self.met));
        super::step("staged");
        self.sync_contents(&staged)?;
        super::step("synced");
        for (key, path) in &staged {
            self.publish(*key, path)?;
            super::step("published one");
        }
        super::step("published");
        let met = met
            .into_iter()
            .filter(|(key, seen)| !self.layout.settled.holds(*key, *seen));
        let met: Vec<_> = met.collect();
        self.sync_folders(
            staged
                .keys()
                .copied()
                .chain(met.iter().map(|(key, _)| *key)),
        )?;
        self.layout.settled.add(met);
        super::step("durable");
        Ok(self.claim.clone())
    }
}

/// Takes a lock whose holders cannot leave the map half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes the path on, or removes the file when writing it failed.
fn settle<T>(path: PathBuf, written: io::Result<T>) -> Result<PathBuf> {
    match written {
        Ok(_) => Ok(path),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(io_error("cannot write to the staging folder", error))
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(path)?;
    // The mask of the process must not decide who can read an object.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o444))?;
    Ok(file)
}

fn copy_hashing(path: &Path, head: &[u8], body: &mut dyn Read) -> io::Result<(Hash, u64)> {
    let mut file = create(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut size = head.len() as u64;
    hasher.update(head);
    file.write_all(head)?;
    let mut buffer = vec![0; HELD_BYTES];
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize().into(), size)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read])?;
        size += read as u64;
    }
}

/// Syncs files or folders, at the same time so that the journal commits them together.
fn sync_each(paths: &[&PathBuf]) -> io::Result<()> {
    let sync = |path: &PathBuf| File::open(path)?.sync_all();
    let Some((here, elsewhere)) = paths.split_first() else {
        return Ok(());
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = elsewhere
            .iter()
            .map(|path| scope.spawn(move || sync(path)))
            .collect();
        let here = sync(here);
        let elsewhere = running.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| io::Error::other("a sync thread failed"))?
        });
        here.and(elsewhere)
    })
}
