//! Reads many small files of a manifest in one go: the way out that matches `uploads::put_several`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{Manifest, Node};
use crate::objects::{Hash, Objects, Store, Stream, blocking, read_whole};
use crate::{Error, Result};

/// The most paths of one call.
pub const MAX_SEVERAL: usize = 1000;
/// The largest file that goes with others, in bytes.
const MAX_BYTES: u64 = crate::uploads::MAX_SMALL_BYTES;
/// Frames are gathered until they are this large.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks read ahead of a slow receiver.
const CHUNKS_AHEAD: usize = 4;

/// Streams the contents of the regular files at `paths`, each content once, in no order: the 32 bytes of the hash, eight bytes for the length
/// (little-endian), the content. Dropping the stream stops the reading.
///
/// Returns `None` when there is no such manifest. The stream ends with an error where the store's object is missing or damaged.
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
    Ok(found.await?.map(|contents| stream(objects, contents)))
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

fn stream(objects: Arc<dyn Objects>, contents: BTreeMap<Hash, u64>) -> Stream {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send(&*objects, &contents, &sender) {
            // Nobody may be listening any more.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Box::pin(futures_util::stream::unfold(
        receiver,
        |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) },
    ))
}

fn send(
    objects: &dyn Objects,
    contents: &BTreeMap<Hash, u64>,
    sender: &mpsc::Sender<Result<Bytes>>,
) -> Result<()> {
    let gone = |_| Error::conflict("the receiver went away");
    let mut buffer = BytesMut::new();
    for (hash, size) in contents {
        buffer.extend_from_slice(hash.as_bytes());
        buffer.extend_from_slice(&size.to_le_bytes());
        let read = read_whole(objects, hash, &mut |bytes| {
            buffer.extend_from_slice(bytes);
            Ok(())
        })?;
        if read != *size {
            return Err(crate::objects::corrupt(format!(
                "object {hash} is not as large as its manifest says"
            )));
        }
        if buffer.len() >= CHUNK_BYTES {
            sender
                .blocking_send(Ok(buffer.split().freeze()))
                .map_err(gone)?;
        }
    }
    if buffer.is_empty() {
        return Ok(());
    }
    sender.blocking_send(Ok(buffer.freeze())).map_err(gone)
}

#[cfg(test)]
mod tests;
