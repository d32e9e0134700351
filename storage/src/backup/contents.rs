//! Finds all that manifests name.

use std::collections::HashSet;
use std::sync::Arc;

use crate::Result;
use crate::gc::{Marked, Marks, Need, Stop, Walk};
use crate::objects::{Hash, Objects, is_lost};

/// What is to be in a backup.
pub(super) struct Found {
    pub(super) marked: Marked,
    /// Nodes of manifests that the system could not read, though they may be whole: what they name is not known.
    pub(super) unread: HashSet<Hash>,
}

/// Marks what is in manifests, beside what is marked already. Of what is lost the backup says so when it comes to it. Blocks.
pub(super) fn mark(objects: &Arc<dyn Objects>, marks: Marks, roots: &Marked) -> Result<Found> {
    let stop = Stop::default();
    let mut walk = Walk::new(objects, marks, &stop);
    let mut unread = HashSet::new();
    for wanted in [Need::Held, Need::Fading] {
        for prefix in 0..=u8::MAX {
            let needs = roots.needs(prefix)?;
            for ((_, digest), _) in needs.iter().filter(|(_, need)| *need == wanted) {
                walk.manifest(digest, wanted, &mut |node, error| {
                    if error.retryable() {
                        return Err(error);
                    }
                    if !is_lost(&error) {
                        tracing::warn!(%node, %error, "a part of a manifest cannot be read, and is not in the backup");
                        unread.insert(node);
                    }
                    Ok(())
                })?;
            }
        }
    }
    Ok(Found {
        marked: walk.marks.finish()?,
        unread,
    })
}
