//! `Store`: objects, their folder on this host and the database, together. What every capture, upload and reader is given.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use tokio::sync::Semaphore;

use super::adopted::{Adopted, Buckets, Layered};
use super::read::{Checked, Stream, stream};
use super::{Claim, Content, Files, Hash, Kept, Key, Objects, Remote, Space};
use crate::bucket::Bucket;
use crate::db::{Db, optional, sql};
use crate::materialise::{Builds, Link};
use crate::{Error, Result};

/// How many manifests are made of others at once.
const COMPOSED_AT_ONCE: usize = 2;
/// The first version of the tables in which things can lie in a bucket.
pub(crate) const BUCKETS: i64 = 13;
/// The first version in which they can lie in buckets of other people's.
const ADOPTIONS: i64 = 14;

/// Where a store has what is stored.
#[derive(Debug, Clone, Default)]
pub struct KeptIn {
    /// The bucket that keeps it; none: files of this host.
    pub bucket: Option<Bucket>,
    /// The buckets that things are adopted from.
    pub others: Buckets,
}

impl From<Option<Bucket>> for KeptIn {
    fn from(bucket: Option<Bucket>) -> Self {
        let others = Buckets::new();
        Self { bucket, others }
    }
}

/// The object store of one Cairn. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    files: Files,
    objects: Arc<dyn Objects>,
    /// Those that this store keeps itself.
    own: Arc<dyn Objects>,
    /// Those that lie in other buckets, where there are, or can be, any.
    adopted: Option<Adopted>,
    /// The bucket that keeps them, where that is not this host.
    remote: Option<Remote>,
    checked: Arc<Checked>,
    builds: Builds<(Hash, Link)>,
    /// For manifests that are made of others.
    composing: Arc<Semaphore>,
    showing: Showing,
}

/// Held shared while something comes to be shown to somebody, and alone by whoever removes copies that nobody is shown.
#[derive(Clone, Default)]
pub(crate) struct Showing(Arc<RwLock<()>>);

impl Showing {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn try_write(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        match self.0.try_write() {
            Ok(alone) => Some(alone),
            Err(TryLockError::Poisoned(alone)) => Some(alone.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Store {
    /// Opens the store in `folder` (`DATA/store`), making it when there is none, and clears what crashes left half-done.
    ///
    /// # Errors
    /// `Invalid` when the folder holds a format that this program does not know, or what the records name is kept in a bucket.
    pub async fn open(folder: &Path, db: Db) -> Result<Self> {
        Self::open_in(folder, db, None).await
    }

    /// The same with what is stored in a bucket, where one is given: `folder` then holds copies of what is used on this host. So it does of what lies
    /// in the buckets that things are adopted from.
    ///
    /// # Errors
    /// As [`Store::open`], and as [`Bucket::probe`]; `Conflict` where the bucket is another Cairn's, `Invalid` where what the records name is
    /// kept on a host.
    pub async fn open_in(folder: &Path, db: Db, kept: impl Into<KeptIn>) -> Result<Self> {
        let store = Box::pin(Self::new(folder, db, kept.into())).await?;
        Box::pin(crate::gc::tie(&store)).await?;
        crate::uploads::clean(&store).await?;
        Ok(store)
    }

    /// Opens the store in `folder` beside the server whose it is: nothing is cleared there.
    ///
    /// # Errors
    /// As [`Store::open`]; `Conflict` where the store or the database is another's.
    pub async fn beside(folder: &Path, db: Db, kept: impl Into<KeptIn>) -> Result<Self> {
        let store = Box::pin(Self::new(folder, db, kept.into())).await?;
        Box::pin(crate::gc::belongs(&store)).await?;
        Ok(store)
    }

    async fn new(folder: &Path, db: Db, KeptIn { bucket, others }: KeptIn) -> Result<Self> {
        check_kind(&db, bucket.as_ref()).await?;
        let folder = folder.to_owned();
        let files = blocking(move || Files::open(&folder)).await?;
        let remote = match bucket {
            Some(bucket) => Some(Remote::open(files.clone(), bucket, db.clone()).await?),
            None => None,
        };
        let own: Arc<dyn Objects> = match &remote {
            Some(remote) => Arc::new(remote.clone()),
            None => Arc::new(files.clone()),
        };
        let adopted = adopted(&db, &files, others).await?;
        let objects = match &adopted {
            Some(adopted) => Arc::new(Layered {
                own: Arc::clone(&own),
                adopted: adopted.clone(),
            }),
            None => Arc::clone(&own),
        };
        let inner = Inner {
            db,
            files,
            objects,
            own,
            adopted,
            remote,
            checked: Arc::default(),
            builds: Builds::default(),
            composing: Arc::new(Semaphore::new(COMPOSED_AT_ONCE)),
            showing: Showing::default(),
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

    /// What is kept, wherever that is, past all copies on this host: for a check, which is over before what it learnt is old.
    pub(crate) fn kept(&self) -> Arc<dyn Objects> {
        match &self.inner.remote {
            Some(remote) => Arc::new(Kept::new(remote)),
            None => self.own(),
        }
    }

    /// What this store keeps itself, with copies of other things.
    pub(crate) fn own(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.inner.own)
    }

    /// What lies in other buckets; none where there is nothing like that, and can be nothing.
    pub(crate) fn adopted(&self) -> Option<&Adopted> {
        self.inner.adopted.as_ref()
    }

    /// The bucket that keeps the store; none where this host does.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.inner.remote.as_ref()
    }

    /// What mounts and whoever makes room agree by, see [`Showing`].
    pub(crate) fn showing(&self) -> Showing {
        self.inner.showing.clone()
    }

    /// Those of these that have a place in the bucket. Blocks.
    pub(crate) fn placed(&self, keys: &[Key]) -> Result<HashSet<Key>> {
        match &self.inner.remote {
            Some(remote) => remote.placed(keys),
            None => Ok(HashSet::new()),
        }
    }

    /// Claims something, and says whether the store has it. Blocks.
    pub(crate) fn claim_one(&self, claim: &Claim, space: Space, hash: &Hash) -> Result<bool> {
        let look = || self.inner.objects.size(space, hash);
        let found = claim.look(self.files().claims(), (space, *hash), look)?;
        Ok(found.is_some())
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

/// What there is in other buckets, where the tables know of that.
async fn adopted(db: &Db, files: &Files, others: Buckets) -> Result<Option<Adopted>> {
    if db.version().await?.unwrap_or_default() < ADOPTIONS {
        return Ok(None);
    }
    let adopted = Adopted::new(db.clone(), files.clone(), others);
    Ok(adopted.is_in_use().await?.then_some(adopted))
}

/// Refuses records that are of the other kind of store.
async fn check_kind(db: &Db, bucket: Option<&Bucket>) -> Result<()> {
    // Tables may be older where a backup is being restored.
    let version = db.version().await?.unwrap_or_default();
    let in_bucket = version >= BUCKETS && super::is_in_use(db).await?;
    match bucket {
        None if in_bucket => Err(Error::invalid(
            "what the records name is kept in a bucket: give `s3` in the configuration, as the server had it",
        )),
        Some(_) if !in_bucket && !is_empty(db).await? => Err(Error::invalid(
            "what the records name is kept in files: make a backup, and restore it into an empty data directory with `s3` in its configuration",
        )),
        _ => Ok(()),
    }
}

async fn is_empty(db: &Db) -> Result<bool> {
    let text = "SELECT hash FROM objects LIMIT 1";
    Ok(optional::<String>(db, sql(text)).await?.is_none())
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
