//! A short vigil after a tunnel moved bytes: the runtime looks for events again at once instead of going to sleep, because the answer to a
//! message mostly comes sooner than a sleeping processor wakes up. One tunnel keeps it for all of them, so that it costs one processor a
//! moment and never more, however many tunnels there are.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Context,
    time::{Duration, Instant},
};

/// How long, after the last bytes.
const MOMENT: Duration = Duration::from_micros(100);

/// Whether some tunnel of this process keeps the vigil now.
static KEPT: AtomicBool = AtomicBool::new(false);

/// A tunnel's part in it.
#[derive(Default)]
pub(super) struct Vigil {
    until: Option<Instant>,
}

impl Vigil {
    /// Bytes were moved: keeps the vigil from now on, unless another tunnel does.
    pub(super) fn begin(&mut self) {
        if self.until.is_some() || !KEPT.swap(true, Ordering::Relaxed) {
            self.until = Some(Instant::now() + MOMENT);
        }
    }

    /// Has the task polled again as soon as the runtime has looked for events, as long as the vigil is kept.
    pub(super) fn keep(&mut self, cx: &mut Context<'_>) {
        match self.until {
            Some(until) if Instant::now() < until => {
                // Its first poll asks for another one, and is all that is wanted of it.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
            }
            _ => self.end(),
        }
    }

    fn end(&mut self) {
        if self.until.take().is_some() {
            KEPT.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.end();
    }
}
