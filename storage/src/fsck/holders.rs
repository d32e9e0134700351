//! Which manifests have part of what is damaged.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Integrity, damage, roots};
use crate::error::{Error, Result};
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Store, blocking};

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

/// The recorded manifests that hold one of these objects, or that cannot be read to their end, with what that makes of them.
pub async fn holders(store: &Store, objects: BTreeSet<Hash>) -> Result<Vec<Holder>> {
    let roots = roots(store).await?;
    let store = store.objects().clone();
    blocking(move || {
        let mut holders = Vec::new();
        for root in roots {
            let mut holder = Holder {
                manifest_digest: root.digest,
                integrity: Integrity::Partial,
                files: Vec::new(),
                more: 0,
            };
            if let Err(error) = look(&store, &mut holder, &objects) {
                damage(error)?;
                holder.integrity = Integrity::Broken;
            }
            if holder.integrity == Integrity::Broken || !holder.files.is_empty() {
                holders.push(holder);
            }
        }
        Ok(holders)
    })
    .await
}

fn look(store: &Arc<dyn Objects>, holder: &mut Holder, objects: &BTreeSet<Hash>) -> Result<()> {
    let manifest = Manifest::open(Arc::clone(store), &holder.manifest_digest)?
        .ok_or_else(|| Error::fault("a recorded manifest is missing"))?;
    for entry in manifest.entries() {
        let entry = entry?;
        match entry.node {
            Node::File { hash, .. } if objects.contains(&hash) => {
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
