//! What time it is, and how times are written. Through storage's clock, the one place that asks the system.

pub(crate) use storage::clock::iso;
use storage::clock::{Clock as _, System};

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> i64 {
    System.now_ms()
}
