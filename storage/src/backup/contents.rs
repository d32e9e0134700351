//! Finds all that manifests name.

use std::collections::HashSet;
use std::sync::Arc;

use crate::Result;
use crate::gc::{Marked, Marks, Need};
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Space};

/// The most leaves remembered as read; reading one again costs time only.
const SEEN: usize = 1_000_000;

/// Marks what is in manifests, beside what is marked already. Of what cannot be read the backup says so when it comes to it. Blocks.
pub(super) fn mark(objects: &Arc<dyn Objects>, marks: Marks, roots: &Marked) -> Result<Marked> {
    let mut walk = Walk {
        objects,
        marks,
        seen: HashSet::new(),
    };
    // Those that are held come first: what is seen then is marked as held.
    for wanted in [Need::Held, Need::Fading] {
        for prefix in 0..=u8::MAX {
            let needs = roots.needs(prefix)?;
            for ((_, digest), _) in needs.iter().filter(|(_, need)| *need == wanted) {
                match walk.manifest(digest, wanted) {
                    Err(error) if error.retryable() => return Err(error),
                    _ => {}
                }
            }
        }
    }
    walk.marks.finish()
}

struct Walk<'a> {
    objects: &'a Arc<dyn Objects>,
    marks: Marks,
    /// Leaves whose files are marked.
    seen: HashSet<Hash>,
}

impl Walk<'_> {
    fn manifest(&mut self, digest: &Hash, need: Need) -> Result<()> {
        self.marks.add((Space::Manifests, *digest), need)?;
        let Some(manifest) = Manifest::open(Arc::clone(self.objects), digest)? else {
            return Ok(());
        };
        for number in 0..manifest.leaves() {
            let Some(leaf) = manifest.leaf_digest(number) else {
                continue;
            };
            self.marks.add((Space::Manifests, leaf), need)?;
            if self.seen.contains(&leaf) {
                continue;
            }
            let entries = match manifest.leaf(number) {
                Err(error) if error.retryable() => return Err(error),
                Err(_) => continue,
                Ok(entries) => entries,
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
