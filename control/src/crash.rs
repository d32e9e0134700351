//! Points at which a test ends this process as suddenly as `kill -9` would. A release has none.

/// Ends the process here where `CAIRN_TEST_CRASH_AT` names the point.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    if std::env::var_os("CAIRN_TEST_CRASH_AT").is_some_and(|at| at == name) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}
