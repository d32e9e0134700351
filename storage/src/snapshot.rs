//! Takes snapshots: a folder at one instant as a manifest, without what its ignore files, our defaults and caution leave out.

use std::path::Path;

use crate::Result;
use crate::capture::{self, Links, Policy, capture};
use crate::ids::ProjectId;
use crate::index;
use crate::objects::Store;
use crate::uploads::Known;

pub use crate::capture::{Captured, Pending, Reason, Scan, Skipped};
#[cfg(test)]
mod tests;

/// Files larger than this are left out unless the options say otherwise: 100 MB.
pub const MAX_FILE_BYTES: u64 = 100_000_000;

/// How a snapshot is taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// The project that the snapshot belongs to.
    pub project: ProjectId,
    /// A name for the folder (a workspace's id) under which its stat index is kept, so that the next snapshot reads only what changed.
    pub index: Option<String>,
    /// Larger files are left out and named in `skipped`.
    pub max_file_bytes: u64,
}

impl Options {
    /// Usual options for a folder that is snapshotted once.
    pub fn new(project: ProjectId) -> Self {
        Self {
            project,
            index: None,
            max_file_bytes: MAX_FILE_BYTES,
        }
    }

    /// Keeps a stat index under this name: 1 to 64 of `a-z 0-9 -`.
    #[must_use]
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.index = Some(name.into());
        self
    }
}

/// Takes a snapshot of `folder`; its objects are durable when this returns.
///
/// Nobody sees it until [`Pending::record`] has written its rows, in the transaction that writes what refers to it. Nothing in the folder is
/// followed out of it, waited for or executed; symbolic links are kept as data. A file that changes while it is read is read again.
/// Dropping the future lets the work run to its end and leaves garbage that no one sees.
///
/// # Errors
/// `NotFound` when the folder is not there, `Invalid` when it is a link or holds over a million files, `Unavailable` when the disk is full.
pub async fn take(store: &Store, folder: &Path, options: Options) -> Result<Pending> {
    let Options {
        project,
        index,
        max_file_bytes,
    } = options;
    capture(store, project, folder, policy(max_file_bytes, index)).await
}

/// Says what a snapshot of `folder` would hold, by the same rules, and keeps nothing: for a client that sends it elsewhere.
/// What is as it is `known` to be is not read again. Blocks.
///
/// # Errors
/// `NotFound` when the folder is not there, `Invalid` when it is a link or holds over a million files.
pub fn scan(folder: &Path, max_file_bytes: u64, known: Option<&Known>) -> Result<Scan> {
    capture::scan(folder, policy(max_file_bytes, None), known)
}

fn policy(max_file_bytes: u64, index: Option<String>) -> Policy {
    Policy {
        links: Links::Keep,
        rules: true,
        max_file_bytes: Some(max_file_bytes),
        index,
    }
}

/// Forgets the stat index of a folder that is gone.
pub fn forget(store: &Store, index: &str) {
    index::forget(store.files().root(), index);
}
