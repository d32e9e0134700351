//! Marks what manifests name, leaf after leaf: for collections, which keep it, and for backups, which take it along.

use std::collections::HashSet;
use std::sync::Arc;

use super::Stop;
use super::marks::{Marks, Need};
use crate::Result;
use crate::error::Error;
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Space};

/// The most leaves remembered as read; reading one again costs time only.
const SEEN: usize = 1_000_000;

/// A walk through manifests. Those that are held must come before the others: what is seen then is marked as held.
pub(crate) struct Walk<'a> {
    objects: &'a Arc<dyn Objects>,
    pub(crate) marks: Marks,
    /// Leaves whose files are marked.
    seen: HashSet<Hash>,
    stop: &'a Stop,
}

impl<'a> Walk<'a> {
    /// Goes on from what is marked already.
    pub(crate) fn new(objects: &'a Arc<dyn Objects>, marks: Marks, stop: &'a Stop) -> Self {
        Self {
            objects,
            marks,
            seen: HashSet::new(),
            stop,
        }
    }

    /// Marks a manifest and what it names. `unread` hears of each node that cannot be read, and says whether to go on without it.
    pub(crate) fn manifest(
        &mut self,
        digest: &Hash,
        need: Need,
        unread: &mut dyn FnMut(Hash, Error) -> Result<()>,
    ) -> Result<()> {
        self.stop.check()?;
        self.marks.add((Space::Manifests, *digest), need)?;
        let manifest = match Manifest::open(Arc::clone(self.objects), digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                let missing = Error::fault(format!("the manifest {digest} is missing"));
                return unread(*digest, missing);
            }
            Err(error) => return unread(*digest, error),
        };
        for number in 0..manifest.leaves() {
            self.stop.check()?;
            let Some(leaf) = manifest.leaf_digest(number) else {
                continue;
            };
            self.marks.add((Space::Manifests, leaf), need)?;
            if self.seen.contains(&leaf) {
                continue;
            }
            let entries = match manifest.leaf(number) {
                Ok(entries) => entries,
                Err(error) => {
                    unread(leaf, error)?;
                    continue;
                }
            };
            for entry in entries {
                if let Node::File { hash, .. } = entry.node {
                    self.marks.add((Space::Objects, hash), need)?;
                }
            }
            if self.seen.len() >= SEEN {
                self.seen.clear();
            }
            self.seen.insert(leaf);
        }
        Ok(())
    }
}
