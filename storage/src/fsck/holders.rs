//! Which manifests have part of what is damaged.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pace::Pace;
use super::run::ENTRY_BYTES;
use super::{Integrity, is_stop, roots};
use crate::db::{Tx, all, sql};
use crate::error::{Error, Result};
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Store, blocking, is_lost};

/// The most paths of one manifest that are named.
const MOST_PATHS: usize = 1000;
/// What was recorded before this is taken to have been looked at: clocks of servers differ by less.
const LATE_MS: i64 = 60 * 60 * 1000;

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

/// Who has part of what is damaged, of the manifests that were looked at.
#[derive(Debug, Default)]
pub struct Held {
    /// The manifests.
    pub holders: Vec<Holder>,
    /// The objects that are in any of them, also beyond those named.
    pub objects: BTreeSet<Hash>,
    /// Manifests that the system could not read: what they hold is not known.
    pub unread: u64,
    looked_at: BTreeSet<Hash>,
}

impl Held {
    /// Looks through the recorded manifests that were not looked at before: which hold one of these objects, or cannot be read to their end, and what
    /// that makes of them. Reads at the pace.
    ///
    /// # Errors
    /// `Conflict` where it was stopped.
    pub async fn look(self, store: &Store, objects: &BTreeSet<Hash>, pace: &Pace) -> Result<Self> {
        let roots = roots(store.db()).await?;
        let (store, objects) = (store.objects().clone(), objects.clone());
        let mut look = Look {
            objects,
            pace: pace.clone(),
            held: self,
        };
        blocking(move || {
            for root in roots {
                look.at(&store, root.digest)?;
            }
            Ok(look.held)
        })
        .await
    }

    /// Whether every manifest was looked at that is recorded when this transaction is: one may have been recorded while others were looked at.
    pub async fn is_complete(&self, tx: &mut Tx) -> Result<bool> {
        let text = "SELECT digest FROM manifest_roots WHERE created_ms >= $1";
        let query = sql(text).bind(tx.now_ms().saturating_sub(LATE_MS));
        let late: Vec<String> = all(tx, query).await?;
        Ok(late.iter().all(|digest| {
            let digest = digest.parse::<Hash>();
            digest.is_ok_and(|digest| self.looked_at.contains(&digest))
        }))
    }
}

struct Look {
    objects: BTreeSet<Hash>,
    pace: Pace,
    held: Held,
}

impl Look {
    fn at(&mut self, store: &Arc<dyn Objects>, manifest_digest: Hash) -> Result<()> {
        if !self.held.looked_at.insert(manifest_digest) {
            return Ok(());
        }
        let mut holder = Holder {
            manifest_digest,
            integrity: Integrity::Partial,
            files: Vec::new(),
            more: 0,
        };
        match self.through(store, &mut holder) {
            Ok(()) => {}
            Err(error) if is_lost(&error) => holder.integrity = Integrity::Broken,
            Err(error) if is_stop(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(manifest = %manifest_digest, %error, "what it holds could not be read");
                self.held.unread += 1;
            }
        }
        if holder.integrity == Integrity::Broken || !holder.files.is_empty() {
            self.held.holders.push(holder);
        }
        Ok(())
    }

    fn through(&mut self, store: &Arc<dyn Objects>, holder: &mut Holder) -> Result<()> {
        let manifest = Manifest::open(Arc::clone(store), &holder.manifest_digest)?
            .ok_or_else(|| Error::fault("a recorded manifest is missing"))?;
        for entry in manifest.entries() {
            self.pace.spend(ENTRY_BYTES)?;
            let entry = entry?;
            match entry.node {
                Node::File { hash, .. } if self.objects.contains(&hash) => {
                    self.held.objects.insert(hash);
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

#[cfg(test)]
mod tests {
    use super::super::tests::{snap, unreadable};
    use super::*;
    use crate::capture::testing::{Fixture, write};

    #[tokio::test]
    async fn a_manifest_that_is_recorded_while_others_are_looked_at_is_not_passed_over() {
        let fixture = Fixture::new().await;
        let store = &fixture.store;
        write(&fixture.folder("work"), "a", "a");
        let before = snap(store, &fixture, "work").await;
        let damaged = BTreeSet::from([Hash::of(b"a")]);
        let look = async |held: Held| held.look(store, &damaged, &Pace::default()).await.unwrap();
        let is_complete = async |held: &Held| {
            let work = |mut tx: crate::Tx| async move { held.is_complete(&mut tx).await };
            store.db().write(work).await.unwrap()
        };
        let held = look(Held::default()).await;
        let of = |held: &Held| -> Vec<Hash> {
            let holders = held.holders.iter();
            holders.map(|one| one.manifest_digest).collect()
        };
        assert_eq!(of(&held), [before]);
        assert!(is_complete(&held).await);
        write(&fixture.folder("work"), "b", "b");
        let after = snap(store, &fixture, "work").await;
        assert!(!is_complete(&held).await);
        let held = look(held).await;
        assert_eq!(of(&held), [before, after]);
        assert!(is_complete(&held).await);
    }

    #[tokio::test]
    async fn what_cannot_be_read_of_those_looked_at_is_counted() {
        let fixture = Fixture::new().await;
        let store = &fixture.store;
        write(&fixture.folder("one"), "a", "a");
        write(&fixture.folder("two"), "b", "b");
        let one = snap(store, &fixture, "one").await;
        let two = snap(store, &fixture, "two").await;
        let place = |digest| {
            store
                .files()
                .place(crate::objects::Space::Manifests, digest)
        };
        unreadable(&place(&one));
        let damaged = BTreeSet::from([Hash::of(b"a"), Hash::of(b"b")]);
        let held = Held::default()
            .look(store, &damaged, &Pace::default())
            .await;
        let held = held.unwrap();
        assert_eq!((held.unread, held.holders.len()), (1, 1));
        assert_eq!(held.holders[0].manifest_digest, two);
    }
}
