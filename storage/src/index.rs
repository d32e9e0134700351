//! The stat index: what a folder's files hashed to at the last capture, so that unchanged ones are not read again.
//!
//! A cache in one file, believed only whole, for the same store, its epoch and project; losing it costs time, nothing else. A file touched within two
//! seconds of the capture that recorded it is read again, because it may have changed within one tick of the clock (git calls it racy).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::capture::{Found, Kept, Stat};
use crate::ids::ProjectId;
use crate::mount::epoch;
use crate::objects::{Files, Hash, Store, io_error, is_usable, random_name, wait_for};
use crate::{Error, Result};

mod records;

pub(crate) use records::{RACY_NS, Record, Records, checked, checksum};

const MAGIC: &[u8; 8] = b"CAIRNIX3";
/// The digest of the manifest that the capture became, which keeps what the index knows in the store.
const DIGEST_BYTES: usize = 32;

/// The index as the last capture left it, and the one that this capture makes.
pub(crate) struct Index {
    place: PathBuf,
    header: Vec<u8>,
    /// The bytes of the last index, checked; empty when there is none to believe.
    old: Vec<u8>,
    fresh: Fresh,
    /// Files touched at this time or later are not believed at the next capture.
    racy_ns: i64,
}

/// A new index that takes the old one's place once the capture is recorded.
#[derive(Debug)]
pub(crate) struct Fresh {
    path: PathBuf,
    place: PathBuf,
    body: Vec<u8>,
    header_bytes: usize,
}

/// The name of the epoch, see [`epoch`], as it is kept.
const EPOCH_BYTES: usize = 32;

/// Opens the index called `name`; a missing or unbelievable one is empty.
///
/// # Errors
/// `Invalid` for a name that is not 1 to 64 of `a-z 0-9 -`.
///
/// To be called by work that has a claim: what the index knows is then there until that ends. Blocks.
pub(crate) fn open(store: &Store, name: &str, project: ProjectId) -> Result<Index> {
    let files = store.files();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(Error::invalid(
            "the name of a stat index has characters other than a-z, 0-9 and -",
        ));
    }
    let folder = files.root().join("index");
    let place = folder.join(name);
    let header = header(files, project);
    let mut old = fs::read(&place)
        .ok()
        .and_then(|bytes| checked(bytes, &header))
        .unwrap_or_default();
    let failed = |error| io_error("cannot read the epoch of the store", error);
    let epoch = Hash::of(epoch(store).map_err(failed)?.as_bytes());
    // What was put aside since is in the store no more.
    if field(&old, header.len() + DIGEST_BYTES) != Some(epoch) {
        old.clear();
    }
    if let Some(digest) = field(&old, header.len())
        && !wait_for(is_usable(store.db(), &digest))?
    {
        old.clear();
    }
    // The file is made now because its time is the file system's own idea of when this capture started.
    let path = folder.join(format!("{name}.{}", random_name()));
    let failed = |error| io_error("cannot write the stat index", error);
    let started = File::create_new(&path)
        .and_then(|file| file.metadata())
        .map_err(failed)?;
    let racy_ns = Stat::from(&started).mtime_ns.saturating_sub(RACY_NS);
    let fresh = Fresh {
        path,
        place: place.clone(),
        body: [&header[..], &[0; DIGEST_BYTES], epoch.as_bytes()].concat(),
        header_bytes: header.len(),
    };
    Ok(Index {
        place,
        header,
        old,
        fresh,
        racy_ns,
    })
}

impl Index {
    /// Whether what a capture recorded before is in the store as it is now.
    pub(crate) fn believes(&self, past: &Past) -> bool {
        let at = self.header.len() + DIGEST_BYTES;
        field(&past.bytes, at).is_some() && field(&past.bytes, at) == field(&self.fresh.body, at)
    }

    /// Returns the hashes of those files whose status is the one recorded. `found` is in the order of paths, as the index is.
    pub(crate) fn known(&self, found: &[Found]) -> Vec<Option<Hash>> {
        Records::new(records(&self.old, self.header.len())).known(found)
    }

    /// Adds a file to the new index, if the next capture may believe it.
    pub(crate) fn add(&mut self, path: &str, kept: &Kept) {
        let racy = kept.stat.touched_ns() >= self.racy_ns;
        if racy || kept.torn {
            return;
        }
        let record = Record {
            path: path.as_bytes(),
            stat: kept.stat,
            hash: kept.hash,
            is_link: false,
        };
        record.put(&mut self.fresh.body);
    }

    /// Waits until the file system's clock has passed `touched_ns`: for files that nobody changes meanwhile, whose later changes then get later
    /// times. Gives up after a few seconds, which costs the next capture time only. Blocks.
    pub(crate) fn outlast(&mut self, touched_ns: i64) {
        let tick = std::time::Duration::from_millis(2);
        for _ in 0..RACY_NS / 2_000_000 {
            let Ok(now) =
                fs::write(&self.fresh.path, b" ").and_then(|()| fs::metadata(&self.fresh.path))
            else {
                return;
            };
            let now_ns = Stat::from(&now).mtime_ns;
            if now_ns > touched_ns {
                self.racy_ns = now_ns;
                return;
            }
            std::thread::sleep(tick);
        }
    }

    /// Ends the recording.
    pub(crate) fn finish(self) -> Fresh {
        debug_assert_eq!(self.place, self.fresh.place);
        self.fresh
    }
}

impl Fresh {
    /// Puts the new index in the old one's place, for a capture that was recorded as this manifest. It is a cache: a failure is logged and costs time only.
    pub(crate) fn keep(mut self, manifest_digest: &Hash) {
        let place = self.header_bytes..self.header_bytes + DIGEST_BYTES;
        self.body[place].copy_from_slice(manifest_digest.as_bytes());
        if let Err(error) = self.write() {
            tracing::warn!(%error, "the stat index was not written; the next snapshot reads every file");
        }
    }

    /// Not synced: what a power cut tears fails its checksum. The old one goes first, because some file systems write a file to the disk at
    /// once when it replaces another; a crash in between costs what losing any cache costs.
    fn write(&self) -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(256 * 1024, File::create(&self.path)?);
        out.write_all(&self.body)?;
        out.write_all(&checksum(&self.body))?;
        out.flush()?;
        let _ = fs::remove_file(&self.place);
        fs::rename(&self.path, &self.place)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the index of a folder that is gone.
pub(crate) fn forget(folder: &Path, name: &str) {
    let _ = fs::remove_file(folder.join("index").join(name));
}

/// A field of a checked index: the digest of the manifest that its capture became, or the epoch.
fn field(bytes: &[u8], at: usize) -> Option<Hash> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(Hash::from_bytes(*field))
}

fn records(bytes: &[u8], header_bytes: usize) -> &[u8] {
    let fields = header_bytes + DIGEST_BYTES + EPOCH_BYTES;
    bytes.get(fields..).unwrap_or_default()
}

/// What the last capture of a folder recorded: what the files were then, whether the store has them still or not.
pub(crate) struct Past {
    bytes: Vec<u8>,
    header_bytes: usize,
}

/// Reads what the last capture of a folder recorded; nothing where there is no index to believe.
pub(crate) fn past(files: &Files, name: &str, project: ProjectId) -> Past {
    let header = header(files, project);
    let bytes = fs::read(files.root().join("index").join(name));
    Past {
        bytes: bytes
            .ok()
            .and_then(|bytes| checked(bytes, &header))
            .unwrap_or_default(),
        header_bytes: header.len(),
    }
}

impl Past {
    /// The hash and status of every file, by its path.
    pub(crate) fn by_path(&self) -> HashMap<&[u8], (Hash, Stat)> {
        Records::new(records(&self.bytes, self.header_bytes))
            .map(|record| (record.path, (record.hash, record.stat)))
            .collect()
    }
}

fn header(files: &Files, project: ProjectId) -> Vec<u8> {
    let project = project.to_string();
    [
        MAGIC,
        files.id().as_bytes(),
        b" ",
        project.as_bytes(),
        b"\n",
    ]
    .concat()
}
