//! The database: opening it, reading, transactions and their retries, and the news of what was written.
//! The only file tree that knows which of the two databases is below; it must not know any table but `counters` and `events`.

mod many;
mod open;
mod read;
mod snapshot;
mod tables;
mod tx;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::AnyPool;
use tokio::sync::watch as channel;

use crate::clock::Clock;
use crate::error::{Error, Result};

pub(crate) use many::Many;
#[cfg(test)]
pub(crate) use open::migrate_to;
pub(crate) use open::newest_version;
pub use read::Read;
pub(crate) use read::{Query, Record, Row, all, execute, optional, required, select_in, sql};
pub(crate) use snapshot::Snapshot;
pub(crate) use tables::{Column, insert};
pub use tx::Tx;

/// How often a transaction is made again after the database gave it up in favour of another.
const RETRIES: u32 = 12;

/// A database that is open. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    backend: Backend,
    readers: AnyPool,
    writer: AnyPool,
    clock: Arc<dyn Clock>,
    news: channel::Sender<i64>,
    watcher: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

impl Db {
    /// Opens the database at `url`, creates it where that is a file that is missing, and brings its tables up to date.
    ///
    /// `url` is `sqlite:PATH` (see [`Db::sqlite_url`]) or `postgres://…`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `Invalid` for another kind of URL, `Unavailable` where the database cannot be reached, `Internal` where a migration fails.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_at(url, clock, newest_version()).await
    }

    /// The same with its tables as they were at a version, unless they are newer: for records from then. Close it and open it anew for all else.
    pub(crate) async fn open_at(url: &str, clock: Arc<dyn Clock>, version: i64) -> Result<Self> {
        Self::over(url, clock, open::pools(url, version).await?).await
    }

    /// Opens a database that a server uses, and leaves its tables as they are.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Conflict` where its tables are not of this program's version, else as [`Db::open`].
    pub async fn open_existing(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::over(url, clock, open::existing(url).await?).await
    }

    /// Opens a database to look at, whoever's it is: nothing is made or changed, nor told of what others write. None where its file is missing.
    pub(crate) async fn look(url: &str, clock: Arc<dyn Clock>) -> Result<Option<Self>> {
        let Some(pools) = open::look(url).await? else {
            return Ok(None);
        };
        let (news, _) = channel::channel(0);
        let watcher = tokio::spawn(std::future::ready(()));
        Ok(Some(Self::of(pools, clock, (news, watcher))))
    }

    async fn over(url: &str, clock: Arc<dyn Clock>, pools: open::Pools) -> Result<Self> {
        let newest = watch::newest(&pools.readers).await?;
        let (news, _) = channel::channel(newest);
        let listen = (pools.backend == Backend::Postgres).then(|| url.to_owned());
        let watcher = tokio::spawn(watch::watch(pools.readers.clone(), news.clone(), listen));
        Ok(Self::of(pools, clock, (news, watcher)))
    }

    fn of(
        pools: open::Pools,
        clock: Arc<dyn Clock>,
        (news, watcher): (channel::Sender<i64>, tokio::task::JoinHandle<()>),
    ) -> Self {
        let open::Pools {
            backend,
            readers,
            writer,
        } = pools;
        Self(Arc::new(Inner {
            backend,
            readers,
            writer,
            clock,
            news,
            watcher,
        }))
    }

    /// The URL of the SQLite database in the file `path`.
    ///
    /// # Errors
    /// `Invalid` for a path that is not UTF-8.
    pub fn sqlite_url(path: &std::path::Path) -> Result<String> {
        open::sqlite_url(path)
    }

    /// The clock that dates everything written here.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The time now, in milliseconds UTC, by the clock of this database.
    pub fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Carries out `work` in one transaction: all of it is kept, durably, or nothing.
    ///
    /// `db.write(|mut tx| async move { jobs::create(&mut tx, new).await }).await`: what the work needs is captured by reference.
    ///
    /// `work` may run several times (PostgreSQL gives up one of two transactions that wait for each other), so it must have no effect but
    /// through `tx`. An `Err` from it undoes everything. Dropping the future before it is ready undoes everything too, unless the
    /// commit was already under way.
    ///
    /// # Errors
    /// Those of `work`; `Unavailable` if the database did not answer. After an `Unavailable` of the commit itself it is unknown whether the
    /// work was kept, so what is called again must be safe to repeat.
    pub fn write<'a, T, W, F>(&'a self, work: W) -> BoxFuture<'a, Result<T>>
    where
        T: Send + 'a,
        W: Fn(Tx) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        // Boxed: the compiler cannot see through the nested futures that the whole is `Send`.
        Box::pin(self.write_until_kept(work))
    }

    async fn write_until_kept<T, W, F>(&self, work: W) -> Result<T>
    where
        W: Fn(Tx) -> F,
        F: Future<Output = Result<T>>,
    {
        let mut tries = 0;
        loop {
            let failure = match self.write_once(&work).await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            tries += 1;
            if tries > RETRIES || !open::gave_way(&failure) {
                return Err(failure);
            }
            tokio::time::sleep(backoff(tries)).await;
        }
    }

    async fn write_once<T, W, F>(&self, work: &W) -> Result<T>
    where
        W: Fn(Tx) -> F,
        F: Future<Output = Result<T>>,
    {
        let (tx, lent) = Tx::begin(&self.0).await?;
        let done = work(tx).await;
        let open = lent.take()?;
        if done.is_err() {
            open.undo().await;
            return done;
        }
        if let Some(newest) = open.commit().await? {
            watch::tell(&self.0.news, newest);
        }
        done
    }

    /// The number of the newest event, and a wake-up when there is a newer one.
    ///
    /// Wakes after every transaction of this process that recorded an event, and within about a second (at once on PostgreSQL) of one in
    /// another process. A receiver that is late sees only the newest number; read what lies between with `events::after`.
    /// Copy the number out of `borrow` before any `await`: while it is borrowed, writers wait.
    pub fn changed(&self) -> channel::Receiver<i64> {
        self.0.news.subscribe()
    }

    /// Whether other processes, on this machine or another, may work with this database at the same time.
    pub fn is_shared(&self) -> bool {
        self.0.backend == Backend::Postgres
    }

    /// Whether the database answers. For readiness checks.
    ///
    /// # Errors
    /// `Unavailable` if it does not.
    pub async fn ping(&self) -> Result<()> {
        watch::newest(&self.0.readers).await.map(|_| ())
    }

    /// Closes every connection, after the work under way. Later calls fail with `Unavailable`.
    pub async fn close(&self) {
        self.0.watcher.abort();
        self.0.readers.close().await;
        self.0.writer.close().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("backend", &self.0.backend)
            .finish_non_exhaustive()
    }
}

/// Waits longer after each try, and never the same time as the transaction it collided with.
fn backoff(tries: u32) -> Duration {
    let mut random = [0_u8; 1];
    // Without randomness the wait is only less well spread.
    let _spread = getrandom::fill(&mut random);
    let ceiling_ms = 1_u64 << tries.min(8);
    Duration::from_millis(ceiling_ms + u64::from(random[0]) * ceiling_ms / 256)
}

/// Turns a failure of the database into what a caller can do about it.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    open::failed(error)
}
