//! Keeps within bounds what this host has of a store in a bucket: copies that were not used for longest go; they come again when they are needed.
//!
//! What a run sees now stays: the kernel reads it from here. A mount is made beside none of this (`Store::showing`), and looks for its objects anew
//! after it (`mount/epoch.rs`). What work under way has claimed stays, too, and so does what has no place in the bucket: it may be on its way there, or lost there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::Result;
use crate::gc::{Marked, Marks, Need, Stop, Walk, shown};
use crate::mount::begin_room;
use crate::objects::{Hash, Key, Objects as _, Space, Store, blocking, io_error};

const DAY_S: i64 = 24 * 3600;
/// Judged and removed at once, while nobody may look for things with the same first byte.
const AT_ONCE: usize = 200;

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Bytes of copies that were here.
    pub before_bytes: u64,
    /// Bytes of those that went.
    pub removed_bytes: u64,
}

/// Removes copies, those that were not used for longest first, until no more than nine tenths of `most_bytes` are here; nothing where that is not exceeded, nor where this
/// host is what keeps the store. `seen` are the manifests that runs on this host see.
///
/// Stops early when something new is shown to somebody meanwhile, or about to be: the next call goes on.
///
/// # Errors
/// `Unavailable` where the records cannot be read now.
#[expect(
    clippy::implicit_hasher,
    reason = "it comes from one place, which has the usual one"
)]
pub async fn make(store: &Store, most_bytes: u64, seen: HashSet<Hash>) -> Result<Made> {
    if store.remote().is_none() {
        return Ok(Made::default());
    }
    let store = store.clone();
    blocking(move || {
        let days = survey(&store)?;
        let before_bytes = days.values().sum();
        let mut made = Made {
            before_bytes,
            removed_bytes: 0,
        };
        if before_bytes > most_bytes {
            let end = last_day(&days, before_bytes - most_bytes / 10 * 9);
            let needed = Needed::find(&store, &seen)?;
            Room { store, end, needed }.make(&mut made)?;
        }
        Ok(made)
    })
    .await
}

/// How much was used last on which day.
fn survey(store: &Store) -> Result<BTreeMap<i64, u64>> {
    let mut days = BTreeMap::new();
    for space in [Space::Objects, Space::Manifests] {
        for prefix in 0..=u8::MAX {
            for (_, found) in copies(store, space, prefix)? {
                *days.entry(day(&found)).or_default() += found.len();
            }
        }
    }
    Ok(days)
}

/// The day up to which everything has to go for so many bytes.
fn last_day(days: &BTreeMap<i64, u64>, bytes: u64) -> i64 {
    let mut sum = 0;
    let end = days.iter().find(|(_, more)| {
        sum += **more;
        sum >= bytes
    });
    end.map_or(i64::MAX, |(day, _)| *day)
}

/// When something was used last, as far as the system keeps that; at the least when it came.
fn day(found: &Metadata) -> i64 {
    found.atime().max(found.ctime()).div_euclid(DAY_S)
}

/// The copies whose hashes begin with a byte.
fn copies(store: &Store, space: Space, prefix: u8) -> Result<Vec<(Hash, Metadata)>> {
    let mut copies = Vec::new();
    store.files().list(space, prefix, &mut |hash, _| {
        match fs::symlink_metadata(store.files().place(space, &hash)) {
            Ok(found) => copies.push((hash, found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("cannot look through the copies", error)),
        }
        Ok(())
    })?;
    Ok(copies)
}

/// What is shown to somebody, and all that is in it.
struct Needed {
    shown: BTreeSet<Hash>,
    marked: Marked,
    seen: HashSet<Hash>,
}

impl Needed {
    fn find(store: &Store, seen: &HashSet<Hash>) -> Result<Self> {
        let shown = shown(store, Some(seen))?;
        let stop = Stop::default();
        let marks = Marks::create(store.files())?;
        let mut walk = Walk::new(store.objects(), marks, &stop);
        for digest in &shown {
            // Without knowing what somebody sees nothing may go.
            walk.manifest(digest, Need::Held, &mut |_, error| Err(error))?;
        }
        Ok(Self {
            shown,
            marked: walk.marks.finish()?,
            seen: seen.clone(),
        })
    }
}

struct Room {
    store: Store,
    /// The last day that goes.
    end: i64,
    needed: Needed,
}

impl Room {
    fn make(&self, made: &mut Made) -> Result<()> {
        for prefix in 0..=u8::MAX {
            let showing = self.store.showing();
            // Something is about to be shown, which may take long: this can wait.
            let Some(_alone) = showing.try_write() else {
                return Ok(());
            };
            if !shown(&self.store, Some(&self.needed.seen))?.is_subset(&self.needed.shown) {
                return Ok(());
            }
            let mut old = self.old(prefix)?;
            if old.is_empty() {
                continue;
            }
            let failed = |error| io_error("cannot begin to make room", error);
            begin_room(&self.store).map_err(failed)?;
            while !old.is_empty() {
                let some = old.split_off(old.len().saturating_sub(AT_ONCE));
                made.removed_bytes += self.remove(prefix, &some)?;
            }
        }
        Ok(())
    }

    /// The copies with this first byte that are old enough, and that nobody is shown.
    fn old(&self, prefix: u8) -> Result<Vec<(Key, Metadata)>> {
        let needs = self.needed.marked.needs(prefix)?;
        let mut old = Vec::new();
        for space in [Space::Objects, Space::Manifests] {
            for (hash, found) in copies(&self.store, space, prefix)? {
                let key = (space, hash);
                if day(&found) <= self.end && needs.of(&key) != Some(Need::Held) {
                    old.push((key, found));
                }
            }
        }
        Ok(old)
    }

    fn remove(&self, prefix: u8, some: &[(Key, Metadata)]) -> Result<u64> {
        let claims = self.store.files().claims();
        let _alone = claims.alone(prefix);
        let keys: Vec<Key> = some.iter().map(|(key, _)| *key).collect();
        let placed = self.store.placed(&keys)?;
        let mut removed = 0;
        for (key, found) in some {
            // What has no place may be the only good copy there is.
            if !placed.contains(key) || claims.claimed(key) {
                continue;
            }
            let path: PathBuf = self.store.files().place(key.0, &key.1);
            match fs::remove_file(path) {
                Ok(()) => removed += found.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("cannot remove a copy", error)),
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
