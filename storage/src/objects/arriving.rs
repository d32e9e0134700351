//! Content that comes from a bucket, on its way into this host's files: through a few pieces in memory.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::{Batch as _, Files, Hash, blocking};
use crate::Result;
use crate::bucket::Body;

/// Keeps content if it is what `hash` says, and says whether it is.
///
/// # Errors
/// `Unavailable` where it is cut short, or the disk is full.
pub(super) async fn keep(files: &Files, hash: Hash, mut body: Body) -> Result<bool> {
    let (send, receive) = mpsc::channel(4);
    let files = files.clone();
    let keep = blocking(move || {
        let batch = files.stage()?;
        let mut pieces = Pieces {
            receive,
            piece: Bytes::new(),
        };
        let (found, _) = batch.put(&mut pieces)?;
        if found == hash {
            drop(Box::new(batch).commit()?);
        }
        Ok(found == hash)
    });
    // Ends the pieces without a last one where the bucket fails: that is no end of the content.
    let pass_on = async move {
        loop {
            let piece = body.next().await?;
            let is_end = piece.is_none();
            // Whoever keeps it says why they went away.
            if send.send(piece).await.is_err() || is_end {
                return Ok(());
            }
        }
    };
    let (kept, passed_on) = tokio::join!(keep, pass_on);
    passed_on.and(kept)
}

/// What comes, to be read where one may block.
struct Pieces {
    receive: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receive.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => return Ok(0),
                None => return Err(io::Error::other("what was to be brought was given up")),
            }
        }
        let read = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
