//! `Store`: objects, their folder on this host and the database, together. What every capture, upload and reader is given.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::read::{Checked, Stream, stream};
use super::{Claim, Content, Files, Hash, Objects};
use crate::db::Db;
use crate::materialise::{Builds, Link};
use crate::{Error, Result};

/// How many manifests are made of others at once.
const COMPOSED_AT_ONCE: usize = 2;

/// The object store of one Cairn. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    files: Files,
    objects: Arc<dyn Objects>,
    checked: Arc<Checked>,
    builds: Builds<(Hash, Link)>,
    /// For manifests that are made of others.
    composing: Arc<Semaphore>,
}

impl Store {
    /// Opens the store in `folder` (`DATA/store`), making it when there is none, and clears what crashes left half-done.
    ///
    /// # Errors
    /// `Invalid` when the folder holds a format that this program does not know.
    pub async fn open(folder: &Path, db: Db) -> Result<Self> {
        let store = Self::new(folder, db).await?;
        crate::gc::tie(&store).await?;
        crate::uploads::clean(&store).await?;
        Ok(store)
    }

    /// Opens the store in `folder` beside the server whose it is: nothing is cleared there.
    ///
    /// # Errors
    /// As [`Store::open`]; `Conflict` where the store or the database is another's.
    pub async fn beside(folder: &Path, db: Db) -> Result<Self> {
        let store = Self::new(folder, db).await?;
        crate::gc::belongs(&store).await?;
        Ok(store)
    }

    async fn new(folder: &Path, db: Db) -> Result<Self> {
        let folder = folder.to_owned();
        let files = blocking(move || Files::open(&folder)).await?;
        let objects: Arc<dyn Objects> = Arc::new(files.clone());
        let inner = Inner {
            db,
            files,
            objects,
            checked: Arc::default(),
            builds: Builds::default(),
            composing: Arc::new(Semaphore::new(COMPOSED_AT_ONCE)),
        };
        let store = Self {
            inner: Arc::new(inner),
        };
        let newest = crate::gc::newest_cycle(store.db()).await?;
        store.files().claims().condemned(newest);
        Ok(store)
    }

    /// The objects.
    pub fn objects(&self) -> &Arc<dyn Objects> {
        &self.inner.objects
    }

    /// The database that knows which objects belong to whom.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Reads an object of `size` bytes, or a range of it cut to its size.
    ///
    /// The last bytes of a whole object come after its hash is proven. A part comes after the object was read through once by this process.
    pub fn read(&self, hash: Hash, size: u64, range: Option<Range<u64>>) -> Content {
        let range = range.unwrap_or(0..size);
        let end = range.end.min(size);
        let range = range.start.min(end)..end;
        let body: Stream = if range.is_empty() {
            Box::pin(futures_util::stream::empty())
        } else {
            stream(
                Arc::clone(&self.inner.objects),
                Arc::clone(&self.inner.checked),
                hash,
                range.clone(),
                size,
            )
        };
        Content {
            hash,
            size,
            range,
            body,
        }
    }

    /// Takes a file of this host in as an object; durable when this returns. Whoever refers to it records that: until then nobody sees it.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full; `Internal` when the file cannot be read.
    pub async fn put_file(&self, path: &Path) -> Result<Stored> {
        let (objects, path) = (Arc::clone(&self.inner.objects), path.to_owned());
        blocking(move || {
            let unread = |error| Error::internal(format!("cannot read {}", path.display()), error);
            put_one(&*objects, &mut std::fs::File::open(&path).map_err(unread)?)
        })
        .await
    }

    /// Takes content in as an object, in the same way.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full.
    pub async fn put(&self, content: Vec<u8>) -> Result<Stored> {
        let objects = Arc::clone(&self.inner.objects);
        blocking(move || put_one(&*objects, &mut &*content)).await
    }

    /// Begins a claim: before asking what the store has already, where the answer is relied on.
    pub async fn claim(&self) -> Result<Claim> {
        let files = self.inner.files.clone();
        blocking(move || files.claim()).await
    }

    /// Reads an object through unless this process has, and checks it. Blocks.
    pub(crate) fn check(&self, hash: &Hash) -> Result<()> {
        self.inner.checked.check(&*self.inner.objects, hash)
    }

    pub(crate) fn files(&self) -> &Files {
        &self.inner.files
    }

    pub(crate) fn composing(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inner.composing)
    }

    pub(crate) fn builds(&self) -> &Builds<(Hash, Link)> {
        &self.inner.builds
    }

    /// The path of something in the store's folder.
    pub(crate) fn within(&self, part: &str) -> PathBuf {
        self.inner.files.root().join(part)
    }
}

/// An object that was put and that nothing refers to yet.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its hash.
    pub hash: Hash,
    /// Its size in bytes.
    pub size: u64,
    /// Keeps it; to be dropped after the transaction that refers to it.
    pub claim: Claim,
}

fn put_one(objects: &dyn Objects, body: &mut dyn Read) -> Result<Stored> {
    let batch = objects.begin()?;
    let (hash, size) = batch.put(body)?;
    let claim = batch.commit()?;
    Ok(Stored { hash, size, claim })
}

/// Waits for what is asked of the database, within blocking work.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}

/// Runs blocking work on the pool for it. Dropping the future lets the work run on to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |error| Error::internal("blocking work ended early", error);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error: tokio::task::JoinError| failed(error))?
}
