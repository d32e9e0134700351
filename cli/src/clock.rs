//! What time it is, for tables. Through storage's clock, the one place that asks the system.

use storage::clock::{Clock as _, System};

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> i64 {
    System.now_ms()
}
