//! Whether a connection does anything: who sends half a head, or nothing at all, is hung up on. It costs an atomic for each request
//! and one timer for each connection, where a timer for each head would cost more than the rest of reading it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::sleep;

use crate::proxy::{Body, BodyError};

/// What a connection does.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Requests whose answer has not ended.
    busy: AtomicUsize,
    /// Answers that have ended.
    beats: AtomicUsize,
}

/// A request in hand; dropped when its answer has ended.
#[derive(Debug)]
pub(super) struct Busy(Arc<Pulse>);

/// The body of an answer, which keeps its connection busy.
pub(super) struct Answer {
    body: Body,
    _busy: Busy,
}

impl Pulse {
    /// A request was understood.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Completes once no request came or was in hand for `patience`, and at the latest after twice that.
    pub(super) async fn stalled(&self, patience: Duration) {
        loop {
            let before = self.beats.load(Ordering::Relaxed);
            sleep(patience).await;
            let idle = self.busy.load(Ordering::Relaxed) == 0;
            if idle && self.beats.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Busy {
    /// Stays busy until `body` has been sent or given up.
    pub(super) fn until_sent(self, body: Body) -> Answer {
        Answer { body, _busy: self }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_connection_that_never_asks_is_stalled() {
        Pulse::default().stalled(PATIENCE).await;
    }

    #[tokio::test]
    async fn an_answer_that_takes_long_is_no_stall() {
        let pulse = Arc::new(Pulse::default());
        let busy = pulse.begin();
        assert!(
            timeout(PATIENCE * 10, pulse.stalled(PATIENCE))
                .await
                .is_err()
        );
        drop(busy);
        pulse.stalled(PATIENCE).await;
    }
}
