//! Reads a manifest: every node is checked against its digest, one leaf in memory at a time.

use std::sync::Arc;

use super::root::{Branch, Root, load, load_node};
use super::{Entry, Summary, leaf};
use crate::Result;
use crate::objects::{Hash, Objects, corrupt};

/// A manifest open for reading. Methods block: they are for `spawn_blocking`.
pub struct Manifest {
    objects: Arc<dyn Objects>,
    root: Root,
}

impl Manifest {
    /// Opens a manifest by its digest; `None` when the store has none of that digest.
    ///
    /// # Errors
    /// `Internal` when the root is damaged.
    pub fn open(objects: Arc<dyn Objects>, manifest_digest: &Hash) -> Result<Option<Self>> {
        let Some(root) = load(&*objects, manifest_digest)? else {
            return Ok(None);
        };
        Ok(Some(Self { objects, root }))
    }

    /// Returns what the manifest amounts to.
    pub fn summary(&self) -> &Summary {
        &self.root.summary
    }

    /// Returns the entry at exactly this path.
    pub fn get(&self, path: &str) -> Result<Option<Entry>> {
        let Some(number) = self.leaf_of(path) else {
            return Ok(None);
        };
        let mut entries = self.leaf(number)?;
        let found = entries.binary_search_by(|entry| entry.path.as_bytes().cmp(path.as_bytes()));
        Ok(found.ok().map(|at| entries.swap_remove(at)))
    }

    /// Returns the entries whose paths are at or after `path`, in order.
    pub fn entries_from(&self, path: &str) -> Entries<'_> {
        let next = self
            .root
            .branches
            .partition_point(|branch| branch.last.as_str() < path);
        Entries {
            manifest: self,
            next,
            leaf: Vec::new().into_iter(),
            from: Some(path.to_owned()),
            failed: false,
        }
    }

    /// Returns all entries in order.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from("")
    }

    pub(crate) fn leaves(&self) -> usize {
        self.root.branches.len()
    }

    pub(crate) fn leaf_digest(&self, number: usize) -> Option<Hash> {
        self.root.branches.get(number).map(|branch| branch.digest)
    }

    /// Reads a leaf and checks it against its digest and against what the root says of it.
    pub(crate) fn leaf(&self, number: usize) -> Result<Vec<Entry>> {
        let branch = &self.root.branches[number];
        let Branch { digest, .. } = branch;
        let block = load_node(&*self.objects, digest)?
            .ok_or_else(|| corrupt(format!("manifest leaf {digest} is missing")))?;
        if leaf::digest(&block) != *digest {
            return Err(corrupt(format!("manifest leaf {digest} has other content")));
        }
        let entries = leaf::decode(&block)?;
        let ends = (
            entries.first().map(|entry| &entry.path),
            entries.last().map(|entry| &entry.path),
        );
        if ends != (Some(&branch.first), Some(&branch.last))
            || entries.len() as u64 != branch.entries
        {
            return Err(corrupt(format!(
                "manifest leaf {digest} is not what its root says"
            )));
        }
        Ok(entries)
    }

    fn leaf_of(&self, path: &str) -> Option<usize> {
        let branches = &self.root.branches;
        let number = branches.partition_point(|branch| branch.last.as_str() < path);
        branches
            .get(number)
            .filter(|branch| branch.first.as_str() <= path)
            .map(|_| number)
    }
}

/// The entries of a manifest in order, read leaf by leaf. Ends after the first error.
pub struct Entries<'a> {
    manifest: &'a Manifest,
    next: usize,
    leaf: std::vec::IntoIter<Entry>,
    from: Option<String>,
    failed: bool,
}

impl Entries<'_> {
    /// Goes on at the first path at or after `path`, which must not lie before the current one. Skips leaves without reading them.
    pub(super) fn skip_to(&mut self, path: &str) {
        let rest = self.leaf.as_slice();
        let ahead = rest.partition_point(|entry| entry.path.as_str() < path);
        if ahead < rest.len() {
            if let Some(before) = ahead.checked_sub(1) {
                self.leaf.nth(before);
            }
            return;
        }
        *self = self.manifest.entries_from(path);
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(Ok(entry));
            }
            if self.failed || self.next >= self.manifest.leaves() {
                return None;
            }
            let mut entries = match self.manifest.leaf(self.next) {
                Ok(entries) => entries,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            };
            self.next += 1;
            if let Some(from) = self.from.take() {
                entries.retain(|entry| entry.path >= from);
            }
            self.leaf = entries.into_iter();
        }
    }
}
