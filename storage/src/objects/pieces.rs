//! Streams whose pieces are read on threads that may block, one piece ahead of the reader. A reader that stops holds no thread, and at most that
//! piece.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::blocking;
use super::read::Stream;
use crate::Result;

/// Whether somebody still wants what is read.
pub(crate) struct Wanted(Weak<()>);

impl Wanted {
    /// False once the stream was dropped.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// A stream of what `next` gives of `state`, until it gives nothing or fails. It is called at once, and again whenever a piece was taken. One that
/// takes long looks now and then whether its piece is still wanted.
pub(crate) fn pieces<T: Send + 'static>(
    state: T,
    next: fn(&mut T, &Wanted) -> Result<Option<Bytes>>,
) -> Stream {
    let alive = Arc::new(());
    let wanted = Wanted(Arc::downgrade(&alive));
    let read = move |(mut state, wanted): (T, Wanted)| {
        tokio::spawn(blocking(move || {
            let piece = next(&mut state, &wanted)?;
            Ok(piece.map(|piece| (piece, (state, wanted))))
        }))
    };
    let first = Some(read((state, wanted)));
    Box::pin(futures_util::stream::unfold(
        (first, alive),
        move |(ahead, alive)| async move {
            let piece = ahead?
                .await
                .unwrap_or_else(|error| Err(crate::Error::internal("a piece was not read", error)));
            match piece {
                Ok(None) => None,
                Ok(Some((piece, rest))) => Some((Ok(piece), (Some(read(rest)), alive))),
                Err(error) => Some((Err(error), (None, alive))),
            }
        },
    ))
}
