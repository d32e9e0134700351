//! Brings what lies in the bucket to this host. What lies together comes together.

use std::ops::Range;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::super::arriving::keep;
use super::super::{Batch as _, Hash, Key, Objects as _, Space, blocking, corrupt};
use super::Remote;
use super::places::{self, KeyName, Place};
use super::upload::SMALL_BYTES;
use crate::bucket::Body;
use crate::manifest::is_node;
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
                Space::Manifests if is_node(&place.key.1, content) => {
                    batch.put_node(&place.key.1, content)?;
                }
                Space::Objects if Hash::of(content) == place.key.1 => {
                    batch.put(&mut &*content)?;
                }
                Space::Objects | Space::Manifests => return Err(other(place)),
            }
        }
        drop(Box::new(batch).commit()?);
        Ok(())
    })
    .await
}

/// One long object.
async fn bring_long(remote: &Remote, wanted: Wanted, body: Body) -> Result<()> {
    let place = wanted.parts.into_iter().next();
    let place = place.ok_or_else(|| Error::fault("a range of the bucket has nothing in it"))?;
    let is_it = keep(&remote.inner.files, place.key.1, body).await?;
    is_it.then_some(()).ok_or_else(|| other(&place))
}

fn other(place: &Place) -> Error {
    corrupt(format!(
        "object {} has other content in the bucket, in {:?}",
        place.key.1, place.at.name
    ))
}
