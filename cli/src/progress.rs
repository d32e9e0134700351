//! Progress on stderr, where that is a terminal; elsewhere nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a moving picture moves.
const TICK: Duration = Duration::from_millis(120);

/// A line that says what is being waited for. It goes away when dropped.
#[derive(Debug)]
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// A spinner that says nothing yet.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Says what is being waited for now.
    pub(crate) fn say(&self, text: String) {
        self.0.set_message(text);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar that fills with bytes. It goes away when dropped.
#[derive(Debug)]
pub(crate) struct Bytes(ProgressBar);

impl Bytes {
    /// An empty bar of `total` bytes.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        );
        let bar = ProgressBar::new(total)
            .with_style(style.expect("the template is well formed"))
            .with_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Says how much there is.
    pub(crate) fn expect(&self, total: u64) {
        self.0.set_length(total);
    }

    /// Adds what has been sent or received.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes back what has to be sent or received again.
    pub(crate) fn undo(&self, bytes: u64) {
        self.0.set_position(self.0.position().saturating_sub(bytes));
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
