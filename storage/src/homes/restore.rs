//! Puts a home on this host as a snapshot has it: built beside the target, then swapped in by a rename.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags};

use super::attributes::{self, Node, What};
use super::tree::Tree;
use super::{Restore, step};
use crate::capture::{Kept, Root, Stat};
use crate::index::{self, Index, Past};
use crate::manifest::{Manifest, Node as Content};
use crate::materialise::bring;
use crate::objects::{Hash, Store, corrupt, io_error, random_name, read_whole, remove_tree};
use crate::{Error, Result};

/// What the names of half-made homes have between the home's own name and a random end.
const FRESH: &str = ".fresh.";
/// What the name of a copy that is to be kept has before the rest: it waits beside the home until the new one is there.
const ASIDE: &str = ".aside.";

/// Where things lie while a home is replaced.
struct Places {
    target: PathBuf,
    parent: PathBuf,
    name: String,
}

impl Places {
    fn of(target: &Path) -> Result<Self> {
        let parts = (
            target.parent(),
            target.file_name().and_then(|name| name.to_str()),
        );
        let (Some(parent), Some(name)) = parts else {
            return Err(Error::invalid("this cannot be the folder of a home"));
        };
        Ok(Self {
            target: target.to_owned(),
            parent: parent.to_owned(),
            name: name.to_owned(),
        })
    }

    /// What lies beside the home under its name and `infix`.
    fn beside(&self, infix: &str) -> Result<Vec<(String, PathBuf)>> {
        let start = format!(".{}{infix}", self.name);
        let failed = |error| io_error("cannot list the homes", error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.parent).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name: OsString = entry.file_name();
            if let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&start)) {
                found.push((rest.to_owned(), entry.path()));
            }
        }
        Ok(found)
    }

    fn fresh(&self) -> PathBuf {
        let name = format!(".{}{FRESH}{}", self.name, random_name());
        self.parent.join(name)
    }

    fn aside(&self, name: &str) -> PathBuf {
        self.parent.join(format!(".{}{ASIDE}{name}", self.name))
    }

    fn sync(&self) -> Result<()> {
        fs::File::open(&self.parent)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io_error("cannot make a home durable", error))
    }
}

pub(super) fn restore_now(store: &Store, target: &Path, how: &Restore) -> Result<()> {
    let places = Places::of(target)?;
    settle(&places)?;
    let kept = how.keep_aside.as_ref().map(|name| target.join(name));
    if kept.is_some_and(|kept| kept.is_dir()) {
        // The same call was interrupted after its swap.
        return Ok(());
    }
    let nodes = read_attributes(store, &how.attributes_hash)?;
    let past = index::past(store.files(), &how.index, how.project);
    // Begun before the store is read: what is put aside from now on it does not vouch for.
    let index = index::open(store, &how.index, how.project)?;
    let past = (&past, index.believes(&past));
    let fresh = Fresh(places.fresh());
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&fresh.0)
        .map_err(|error| io_error("cannot make a folder for the home", error))?;
    step("begun");
    let files = fill(store, how, &nodes, past, (&fresh.0, target))?;
    step("filled");
    store_sync(&fresh.0)?;
    swap(&places, &fresh.0, how.keep_aside.as_deref())?;
    drop(fresh);
    settle(&places)?;
    remember(index, how, target, &files);
    Ok(())
}

/// Brings an interrupted swap to its end and removes what an interrupted one left.
///
/// What was to be kept aside is never removed: it goes into the home once there is one.
fn settle(places: &Places) -> Result<()> {
    for (_, path) in places.beside(FRESH)? {
        remove_tree(&path).map_err(|error| io_error("cannot remove a half-made home", error))?;
    }
    if places.target.is_dir() {
        for (name, path) in places.beside(ASIDE)? {
            put_into(places, &path, &name)?;
        }
    }
    Ok(())
}

/// Puts the new home in its place. At every moment either the old or the new home is whole under its name, or the old one lies aside by name.
fn swap(places: &Places, fresh: &Path, keep_aside: Option<&str>) -> Result<()> {
    let failed = |error: rustix::io::Errno| io_error("cannot put the home in place", error.into());
    let target = &places.target;
    if let Some(name) = keep_aside.filter(|_| target.exists()) {
        let aside = places.aside(name);
        rustix::fs::rename(target, &aside).map_err(failed)?;
        step("aside");
        rustix::fs::rename(fresh, target).map_err(failed)?;
        step("swapped");
        return places.sync();
    }
    match rustix::fs::renameat_with(CWD, fresh, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(rustix::io::Errno::NOENT) => rustix::fs::rename(fresh, target).map_err(failed)?,
        // A file system that cannot exchange: the old one is known to be in the store, so it may go first.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            remove_tree(target).map_err(|error| io_error("cannot replace the home", error))?;
            rustix::fs::rename(fresh, target).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    step("swapped");
    places.sync()
}

/// Moves a copy that is kept into the home; its owner finds it there.
fn put_into(places: &Places, aside: &Path, name: &str) -> Result<()> {
    let mut place = places.target.join(name);
    let mut number = 1;
    while place.symlink_metadata().is_ok() {
        number += 1;
        place = places.target.join(format!("{name}-{number}"));
    }
    fs::rename(aside, place)
        .map_err(|error| io_error("cannot put a kept copy into the home", error))?;
    step("put into");
    Ok(())
}

/// A file that was restored, for the stat index.
struct Restored<'a> {
    node: &'a Node,
    hash: Hash,
    size: u64,
}

/// Fills the new home, with links to files of the old one that are the same. Gives those that the store is known to have.
fn fill<'a>(
    store: &Store,
    how: &Restore,
    nodes: &'a [Node],
    (past, is_stored): (&Past, bool),
    (fresh, old): (&Path, &Path),
) -> Result<Vec<Restored<'a>>> {
    let manifest = Manifest::open(store.objects().clone(), &how.manifest_digest)?
        .ok_or_else(|| Error::not_found("the store has no such manifest"))?;
    bring(store, &manifest)?;
    let mut contents = Contents::of(&manifest)?;
    let old = match Root::open(old) {
        Ok(root) => Some((root, past.by_path())),
        Err(Error::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    let [top, rest @ ..] = nodes else {
        return Err(corrupt("a home's attributes are empty"));
    };
    let mut tree = Tree::open(fresh, top, how.owner)?;
    for node in rest {
        match &node.what {
            What::Folder => tree.folder(node)?,
            What::Symlink { target } => tree.symlink(node, target)?,
            What::Link { first } => tree.link(node, &nodes[*first])?,
            What::File => {
                let key = attributes::key(&node.path);
                let (hash, size) = contents.next(&key)?;
                let same = old.as_ref().and_then(|(root, past)| {
                    let (was, stat) = past.get(key.as_bytes())?;
                    (*was == hash).then_some((root, stat))
                });
                let reused = match same {
                    Some((root, stat)) => tree.reuse(root, node, stat)?,
                    None => false,
                };
                if !reused {
                    tree.file(store, node, (&hash, size))?;
                }
                if is_stored || !reused {
                    files.push(Restored { node, hash, size });
                }
            }
        }
    }
    tree.finish()?;
    contents.end()?;
    Ok(files)
}

/// The files of a manifest, asked for in the order of a home's nodes.
struct Contents<'a> {
    entries: crate::manifest::Entries<'a>,
    /// Files whose own paths a manifest cannot hold come in another order.
    odd: HashMap<String, (Hash, u64)>,
}

impl<'a> Contents<'a> {
    fn of(manifest: &'a Manifest) -> Result<Self> {
        let start = attributes::odd();
        let mut odd = HashMap::new();
        for entry in manifest.entries_from(&start) {
            let entry = entry?;
            if !entry.path.starts_with(&start) {
                break;
            }
            if let Content::File { hash, size, .. } = entry.node {
                odd.insert(entry.path, (hash, size));
            }
        }
        Ok(Self {
            entries: manifest.entries(),
            odd,
        })
    }

    fn next(&mut self, key: &str) -> Result<(Hash, u64)> {
        let start = attributes::odd();
        let wrong = || corrupt(format!("a home's manifest lacks {key:?}"));
        if key.starts_with(&start) {
            return self.odd.remove(key).ok_or_else(wrong);
        }
        for entry in self.entries.by_ref() {
            let entry = entry?;
            if entry.path.starts_with(&start) {
                continue;
            }
            return match entry.node {
                Content::File { hash, size, .. } if entry.path == key => Ok((hash, size)),
                _ => Err(wrong()),
            };
        }
        Err(wrong())
    }

    /// Every file of the manifest was asked for.
    fn end(mut self) -> Result<()> {
        let start = attributes::odd();
        let more = self.entries.find(|entry| {
            entry
                .as_ref()
                .map_or(true, |entry| !entry.path.starts_with(&start))
        });
        if more.is_some() || !self.odd.is_empty() {
            return Err(corrupt("a home's manifest names more than its attributes"));
        }
        Ok(())
    }
}

fn read_attributes(store: &Store, hash: &Hash) -> Result<Vec<Node>> {
    let mut packed = Vec::new();
    read_whole(&**store.objects(), hash, &mut |bytes| {
        packed.extend_from_slice(bytes);
        Ok(())
    })?;
    attributes::decode(&packed)
}

/// What is in the new home must be on disk before it takes the old one's place.
fn store_sync(fresh: &Path) -> Result<()> {
    let failed = |error: io::Error| io_error("cannot make a home durable", error);
    let folder = fs::File::open(fresh).map_err(failed)?;
    #[cfg(target_os = "linux")]
    return rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()));
    #[cfg(not(target_os = "linux"))]
    {
        rustix::fs::sync();
        folder.sync_all().map_err(failed)
    }
}

/// Records what the files hash to, so that the next snapshot reads only what changes from now on. A cache: nothing here fails the restore.
fn remember(mut index: Index, how: &Restore, target: &Path, files: &[Restored<'_>]) {
    let Ok(root) = Root::open(target) else {
        return;
    };
    let mut kept: Vec<(String, Kept)> = Vec::with_capacity(files.len());
    for Restored { node, hash, size } in files {
        let (folder, name) = attributes::split(&node.path);
        let status = root.folder(folder).and_then(|parent| {
            Ok(rustix::fs::statat(
                &parent,
                name,
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        });
        let Ok(status) = status else { continue };
        kept.push((
            attributes::key(&node.path),
            Kept {
                hash: *hash,
                size: *size,
                stat: Stat::from(&status),
                torn: false,
            },
        ));
    }
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    let latest = kept.iter().map(|(_, kept)| kept.stat.touched_ns()).max();
    index.outlast(latest.unwrap_or_default());
    for (path, kept) in &kept {
        index.add(path, kept);
    }
    index.finish().keep(&how.manifest_digest);
}

/// A folder that goes away with the value: half-made, or the old home after the swap.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        // Folders of the work may forbid their own removal.
        let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700));
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "what is left of a home stays until the next restore");
        }
    }
}
