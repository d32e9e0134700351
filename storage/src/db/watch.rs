//! Keeps the number of the newest event: told by this process, by PostgreSQL's LISTEN, and by looking every second where neither tells.

use std::time::Duration;

use sqlx::AnyPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch::Sender;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::failed;
use crate::error::{Error, Result};

const CHANNEL: &str = "cairn_events";
pub(super) const NOTIFY: &str = "SELECT CAST(pg_notify('cairn_events', '') AS TEXT)";
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The number of the newest event that is committed.
pub(super) async fn newest(readers: &AnyPool) -> Result<i64> {
    sqlx::query_scalar("SELECT value FROM counters WHERE name = 'events'")
        .fetch_optional(readers)
        .await
        .map_err(failed)?
        .ok_or_else(|| Error::fault("the counter of events is missing"))
}

/// Raises the number that receivers see; it never falls.
pub(super) fn tell(news: &Sender<i64>, number: i64) {
    news.send_if_modified(|seen| {
        let newer = number > *seen;
        if newer {
            *seen = number;
        }
        newer
    });
}

/// Runs until it is aborted. `listen` is the URL of a PostgreSQL database.
pub(super) async fn watch(readers: AnyPool, news: Sender<i64>, listen: Option<String>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ear = Ear {
        url: listen,
        listener: None,
        try_at: Instant::now(),
    };
    loop {
        tokio::select! {
            () = ear.heard() => {}
            _ = ticks.tick() => ear.open().await,
        }
        match newest(&readers).await {
            Ok(number) => tell(&news, number),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot look for new events"
            ),
        }
    }
}

/// The connection that listens, opened again when it is lost.
struct Ear {
    url: Option<String>,
    listener: Option<PgListener>,
    try_at: Instant,
}

impl Ear {
    async fn open(&mut self) {
        let Some(url) = &self.url else { return };
        if self.listener.is_some() || Instant::now() < self.try_at {
            return;
        }
        self.try_at = Instant::now() + LISTEN_AGAIN_AFTER;
        match timeout(LISTEN_AGAIN_AFTER, connect(url)).await {
            Ok(Ok(listener)) => self.listener = Some(listener),
            Ok(Err(error)) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot listen for events; looking every second"
            ),
            Err(_) => tracing::warn!("cannot listen for events in time; looking every second"),
        }
    }

    /// Returns when something was heard or the connection was lost; never without one.
    async fn heard(&mut self) {
        let Some(listener) = &mut self.listener else {
            return std::future::pending().await;
        };
        if !matches!(listener.try_recv().await, Ok(Some(_))) {
            self.listener = None;
        }
    }
}

async fn connect(url: &str) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
