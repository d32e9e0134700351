//! Captures a job's outputs: every regular file, whatever its size or name; everything else is named with the reason why it was left out.

use std::path::Path;

use crate::Result;
use crate::capture::{self as captures, Links, Policy};
use crate::ids::ProjectId;
use crate::objects::Store;
use crate::uploads::Known;

#[cfg(test)]
mod tests;

pub use crate::capture::{Captured, Pending, Reason, Scan, Skipped};

/// Captures the folder that a job left; its objects are durable when this returns.
///
/// The job may be hostile or still running: symbolic links, pipes, sockets, devices and names that are not UTF-8 are left out and named, a file
/// swapped for a link is not followed, nothing is waited for. Files of other users are read if this process may, else named. A file with
/// several names is kept under each of them, once.
///
/// Nobody sees the capture until [`Pending::record`] has written its rows, in the transaction that writes what refers to it.
///
/// # Errors
/// `NotFound` when the folder is not there, `Invalid` when it is a link or holds over a million files, `Unavailable` when the disk is full.
pub async fn capture(store: &Store, project: ProjectId, folder: &Path) -> Result<Pending> {
    captures::capture(store, project, folder, policy()).await
}

/// Says what a capture of `folder` would hold, by the same rules, and keeps nothing: for a client that sends it elsewhere. What is
/// as it is `known` to be is not read again. Blocks.
///
/// # Errors
/// `NotFound` when the folder is not there, `Invalid` when it is a link or holds over a million files.
pub fn scan(folder: &Path, known: Option<&Known>) -> Result<Scan> {
    captures::scan(folder, policy(), known)
}

fn policy() -> Policy {
    Policy {
        links: Links::Skip,
        rules: false,
        max_file_bytes: None,
        index: None,
    }
}
