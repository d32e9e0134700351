//! Reads many small files of a manifest in one go: the way out that matches `uploads::put_several`.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;

use bytes::Bytes;

use super::{Manifest, Node};
use crate::objects::{Hash, Objects, Store, Stream, blocking, pieces, read_small};
use crate::several::{MAX_BYTES, head};
use crate::{Error, Result};

/// The most paths of one call.
pub const MAX_SEVERAL: usize = 1000;
/// Frames are gathered until they are this large.
const CHUNK_BYTES: usize = 256 * 1024;

/// Streams the contents of the regular files at `paths` as [`crate::several`] frames them, each content once, in no order. Dropping the stream stops
/// the reading.
///
/// Returns `None` when there is no such manifest. What is missing in the store or damaged does not come: asking for it alone says why.
///
/// # Errors
/// `Invalid` for more than a thousand paths or a file of more than 1 MiB, `NotFound` where a path is no regular file: before anything is sent.
pub async fn several(
    store: &Store,
    manifest_digest: Hash,
    paths: BTreeSet<String>,
) -> Result<Option<Stream>> {
    if paths.len() > MAX_SEVERAL {
        return Err(Error::invalid(format!(
            "more than {MAX_SEVERAL} paths in one call"
        )));
    }
    let objects = store.objects().clone();
    let opened = objects.clone();
    let found = blocking(move || match Manifest::open(opened, &manifest_digest)? {
        Some(manifest) => find(&manifest, &paths).map(Some),
        None => Ok(None),
    });
    let left = |contents: BTreeMap<_, _>| Left {
        objects,
        contents: contents.into_iter(),
    };
    let found = found.await?.map(left);
    Ok(found.map(|left| pieces(left, |left, _| left.next())))
}

/// The contents at these paths with their sizes. Paths that lie close to each other cost one leaf.
fn find(manifest: &Manifest, paths: &BTreeSet<String>) -> Result<BTreeMap<Hash, u64>> {
    let mut contents = BTreeMap::new();
    let mut entries = manifest.entries();
    for path in paths {
        entries.skip_to(path);
        let entry = entries.next().transpose()?;
        let Some(entry) = entry.filter(|entry| entry.path == *path) else {
            return Err(missing(path));
        };
        let Node::File { hash, size, .. } = entry.node else {
            return Err(missing(path));
        };
        if size > MAX_BYTES {
            return Err(Error::invalid(format!(
                "{path:?} has more than {MAX_BYTES} bytes: read it alone"
            )));
        }
        contents.insert(hash, size);
    }
    Ok(contents)
}

fn missing(path: &str) -> Error {
    Error::not_found(format!("there is no file {path:?}"))
}

/// What is still to be sent.
struct Left {
    objects: Arc<dyn Objects>,
    contents: btree_map::IntoIter<Hash, u64>,
}

impl Left {
    /// The next contents, framed; nothing after the last.
    fn next(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = Vec::new();
        for (hash, size) in self.contents.by_ref() {
            let start = chunk.len();
            chunk.extend_from_slice(&head(&hash, size));
            match read_small(&*self.objects, (&hash, size), &mut chunk) {
                Ok(()) if chunk.len() >= CHUNK_BYTES => break,
                Ok(()) => {}
                Err(error) if error.retryable() => return Err(error),
                Err(error) => {
                    tracing::error!(object.hash = %hash, %error, "an object could not be read");
                    chunk.truncate(start);
                }
            }
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }
}

#[cfg(test)]
mod tests;
