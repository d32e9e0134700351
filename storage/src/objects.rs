//! Content-addressed objects: the `Objects` seam, its batches, and the `Store` that joins them to the database.
//!
//! An object is whole file content under its plain BLAKE3-256 (what `b3sum` prints); a node is a piece of a manifest under its own digest.
//! Nothing here knows projects, paths or users.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::Result;

mod adopted;
mod arriving;
mod claims;
pub mod conformance;
mod fault;
mod files;
mod hash;
mod pieces;
mod read;
mod record;
mod remote;
mod settled;
mod staging;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use adopted::Buckets;
pub use claims::Claim;
pub use files::Files;
pub use hash::Hash;
pub use read::{Content, Stream};
pub use remote::Remote;
pub use store::{KeptIn, Store, Stored};

pub(crate) use adopted::{Adopted, Place, State, insert as adopt, known, let_go, tidy};
pub(crate) use claims::Key;
pub(crate) use fault::{corrupt, io_error, is_lost};
pub(crate) use files::{random_name, remove_tree};
pub(crate) use pieces::pieces;
pub(crate) use read::{read_small, read_whole};
pub(crate) use record::{hold, is_usable, number, record, record_one, revive};
pub(crate) use remote::{Kept, displace, is_in_use};
pub(crate) use settled::Sighting;
pub(crate) use staging::Scratch;
pub(crate) use store::{BUCKETS, blocking, wait_for};
#[cfg(test)]
pub(crate) use testing::{CRASH_AT, step, without};

#[cfg(not(test))]
pub(crate) fn step(_name: &str) {}

#[cfg(not(test))]
pub(crate) fn without(_protection: &str) -> bool {
    false
}

/// The two name spaces of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// File contents, addressed by plain BLAKE3-256.
    Objects,
    /// Manifest nodes, addressed by the digest their format defines.
    Manifests,
}

/// Readable bytes of one object.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

/// Where objects are kept.
///
/// Every method blocks: call them from `tokio::task::spawn_blocking`. An implementation over a network drives its own runtime.
///
/// What an implementation promises:
/// - An object is either wholly there or not there; readers never see a part of one.
/// - What a batch committed is durable: it survives `kill -9` and a power cut. What it did not commit is invisible.
/// - Objects never change. Putting the same content twice, also at the same time, is one object and no error.
/// - Readers take no lock and never wait for a batch.
/// - It does not judge what it returns: callers check contents against the hash, as [`Content`] does.
pub trait Objects: Send + Sync + 'static {
    /// Opens a batch. Dropping it without [`Batch::commit`] leaves nothing behind.
    fn begin(&self) -> Result<Box<dyn Batch>>;

    /// Opens an object for reading from its start; `None` when it is not there.
    fn open(&self, space: Space, hash: &Hash) -> Result<Option<Box<dyn Source>>>;

    /// Returns the stored size in bytes; `None` when the object is not there.
    fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>>;

    /// Calls `visit` with the hash and stored size of every object whose hash begins with the byte `prefix`, in no order. What is put or removed
    /// meanwhile may or may not be visited.
    fn list(
        &self,
        space: Space,
        prefix: u8,
        visit: &mut dyn FnMut(Hash, u64) -> Result<()>,
    ) -> Result<()>;

    /// Removes an object, if it is there; whoever has it open reads on. For [`crate::gc`] alone, which knows that nothing needs it.
    fn remove(&self, space: Space, hash: &Hash) -> Result<()>;

    /// Brings objects to this host, all of them soon to be read, so that [`Objects::path`] has them; those that are nowhere are passed over. Nothing
    /// to do where they are kept here.
    ///
    /// # Errors
    /// `Unavailable` where they cannot be had now, `Internal` where one is damaged; whatever `wanted` gives.
    fn bring(&self, wanted: &mut dyn Iterator<Item = Result<(Space, Hash)>>) -> Result<()> {
        let _ = wanted;
        Ok(())
    }

    /// Returns where an object lies when that is a file of this host that may be linked or cloned, never written.
    fn path(&self, hash: &Hash) -> Option<PathBuf> {
        let _ = hash;
        None
    }
}

/// Objects on their way into a store: all become visible and durable together in [`Batch::commit`].
///
/// Methods take `&self` so that several threads can feed one batch.
pub trait Batch: Send + Sync {
    /// Writes content, hashing it in the same pass, and returns its hash and size in bytes.
    ///
    /// An error of `body` is returned and leaves nothing of this content in the batch.
    fn put(&self, body: &mut dyn Read) -> Result<(Hash, u64)>;

    /// Takes over a file of this host whose content is known to be `hash`; the file may be gone afterwards.
    fn adopt(&self, path: &Path, hash: &Hash) -> Result<()>;

    /// Whether a manifest node is there already; if so it counts as put.
    fn has_node(&self, digest: &Hash) -> Result<bool>;

    /// Writes a manifest node under `digest`, which the caller has computed.
    fn put_node(&self, digest: &Hash, bytes: &[u8]) -> Result<()>;

    /// Makes everything in the batch durable, then visible. Objects that were there already count as put.
    ///
    /// Nothing of it is collected while the claim is kept: record what refers to it before dropping that.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full; some objects may then be visible, none of them partial.
    fn commit(self: Box<Self>) -> Result<Claim>;
}
