//! Makes folders out of manifests: a writable copy for one job, or a read-only tree that all on this host share.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::manifest::{Manifest, Node, Summary};
use crate::objects::{Hash, Space, Store, blocking, io_error, random_name, remove_tree};
use crate::{Error, Result};

mod tree;

#[cfg(test)]
mod tests;

pub(crate) use tree::reflink;
use tree::{Fill, Tree};

/// How the files of a shared tree come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// Hard links to the objects, which cost no space. Only for trees that are shown through a read-only mount: whoever owns the files could
    /// make them writable and change the store. Executable files, empty ones and what cannot be linked are copies.
    Hard,
    /// Reflinks where the file system has them, else copies.
    Copy,
}

/// Who owns what a copy makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
}

/// What is being built: requests for one share its lock.
pub(crate) struct Builds<K>(Mutex<HashMap<K, Weak<BuildLock>>>);

type BuildLock = tokio::sync::Mutex<()>;

impl<K> Default for Builds<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + std::hash::Hash> Builds<K> {
    pub(crate) fn lock(&self, key: K) -> Arc<BuildLock> {
        let mut builds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        builds.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = builds.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        builds.insert(key, Arc::downgrade(&lock));
        lock
    }
}

/// Makes `folder` a writable copy of a manifest, whole or not at all.
///
/// `folder` must not exist or be empty; its parent must exist and be trusted. Files are 0644 or 0755, folders 0755, all of `owner` when one is
/// given (which takes privilege). Symbolic links are made as they are and not followed. Every file is checked against its hash.
/// Dropping the future lets the work run to its end.
///
/// # Errors
/// `NotFound` without such a manifest, `Conflict` when `folder` holds something, `Unavailable` when the disk is full, `Internal` when an object is
/// damaged.
pub async fn copy_to(
    store: &Store,
    manifest_digest: Hash,
    folder: &Path,
    owner: Option<Owner>,
) -> Result<Summary> {
    let (store, folder) = (store.clone(), folder.to_owned());
    blocking(move || copy_now(&store, &manifest_digest, &folder, owner)).await
}

/// Returns a read-only tree of a manifest, building it when this host has none.
///
/// Requests for the same tree share one build; a tree is there whole or not at all, and stays. Files are 0444 or 0555, folders 0555, owned by the
/// user of this process. Every file is checked against its hash while it is built. Show it to jobs through a read-only mount only.
///
/// # Errors
/// As [`copy_to`].
pub async fn farm(store: &Store, manifest_digest: Hash, link: Link) -> Result<PathBuf> {
    let kind = match link {
        Link::Hard => "hard",
        Link::Copy => "copy",
    };
    let place = store
        .within("farm")
        .join(format!("{manifest_digest}-{kind}"));
    let lock = store.builds().lock((manifest_digest, link));
    let guard = lock.lock_owned().await;
    let store = store.clone();
    blocking(move || {
        let _guard = guard;
        if !place.is_dir() {
            build(&store, &manifest_digest, link, &place)?;
        }
        Ok(place)
    })
    .await
}

/// Makes `folder`, which must not exist, a read-only tree of the part of a manifest that lies at `part`: what is in that folder, or that file alone
/// under its own name. Whole or not at all.
///
/// Files, folders and checks are as in a [`farm`], but `folder` itself is 0755, so that its owner can move it; who has it where it stays closes it.
/// Dropping the future lets the work run to its end.
///
/// # Errors
/// As [`copy_to`]; `NotFound` when there is nothing at `part`.
pub async fn tree(
    store: &Store,
    manifest_digest: Hash,
    part: Option<&str>,
    folder: &Path,
    link: Link,
) -> Result<()> {
    let (store, part, folder) = (store.clone(), part.map(str::to_owned), folder.to_owned());
    blocking(move || tree_now(&store, &manifest_digest, part.as_deref(), &folder, link)).await
}

fn tree_now(
    store: &Store,
    manifest_digest: &Hash,
    part: Option<&str>,
    folder: &Path,
    link: Link,
) -> Result<()> {
    let manifest = open(store, manifest_digest)?;
    let scratch = store.files().scratch()?;
    let fresh = scratch.path().join("tree");
    let failed = |error| io_error(format!("cannot make {}", folder.display()), error);
    fs::create_dir(&fresh).map_err(failed)?;
    let how = Fill {
        link,
        writable: false,
        owner: None,
    };
    let mut tree = Tree::open(&fresh, &how)?;
    let mut is_empty = true;
    let from = part.map_or_else(|| manifest.entries(), |part| manifest.entries_from(part));
    for entry in from {
        let entry = entry?;
        let Some(path) = within(&entry.path, part) else {
            // Names such as `a-b` stand between `a` and what is in it.
            if part.is_some_and(|part| !entry.path.starts_with(part)) {
                break;
            }
            continue;
        };
        is_empty = false;
        add(&mut tree, store, path, &entry.node)?;
    }
    if is_empty && let Some(part) = part {
        return Err(Error::not_found(format!("there is nothing at {part:?}")));
    }
    tree.finish()?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::rename(&fresh, folder).map_err(failed)
}

/// What a path is called in the tree of `part`; `None` where it does not belong to it.
fn within<'a>(path: &'a str, part: Option<&str>) -> Option<&'a str> {
    let Some(part) = part else {
        return Some(path);
    };
    let rest = path.strip_prefix(part)?;
    if rest.is_empty() {
        return path.rsplit('/').next();
    }
    rest.strip_prefix('/')
}

fn copy_now(
    store: &Store,
    manifest_digest: &Hash,
    folder: &Path,
    owner: Option<Owner>,
) -> Result<Summary> {
    let manifest = open(store, manifest_digest)?;
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(Error::invalid(
            "the root folder cannot be made from a manifest",
        ));
    };
    let fresh = Scratch(parent.join(format!(".{}.{}", name.to_string_lossy(), random_name())));
    let failed = |error| {
        io_error(
            format!("cannot make the folder {}", folder.display()),
            error,
        )
    };
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&fresh.0)
        .map_err(failed)?;
    fill(
        store,
        &manifest,
        &fresh.0,
        &Fill {
            link: Link::Copy,
            writable: true,
            owner,
        },
    )?;
    if let Some(Owner { uid, gid }) = owner {
        std::os::unix::fs::chown(&fresh.0, Some(uid), Some(gid)).map_err(failed)?;
    }
    fs::set_permissions(&fresh.0, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    match fs::rename(&fresh.0, folder) {
        Ok(()) => Ok(*manifest.summary()),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Err(Error::conflict(format!(
                "{} holds something already",
                folder.display()
            )))
        }
        Err(error) => Err(failed(error)),
    }
}

fn build(store: &Store, manifest_digest: &Hash, link: Link, place: &Path) -> Result<()> {
    let manifest = open(store, manifest_digest)?;
    let scratch = store.files().scratch()?;
    let fresh = scratch.path().join("tree");
    let failed = |error| io_error(format!("cannot build the tree of {manifest_digest}"), error);
    fs::create_dir(&fresh).map_err(failed)?;
    fill(
        store,
        &manifest,
        &fresh,
        &Fill {
            link,
            writable: false,
            owner: None,
        },
    )?;
    // A tree that was renamed into place is believed for ever, so what is in it must be on disk first.
    store.files().sync().map_err(failed)?;
    match fs::rename(&fresh, place) {
        Ok(()) => {}
        // Another process was faster: its tree is the same.
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    fs::set_permissions(place, fs::Permissions::from_mode(0o555)).map_err(failed)
}

fn open(store: &Store, manifest_digest: &Hash) -> Result<Manifest> {
    Manifest::open(store.objects().clone(), manifest_digest)?
        .ok_or_else(|| Error::not_found("there is no such manifest"))
}

/// Brings what is in a manifest to this host.
pub(crate) fn bring(store: &Store, manifest: &Manifest) -> Result<()> {
    if store.remote().is_none() && store.adopted().is_none() {
        return Ok(());
    }
    let leaves = (0..manifest.leaves()).filter_map(|number| manifest.leaf_digest(number));
    let mut leaves = leaves.map(|digest| Ok((Space::Manifests, digest)));
    store.objects().bring(&mut leaves)?;
    let mut wanted = manifest.entries().filter_map(|entry| match entry {
        Ok(entry) => match entry.node {
            Node::File { hash, size, .. } => (size > 0).then_some(Ok((Space::Objects, hash))),
            Node::Symlink { .. } => None,
        },
        Err(error) => Some(Err(error)),
    });
    store.objects().bring(&mut wanted)
}

fn fill(store: &Store, manifest: &Manifest, folder: &Path, how: &Fill) -> Result<()> {
    bring(store, manifest)?;
    let mut tree = Tree::open(folder, how)?;
    for entry in manifest.entries() {
        let entry = entry?;
        add(&mut tree, store, &entry.path, &entry.node)?;
    }
    tree.finish()
}

fn add(tree: &mut Tree<'_>, store: &Store, path: &str, node: &Node) -> Result<()> {
    match node {
        Node::File {
            hash,
            size,
            executable,
        } => tree.file(store, path, (hash, *size), *executable),
        Node::Symlink { target } => tree.link(path, target),
    }
}

/// A folder that goes away unless it was renamed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "an unfinished copy could not be removed");
        }
    }
}
