//! What lies beside objects and manifests: damaged objects that were put aside, images and trees of manifests that are forgotten.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Options, Report, mark, tie};
use crate::Result;
use crate::db::{Query, all, optional, select_in, sql};
use crate::materialise::Link;
use crate::mount::IMAGE;
use crate::objects::{
    Hash, Key, Objects as _, Space, Store, io_error, remove_tree, tidy, wait_for,
};

/// Copies that are asked for at once.
const AT_ONCE: usize = 200;

/// Looks through all of it. Blocks.
pub(super) fn remove(store: &Store, options: &Options, report: &mut Report) -> Result<()> {
    damaged(store, options, report)?;
    if let (Some(remote), false) = (store.remote(), options.dry) {
        // Whose the bucket is may have changed since the cycle began.
        wait_for(tie::check(store))?;
        let removed = wait_for(remote.remove_unused(unused_ms(options)))?;
        report.removed.count += removed.count;
        report.removed.bytes += removed.bytes;
        copies(store, options, report)?;
    }
    if !options.dry {
        wait_for(
            store
                .db()
                .write(|mut tx| async move { tidy(&mut tx).await }),
        )?;
    }
    // What runs of other servers see is not known here.
    if store.db().is_shared() {
        return Ok(());
    }
    images(store, options, report)?;
    trees(store, options, report)
}

/// Copies on this host of what no record names and no row places, where a bucket keeps the store: of sweeps and uploads that were cut off. Such nodes
/// of manifests stay, for they may be the last good copies of what is lost in the bucket.
fn copies(store: &Store, options: &Options, report: &mut Report) -> Result<()> {
    let before_ms = store.db().now_ms().saturating_sub(unused_ms(options));
    for prefix in 0..=u8::MAX {
        let mut old = Vec::new();
        store.files().list(Space::Objects, prefix, &mut |hash, _| {
            match fs::symlink_metadata(store.files().place(Space::Objects, &hash)) {
                Ok(found) if found.ctime().saturating_mul(1000) <= before_ms => old.push(hash),
                _ => {}
            }
            Ok(())
        })?;
        for some in old.chunks(AT_ONCE) {
            let (_gate, shared) = store.files().shut_out()?;
            if shared {
                return Ok(());
            }
            remove_copies(store, prefix, some, report)?;
        }
    }
    Ok(())
}

fn remove_copies(store: &Store, prefix: u8, some: &[Hash], report: &mut Report) -> Result<()> {
    let claims = store.files().claims();
    let _alone = claims.alone(prefix);
    let keys: Vec<Key> = some.iter().map(|hash| (Space::Objects, *hash)).collect();
    let mut known: HashSet<Hash> = store.placed(&keys)?.into_iter().map(|key| key.1).collect();
    for text in [
        "SELECT hash FROM objects WHERE hash IN",
        "SELECT hash FROM adopted WHERE hash IN",
    ] {
        let query = select_in(text, some.len(), "");
        let query = some.iter().map(Hash::to_hex).fold(query, Query::bind);
        let named: Vec<String> = wait_for(all(store.db(), query))?;
        known.extend(named.iter().filter_map(|hash| hash.parse::<Hash>().ok()));
    }
    for key in keys.iter().filter(|key| !known.contains(&key.1)) {
        if !claims.claimed(key)
            && let Some(bytes) = store.files().size(key.0, &key.1)?
        {
            report.leftovers.add(bytes);
            store.files().remove(key.0, &key.1)?;
        }
    }
    Ok(())
}

/// How long a key stays in the bucket after what was in it: what others rely on, however often is collected.
fn unused_ms(options: &Options) -> i64 {
    const LEAST_MS: i64 = 24 * 3_600_000;
    if cfg!(test) {
        options.interval_ms
    } else {
        options.interval_ms.max(LEAST_MS)
    }
}

/// Damaged objects are kept for a person to look at, for a time from when they were put aside: their status changed then.
fn damaged(store: &Store, options: &Options, report: &mut Report) -> Result<()> {
    let before_ms = store.db().now_ms().saturating_sub(options.damaged_ms);
    for (_, path, found) in named(&store.within("damaged"), "")? {
        if found.ctime().saturating_mul(1000) > before_ms {
            report.damaged_kept.add(found.len());
            continue;
        }
        report.damaged_removed.add(found.len());
        if !options.dry {
            let failed = |error| io_error("cannot remove a damaged object", error);
            fs::remove_file(path).map_err(failed)?;
        }
    }
    Ok(())
}

/// Images of manifests that are forgotten and not mounted.
fn images(store: &Store, options: &Options, report: &mut Report) -> Result<()> {
    let mounted = mark::mounted(store)?;
    for (digest, path, found) in named(&store.within("images"), IMAGE)? {
        if mounted.contains(&digest) || is_recorded(store, &digest)? {
            continue;
        }
        report.leftovers.add(found.len());
        if !options.dry {
            fs::remove_file(path).map_err(|error| io_error("cannot remove an image", error))?;
        }
    }
    Ok(())
}

/// Trees of manifests that are forgotten and that no run sees; none where it is not known what runs see.
fn trees(store: &Store, options: &Options, report: &mut Report) -> Result<()> {
    let Some(seen) = &options.seen else {
        return Ok(());
    };
    for (link, end) in [(Link::Hard, "-hard"), (Link::Copy, "-copy")] {
        for (digest, path, _) in named(&store.within("farm"), end)? {
            if seen.contains(&digest) {
                continue;
            }
            let lock = store.builds().lock((digest, link));
            let guard = wait_for(lock.lock_owned());
            if is_recorded(store, &digest)? {
                continue;
            }
            let bytes = walkdir::WalkDir::new(&path)
                .into_iter()
                .filter_map(std::result::Result::ok)
                .filter_map(|entry| entry.metadata().ok())
                .filter(fs::Metadata::is_file)
                .map(|found| found.len())
                .sum();
            report.leftovers.add(bytes);
            if options.dry {
                continue;
            }
            // Whoever wants it builds it again while this one goes.
            let failed = |error| io_error("cannot remove a tree", error);
            let scratch = store.files().scratch()?;
            fs::rename(&path, scratch.path().join("tree")).map_err(failed)?;
            drop(guard);
            remove_tree(&scratch.path().join("tree")).map_err(failed)?;
        }
    }
    Ok(())
}

fn is_recorded(store: &Store, digest: &Hash) -> Result<bool> {
    let text = "SELECT touched FROM manifest_roots WHERE digest = $1";
    let found: Option<i64> = wait_for(optional(store.db(), sql(text).bind(digest.to_hex())))?;
    Ok(found.is_some())
}

/// What a folder has under names that are a hash followed by `end`.
fn named(folder: &Path, end: &str) -> Result<Vec<(Hash, PathBuf, fs::Metadata)>> {
    let failed = |error| io_error(format!("cannot list {}", folder.display()), error);
    let there = match fs::read_dir(folder) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut named = Vec::new();
    for entry in there {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(end));
        if let Some(hash) = name.and_then(|name| name.parse().ok()) {
            let found = entry.metadata().map_err(failed)?;
            named.push((hash, entry.path(), found));
        }
    }
    Ok(named)
}
