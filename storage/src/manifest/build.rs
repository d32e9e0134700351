//! Builds a manifest from sorted entries, one leaf in memory at a time.

use super::root::{Branch, Totals, save_node};
use super::{Entry, MAX_ENTRIES, Node, Summary, leaf, path, root};
use crate::objects::{Batch, Hash};
use crate::{Error, Result};

/// Lines are hashed in pieces of about this size.
const WAITING_BYTES: usize = 16 * 1024;

/// Takes entries in ascending order of their paths' bytes and puts leaves and root into a batch.
pub(crate) struct Builder<'a> {
    batch: &'a dyn Batch,
    order: path::Order,
    leaf: Vec<Entry>,
    branches: Vec<Branch>,
    content: Content,
    files: u64,
    bytes: u64,
    symlinks: u64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(batch: &'a dyn Batch) -> Self {
        Self {
            batch,
            order: path::Order::default(),
            leaf: Vec::new(),
            branches: Vec::new(),
            content: Content::default(),
            files: 0,
            bytes: 0,
            symlinks: 0,
        }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// `Invalid` when its path breaks a rule, is out of order, or is both a file and a folder.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<()> {
        self.order.next(&entry.path)?;
        if self.files + self.symlinks >= MAX_ENTRIES {
            return Err(Error::invalid(format!(
                "there are more than {MAX_ENTRIES} files"
            )));
        }
        match &entry.node {
            Node::File { hash, size, .. } => {
                self.files += 1;
                self.bytes = self
                    .bytes
                    .checked_add(*size)
                    .ok_or_else(|| Error::invalid("the sizes are not true"))?;
                self.content.add(hash, &entry.path);
            }
            Node::Symlink { target } => {
                path::check_target(target)?;
                self.symlinks += 1;
            }
        }
        self.leaf.push(entry);
        let last = &self.leaf[self.leaf.len() - 1].path;
        if leaf::ends_after(last, self.leaf.len()) {
            self.end_leaf()?;
        }
        Ok(())
    }

    /// Ends the manifest. It exists once the batch is committed.
    pub(crate) fn finish(mut self) -> Result<Summary> {
        self.end_leaf()?;
        let content_digest = self.content.digest();
        let totals = Totals {
            content_digest,
            files: self.files,
            bytes: self.bytes,
            symlinks: self.symlinks,
        };
        let (manifest_digest, block) = root::encode(&totals, &self.branches);
        save_node(self.batch, &manifest_digest, &block)?;
        let Totals {
            files,
            bytes,
            symlinks,
            ..
        } = totals;
        Ok(Summary {
            manifest_digest,
            content_digest,
            files,
            bytes,
            symlinks,
        })
    }

    fn end_leaf(&mut self) -> Result<()> {
        let entries = std::mem::take(&mut self.leaf);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let block = leaf::encode(&entries);
        let digest = leaf::digest(&block);
        save_node(self.batch, &digest, &block)?;
        self.branches.push(Branch {
            first: first.path.clone(),
            last: last.path.clone(),
            digest,
            entries: entries.len() as u64,
            bytes: entries.iter().map(|entry| size(&entry.node)).sum(),
        });
        Ok(())
    }
}

fn size(node: &Node) -> u64 {
    match node {
        Node::File { size, .. } => *size,
        Node::Symlink { .. } => 0,
    }
}

/// The digest over the lines that `b3sum` prints for the files.
#[derive(Default)]
pub(super) struct Content {
    hasher: blake3::Hasher,
    /// Lines not hashed yet: many at once go several times as fast.
    waiting: Vec<u8>,
}

impl Content {
    /// Adds a file's line, with its escapes: a name with a backslash or a newline has both escaped and a backslash before the hash.
    pub(super) fn add(&mut self, hash: &Hash, path: &str) {
        let escapes = path.bytes().any(|byte| matches!(byte, b'\\' | b'\n'));
        if escapes {
            self.waiting.push(b'\\');
        }
        self.waiting.extend_from_slice(&hash.digits());
        self.waiting.extend_from_slice(b"  ");
        if escapes {
            let text = path.replace('\\', "\\\\").replace('\n', "\\n");
            self.waiting.extend_from_slice(text.as_bytes());
        } else {
            self.waiting.extend_from_slice(path.as_bytes());
        }
        self.waiting.push(b'\n');
        if self.waiting.len() >= WAITING_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// The digest of what was added.
    pub(super) fn digest(&self) -> Hash {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.waiting);
        hasher.finalize().into()
    }
}

/// Recomputes what a root says of its entries.
#[derive(Default)]
pub(crate) struct Check {
    content: Content,
    files: u64,
    bytes: u64,
    symlinks: u64,
}

impl Check {
    /// Adds the next entry, in order.
    pub(crate) fn add(&mut self, entry: &Entry) {
        match &entry.node {
            Node::File { hash, size, .. } => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(*size);
                self.content.add(hash, &entry.path);
            }
            Node::Symlink { .. } => self.symlinks += 1,
        }
    }

    /// Whether the root told the truth.
    pub(crate) fn agrees(&self, summary: &Summary) -> bool {
        (self.content.digest(), self.files, self.bytes, self.symlinks)
            == (
                summary.content_digest,
                summary.files,
                summary.bytes,
                summary.symlinks,
            )
    }
}
