//! Which manifests have part of what is damaged.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pace::Pace;
use super::run::ENTRY_BYTES;
use super::{Integrity, is_stop, roots};
use crate::error::{Error, Result};
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Store, blocking, is_lost};

/// The most paths of one manifest that are named.
const MOST_PATHS: usize = 1000;

/// A recorded manifest that has part of what is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which.
    pub manifest_digest: Hash,
    /// What that makes of it.
    pub integrity: Integrity,
    /// The files that are damaged, with the hashes of their content, at most 1000; as far as they can be read where the list of files is broken.
    pub files: Vec<(String, Hash)>,
    /// How many more there are.
    pub more: u64,
}

/// Who has part of what is damaged.
#[derive(Debug, Default)]
pub struct Held {
    /// The manifests.
    pub holders: Vec<Holder>,
    /// The objects that are in any of them, also beyond those named.
    pub objects: BTreeSet<Hash>,
    /// Whether the system could read all manifests.
    pub is_complete: bool,
}

/// The recorded manifests that hold one of these objects, or that cannot be read to their end, with what that makes of them. Reads at the pace.
///
/// # Errors
/// `Conflict` where it was stopped.
pub async fn holders(store: &Store, objects: BTreeSet<Hash>, pace: &Pace) -> Result<Held> {
    let roots = roots(store).await?;
    let (store, pace) = (store.objects().clone(), pace.clone());
    blocking(move || {
        let mut held = Held {
            is_complete: true,
            ..Held::default()
        };
        let mut look = Look {
            objects: &objects,
            pace: &pace,
            met: BTreeSet::new(),
        };
        for root in roots {
            let mut holder = Holder {
                manifest_digest: root.digest,
                integrity: Integrity::Partial,
                files: Vec::new(),
                more: 0,
            };
            match look.through(&store, &mut holder) {
                Ok(()) => {}
                Err(error) if is_lost(&error) => holder.integrity = Integrity::Broken,
                Err(error) if is_stop(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(manifest = %root.digest, %error, "what it holds could not be read");
                    held.is_complete = false;
                }
            }
            if holder.integrity == Integrity::Broken || !holder.files.is_empty() {
                held.holders.push(holder);
            }
        }
        held.objects = look.met;
        Ok(held)
    })
    .await
}

struct Look<'a> {
    objects: &'a BTreeSet<Hash>,
    pace: &'a Pace,
    met: BTreeSet<Hash>,
}

impl Look<'_> {
    fn through(&mut self, store: &Arc<dyn Objects>, holder: &mut Holder) -> Result<()> {
        let manifest = Manifest::open(Arc::clone(store), &holder.manifest_digest)?
            .ok_or_else(|| Error::fault("a recorded manifest is missing"))?;
        for entry in manifest.entries() {
            self.pace.spend(ENTRY_BYTES)?;
            let entry = entry?;
            match entry.node {
                Node::File { hash, .. } if self.objects.contains(&hash) => {
                    self.met.insert(hash);
                    if holder.files.len() < MOST_PATHS {
                        holder.files.push((entry.path, hash));
                    } else {
                        holder.more += 1;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
