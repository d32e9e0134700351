//! Garbage collection of the object store: takes away what nothing needs, while everything else goes on.
//!
//! What is needed is said in one place (`holders`): columns of records that hold a manifest or an object, and what is mounted now. A cycle walks
//! through the manifests that are held (`mark`) and compares that with what is there, one first byte of hashes after another (`cycle`). What
//! nothing needs it *condemns*, on record. What the cycle before condemned, and still nothing needs, it *sweeps*. Three things make that
//! right beside any work, with locks that others wait for only while a few hundred rows and files go:
//!
//! - Whatever comes to need something takes its condemnation back in the transaction that records so (`objects::record`).
//! - Work under way *claims* what it puts or meets before it is recorded (`objects::claims`). Put and sweep of one hash hold the same lock, and
//!   the sweep looks at claims and rows again. What was condemned since work began stays while that goes on: it may know it from elsewhere.
//! - A manifest that nothing holds is forgotten by compare-and-set, one cycle after it was condemned; until then it keeps its content.
//!
//! Rows go before files, so that a crash at any point leaves files that nothing names, which are collected like everything else.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Result;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::UserId;
use crate::objects::{Hash, Store, blocking};

mod cycle;
mod holders;
mod last;
mod leftovers;
mod mark;
mod marks;
mod records;
mod report;
mod roots;
mod stuck;
mod sweep;
mod tie;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use last::Faded;
pub use records::{Collection, State, get, is_due, list};
pub use report::{Age, Report, Tally};

pub(crate) use holders::{HELD_OBJECTS, ROOTS};
pub(crate) use mark::shown;
pub(crate) use marks::{Marked, Marks, Need};
pub(crate) use records::newest as newest_cycle;
pub(crate) use tie::{belongs, check as check_tie, is_taken, tie, tie_anew};
pub(crate) use walk::Walk;

/// How a cycle goes about it.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long something must have been condemned before it goes, in milliseconds. Nothing but the comfort of second thoughts depends on it.
    pub interval_ms: i64,
    /// How long damaged objects that were put aside are kept, in milliseconds, counted from when they were put aside.
    pub damaged_ms: i64,
    /// Only says what it would do.
    pub dry: bool,
    /// Who asked; none for the service itself.
    pub by: Option<UserId>,
    /// The manifests that runs on this host see, also such as are no mounts; none where that is not known.
    pub seen: Option<HashSet<Hash>>,
}

impl Default for Options {
    /// A day, and thirty days.
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 3_600_000;
        Self {
            interval_ms: DAY_MS,
            damaged_ms: 30 * DAY_MS,
            dry: false,
            by: None,
            seen: None,
        }
    }
}

/// A cycle that is on record and has not begun its work.
pub struct Begun {
    cycle: cycle::Cycle,
    stop: Stop,
}

/// Begins a cycle: at most one at a time on a store.
///
/// # Errors
/// `Conflict` while another one runs, and where the database is not the store's own.
pub async fn begin(store: &Store, options: Options) -> Result<Begun> {
    tie::check(store).await?;
    let files = store.files().clone();
    let lock = blocking(move || files.collecting()).await?;
    let lock = lock.ok_or_else(|| Error::conflict("the store is being collected already"))?;
    let number = records::begin(store.db(), &options).await?;
    let cycle = cycle::Cycle::new(store.clone(), (number, options), lock);
    let stop = Stop::default();
    Ok(Begun { cycle, stop })
}

/// Records that a cycle was killed, if one was; where another process collects now, that one will.
pub async fn end_killed(store: &Store) -> Result<()> {
    let files = store.files().clone();
    let lock = blocking(move || files.collecting()).await?;
    if lock.is_some() {
        let work = |mut tx: Tx| async move { records::end_killed(&mut tx).await };
        store.db().write(work).await?;
    }
    Ok(())
}

impl Begun {
    /// The number of the cycle.
    pub fn number(&self) -> i64 {
        self.cycle.number()
    }

    /// Tells it to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Carries the cycle out, in small transactions, and records what came of it.
    ///
    /// Dropping the future stops it soon; so does the end of the process, at any point. The next cycle goes on from what was done.
    ///
    /// # Errors
    /// `Conflict` where it was stopped, `Unavailable` where the store or the database cannot be worked with now; what was done until then is done.
    pub async fn run(self) -> Result<Report> {
        let (cycle, stop) = (self.cycle, self.stop);
        let told = Told(stop.clone());
        let done = blocking(move || cycle.run(&stop)).await;
        drop(told);
        done
    }
}

/// Carries out a cycle, see [`begin`] and [`Begun::run`].
pub async fn collect(store: &Store, options: Options) -> Result<Report> {
    begin(store, options).await?.run().await
}

/// Tells a cycle to stop, which it does soon.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Tells it now.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::conflict("the collection was stopped"));
        }
        Ok(())
    }
}

/// Stops the cycle when whoever waits for it goes away.
struct Told(Stop);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.now();
    }
}

/// Tests end the process, or let others go first, at a named step.
use crate::objects::step;
