//! Learns the content of every key: by reading it once as it goes by, or from what is known of that state of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::list::Key;
use super::{Adoption, Prefix, advance};
use crate::bucket::{Bucket, Pin};
use crate::db::Db;
use crate::objects::{Hash, Place, adopt, known};
use crate::{Error, Result};

/// Keys that are read at once.
const REQUESTS: usize = 8;
/// How often what was learnt is written down, at least.
const TELL: Duration = Duration::from_secs(2);
/// How many are written down at once.
const TOGETHER: usize = 256;
/// How many are looked up at once.
const ASKED: usize = 1024;

/// A file that is known now: its path, and where its content lies.
pub(super) type Found = (String, Place);

/// Learns the content of `keys`. What was learnt is on record also where it ends early.
///
/// # Errors
/// `Conflict` where a key is changed meanwhile, `Unavailable` where the bucket does not answer.
pub(super) async fn gather(
    (db, bucket): (&Db, &Bucket),
    (adoption, prefix): (&Adoption, &Prefix),
    keys: Vec<Key>,
) -> Result<Vec<Found>> {
    let work = Work {
        db,
        bucket,
        adoption,
        name: &prefix.bucket,
        totals: (keys.len() as u64, keys.iter().map(|key| key.bytes).sum()),
        bytes: AtomicU64::new(0),
    };
    let (mut found, unknown) = work.sort_out(keys).await?;
    work.keep(&mut Vec::new(), &mut found).await?;
    let requests = unknown
        .into_iter()
        .map(|(key, known)| work.learn(key, known));
    let mut learnt = futures_util::stream::iter(requests).buffer_unordered(REQUESTS);
    let (mut new, mut told) = (Vec::new(), Instant::now());
    loop {
        match tokio::time::timeout(TELL, learnt.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(one))) => new.push(one),
            Ok(Some(Err(error))) => {
                work.keep(&mut new, &mut found).await?;
                return Err(error);
            }
            Err(_) => {}
        }
        if told.elapsed() >= TELL || new.len() >= TOGETHER {
            work.keep(&mut new, &mut found).await?;
            told = Instant::now();
        }
    }
    work.keep(&mut new, &mut found).await?;
    Ok(found)
}

struct Work<'a> {
    db: &'a Db,
    bucket: &'a Bucket,
    adoption: &'a Adoption,
    /// The bucket's name in the configuration.
    name: &'a str,
    totals: (u64, u64),
    /// Read, or known before.
    bytes: AtomicU64,
}

impl Work<'_> {
    /// Those whose content is known, and the others, some of which were known in some version.
    async fn sort_out(&self, keys: Vec<Key>) -> Result<(Vec<Found>, Vec<(Key, Option<Place>)>)> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for chunk in keys.chunks(ASKED) {
            let names: Vec<String> = chunk.iter().map(|key| key.name.clone()).collect();
            let places = known(self.db, self.name, &names).await?.into_iter();
            let mut places: HashMap<String, Place> =
                places.map(|place| (place.key.clone(), place)).collect();
            for key in chunk {
                let place = places.remove(&key.name);
                let place =
                    place.filter(|place| place.pin.etag == key.etag && place.bytes == key.bytes);
                match place {
                    Some(place) if place.pin.version.is_none() => {
                        self.count(key.bytes);
                        found.push((key.path.clone(), place));
                    }
                    place => unknown.push((key.clone(), place)),
                }
            }
        }
        Ok((found, unknown))
    }

    async fn learn(&self, key: Key, known: Option<Place>) -> Result<Found> {
        if let Some(known) = known {
            let head = self.bucket.head(&key.name, None).await?;
            if head.is_some_and(|head| head.pin == known.pin) {
                self.count(key.bytes);
                return Ok((key.path, known));
            }
        }
        let (hash, version) = self.read(&key).await?;
        let place = Place {
            hash,
            bucket: self.name.to_owned(),
            key: key.name,
            pin: Pin {
                etag: key.etag,
                version,
            },
            bytes: key.bytes,
        };
        Ok((key.path, place))
    }

    /// Reads a key in the state that was listed, and keeps nothing of it but its hash, and the version that it is.
    async fn read(&self, key: &Key) -> Result<(Hash, Option<String>)> {
        let changed = || {
            Error::conflict(format!(
                "{:?} was changed while it was being adopted: adopt again",
                key.name
            ))
        };
        if key.bytes == 0 {
            let head = self.bucket.head(&key.name, None).await?;
            let head = head
                .filter(|head| head.pin.etag == key.etag)
                .ok_or_else(changed)?;
            return Ok((Hash::of(b""), head.pin.version));
        }
        let listed = Pin {
            etag: key.etag.clone(),
            version: None,
        };
        let body = self
            .bucket
            .get(&key.name, 0..key.bytes, Some(&listed))
            .await?;
        let mut body = body.ok_or_else(changed)?;
        let version = body.version().map(str::to_owned);
        let mut hasher = blake3::Hasher::new();
        while let Some(piece) = body.next().await? {
            hasher.update(&piece);
            self.count(piece.len() as u64);
        }
        Ok((hasher.finalize().into(), version))
    }

    fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes down what was learnt, so that it need not be read again, and how far that is.
    async fn keep(&self, new: &mut Vec<Found>, found: &mut Vec<Found>) -> Result<()> {
        let mut places: Vec<Place> = new.iter().map(|(_, place)| place.clone()).collect();
        places.sort_unstable_by_key(|place| place.hash);
        let done = (
            (found.len() + new.len()) as u64,
            self.bytes.load(Ordering::Relaxed),
        );
        let (places, id, totals) = (&places, self.adoption.id, self.totals);
        self.db
            .write(move |mut tx| async move {
                adopt(&mut tx, places).await?;
                advance(&mut tx, id, totals, done).await
            })
            .await?;
        found.append(new);
        Ok(())
    }
}
