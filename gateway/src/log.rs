//! Log output in batches: a line costs the request that caused it no system call. Lines appear within 50 ms, and all of them at the
//! end. A reader that stalls loses lines, which is said, instead of stalling the service.

mod text;

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

pub(crate) use text::ACCESS;
pub use text::Text;

/// How long lines are collected.
const COLLECT: Duration = Duration::from_millis(50);
/// Bytes that may wait to be written; further lines are dropped.
const LONGEST: usize = 4 << 20;

/// A writer whose lines are written out by a thread of its own. Cheap to clone.
#[derive(Clone)]
pub struct Buffered(Arc<Shared>);

/// Writes out what is left when it is dropped.
pub struct Flush {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    ended: bool,
}

impl Buffered {
    /// Starts writing to `out`. What is written after the [`Flush`] was dropped is lost.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(out: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_out(out))?;
        let flush = Flush {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok((Self(shared), flush))
    }
}

impl Write for Buffered {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.waiting();
        if waiting.lines.len() + line.len() > LONGEST {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.0.more.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut waiting = self.waiting();
            while waiting.lines.is_empty() && !waiting.ended {
                waiting = self
                    .more
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.ended {
                let collected = self
                    .more
                    .wait_timeout_while(waiting, COLLECT, |now| !now.ended);
                waiting = collected.unwrap_or_else(PoisonError::into_inner).0;
            }
            std::mem::swap(&mut lines, &mut waiting.lines);
            let (dropped, ended) = (std::mem::take(&mut waiting.dropped), waiting.ended);
            drop(waiting);
            // There is nowhere to say that the log cannot be written.
            let _ = out.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(
                    out,
                    "{dropped} lines of this log were dropped: it is not read fast enough"
                );
            }
            let _ = out.flush();
            lines.clear();
            if ended {
                return;
            }
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.shared.waiting().ended = true;
        self.shared.more.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there would be nothing left to do.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>, Arc<Mutex<()>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _open = self.1.lock().unwrap();
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_at_the_end() {
        let sink = Sink::default();
        let (log, flush) = Buffered::new(sink.clone()).unwrap();
        let expected: String = (0..10_000).map(|line| line.to_string() + "\n").collect();
        for line in expected.lines() {
            writeln!(log.clone(), "{line}").unwrap();
        }
        drop(flush);
        assert_eq!(
            String::from_utf8(sink.0.lock().unwrap().clone()).unwrap(),
            expected
        );
    }

    #[test]
    fn a_reader_that_stalls_holds_up_nobody_and_memory_stays_bounded() {
        let sink = Sink::default();
        let held = sink.1.lock().unwrap();
        let (mut log, flush) = Buffered::new(sink.clone()).unwrap();
        let line = vec![b'x'; 1 << 16];
        for _ in 0..1000 {
            log.write_all(&line).unwrap();
        }
        assert!(log.0.waiting().lines.len() <= LONGEST);
        drop(held);
        drop(flush);
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.contains("lines of this log were dropped"),
            "{}",
            text.len()
        );
    }
}
