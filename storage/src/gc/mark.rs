//! Walks through what is held, in an order in which nothing that moves from one holder to another is missed, and marks it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;

use super::Stop;
use super::holders::HELD_OBJECTS;
use super::marks::{Marked, Marks, Need};
use super::roots::{Root, Roots};
use super::walk::Walk;
use crate::Result;
use crate::db::{Record, Row, all, sql};
use crate::error::Error;
use crate::objects::{Hash, Space, Store, io_error, is_lost, wait_for};

/// Rows read at a time.
const PAGE: i64 = 10_000;

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
    let mut marks = Marks::create(store.files())?;
    for text in HELD_OBJECTS.iter() {
        held_objects(store, text, (&mut marks, stop))?;
    }
    let mut walk = Walk::new(store.objects(), marks, stop);
    super::step("objects marked");
    let (mut unheld, mut unreadable) = (Vec::new(), Vec::new());
    for page in Roots::new(store.db()) {
        for root in page? {
            if gone.contains(&root.digest) {
                continue;
            }
            if root.held {
                held(&mut walk, &root.digest, &mut unreadable)?;
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
            held(&mut walk, &root.digest, &mut unreadable)?;
        }
    }
    unheld.retain(|root| !shown.contains(&root.digest));
    for root in &unheld {
        // What is missing or damaged of it nobody can use either; anything else may be readable in a moment.
        let unread = &mut |_: Hash, error: Error| if is_lost(&error) { Ok(()) } else { Err(error) };
        walk.manifest(&root.digest, Need::Fading, unread)?;
    }
    Ok(Found {
        marked: walk.marks.finish()?,
        unheld,
        unreadable,
    })
}

/// The manifests that somebody sees now: those that are mounted, on any machine that shares the store, and `seen`.
pub(crate) fn shown(store: &Store, seen: Option<&HashSet<Hash>>) -> Result<BTreeSet<Hash>> {
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

fn held_objects(
    store: &Store,
    text: &'static str,
    (marks, stop): (&mut Marks, &Stop),
) -> Result<()> {
    let mut after = String::new();
    loop {
        stop.check()?;
        let query = sql(text).bind(after).bind(PAGE);
        let page: Vec<Object> = wait_for(all(store.db(), query))?;
        let Some(Object(last)) = page.last() else {
            return Ok(());
        };
        after = last.to_hex();
        for Object(hash) in page {
            marks.add((Space::Objects, hash), Need::Held)?;
        }
    }
}

fn held(walk: &mut Walk<'_>, digest: &Hash, unreadable: &mut Vec<Hash>) -> Result<()> {
    walk.manifest(digest, Need::Held, &mut |node, error| {
        if error.retryable() {
            return Err(error);
        }
        tracing::warn!(manifest = %digest, %node, %error, "a manifest that is needed cannot be read");
        if unreadable.last() != Some(digest) {
            unreadable.push(*digest);
        }
        Ok(())
    })
}
