//! The store's images: built once for a manifest, sealed, and looked at before each is mounted.
//!
//! An image ends with a block that says which writer made it, of which manifest, and the BLAKE3 of all before it. One that is cut, damaged or of
//! another writer is built again. The kernel is given none but those: it trusts what it mounts.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::image::{self, BLOCK, BLOCK_BYTES};
use crate::manifest::{Entry, Manifest, Node};
use crate::materialise::{Owner, bring};
use crate::objects::{Hash, Sighting, Store, corrupt, io_error};
use crate::{Error, Result};

/// What the name of an image ends with.
pub(crate) const IMAGE: &str = ".erofs";

const MAGIC: &[u8; 8] = b"cairnimg";

/// Images that this process has looked at, as they were then, and the epoch. What is in the store stays there for as long as that lasts, and so do
/// the objects that were found.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<Hash, (Sighting, String)>>);

impl Seen {
    fn holds(&self, digest: &Hash, now: &(Sighting, String)) -> bool {
        self.lock().get(digest) == Some(now)
    }

    fn add(&self, digest: Hash, now: (Sighting, String)) {
        self.lock().insert(digest, now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, (Sighting, String)>> {
        // Every entry is true by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the image of a manifest lies.
pub(super) fn place(store: &Store, digest: &Hash) -> PathBuf {
    store.within("images").join(format!("{digest}{IMAGE}"))
}

/// Opens the image of a manifest, all of whose objects are here, building it when there is none that is whole. Blocks.
///
/// # Errors
/// `NotFound` without such a manifest; `Internal` when an object is missing or has another size, naming the path.
pub(super) fn open(store: &Store, (seen, epoch): (&Seen, &str), digest: &Hash) -> Result<File> {
    let failed = |error| io_error(format!("cannot open the image of {digest}"), error);
    let sight = |file: &File| -> Result<(Sighting, String)> {
        let found = file.metadata().map_err(failed)?;
        Ok((Sighting::from(&found), epoch.to_owned()))
    };
    let place = place(store, digest);
    match File::open(&place) {
        Ok(file) => {
            let now = sight(&file)?;
            if seen.holds(digest, &now) {
                return Ok(file);
            }
            if is_whole(&file, digest).map_err(failed)? {
                let present = Present::open(store)?;
                let manifest = manifest(store, digest)?;
                bring(store, &manifest)?;
                for entry in manifest.entries() {
                    present.check(&entry?)?;
                }
                seen.add(*digest, now);
                return Ok(file);
            }
            tracing::warn!(manifest = %digest, "the image of a manifest is damaged or of another version: it is built again");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    build(store, digest)?;
    let file = File::open(&place).map_err(failed)?;
    seen.add(*digest, sight(&file)?);
    Ok(file)
}

/// Brings everything that is in a manifest to this host, where it is not kept here.
pub(super) fn bring_all(store: &Store, digest: &Hash) -> Result<()> {
    bring(store, &manifest(store, digest)?)
}

fn manifest(store: &Store, digest: &Hash) -> Result<Manifest> {
    Manifest::open(store.objects().clone(), digest)?
        .ok_or_else(|| Error::not_found("there is no such manifest"))
}

fn build(store: &Store, digest: &Hash) -> Result<()> {
    let place = place(store, digest);
    let failed = |error| io_error(format!("cannot make the image of {digest}"), error);
    let manifest = manifest(store, digest)?;
    bring(store, &manifest)?;
    let present = Present::open(store)?;
    let entries = manifest.entries().map(|entry| {
        let entry = entry?;
        present.check(&entry)?;
        Ok(entry)
    });
    let scratch = store.files().scratch()?;
    let fresh = scratch.path().join("image");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    let owner = Owner {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let length = image::write(&file, digest, owner, entries)?;
    let mut seal = head(digest);
    seal.extend(hash(&file, length).map_err(failed)?.as_bytes());
    seal.resize(BLOCK_BYTES, 0);
    file.write_all_at(&seal, length).map_err(failed)?;
    let folder = place.parent().unwrap_or(&place);
    fs::create_dir_all(folder)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o400)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, &place))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(failed)
}

/// What a seal begins with.
fn head(digest: &Hash) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(image::VERSION.to_le_bytes());
    head.extend(digest.as_bytes());
    head
}

/// Whether a file is an image of this writer and manifest as it was written. Reads all of it.
fn is_whole(file: &File, digest: &Hash) -> io::Result<bool> {
    let Some(length) = file.metadata()?.len().checked_sub(BLOCK) else {
        return Ok(false);
    };
    let head = head(digest);
    let mut seal = vec![0; head.len() + 32];
    file.read_exact_at(&mut seal, length)?;
    let (told, sum) = seal.split_at(head.len());
    Ok(told == head && hash(file, length)?.as_bytes() == sum)
}

fn hash(file: &File, length: u64) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut from = 0;
    while from < length {
        let wanted = (length - from).min(buffer.len() as u64);
        let part = &mut buffer[..usize::try_from(wanted).unwrap_or(0)];
        file.read_exact_at(part, from)?;
        hasher.update(part);
        from += wanted;
    }
    Ok(hasher.finalize().into())
}

/// The folder of objects, to see what is there.
struct Present(OwnedFd);

impl Present {
    fn open(store: &Store) -> Result<Self> {
        let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(store.within("objects"), how, Mode::empty())
            .map(Self)
            .map_err(|error| io_error("cannot open the folder of objects", error.into()))
    }

    /// An object that is missing is told now: later it would be an error in the middle of somebody's reading.
    fn check(&self, entry: &Entry) -> Result<()> {
        let Node::File { hash, size, .. } = &entry.node else {
            return Ok(());
        };
        if *size == 0 {
            return Ok(());
        }
        let digits = hash.digits();
        let mut name = [b'/'; 65];
        name[..2].copy_from_slice(&digits[..2]);
        name[3..].copy_from_slice(&digits[2..]);
        let path = &entry.path;
        match rustix::fs::statat(&self.0, &name[..], AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile => {
                Err(corrupt(format!(
                    "object {hash}, the content of {path:?}, is no file"
                )))
            }
            Ok(found) if u64::try_from(found.st_size) == Ok(*size) => Ok(()),
            Ok(found) => Err(corrupt(format!(
                "object {hash}, the content of {path:?}, has {} bytes, its manifest says {size}",
                found.st_size
            ))),
            Err(rustix::io::Errno::NOENT) => Err(corrupt(format!(
                "object {hash}, the content of {path:?}, is missing"
            ))),
            Err(error) => Err(io_error(
                format!("cannot look at object {hash}, the content of {path:?}"),
                error.into(),
            )),
        }
    }
}
