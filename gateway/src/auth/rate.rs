//! Slows down guessing: counts failures by key in a bounded table in memory.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::Mutex,
    time::Duration,
};

use storage::{clock::Clock, ids::UserId};

/// The most keys remembered. When full, what has waited longest is forgotten.
const MOST_KEYS: usize = 10_000;

/// Counts failures of each key; after `allowed` within `wait` the key must wait until `wait` has passed since its last one.
#[derive(Debug)]
pub(crate) struct Failures {
    allowed: u32,
    wait_ms: i64,
    seen: Mutex<HashMap<u64, Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    failures: u32,
    last_ms: i64,
}

impl Failures {
    pub(crate) fn new(allowed: u32, wait: Duration) -> Self {
        Self {
            allowed,
            wait_ms: i64::try_from(wait.as_millis()).unwrap_or(i64::MAX),
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// Counts an attempt in advance, so that parallel guesses cannot slip through, or says how many seconds are left to wait.
    pub(crate) fn attempt(&self, key: u64, clock: &dyn Clock) -> Result<(), u64> {
        let now_ms = clock.now_ms();
        let mut seen = self.lock();
        let entry = seen.get(&key).copied();
        let entry = entry.filter(|seen| now_ms.saturating_sub(seen.last_ms) < self.wait_ms);
        let failures = entry.map_or(0, |seen| seen.failures);
        if failures >= self.allowed {
            let since_ms = now_ms - entry.map_or(now_ms, |seen| seen.last_ms);
            let left_ms = (self.wait_ms - since_ms).clamp(1, self.wait_ms);
            return Err(u64::try_from(left_ms).unwrap_or(0).div_ceil(1000));
        }
        if seen.len() >= MOST_KEYS && !seen.contains_key(&key) {
            forget(&mut seen, now_ms - self.wait_ms);
        }
        let failures = failures + 1;
        seen.insert(
            key,
            Seen {
                failures,
                last_ms: now_ms,
            },
        );
        Ok(())
    }

    /// Forgets the key: the attempt was a good one.
    pub(crate) fn succeeded(&self, key: u64) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Seen>> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Drops what has run out, and the older half of the rest where that is not enough.
fn forget(seen: &mut HashMap<u64, Seen>, before_ms: i64) {
    seen.retain(|_, seen| seen.last_ms > before_ms);
    if seen.len() < MOST_KEYS {
        return;
    }
    let mut times: Vec<i64> = seen.values().map(|seen| seen.last_ms).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    seen.retain(|_, seen| seen.last_ms > median);
}

/// The key of a person who proves the password that they signed in with.
pub(crate) fn key_of_user(user: UserId) -> u64 {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish()
}

/// The key of a name tried from an address. IPv6 counts by /64, which is what one household has.
pub(crate) fn key(name: &str, address: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.to_lowercase().hash(&mut hasher);
    match address {
        IpAddr::V4(address) => address.hash(&mut hasher),
        IpAddr::V6(address) => (address.to_bits() >> 64).hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::clock::Fixed;

    #[test]
    fn too_many_failures_wait_and_then_start_afresh() {
        let clock = Fixed::at(1_000_000);
        let failures = Failures::new(3, Duration::from_mins(1));
        for _ in 0..3 {
            assert_eq!(failures.attempt(1, &clock), Ok(()));
        }
        assert_eq!(failures.attempt(1, &clock), Err(60));
        assert_eq!(failures.attempt(2, &clock), Ok(()));
        clock.advance(59_999);
        assert_eq!(failures.attempt(1, &clock), Err(1));
        clock.advance(1);
        assert_eq!(failures.attempt(1, &clock), Ok(()));
    }

    #[test]
    fn success_forgets_and_a_clock_set_back_locks_nobody_out_for_long() {
        let clock = Fixed::at(1_000_000);
        let failures = Failures::new(1, Duration::from_mins(1));
        assert_eq!(failures.attempt(1, &clock), Ok(()));
        failures.succeeded(1);
        assert_eq!(failures.attempt(1, &clock), Ok(()));
        clock.set(0);
        assert_eq!(failures.attempt(1, &clock), Err(60));
    }

    #[test]
    fn the_table_is_bounded() {
        let clock = Fixed::at(1_000_000);
        let failures = Failures::new(3, Duration::from_hours(1));
        for key in 0..50_000 {
            clock.advance(1);
            failures.attempt(key, &clock).unwrap();
        }
        assert!(failures.lock().len() <= MOST_KEYS);
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let at = |address: &str| key("ada", address.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_ne!(at("2001:db8:0:1::1"), at("2001:db8::1"));
    }
}
