//! Reading with proof: what leaves the store has been checked against its hash. Bounded memory at any size.

use std::collections::HashSet;
use std::io::{Read as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::pieces::{Wanted, pieces};
use super::{Hash, Objects, Source, Space, corrupt, io_error};
use crate::{Error, Result};

const CHUNK_BYTES: usize = 128 * 1024;
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
    let whole = range == (0..size) && !checked.contains(&hash);
    let reader = Reader {
        objects,
        checked,
        hash,
        left: range.end - range.start,
        start: range.start,
        proof: whole.then(Proof::default),
        source: None,
    };
    pieces(reader, |reader, wanted| {
        let piece = reader.next(wanted);
        if let Err(error) = &piece
            && wanted.is_wanted()
        {
            tracing::error!(object.hash = %reader.hash, %error, "an object could not be read");
        }
        piece
    })
}

/// A part of an object that is being read.
struct Reader {
    objects: Arc<dyn Objects>,
    checked: Arc<Checked>,
    hash: Hash,
    start: u64,
    left: u64,
    /// For a whole object that is proven as it goes by.
    proof: Option<Proof>,
    source: Option<Box<dyn Source>>,
}

/// What proves a whole object.
#[derive(Default)]
struct Proof {
    hasher: blake3::Hasher,
    /// The piece before: it goes on when another one follows, or when the hash is proven.
    held: Option<Bytes>,
}

impl Reader {
    fn next(&mut self, wanted: &Wanted) -> Result<Option<Bytes>> {
        if self.proof.is_some() {
            return self.next_proven();
        }
        let piece = self.left.min(CHUNK_BYTES as u64);
        if piece == 0 {
            return Ok(None);
        }
        if self.source.is_none() {
            self.prove(wanted)?;
        }
        let bytes = self.read(usize::try_from(piece).unwrap_or(CHUNK_BYTES))?;
        if bytes.is_empty() {
            return Err(corrupt(format!("object {} is too short", self.hash)));
        }
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// The next piece of a whole object, one behind what was read.
    fn next_proven(&mut self) -> Result<Option<Bytes>> {
        loop {
            let bytes = self.read(CHUNK_BYTES)?;
            let Some(proof) = &mut self.proof else {
                return Ok(None);
            };
            if !bytes.is_empty() {
                proof.hasher.update(&bytes);
                match proof.held.replace(bytes) {
                    Some(before) => return Ok(Some(before)),
                    None => continue,
                }
            }
            if Hash::from(proof.hasher.finalize()) != self.hash {
                return Err(corrupt(format!("object {} has other content", self.hash)));
            }
            self.checked.insert(self.hash);
            let last = proof.held.take();
            (self.proof, self.left) = (None, 0);
            return Ok(last);
        }
    }

    /// Reads the whole object through, unless this process has.
    fn prove(&self, wanted: &Wanted) -> Result<()> {
        if self.checked.contains(&self.hash) {
            return Ok(());
        }
        read_whole(&*self.objects, &self.hash, &mut |_| {
            let gone = || Error::conflict("the reader went away");
            wanted.is_wanted().then_some(()).ok_or_else(gone)
        })?;
        self.checked.insert(self.hash);
        Ok(())
    }

    fn read(&mut self, most: usize) -> Result<Bytes> {
        let source = if let Some(source) = &mut self.source {
            source
        } else {
            let mut source = open(&*self.objects, &self.hash)?;
            let failed = |error| io_error(format!("cannot read object {}", self.hash), error);
            source.seek(SeekFrom::Start(self.start)).map_err(failed)?;
            self.source.insert(source)
        };
        let mut buffer = vec![0; most];
        let read = read_some(&mut **source, &mut buffer, &self.hash)?;
        buffer.truncate(read);
        Ok(buffer.into())
    }
}

/// Reads a whole small object, which has `size` bytes, to the end of `buffer`, and checks it.
///
/// # Errors
/// `Internal` when it is missing or its content is not `hash`; nothing of it is in `buffer` then.
pub(crate) fn read_small(
    objects: &dyn Objects,
    (hash, size): (&Hash, u64),
    buffer: &mut Vec<u8>,
) -> Result<()> {
    let start = buffer.len();
    let read = open(objects, hash)?.take(size + 1).read_to_end(buffer);
    let failed = |error| io_error(format!("cannot read object {hash}"), error);
    let checked = read.map_err(failed).and_then(|_| {
        let is_it = Hash::of(&buffer[start..]) == *hash;
        let other = || corrupt(format!("object {hash} has other content"));
        is_it.then_some(()).ok_or_else(other)
    });
    if checked.is_err() {
        buffer.truncate(start);
    }
    checked
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
