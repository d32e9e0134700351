//! One transaction, and the events that become visible with it.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{Any, AnyConnection, Transaction};

use super::{Backend, Inner, failed, watch};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::events::Notice;

/// A transaction under way, lent by [`Db::write`](super::Db::write) to the work, which gives it back by dropping it.
///
/// It is owned, not borrowed, by the work, because the futures of closures that borrow cannot yet be shown to be `Send`.
pub struct Tx {
    /// Taken out only by `drop`.
    open: Option<Open>,
    home: Lent,
}

/// Where a lent transaction comes back to.
#[derive(Clone, Default)]
pub(super) struct Lent(Arc<Mutex<Option<Open>>>);

/// The transaction itself. Dropping it undoes it.
pub(super) struct Open {
    inner: Transaction<'static, Any>,
    backend: Backend,
    clock: Arc<dyn Clock>,
    now_ms: i64,
    notices: Vec<Notice>,
}

impl Tx {
    pub(super) async fn begin(db: &Inner) -> Result<(Self, Lent)> {
        let inner = match db.backend {
            // Taking the write lock at once leaves no transaction that finds out half-way that it cannot write.
            Backend::Sqlite => db.writer.begin_with("BEGIN IMMEDIATE").await,
            Backend::Postgres => db.writer.begin().await,
        };
        let inner = inner.map_err(failed)?;
        let clock = Arc::clone(&db.clock);
        let now_ms = clock.now_ms();
        let open = Open {
            inner,
            backend: db.backend,
            clock,
            now_ms,
            notices: Vec::new(),
        };
        let home = Lent::default();
        Ok((
            Self {
                open: Some(open),
                home: home.clone(),
            },
            home,
        ))
    }

    /// The time of this transaction: one for all it writes. Milliseconds UTC.
    pub fn now_ms(&self) -> i64 {
        self.open().now_ms
    }

    /// The clock, for making ids.
    pub fn clock(&self) -> &dyn Clock {
        &*self.open().clock
    }

    /// Records an event, which becomes visible when and only when this transaction is kept. Equal ones are recorded once.
    pub fn notice(&mut self, notice: Notice) {
        let notices = &mut self.open_mut().notices;
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }

    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.open_mut().inner
    }

    #[expect(clippy::expect_used, reason = "only drop takes it out")]
    fn open(&self) -> &Open {
        self.open
            .as_ref()
            .expect("a transaction is open until it is dropped")
    }

    #[expect(clippy::expect_used, reason = "only drop takes it out")]
    fn open_mut(&mut self) -> &mut Open {
        self.open
            .as_mut()
            .expect("a transaction is open until it is dropped")
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = self.open.take();
    }
}

impl Lent {
    pub(super) fn take(&self) -> Result<Open> {
        let back = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        back.ok_or_else(|| Error::fault("a transaction outlived the work it was lent to"))
    }
}

impl Open {
    /// Keeps everything; returns the number of the newest event if there is a new one.
    pub(super) async fn commit(mut self) -> Result<Option<i64>> {
        let newest = self.number_events().await.map_err(failed)?;
        self.inner.commit().await.map_err(failed)?;
        Ok(newest)
    }

    pub(super) async fn undo(self) {
        if let Err(error) = self.inner.rollback().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a transaction could not be rolled back; its connection will be closed"
            );
        }
    }

    /// Numbers the events last, so that the lock on their counter is held for an instant only and is the last one taken: whoever sees
    /// number n sees every number below it, and the counter cannot be a part of a deadlock.
    async fn number_events(&mut self) -> sqlx::Result<Option<i64>> {
        let notices = std::mem::take(&mut self.notices);
        let Ok(count @ 1..) = i64::try_from(notices.len()) else {
            return Ok(None);
        };
        let connection: &mut AnyConnection = &mut self.inner;
        let advance =
            "UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value";
        let newest: i64 = sqlx::query_scalar(advance)
            .bind(count)
            .fetch_one(&mut *connection)
            .await?;
        let insert = "INSERT INTO events (number, kind, project_id, user_id, subject, created_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        for (number, notice) in (newest - count + 1..).zip(notices) {
            let query = sqlx::query(insert)
                .bind(number)
                .bind(notice.kind.as_str())
                .bind(notice.project_id)
                .bind(notice.user_id);
            query
                .bind(notice.subject)
                .bind(self.now_ms)
                .execute(&mut *connection)
                .await?;
        }
        if self.backend == Backend::Postgres {
            sqlx::query(watch::NOTIFY).execute(connection).await?;
        }
        Ok(Some(newest))
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("now_ms", &self.now_ms())
            .finish_non_exhaustive()
    }
}
