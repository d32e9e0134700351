//! `Kept`: what the bucket itself has, whatever this host has of it. For checks.

use std::collections::HashMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use bytes::{Buf as _, Bytes};

use super::super::{Batch, Hash, Objects, Source, Space};
use super::places::{self, Place};
use super::upload::SMALL_BYTES;
use super::{Remote, fetch};
use crate::bucket::Body;
use crate::{Error, Result};

/// One look at the bucket. What it has learnt of a key it does not ask again.
pub(crate) struct Kept {
    remote: Remote,
    /// How long keys are; none: not there.
    lengths: Mutex<HashMap<String, Option<u64>>>,
    /// What was read last of a shared key: what was put together is looked at together.
    pack: Mutex<Option<Pack>>,
}

impl Kept {
    pub(crate) fn new(remote: &Remote) -> Self {
        Self {
            remote: remote.clone(),
            lengths: Mutex::default(),
            pack: Mutex::default(),
        }
    }

    fn length(&self, place: &Place) -> Result<Option<u64>> {
        let id = &place.at.id;
        if let Some(known) = lock(&self.lengths).get(id) {
            return Ok(*known);
        }
        let head = self.remote.inner.bucket.head(&place.at.name, None);
        let length = self.remote.wait_for(head)?.map(|head| head.bytes);
        lock(&self.lengths).insert(id.clone(), length);
        Ok(length)
    }

    /// The content of something small. With the second thing in a row that is asked of a shared key, the rest of that comes along.
    fn small(&self, place: &Place, length: u64) -> Result<Option<Bytes>> {
        let mut pack = lock(&self.pack);
        let same = pack.as_ref().filter(|pack| pack.id == place.at.id);
        if let Some(content) = same.and_then(|pack| pack.part(place)) {
            return Ok(Some(content));
        }
        let end = place.start + place.bytes;
        let end = if same.is_some() { length } else { end };
        let content = self.remote.wait_for(async {
            let Some(mut body) = fetch::body(&self.remote, &place.at, place.start..end).await?
            else {
                return Ok(None);
            };
            let mut content = Vec::new();
            while let Some(piece) = body.next().await? {
                content.extend_from_slice(&piece);
            }
            Ok::<_, Error>(Some(Bytes::from(content)))
        })?;
        let fresh = content.map(|content| Pack {
            id: place.at.id.clone(),
            start: place.start,
            content,
        });
        let part = fresh.as_ref().and_then(|pack| pack.part(place));
        *pack = fresh;
        Ok(part)
    }
}

/// Some of a shared key.
struct Pack {
    id: String,
    start: u64,
    content: Bytes,
}

impl Pack {
    fn part(&self, place: &Place) -> Option<Bytes> {
        let from = usize::try_from(place.start.checked_sub(self.start)?).ok()?;
        let end = from.checked_add(usize::try_from(place.bytes).ok()?)?;
        (end <= self.content.len()).then(|| self.content.slice(from..end))
    }
}

impl Objects for Kept {
    fn begin(&self) -> Result<Box<dyn Batch>> {
        self.remote.begin()
    }

    fn open(&self, space: Space, hash: &Hash) -> Result<Option<Box<dyn Source>>> {
        let place = self
            .remote
            .wait_for(places::find(self.remote.db(), (space, *hash)))?;
        let Some(place) = place else {
            return Ok(None);
        };
        let length = self.length(&place)?;
        let Some(length) = length.filter(|length| *length >= place.start + place.bytes) else {
            return Ok(None);
        };
        if place.bytes <= SMALL_BYTES {
            let small = self.small(&place, length)?;
            return Ok(small.map(|small| Box::new(Cursor::new(small)) as Box<dyn Source>));
        }
        Ok(Some(Box::new(Long {
            remote: self.remote.clone(),
            place,
            at: 0,
            body: None,
            piece: Bytes::new(),
        })))
    }

    fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>> {
        let place = self
            .remote
            .wait_for(places::find(self.remote.db(), (space, *hash)))?;
        let Some(place) = place else {
            return Ok(None);
        };
        let length = self.length(&place)?;
        Ok(length.map(|length| length.saturating_sub(place.start).min(place.bytes)))
    }

    fn list(
        &self,
        space: Space,
        prefix: u8,
        visit: &mut dyn FnMut(Hash, u64) -> Result<()>,
    ) -> Result<()> {
        self.remote.list(space, prefix, visit)
    }

    fn remove(&self, space: Space, hash: &Hash) -> Result<()> {
        self.remote.remove(space, hash)
    }
}

/// A long object that is read where it lies.
struct Long {
    remote: Remote,
    place: Place,
    at: u64,
    /// What comes from `at` on.
    body: Option<Body>,
    piece: Bytes,
}

impl Long {
    fn more(&mut self) -> Result<Option<Bytes>> {
        let (from, end) = (
            self.place.start + self.at,
            self.place.start + self.place.bytes,
        );
        if from >= end {
            return Ok(None);
        }
        let body = if let Some(body) = &mut self.body {
            body
        } else {
            let asked = fetch::body(&self.remote, &self.place.at, from..end);
            let body = self.remote.wait_for(asked)?;
            self.body
                .insert(body.ok_or_else(|| fetch::absent(&self.place))?)
        };
        self.remote.wait_for(body.next())
    }
}

impl Read for Long {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.more() {
                Ok(Some(piece)) => self.piece = piece,
                Ok(None) => return Ok(0),
                // As the system says it of a disk: nothing is known of the content.
                Err(error) if error.retryable() => {
                    tracing::warn!(%error, "the bucket does not answer");
                    return Err(io::Error::from_raw_os_error(
                        rustix::io::Errno::AGAIN.raw_os_error(),
                    ));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let read = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Long {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.place.bytes.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        (self.body, self.piece) = (None, Bytes::new());
        Ok(self.at)
    }
}

/// Takes a lock whose holders cannot leave what it guards half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
