//! `Adopted`: objects that lie in buckets of other people's, as a layer over the store's own.
//!
//! A row says which state of which key is an object. What is read of it comes through this host's files, checked against its hash, as a copy. A key
//! that is not in that state any more is damage; a bucket that does not answer is not. Nothing is ever written to these buckets, or removed there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::runtime::Handle;

use super::files::Files;
use super::{Batch, Hash, Objects, Source, Space, corrupt};
use crate::bucket::{Body, Bucket};
use crate::db::Db;
use crate::{Error, Result};

mod fetch;
mod rows;

pub(crate) use rows::{Place, count_unplaced, insert, known, let_go, tidy};

/// Things that are brought together.
const AT_ONCE: usize = 4096;
/// Requests under way.
const REQUESTS: usize = 8;
/// Content goes by in pieces of about this size between looks at the pace.
const PIECE_BYTES: usize = 1 << 20;

/// The buckets that things are adopted from, by their names in the configuration. Each gives whole keys.
pub type Buckets = BTreeMap<String, Bucket>;

/// What was adopted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Adopted {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    files: Files,
    buckets: Buckets,
    /// Waits for requests on threads that may block.
    runtime: Handle,
}

/// What content goes by.
type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is as it was adopted.
    Same,
    /// There is something else.
    Changed,
    /// There is nothing.
    Gone,
}

impl Adopted {
    pub(super) fn new(db: Db, files: Files, buckets: Buckets) -> Self {
        let inner = Inner {
            db,
            files,
            buckets,
            runtime: super::remote::runtime(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether there is anything, or can be.
    pub(super) async fn is_in_use(&self) -> Result<bool> {
        Ok(!self.inner.buckets.is_empty() || rows::any(&self.inner.db).await?)
    }

    /// A bucket by its name in the configuration.
    ///
    /// # Errors
    /// `Unavailable` where the configuration does not name it any more.
    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket> {
        self.inner.buckets.get(name).ok_or_else(|| {
            Error::unavailable(
                format!("what was adopted from the bucket {name:?} cannot be read"),
                "the configuration has no such bucket any more",
            )
        })
    }

    /// Where an object lies, if it was adopted. Blocks.
    pub(crate) fn find(&self, hash: &Hash) -> Result<Option<Place>> {
        self.wait_for(rows::find(&self.inner.db, hash))
    }

    /// Where that is for people: `s3://BUCKET/KEY`.
    pub(crate) fn uri(&self, place: &Place) -> String {
        let bucket = self.inner.buckets.get(&place.bucket);
        format!(
            "s3://{}/{}",
            bucket.map_or(&*place.bucket, Bucket::name),
            place.key
        )
    }

    /// Looks whether a key is as it was adopted; with `sink` all of it is read through that and hashed. Blocks.
    ///
    /// # Errors
    /// `Unavailable` where the bucket does not answer; whatever `sink` gives.
    pub(crate) fn look(&self, place: &Place, sink: Option<&mut Sink<'_>>) -> Result<State> {
        let state = self.wait_for(self.head(place))?;
        let (State::Same, Some(sink)) = (state, sink) else {
            return Ok(state);
        };
        let Some(mut body) = self.wait_for(self.body(place))? else {
            return Ok(State::Changed);
        };
        let (mut hasher, mut waiting) = (blake3::Hasher::new(), Vec::new());
        while let Some(piece) = self.wait_for(body.next())? {
            waiting.extend_from_slice(&piece);
            if waiting.len() >= PIECE_BYTES {
                hasher.update(&waiting);
                sink(&waiting)?;
                waiting.clear();
            }
        }
        hasher.update(&waiting);
        sink(&waiting)?;
        let is_same = Hash::from(hasher.finalize()) == place.hash;
        Ok(if is_same { State::Same } else { State::Changed })
    }

    /// Looks at many at once; those that were not adopted are left out. Blocks.
    ///
    /// # Errors
    /// `Unavailable` where a bucket does not answer.
    pub(crate) fn look_at(&self, hashes: &[Hash]) -> Result<Vec<(Hash, State)>> {
        self.wait_for(async {
            let places = rows::find_all(&self.inner.db, hashes).await?;
            let looks = places
                .iter()
                .map(|place| async move { Ok((place.hash, self.head(place).await?)) });
            let looks = futures_util::stream::iter(looks).buffer_unordered(REQUESTS);
            looks.try_collect().await
        })
    }

    async fn head(&self, place: &Place) -> Result<State> {
        let bucket = self.bucket(&place.bucket)?;
        let head = bucket
            .head(&place.key, place.pin.version.as_deref())
            .await?;
        Ok(match head {
            None => State::Gone,
            Some(head) if head.bytes == place.bytes && head.pin.etag == place.pin.etag => {
                State::Same
            }
            Some(_) => State::Changed,
        })
    }

    /// Forgets that an object was adopted: this host has it, and keeps it as its own. Blocks.
    pub(crate) fn own(&self, hash: &Hash) -> Result<()> {
        let work = |mut tx: crate::db::Tx| async move { let_go(&mut tx, hash).await };
        self.wait_for(self.inner.db.write(work))
    }

    /// Asks for all of a key; none where it is not in its state any more.
    async fn body(&self, place: &Place) -> Result<Option<Body>> {
        let bucket = self.bucket(&place.bucket)?;
        bucket
            .get(&place.key, 0..place.bytes, Some(&place.pin))
            .await
    }

    /// What is said of a key that is not what was adopted.
    fn lost(&self, place: &Place) -> Error {
        corrupt(format!(
            "object {} was adopted from {}, which was changed or removed since",
            place.hash,
            self.uri(place)
        ))
    }

    /// Waits where one may block, and also on a thread that others of the runtime's tasks want.
    fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.inner.runtime.block_on(future))
    }
}

/// The store's own objects, and what was adopted behind them.
pub(super) struct Layered {
    pub(super) own: Arc<dyn Objects>,
    pub(super) adopted: Adopted,
}

impl Objects for Layered {
    fn begin(&self) -> Result<Box<dyn Batch>> {
        self.own.begin()
    }

    fn open(&self, space: Space, hash: &Hash) -> Result<Option<Box<dyn Source>>> {
        if let Some(own) = self.own.open(space, hash)? {
            return Ok(Some(own));
        }
        let place = match space {
            Space::Objects => self.adopted.find(hash)?,
            Space::Manifests => None,
        };
        let Some(place) = place else {
            return Ok(None);
        };
        self.adopted
            .wait_for(fetch::fetch(&self.adopted, vec![place]))?;
        self.adopted.inner.files.open(space, hash)
    }

    fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>> {
        if let Some(own) = self.own.size(space, hash)? {
            return Ok(Some(own));
        }
        match space {
            Space::Objects => Ok(self.adopted.find(hash)?.map(|place| place.bytes)),
            Space::Manifests => Ok(None),
        }
    }

    fn list(
        &self,
        space: Space,
        prefix: u8,
        visit: &mut dyn FnMut(Hash, u64) -> Result<()>,
    ) -> Result<()> {
        self.own.list(space, prefix, visit)
    }

    fn remove(&self, space: Space, hash: &Hash) -> Result<()> {
        self.own.remove(space, hash)
    }

    fn path(&self, hash: &Hash) -> Option<PathBuf> {
        self.own.path(hash)
    }

    fn bring(&self, wanted: &mut dyn Iterator<Item = Result<(Space, Hash)>>) -> Result<()> {
        loop {
            let some = Iterator::take(&mut *wanted, AT_ONCE);
            let some: Vec<(Space, Hash)> = some.collect::<Result<_>>()?;
            if some.is_empty() {
                return Ok(());
            }
            self.own.bring(&mut some.iter().copied().map(Ok))?;
            let mut lacking = Vec::new();
            for (space, hash) in some {
                let is_here = || self.adopted.inner.files.size(space, &hash);
                if space == Space::Objects && is_here()?.is_none() {
                    lacking.push(hash);
                }
            }
            lacking.sort_unstable();
            lacking.dedup();
            self.adopted.wait_for(async {
                let places = rows::find_all(&self.adopted.inner.db, &lacking).await?;
                fetch::fetch(&self.adopted, places).await
            })?;
        }
    }
}
