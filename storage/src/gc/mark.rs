//! Walks through what is held, in an order in which nothing that moves from one holder to another is missed, and marks it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::sync::Arc;

use super::Stop;
use super::holders::HELD_OBJECTS;
use super::marks::{Marked, Marks, Need};
use super::roots::{Root, Roots};
use crate::Result;
use crate::db::{Record, Row, all, sql};
use crate::error::Error;
use crate::manifest::{Manifest, Node};
use crate::objects::{Hash, Objects, Space, Store, io_error, is_lost, wait_for};

/// Rows read at a time.
const PAGE: i64 = 10_000;
/// The most leaves remembered as read; reading one again costs time only.
const SEEN: usize = 1_000_000;

/// What was found.
pub(super) struct Found {
    /// What is needed.
    pub(super) marked: Marked,
    /// The manifests that nothing holds.
    pub(super) unheld: Vec<Root>,
    /// Held manifests that cannot be read to their end: what they need is not known.
    pub(super) unreadable: Vec<Hash>,
}

struct Object(Hash);

impl Record for Object {
    fn read(row: &Row) -> Result<Self> {
        row.parsed("hash").map(Self)
    }
}

/// Marks what is needed; but for `gone`, manifests that are as good as forgotten. Runs see `seen`, also such as is no mount.
pub(super) fn mark(
    store: &Store,
    (gone, seen): (&HashSet<Hash>, Option<&HashSet<Hash>>),
    stop: &Stop,
) -> Result<Found> {
    let mut walk = Walk {
        objects: Arc::clone(store.objects()),
        marks: Marks::create(store.files())?,
        seen: HashSet::new(),
        stop,
    };
    for text in HELD_OBJECTS.iter() {
        walk.held_objects(store, text)?;
    }
    super::step("objects marked");
    let (mut unheld, mut unreadable) = (Vec::new(), Vec::new());
    for page in Roots::new(store.db()) {
        for root in page? {
            if gone.contains(&root.digest) {
                continue;
            }
            if root.held {
                walk.held(&root.digest, &mut unreadable)?;
            } else {
                unheld.push(root);
            }
        }
    }
    super::step("held marked");
    // After the records: what is mounted then was recorded, or is mounted still.
    let shown = shown(store, seen)?;
    for root in &unheld {
        if shown.contains(&root.digest) {
            walk.held(&root.digest, &mut unreadable)?;
        }
    }
    unheld.retain(|root| !shown.contains(&root.digest));
    for root in &unheld {
        match walk.manifest(&root.digest, Need::Fading) {
            // What is missing or damaged of it nobody can use either; anything else may be readable in a moment.
            Err(error) if !is_lost(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(Found {
        marked: walk.marks.finish()?,
        unheld,
        unreadable,
    })
}

/// The manifests that somebody sees now: those that are mounted, on any machine that shares the store, and `seen`.
pub(super) fn shown(store: &Store, seen: Option<&HashSet<Hash>>) -> Result<BTreeSet<Hash>> {
    let mut shown = mounted(store)?;
    shown.extend(seen.into_iter().flatten());
    Ok(shown)
}

/// The manifests that the kernel shows to somebody now.
pub(super) fn mounted(store: &Store) -> Result<BTreeSet<Hash>> {
    let failed = |error| io_error("cannot list what is mounted", error);
    let there = match fs::read_dir(store.within("mnt")) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut mounted = BTreeSet::new();
    for entry in there {
        let name = entry.map_err(failed)?.file_name();
        mounted.extend(name.to_str().and_then(|name| name.parse::<Hash>().ok()));
    }
    Ok(mounted)
}

/// Whether the cycle was told to stop.
fn is_stop(error: &Error) -> bool {
    matches!(error, Error::Conflict(_))
}

struct Walk<'a> {
    objects: Arc<dyn Objects>,
    marks: Marks,
    /// Leaves whose files are marked as held, or, once those are all done, as fading.
    seen: HashSet<Hash>,
    stop: &'a Stop,
}

impl Walk<'_> {
    fn held_objects(&mut self, store: &Store, text: &'static str) -> Result<()> {
        let mut after = String::new();
        loop {
            self.stop.check()?;
            let query = sql(text).bind(after).bind(PAGE);
            let page: Vec<Object> = wait_for(all(store.db(), query))?;
            let Some(Object(last)) = page.last() else {
                return Ok(());
            };
            after = last.to_hex();
            for Object(hash) in page {
                self.marks.add((Space::Objects, hash), Need::Held)?;
            }
        }
    }

    fn held(&mut self, digest: &Hash, unreadable: &mut Vec<Hash>) -> Result<()> {
        match self.manifest(digest, Need::Held) {
            Err(error) if !error.retryable() && !is_stop(&error) => {
                tracing::warn!(manifest = %digest, %error, "a manifest that is needed cannot be read");
                unreadable.push(*digest);
                Ok(())
            }
            read => read,
        }
    }

    fn manifest(&mut self, digest: &Hash, need: Need) -> Result<()> {
        self.stop.check()?;
        self.marks.add((Space::Manifests, *digest), need)?;
        let manifest = Manifest::open(Arc::clone(&self.objects), digest)?
            .ok_or_else(|| Error::fault(format!("the manifest {digest} is missing")))?;
        for number in 0..manifest.leaves() {
            self.stop.check()?;
            let Some(leaf) = manifest.leaf_digest(number) else {
                continue;
            };
            self.marks.add((Space::Manifests, leaf), need)?;
            if self.seen.contains(&leaf) {
                continue;
            }
            for entry in manifest.leaf(number)? {
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
