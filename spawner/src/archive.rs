//! Archives for the container engine, written piece by piece as the engine takes them: nothing is held in memory.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const PIECE: usize = 64 * 1024;

/// An archive under way to the engine.
pub(crate) type Archive = tar::Builder<io::BufWriter<Pieces>>;

/// An archive as the body of a request, filled by `write` on a thread of its own that never gets far ahead of the engine. The task tells how
/// the writing ended.
pub(crate) fn stream(
    write: impl FnOnce(&mut Archive) -> io::Result<()> + Send + 'static,
) -> (
    impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    JoinHandle<io::Result<()>>,
) {
    let (pieces, taken) = mpsc::channel(4);
    let work = move || {
        let end = pieces.clone();
        let whole = || -> io::Result<()> {
            let mut tar = tar::Builder::new(io::BufWriter::with_capacity(PIECE, Pieces(pieces)));
            write(&mut tar)?;
            tar.into_inner()?.flush()
        };
        let result = whole();
        if let Err(error) = &result {
            // Half an archive must not pass for a whole one. Nobody listens if the engine has given up.
            let _ = end.blocking_send(Err(io::Error::other(error.to_string())));
        }
        result
    };
    let sending = tokio::task::spawn_blocking(work);
    let body = stream::unfold(taken, |mut taken| async move {
        taken.recv().await.map(|piece| (piece, taken))
    });
    (body, sending)
}

/// Adds a file with these bytes.
pub(crate) fn file(tar: &mut Archive, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
}

/// Where an archive is written to.
pub(crate) struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Ok(Bytes::copy_from_slice(bytes));
        self.0
            .blocking_send(piece)
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
