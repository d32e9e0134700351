//! Reading with proof: what leaves the store has been checked against its hash. Bounded memory at any size.

use std::collections::HashSet;
use std::io::SeekFrom;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;

use super::{Hash, Objects, Source, Space, corrupt, io_error};
use crate::{Error, Result};

const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks read ahead of a slow receiver.
const CHUNKS_AHEAD: usize = 4;
const REMEMBERED: usize = 100_000;

/// Bytes on their way out. Ends after the first error.
pub type Stream = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes>> + Send>>;

/// A part of an object that is being read.
pub struct Content {
    /// The hash of the whole object.
    pub hash: Hash,
    /// The size of the whole object in bytes.
    pub size: u64,
    /// The bytes that `body` brings.
    pub range: Range<u64>,
    /// The bytes. Dropping it stops the reading.
    pub body: Stream,
}

impl Content {
    /// Brings all of it into memory: for what is known to be small.
    pub async fn collect(self) -> Result<Vec<u8>> {
        let mut body = self.body;
        let mut bytes = Vec::new();
        while let Some(part) = body.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}

/// Objects whose content this process has checked from end to end.
#[derive(Default)]
pub(super) struct Checked(Mutex<HashSet<Hash>>);

impl Checked {
    fn contains(&self, hash: &Hash) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(hash)
    }

    fn insert(&self, hash: Hash) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(hash);
    }

    pub(super) fn check(&self, objects: &dyn Objects, hash: &Hash) -> Result<()> {
        if !self.contains(hash) {
            read_whole(objects, hash, &mut |_| Ok(()))?;
            self.insert(*hash);
        }
        Ok(())
    }
}

/// Reads a whole object through `sink` and checks it. `sink` sees bytes before the check is done: on an error it must drop what it got.
///
/// # Errors
/// `Internal` when the object is missing or its content is not `hash`; whatever `sink` returns.
pub(crate) fn read_whole(
    objects: &dyn Objects,
    hash: &Hash,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let mut source = open(objects, hash)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut size = 0;
    loop {
        let read = read_some(&mut *source, &mut buffer, hash)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
        sink(&buffer[..read])?;
    }
    if Hash::from(hasher.finalize()) != *hash {
        return Err(corrupt(format!("object {hash} has other content")));
    }
    Ok(size)
}

/// Streams a range of an object.
///
/// The last bytes of a whole object are held back until its hash is proven. A part of an object is sent after the object was once read
/// through by this process.
pub(super) fn stream(
    objects: Arc<dyn Objects>,
    checked: Arc<Checked>,
    hash: Hash,
    range: Range<u64>,
    size: u64,
) -> Stream {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let whole = range == (0..size);
        let done = if whole && !checked.contains(&hash) {
            send_whole(&*objects, &hash, &sender)
        } else {
            send_part(&*objects, &checked, &hash, range, &sender)
        };
        match done {
            Ok(true) => checked.insert(hash),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(object.hash = %hash, %error, "an object could not be read");
                // Nobody may be listening any more.
                let _ = sender.blocking_send(Err(error));
            }
        }
    });
    Box::pin(futures_util::stream::unfold(
        receiver,
        |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) },
    ))
}

type Sender = mpsc::Sender<Result<Bytes>>;

/// Returns whether all was read, sent and proven.
fn send_whole(objects: &dyn Objects, hash: &Hash, sender: &Sender) -> Result<bool> {
    let mut held: Option<Bytes> = None;
    let mut listening = true;
    let read = read_whole(objects, hash, &mut |bytes| {
        if let Some(before) = held.replace(Bytes::copy_from_slice(bytes)) {
            listening = sender.blocking_send(Ok(before)).is_ok();
        }
        // Only a way out of the loop: nobody gets to see it.
        if listening {
            Ok(())
        } else {
            Err(Error::conflict("the reader went away"))
        }
    });
    if !listening {
        return Ok(false);
    }
    read?;
    Ok(held.is_none_or(|last| sender.blocking_send(Ok(last)).is_ok()))
}

fn send_part(
    objects: &dyn Objects,
    checked: &Checked,
    hash: &Hash,
    range: Range<u64>,
    sender: &Sender,
) -> Result<bool> {
    if !checked.contains(hash) {
        let gone = || Error::conflict("the reader went away");
        match read_whole(objects, hash, &mut |_| {
            if sender.is_closed() {
                Err(gone())
            } else {
                Ok(())
            }
        }) {
            Err(_) if sender.is_closed() => return Ok(false),
            other => other?,
        };
        checked.insert(*hash);
    }
    let mut source = open(objects, hash)?;
    source
        .seek(SeekFrom::Start(range.start))
        .map_err(|error| io_error(format!("cannot read object {hash}"), error))?;
    let mut left = range.end - range.start;
    let mut buffer = vec![0; CHUNK_BYTES];
    while left > 0 {
        let most = usize::try_from(left)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let read = read_some(&mut *source, &mut buffer[..most], hash)?;
        if read == 0 {
            return Err(corrupt(format!("object {hash} is too short")));
        }
        left -= read as u64;
        if sender
            .blocking_send(Ok(Bytes::copy_from_slice(&buffer[..read])))
            .is_err()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open(objects: &dyn Objects, hash: &Hash) -> Result<Box<dyn Source>> {
    objects
        .open(Space::Objects, hash)?
        .ok_or_else(|| corrupt(format!("object {hash} is missing")))
}

/// Reads until the buffer is full or the end is reached.
fn read_some(source: &mut dyn Source, buffer: &mut [u8], hash: &Hash) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error(format!("cannot read object {hash}"), error)),
        }
    }
    Ok(filled)
}
