//! Brings adopted content to this host, as copies.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::super::arriving::keep;
use super::super::{Batch as _, Hash, blocking};
use super::{Adopted, Place, REQUESTS};
use crate::Result;

/// What is no longer than this is brought with others, and made durable with them.
const SMALL_BYTES: u64 = 128 << 10;
/// How many are brought like that.
const TOGETHER: usize = 256;

/// Brings what lies at these places.
///
/// # Errors
/// `Internal` where a key is not what was adopted; `Unavailable` where a bucket does not answer.
pub(super) async fn fetch(adopted: &Adopted, places: Vec<Place>) -> Result<()> {
    let (small, long): (Vec<_>, Vec<_>) = places
        .into_iter()
        .partition(|place| place.bytes <= SMALL_BYTES);
    for together in small.chunks(TOGETHER) {
        let requests = together.iter().map(|place| whole(adopted, place));
        let requests = futures_util::stream::iter(requests).buffer_unordered(REQUESTS);
        let contents: Vec<Bytes> = requests.try_collect().await?;
        let files = adopted.inner.files.clone();
        blocking(move || {
            let batch = files.stage()?;
            for content in contents {
                batch.put(&mut &*content)?;
            }
            drop(Box::new(batch).commit()?);
            Ok(())
        })
        .await?;
    }
    let requests = long.iter().map(|place| long_one(adopted, place));
    let requests = futures_util::stream::iter(requests).buffer_unordered(REQUESTS);
    requests.try_collect().await
}

/// Something small, which is what was adopted.
async fn whole(adopted: &Adopted, place: &Place) -> Result<Bytes> {
    let mut body = adopted
        .body(place)
        .await?
        .ok_or_else(|| adopted.lost(place))?;
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        whole.extend_from_slice(&piece);
    }
    if Hash::of(&whole) != place.hash {
        return Err(adopted.lost(place));
    }
    Ok(whole.into())
}

async fn long_one(adopted: &Adopted, place: &Place) -> Result<()> {
    let body = adopted
        .body(place)
        .await?
        .ok_or_else(|| adopted.lost(place))?;
    let is_it = keep(&adopted.inner.files, place.hash, body).await?;
    is_it.then_some(()).ok_or_else(|| adopted.lost(place))
}
