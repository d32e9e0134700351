//! What the API asks of manifests: a folder page by page, one file, a range of its bytes, a comparison. The async edge of this module.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::{Difference, Entry, Manifest, Node, Summary, check_path};
use crate::objects::{Content, Hash, Store};
use crate::{Error, List, Result};

/// The most items on one page.
const MAX_PAGE: usize = 1000;
/// The most differences that one comparison returns.
const MAX_DIFFERENCES: usize = 10_000;

/// The kind of a [`File`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder, which exists because files lie in it.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A line of a folder's listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// The whole path from the root of the manifest.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The size in bytes; 0 for folders and links.
    pub bytes: u64,
    /// The hash of a file's content.
    pub hash: Option<Hash>,
    /// Whether a file may be executed.
    pub executable: bool,
    /// The text of a symbolic link.
    pub target: Option<String>,
}

impl From<Entry> for File {
    fn from(entry: Entry) -> Self {
        let path = entry.path;
        match entry.node {
            Node::File {
                hash,
                size,
                executable,
            } => Self {
                path,
                kind: FileKind::File,
                bytes: size,
                hash: Some(hash),
                executable,
                target: None,
            },
            Node::Symlink { target } => Self {
                path,
                kind: FileKind::Symlink,
                bytes: 0,
                hash: None,
                executable: false,
                target: Some(target),
            },
        }
    }
}

/// Returns what a manifest amounts to; `None` when there is no such manifest.
pub async fn summary(store: &Store, manifest_digest: Hash) -> Result<Option<Summary>> {
    let objects = store.objects().clone();
    blocking(move || {
        Ok(Manifest::open(objects, &manifest_digest)?.map(|manifest| *manifest.summary()))
    })
    .await
}

/// Lists a folder: `folder` is a path or `""` for the root, `after` the `next` of the page before.
///
/// Returns `None` when there is no such manifest or folder. `limit` is clamped to 1..=1000.
///
/// # Errors
/// `Invalid` for a path that no manifest can hold.
pub async fn list(
    store: &Store,
    manifest_digest: Hash,
    folder: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<List<File>>> {
    if !folder.is_empty() {
        check_path(folder)?;
    }
    let (folder, after) = (folder.to_owned(), after.map(str::to_owned));
    let objects = store.objects().clone();
    blocking(move || match Manifest::open(objects, &manifest_digest)? {
        Some(manifest) => list_folder(
            &manifest,
            &folder,
            after.as_deref(),
            limit.clamp(1, MAX_PAGE),
        ),
        None => Ok(None),
    })
    .await
}

/// Looks up one path; folders are found too.
///
/// # Errors
/// `Invalid` for a path that no manifest can hold.
pub async fn file(store: &Store, manifest_digest: Hash, path: &str) -> Result<Option<File>> {
    check_path(path)?;
    let path = path.to_owned();
    let objects = store.objects().clone();
    blocking(move || {
        let Some(manifest) = Manifest::open(objects, &manifest_digest)? else {
            return Ok(None);
        };
        if let Some(entry) = manifest.get(&path)? {
            return Ok(Some(entry.into()));
        }
        let inside = format!("{path}/");
        let first = manifest.entries_from(&inside).next().transpose()?;
        Ok(first
            .filter(|entry| entry.path.starts_with(&inside))
            .map(|_| directory(path)))
    })
    .await
}

/// The paths of the regular files whose names end with `suffix`, in order, at most `limit`; none when there is no such manifest.
pub async fn paths(
    store: &Store,
    manifest_digest: Hash,
    suffix: &str,
    limit: usize,
) -> Result<Option<Vec<String>>> {
    let (objects, suffix) = (store.objects().clone(), suffix.to_owned());
    blocking(move || {
        let Some(manifest) = Manifest::open(objects, &manifest_digest)? else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for entry in manifest.entries() {
            let Entry { path, node } = entry?;
            if found.len() == limit {
                break;
            }
            if path.ends_with(&suffix) && matches!(node, Node::File { .. }) {
                found.push(path);
            }
        }
        Ok(Some(found))
    })
    .await
}

/// Those of `paths` at which a manifest has a regular file, found in one pass; none when there is no such manifest.
pub async fn present(
    store: &Store,
    manifest_digest: Hash,
    mut paths: BTreeSet<String>,
) -> Result<Option<BTreeSet<String>>> {
    let objects = store.objects().clone();
    blocking(move || {
        let Some(manifest) = Manifest::open(objects, &manifest_digest)? else {
            return Ok(None);
        };
        let mut found = BTreeSet::new();
        for entry in manifest.entries() {
            let Entry { path, node } = entry?;
            if matches!(node, Node::File { .. }) {
                found.extend(paths.take(&path));
            }
        }
        Ok(Some(found))
    })
    .await
}

/// Opens a range of a file's bytes (`None`: all of it); what it brings has been checked against the file's hash.
///
/// Returns `None` when the path is no regular file of the manifest. A range is cut to the file's size.
pub async fn read(
    store: &Store,
    manifest_digest: Hash,
    path: &str,
    range: Option<Range<u64>>,
) -> Result<Option<Content>> {
    match file(store, manifest_digest, path).await? {
        Some(File {
            hash: Some(hash),
            bytes,
            ..
        }) => Ok(Some(store.read(hash, bytes, range))),
        _ => Ok(None),
    }
}

/// Compares two manifests: the paths that differ, in order, at most 10,000, and whether there are more.
///
/// Returns `None` when one of them is not there.
pub async fn diff(
    store: &Store,
    before: Hash,
    after: Hash,
) -> Result<Option<(Vec<Difference>, bool)>> {
    let objects = store.objects().clone();
    blocking(move || {
        let Some(before) = Manifest::open(objects.clone(), &before)? else {
            return Ok(None);
        };
        let Some(after) = Manifest::open(objects, &after)? else {
            return Ok(None);
        };
        let (mut items, mut more) = (Vec::new(), false);
        super::diff::compare(&before, &after, &mut |difference| {
            more = items.len() >= MAX_DIFFERENCES;
            if !more {
                items.push(difference);
            }
            !more
        })?;
        Ok(Some((items, more)))
    })
    .await
}

fn list_folder(
    manifest: &Manifest,
    folder: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<List<File>>> {
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    // `after` names the last line of the page before. For a folder, everything in it was told with that line.
    let start = match after {
        Some(after) if after.starts_with(&prefix) => match after.strip_suffix('/') {
            Some(folder) => past(folder),
            None => format!("{after}\0"),
        },
        Some(_) => return Err(Error::invalid("the cursor belongs to another folder")),
        None => prefix.clone(),
    };
    let mut page = List {
        items: Vec::new(),
        next: None,
    };
    let mut last = String::new();
    let mut entries = manifest.entries_from(&start);
    while let Some(entry) = entries.next().transpose()? {
        let Some(rest) = entry.path.strip_prefix(&prefix) else {
            break;
        };
        if page.items.len() == limit {
            page.next = Some(last);
            break;
        }
        if let Some((name, _)) = rest.split_once('/') {
            let path = format!("{prefix}{name}");
            entries.skip_to(&past(&path));
            last = format!("{path}/");
            page.items.push(directory(path));
        } else {
            last.clone_from(&entry.path);
            page.items.push(entry.into());
        }
    }
    let nothing = page.items.is_empty() && after.is_none() && !folder.is_empty();
    Ok((!nothing).then_some(page))
}

/// The first path that can come after everything in `folder`: `0` follows `/`.
fn past(folder: &str) -> String {
    format!("{folder}0")
}

fn directory(path: String) -> File {
    File {
        path,
        kind: FileKind::Directory,
        bytes: 0,
        hash: None,
        executable: false,
        target: None,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    crate::objects::blocking(work).await
}
