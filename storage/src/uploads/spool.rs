//! Where an upload's objects gather before it is sealed: `uploads/ID/HASH.part` while they come in, `uploads/ID/HASH.done` once their content
//! has been checked. Nothing here is durable before the seal, so what another boot wrote is doubted.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::FlockOperation;

use crate::ids::UploadId;
use crate::objects::{Hash, Store, io_error, random_name, remove_tree};
use crate::{Error, Result};

/// The folder of one upload.
#[derive(Clone)]
pub(super) struct Spool {
    folder: PathBuf,
    boot: String,
}

impl Spool {
    pub(super) fn of(store: &Store, id: UploadId) -> Self {
        Self {
            folder: store.within("uploads").join(id.to_string()),
            boot: store.files().boot_id().to_owned(),
        }
    }

    /// The spools that lie in the store, whatever became of their uploads.
    pub(super) fn all(store: &Store) -> Result<BTreeMap<UploadId, Self>> {
        let failed = |error| io_error("cannot list the uploads", error);
        let mut spools = BTreeMap::new();
        for entry in fs::read_dir(store.within("uploads")).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
                spools.insert(id, Self::of(store, id));
            }
        }
        Ok(spools)
    }

    pub(super) fn remove(&self) -> Result<()> {
        remove_tree(&self.folder).map_err(|error| io_error("cannot remove an upload", error))
    }

    /// Turns checked objects of another boot back into parts, which are checked again before they count.
    pub(super) fn doubt(&self) -> Result<()> {
        let failed = |error| io_error("cannot look through an upload", error);
        let mark = self.folder.join("boot");
        if fs::read_to_string(&mark).is_ok_and(|boot| boot == self.boot) {
            return Ok(());
        }
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == "done") {
                fs::rename(&path, path.with_extension("part")).map_err(failed)?;
            }
        }
        fs::write(mark, &self.boot).map_err(failed)
    }

    /// Where a checked object lies.
    pub(super) fn done(&self, hash: &Hash) -> Option<PathBuf> {
        let path = self.folder.join(format!("{hash}.done"));
        path.is_file().then_some(path)
    }

    fn part_path(&self, hash: &Hash) -> PathBuf {
        self.folder.join(format!("{hash}.part"))
    }

    /// The bytes of an object that are here, checked or not.
    pub(super) fn offset(&self, hash: &Hash) -> Result<u64> {
        let path = self.done(hash).unwrap_or_else(|| self.part_path(hash));
        match fs::metadata(path) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io_error("cannot look at an upload", error)),
        }
    }

    /// Opens the part of an object for writing, alone.
    ///
    /// # Errors
    /// `Conflict` while another request writes it.
    pub(super) fn part(&self, hash: &Hash) -> Result<File> {
        let failed = |error| io_error("cannot write an upload", error);
        self.make().map_err(failed)?;
        let path = self.part_path(hash);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::conflict("another request is sending this object"));
        }
        // It may have been finished, or given up, between opening and locking.
        let same = fs::metadata(&path)
            .is_ok_and(|found| file.metadata().is_ok_and(|ours| same_file(&found, &ours)));
        if same {
            Ok(file)
        } else {
            Err(Error::conflict("another request has sent this object"))
        }
    }

    /// Writes an object whose content is proven.
    pub(super) fn keep(&self, hash: &Hash, content: &[u8]) -> Result<()> {
        if self.done(hash).is_some() {
            return Ok(());
        }
        // Under a name of its own: another request may be sending the same object, and either one may come first.
        let fresh = self.folder.join(format!("{hash}.{}", random_name()));
        let written = self.make().and_then(|()| {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&fresh)?;
            file.write_all(content)?;
            fs::rename(&fresh, self.folder.join(format!("{hash}.done")))
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&fresh);
            io_error("cannot write an upload", error)
        })
    }

    /// Makes the folder, which says what boot wrote it.
    fn make(&self) -> io::Result<()> {
        if !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
            fs::write(self.folder.join("boot"), &self.boot)?;
        }
        Ok(())
    }

    /// Says that a part has been checked.
    pub(super) fn finish(&self, hash: &Hash) -> Result<()> {
        fs::rename(
            self.part_path(hash),
            self.folder.join(format!("{hash}.done")),
        )
        .map_err(|error| io_error("cannot finish an uploaded object", error))
    }

    /// Drops a part that turned out to be something else.
    pub(super) fn drop_part(&self, hash: &Hash) -> Result<()> {
        fs::remove_file(self.part_path(hash))
            .map_err(|error| io_error("cannot drop a bad upload", error))
    }

    /// Checks a part that is complete: after a new boot, or when the answer to its last request was lost.
    pub(super) fn recheck(&self, hash: &Hash, size: u64) -> Result<bool> {
        if self.done(hash).is_some() {
            return Ok(true);
        }
        if size > 0 && self.offset(hash)? != size {
            return Ok(false);
        }
        let mut file = self.part(hash)?;
        let found = hash_of(&mut file)?;
        if found != (*hash, size) {
            self.drop_part(hash)?;
            return Ok(false);
        }
        self.finish(hash)?;
        Ok(true)
    }

    /// Keeps everybody else from sealing at the same time.
    pub(super) fn lock(&self) -> Result<File> {
        let failed = |error| io_error("cannot lock an upload", error);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let folder = File::open(&self.folder).map_err(failed)?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(folder),
            Err(_) => Err(Error::conflict("the upload is being sealed")),
        }
    }
}

/// Hashes a file from its start.
pub(super) fn hash_of(file: &mut File) -> Result<(Hash, u64)> {
    use std::io::Seek;
    let failed = |error| io_error("cannot read an uploaded object", error);
    file.seek(io::SeekFrom::Start(0)).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(failed)?;
    Ok((hasher.finalize().into(), hasher.count()))
}

fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}
