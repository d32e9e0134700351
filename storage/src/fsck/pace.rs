//! How fast a check may read, and that it can be stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A check that waits looks this often whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// What was not read within this time may be read later, above the limit.
const BURST: Duration = Duration::from_millis(200);

/// A limit on reading that several checks may share, and a way to stop them. Without a limit by default.
#[derive(Clone, Default)]
pub struct Pace(Arc<Inner>);

#[derive(Default)]
struct Inner {
    bytes_per_s: Option<u64>,
    /// When the next byte may be read.
    next: Mutex<Option<Instant>>,
    stopped: AtomicBool,
}

impl Pace {
    /// At most so many bytes in a second, over any time that is long against a fifth of one.
    pub fn limited(bytes_per_s: u64) -> Self {
        Self(Arc::new(Inner {
            bytes_per_s: Some(bytes_per_s.max(1)),
            ..Inner::default()
        }))
    }

    /// Stops whoever reads at this pace, soon and for good.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// Takes note that so much was read, and waits until more may be. Blocks.
    ///
    /// # Errors
    /// `Conflict` once it was stopped.
    pub(super) fn spend(&self, bytes: u64) -> Result<()> {
        let until = self.0.bytes_per_s.map(|limit| self.until(bytes, limit));
        loop {
            if self.0.stopped.load(Ordering::Relaxed) {
                return Err(Error::conflict("the check was stopped"));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match left {
                Some(left) if !left.is_zero() => std::thread::sleep(left.min(LOOK)),
                _ => return Ok(()),
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a wait need not be exact")]
    fn until(&self, bytes: u64, limit: u64) -> Instant {
        let now = Instant::now();
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let from = next.map_or(now, |next| next.max(now.checked_sub(BURST).unwrap_or(now)));
        let until = from + Duration::from_secs_f64(bytes as f64 / limit as f64);
        *next = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_and_a_stop_ends_a_wait() {
        let pace = Pace::limited(10_000_000);
        let began = Instant::now();
        for _ in 0..30 {
            pace.spend(100_000).unwrap();
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(290), "{took:?}");
        let slow = Pace::limited(1);
        let other = slow.clone();
        let waits = std::thread::spawn(move || other.spend(1_000_000));
        slow.stop();
        assert!(waits.join().unwrap().is_err());
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let began = Instant::now();
        Pace::default().spend(u64::MAX).unwrap();
        assert!(began.elapsed() < Duration::from_millis(50));
    }
}
