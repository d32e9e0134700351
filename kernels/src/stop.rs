//! A request to stop a run, from a signal or from code.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A handle by which a run is asked to stop; clones are the same handle.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Request>>);

#[derive(Debug, Clone, Copy, Default)]
struct Request {
    signal: Option<u8>,
    count: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Request::default())))
    }
}

impl Stop {
    /// Asks the run to stop as `signal` (15 is SIGTERM) would: the running cell is interrupted, the notebook saved.
    ///
    /// A second request ends the kernel at once. The first signal is the one that is reported.
    pub fn request(&self, signal: u8) {
        self.0.send_modify(|request| {
            request.signal.get_or_insert(signal);
            request.count += 1;
        });
    }

    /// Makes SIGTERM, SIGINT and SIGHUP of this process requests, for as long as the process lives.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn on_signals(&self) -> std::io::Result<()> {
        for kind in [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ] {
            let mut signals = signal(kind)?;
            let stop = self.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    stop.request(u8::try_from(kind.as_raw_value()).unwrap_or(15));
                }
            });
        }
        Ok(())
    }

    /// The signal of the first request, if there was one.
    pub(crate) fn signal(&self) -> Option<u8> {
        self.0.borrow().signal
    }

    /// Waits until there have been `count` requests.
    pub(crate) async fn requested(&self, count: u32) {
        let mut requests = self.0.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = requests.wait_for(|request| request.count >= count).await;
    }
}
