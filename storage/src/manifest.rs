//! Manifests: the immutable list of paths that a snapshot, a job's outputs or a version consists of.
//!
//! Entries are sorted by the bytes of their paths and cut into leaves whose boundaries depend on the paths only; a root names the leaves.
//! `content_digest` can be recomputed with `b3sum` alone; `manifest_digest` is the identity.

use serde::{Deserialize, Serialize};

use crate::objects::Hash;

mod build;
mod codec;
mod compose;
mod diff;
mod leaf;
mod path;
mod read;
mod root;
mod serve;
mod several;

pub(crate) use build::{Builder, Check};
pub(crate) use codec::{put_bytes, put_number};
#[cfg(test)]
pub(crate) use compose::compose_now;
pub use compose::{Clash, Part, compose};
pub use diff::{Change, Difference};
pub use path::{MAX_COMPONENT_BYTES, MAX_DEPTH, MAX_PATH_BYTES, check_path};
pub(crate) use path::{Order, check_target};
pub(crate) use read::Entries;
pub use read::Manifest;
pub(crate) use root::is_node;
pub use serve::{File, FileKind, diff, file, list, paths, present, read, summary};
pub use several::{MAX_SEVERAL, several};

#[cfg(test)]
mod tests;

/// The most entries that one manifest may have.
pub const MAX_ENTRIES: u64 = 10_000_000;

/// One path of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path: relative, UTF-8, components divided by `/`; see [`check_path`].
    pub path: String,
    /// What lies there.
    pub node: Node,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// The object that is its content.
        hash: Hash,
        /// Its size in bytes.
        size: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, kept as data and never followed.
    Symlink {
        /// The text of the link.
        target: String,
    },
}

/// What a manifest amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The identity: equal trees have equal digests.
    pub manifest_digest: Hash,
    /// What `find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -r0 b3sum | b3sum` prints for the same files.
    pub content_digest: Hash,
    /// The number of regular files.
    pub files: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    /// The number of symbolic links.
    pub symlinks: u64,
}
