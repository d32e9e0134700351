//! Carries the text of running cells to this process's stdout and stderr: whole, in order, flushed, never on an async thread.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

/// One stream of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// How much waits for a slow reader: this many pieces of this size.
const QUEUE: usize = 64;
const PIECE_BYTES: usize = 256 * 1024;

type Piece = (Stream, Vec<u8>);

/// The writing end; clones write to the same streams.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pieces: mpsc::Sender<Piece>,
}

/// The thread behind a [`Sink`].
#[derive(Debug)]
pub(crate) struct Writer {
    thread: JoinHandle<()>,
    done: Arc<AtomicBool>,
}

impl Sink {
    pub(crate) fn start() -> io::Result<(Self, Writer)> {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let done = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&done);
        let work = move || {
            write_all(queue);
            finished.store(true, Ordering::Release);
        };
        let thread = std::thread::Builder::new()
            .name("output".into())
            .spawn(work)?;
        Ok((Self { pieces }, Writer { thread, done }))
    }

    /// Queues `bytes`; waits while the reader of the stream is behind. Dropping the future may leave out what was not queued.
    pub(crate) async fn write(&self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_BYTES) {
            // The thread ends only after every sink is gone.
            let _ = self.pieces.send((stream, piece.to_vec())).await;
        }
    }

    /// Queues a line of our own for stderr.
    pub(crate) async fn say(&self, line: &str) {
        self.write(Stream::Stderr, format!("{line}\n").as_bytes())
            .await;
    }
}

impl Writer {
    /// Waits until all is written, at most `limit`: a reader that has stopped reading must not keep the run from ending.
    ///
    /// Every [`Sink`] must be gone.
    pub(crate) async fn finish(self, limit: Duration) {
        let until = tokio::time::Instant::now() + limit;
        while !self.done.load(Ordering::Acquire) {
            if tokio::time::Instant::now() >= until {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = self.thread.join();
    }
}

fn write_all(mut queue: mpsc::Receiver<Piece>) {
    // Where a stream is closed its text is let go: the notebook still has it.
    let mut closed = [false; 2];
    while let Some((stream, bytes)) = queue.blocking_recv() {
        let (slot, written) = match stream {
            Stream::Stdout if !closed[0] => (0, put(io::stdout().lock(), &bytes)),
            Stream::Stderr if !closed[1] => (1, put(io::stderr().lock(), &bytes)),
            _ => continue,
        };
        if written.is_err() {
            closed[slot] = true;
        }
    }
}

fn put(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
