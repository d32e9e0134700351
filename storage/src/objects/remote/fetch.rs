//! Brings what lies in the bucket to this host. What lies together comes together.

use std::io::{self, Read};
use std::ops::Range;

use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::super::{Batch as _, Hash, Key, Objects as _, Space, blocking, corrupt};
use super::Remote;
use super::places::{self, KeyName, Place};
use super::upload::SMALL_BYTES;
use crate::bucket::Body;
use crate::{Error, Result};

/// Things that are asked for together.
const AT_ONCE: usize = 4096;
/// Requests under way.
const REQUESTS: usize = 8;
/// The longest range that one request brings of a shared key.
const RANGE_BYTES: u64 = 8 << 20;
/// What is between two wanted parts of a key comes along if it is no longer than this: a request costs more.
const GAP_BYTES: u64 = 256 << 10;

/// Brings those of `wanted` that are not on this host; those that lie nowhere are passed over. Blocks.
pub(super) fn bring(
    remote: &Remote,
    wanted: &mut dyn Iterator<Item = Result<(Space, Hash)>>,
) -> Result<()> {
    let files = &remote.inner.files;
    let mut lacking: Vec<Key> = Vec::new();
    loop {
        let next = wanted.next().transpose()?;
        let is_end = next.is_none();
        if let Some((space, hash)) = next
            && files.size(space, &hash)?.is_none()
        {
            lacking.push((space, hash));
        }
        if lacking.len() >= AT_ONCE || is_end {
            lacking.sort_unstable();
            lacking.dedup();
            remote.wait_for(async {
                let places = places::find_all(remote.db(), &lacking).await?;
                fetch(remote, places).await
            })?;
            lacking.clear();
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Brings what lies at these places.
///
/// # Errors
/// `Internal` where a key is not there any more, or has other content; `Unavailable` where the bucket does not answer.
pub(super) async fn fetch(remote: &Remote, mut places: Vec<Place>) -> Result<()> {
    places.sort_unstable_by(|one, other| (&one.at, one.start).cmp(&(&other.at, other.start)));
    let requests = ranges(places)
        .into_iter()
        .map(|range| bring_range(remote, range));
    futures_util::stream::iter(requests)
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

/// Parts of one key, in their order.
struct Wanted {
    at: KeyName,
    range: Range<u64>,
    parts: Vec<Place>,
}

/// Joins what lies together.
fn ranges(places: Vec<Place>) -> Vec<Wanted> {
    let mut ranges: Vec<Wanted> = Vec::new();
    for place in places {
        let end = place.start + place.bytes;
        if let Some(last) = ranges.last_mut()
            && last.at == place.at
            && place.start.saturating_sub(last.range.end) <= GAP_BYTES
            && end.saturating_sub(last.range.start) <= RANGE_BYTES
        {
            last.range.end = last.range.end.max(end);
            last.parts.push(place);
            continue;
        }
        ranges.push(Wanted {
            at: place.at.clone(),
            range: place.start..end,
            parts: vec![place],
        });
    }
    ranges
}

async fn bring_range(remote: &Remote, wanted: Wanted) -> Result<()> {
    let body = body(remote, &wanted.at, wanted.range.clone()).await?;
    let body = body.ok_or_else(|| absent(&wanted.parts[0]))?;
    if wanted.range.end - wanted.range.start > RANGE_BYTES.max(SMALL_BYTES) {
        bring_long(remote, wanted, body).await
    } else {
        bring_short(remote, wanted, body).await
    }
}

/// Asks for a range of a key; none where the key is not there.
pub(super) async fn body(remote: &Remote, at: &KeyName, range: Range<u64>) -> Result<Option<Body>> {
    remote.inner.bucket.get(&at.name, range, None).await
}

/// What is said of something whose key is not in the bucket.
pub(super) fn absent(place: &Place) -> Error {
    corrupt(format!(
        "object {} is missing: the bucket has no {:?}",
        place.key.1, place.at.name
    ))
}

async fn bring_short(remote: &Remote, wanted: Wanted, mut body: Body) -> Result<()> {
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        whole.extend_from_slice(&piece);
    }
    let remote = remote.clone();
    blocking(move || {
        let batch = remote.inner.files.stage()?;
        for place in &wanted.parts {
            let from = usize::try_from(place.start - wanted.range.start).unwrap_or(usize::MAX);
            let bytes = usize::try_from(place.bytes).unwrap_or(usize::MAX);
            let content = whole.get(from..).and_then(|rest| rest.get(..bytes));
            let content = content.ok_or_else(|| absent(place))?;
            match place.key.0 {
                Space::Manifests => batch.put_node(&place.key.1, content)?,
                Space::Objects if Hash::of(content) == place.key.1 => {
                    batch.put(&mut &*content)?;
                }
                Space::Objects => return Err(other(place)),
            }
        }
        drop(Box::new(batch).commit()?);
        Ok(())
    })
    .await
}

/// One long object, through a few pieces in memory.
async fn bring_long(remote: &Remote, wanted: Wanted, mut body: Body) -> Result<()> {
    let (send, receive) = mpsc::channel(4);
    let place = wanted.parts.into_iter().next();
    let place = place.ok_or_else(|| Error::fault("a range of the bucket has nothing in it"))?;
    let owned = remote.clone();
    let keep = blocking(move || {
        let batch = owned.inner.files.stage()?;
        let mut pieces = Pieces {
            receive,
            piece: Bytes::new(),
        };
        let (hash, _) = batch.put(&mut pieces)?;
        if hash != place.key.1 {
            return Err(other(&place));
        }
        drop(Box::new(batch).commit()?);
        Ok(())
    });
    // Ends the pieces without a last one where the bucket fails: that is no end of the content.
    let pass_on = async move {
        loop {
            let piece = body.next().await?;
            let is_end = piece.is_none();
            // Whoever keeps it says why they went away.
            if send.send(piece).await.is_err() || is_end {
                return Ok(());
            }
        }
    };
    let (kept, passed_on) = tokio::join!(keep, pass_on);
    passed_on.and(kept)
}

fn other(place: &Place) -> Error {
    corrupt(format!(
        "object {} has other content in the bucket, in {:?}",
        place.key.1, place.at.name
    ))
}

/// What comes, to be read where one may block.
struct Pieces {
    receive: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receive.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => return Ok(0),
                None => return Err(io::Error::other("what was to be brought was given up")),
            }
        }
        let read = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
