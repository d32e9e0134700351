//! `Remote`: objects in an S3 bucket, with the local store of this host in front of them as a cache.
//!
//! Rows say where things lie (`places`); the bucket is never listed, and nothing rests on conditional requests. A key is written once, under a
//! name of its own, so that no late request can harm what came after it. In order, for what a batch puts:
//!
//! 1. It is staged and published on this host, as in a local store, and claimed.
//! 2. What no row places is written under new keys, which are *staged* on record before anything is sent. Small things share a key.
//! 3. One transaction for each key makes it *live* and places what is in it; what somebody else has placed meanwhile stays theirs.
//! 4. The caller's transaction records who refers to it. `record` looks there once more that all of it is placed, for a collection on another host
//!    knows nothing of claims here.
//!
//! A sweep takes places away in the transaction that takes the condemnation; a key with nothing in it is *doomed* by the same, and removed from the
//! bucket a day later: whoever was told of a place can still read it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use tokio::runtime::{Handle, Runtime};

use super::files::Files;
use super::{Batch, Hash, Key, Objects, Source, Space};
use crate::Result;
use crate::bucket::{Abilities, Bucket};
use crate::db::Db;
use crate::materialise::Builds;

mod batch;
mod fetch;
mod kept;
mod places;
mod unused;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use kept::Kept;
pub(crate) use places::{all_placed, displace, is_in_use, nodes_placed};

/// Something that a check looks at, and where it lay when that began.
pub(crate) struct Lost(Key, Option<places::Place>);

/// Objects in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    files: Files,
    bucket: Bucket,
    abilities: Abilities,
    db: Db,
    /// Waits for requests on threads that may block, which must not be those that the requests need.
    runtime: Handle,
    /// What is being brought: once for all who want it.
    coming: Builds<Key>,
}

/// The threads on which requests to buckets go on, whatever waits for them elsewhere: with those of the caller they would wait for each other.
#[expect(clippy::expect_used, reason = "a process without threads cannot go on")]
pub(super) fn runtime() -> Handle {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bucket")
            .enable_all()
            .build()
            .expect("the system has threads for requests to buckets")
    });
    RUNTIME.handle().clone()
}

impl Remote {
    /// Tries the bucket, and keeps there what comes in.
    ///
    /// # Errors
    /// As [`Bucket::probe`].
    pub async fn open(files: Files, bucket: Bucket, db: Db) -> Result<Self> {
        let abilities = bucket.probe().await?;
        tracing::info!(?bucket, ?abilities, "objects are kept in a bucket");
        let inner = Inner {
            files,
            bucket,
            abilities,
            db,
            runtime: runtime(),
            coming: Builds::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        &self.inner.bucket
    }

    /// Takes the place away of what is lost in the bucket, and writes it there anew where this host has it. Blocks.
    ///
    /// # Errors
    /// `Unavailable` where the bucket does not answer.
    pub(crate) fn replace(&self, lost: Lost, has_it: bool) -> Result<()> {
        let Lost(key, place) = lost;
        if let Some(place) = &place {
            let set_off = |mut tx: crate::db::Tx| async move {
                places::set_off(&mut tx, key, &place.at).await
            };
            self.wait_for(self.db().write(set_off))?;
        }
        if has_it {
            self.wait_for(upload::upload(self, &[key]))?;
        }
        Ok(())
    }

    /// Where something lies now, should that turn out to be lost. Blocks.
    pub(crate) fn suspect(&self, key: Key) -> Result<Lost> {
        let place = self.wait_for(places::find(self.db(), key))?;
        Ok(Lost(key, place))
    }

    /// Those of these that have a place in the bucket. Blocks.
    pub(super) fn placed(&self, keys: &[Key]) -> Result<HashSet<Key>> {
        self.wait_for(places::placed(self.db(), keys))
    }

    fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Waits where one may block, and also on a thread that others of the runtime's tasks want.
    fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.inner.runtime.block_on(future))
    }
}

impl Objects for Remote {
    fn begin(&self) -> Result<Box<dyn Batch>> {
        Ok(Box::new(batch::Sending::begin(self)?))
    }

    fn open(&self, space: Space, hash: &Hash) -> Result<Option<Box<dyn Source>>> {
        let files = &self.inner.files;
        if let Some(here) = files.open(space, hash)? {
            return Ok(Some(here));
        }
        let place = self.wait_for(places::find(self.db(), (space, *hash)))?;
        let Some(place) = place else {
            return Ok(None);
        };
        let coming = self.inner.coming.lock((space, *hash));
        let _alone = self.wait_for(coming.lock_owned());
        if let Some(here) = files.open(space, hash)? {
            return Ok(Some(here));
        }
        self.wait_for(fetch::fetch(self, vec![place]))?;
        files.open(space, hash)
    }

    fn size(&self, space: Space, hash: &Hash) -> Result<Option<u64>> {
        if let Some(size) = self.inner.files.size(space, hash)? {
            return Ok(Some(size));
        }
        let place = self.wait_for(places::find(self.db(), (space, *hash)))?;
        Ok(place.map(|place| place.bytes))
    }

    fn list(
        &self,
        space: Space,
        prefix: u8,
        visit: &mut dyn FnMut(Hash, u64) -> Result<()>,
    ) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.wait_for(places::page(self.db(), space, prefix, &after))?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = last.to_hex();
            page.into_iter()
                .try_for_each(|(hash, bytes)| visit(hash, bytes))?;
        }
    }

    fn remove(&self, space: Space, hash: &Hash) -> Result<()> {
        let key = (space, *hash);
        if self.wait_for(places::find(self.db(), key))?.is_some() {
            let work = |mut tx: crate::db::Tx| async move { displace(&mut tx, &[key]).await };
            self.wait_for(self.db().write(work))?;
        }
        self.inner.files.remove(space, hash)
    }

    fn path(&self, hash: &Hash) -> Option<PathBuf> {
        self.inner.files.path(hash)
    }

    fn bring(&self, wanted: &mut dyn Iterator<Item = Result<(Space, Hash)>>) -> Result<()> {
        fetch::bring(self, wanted)
    }
}
