//! Reads what a walk found into a batch: several files at a time, each in one pass, read again when it changed meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::beneath::Root;
use super::walk::{Found, FoundKind, exhausted, why};
use super::{Reason, Stat};
use crate::Result;
use crate::objects::{Batch, Hash, io_error};

/// How often a file that changes while it is read is read.
const TRIES: usize = 4;
/// Up to this many files are read without other threads.
const FEW: usize = 8;
const MAX_THREADS: usize = 8;

/// A file whose content is in the batch or was there before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) hash: Hash,
    /// The bytes that were stored; may differ from the status of a file that keeps changing.
    pub(crate) size: u64,
    pub(crate) stat: Stat,
    pub(crate) torn: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Taken {
    Kept(Kept),
    Left(Reason),
}

/// Reads the files of `found`; `known` holds the hash of those that need no reading, or is empty. Links are passed over.
pub(crate) fn ingest(
    root: &Root,
    batch: &dyn Batch,
    found: &[Found],
    known: &[Option<Hash>],
) -> Result<Vec<Taken>> {
    let mut taken = Vec::with_capacity(found.len());
    let mut unread = Vec::new();
    for (number, entry) in found.iter().enumerate() {
        let hash = known.get(number).copied().flatten();
        match (&entry.kind, hash) {
            (FoundKind::File { stat }, Some(hash)) => {
                taken.push(Taken::Kept(Kept {
                    hash,
                    size: stat.size,
                    stat: *stat,
                    torn: false,
                }));
            }
            (FoundKind::File { .. }, None) => {
                unread.push(number);
                taken.push(Taken::Left(Reason::Unreadable));
            }
            (FoundKind::Symlink { .. }, _) => taken.push(Taken::Left(Reason::Symlink)),
        }
    }
    let read = |number: &usize| take(root, batch, found[*number].place());
    let threads = std::thread::available_parallelism()
        .map_or(2, NonZero::get)
        .clamp(1, MAX_THREADS);
    if unread.len() <= FEW || threads == 1 {
        for number in &unread {
            taken[*number] = read(number)?;
        }
    } else {
        for (number, result) in in_parallel(&unread, threads, &read)? {
            taken[number] = result;
        }
    }
    Ok(taken)
}

fn in_parallel(
    numbers: &[usize],
    threads: usize,
    read: &(dyn Fn(&usize) -> Result<Taken> + Sync),
) -> Result<Vec<(usize, Taken)>> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            match read(number) {
                Ok(taken) => results.push((*number, taken)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            }
        }
        results
    };
    let results = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect::<std::thread::Result<Vec<_>>>()
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let results = results.map_err(|_| crate::Error::fault("a thread that reads files failed"))?;
    Ok(results.into_iter().flatten().collect())
}

fn take(root: &Root, batch: &dyn Batch, path: &[u8]) -> Result<Taken> {
    for attempt in 1..=TRIES {
        let file = match root.file(path) {
            Ok(file) => file,
            Err(error) if exhausted(&error) => {
                return Err(io_error("cannot open a file to capture", error));
            }
            Err(error) => return Ok(Taken::Left(why(&error))),
        };
        let Ok(before) = file.metadata() else {
            return Ok(Taken::Left(Reason::Unreadable));
        };
        if !before.is_file() {
            // It was a file when it was listed.
            return Ok(Taken::Left(Reason::Vanished));
        }
        let stat = Stat::from(&before);
        let mut body = Body {
            left: stat.size,
            file,
            stat,
            last: attempt == TRIES,
            end: End::Open,
        };
        match (batch.put(&mut body), body.end) {
            (Ok((hash, size)), end) => {
                return Ok(Taken::Kept(Kept {
                    hash,
                    size,
                    stat,
                    torn: end == End::Torn,
                }));
            }
            (Err(_), End::Torn) => {}
            (Err(_), End::Failed) => return Ok(Taken::Left(Reason::Unreadable)),
            (Err(error), End::Open | End::Same) => return Err(error),
        }
    }
    Ok(Taken::Left(Reason::Vanished))
}

/// How reading a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Same,
    Torn,
    Failed,
}

/// A file's bytes up to the size it had when it was opened. Reaching the end fails when the file changed meanwhile, but for the last try.
struct Body {
    file: File,
    left: u64,
    stat: Stat,
    last: bool,
    end: End,
}

impl Body {
    fn finish(&mut self) -> io::Result<usize> {
        let same = self.left == 0
            && self
                .file
                .metadata()
                .is_ok_and(|after| Stat::from(&after) == self.stat);
        self.end = if same { End::Same } else { End::Torn };
        if same || self.last {
            Ok(0)
        } else {
            Err(io::Error::other("the file changed while it was read"))
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 || matches!(self.end, End::Same | End::Torn) {
            return self.finish();
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        match self.file.read(&mut buffer[..most]) {
            Ok(0) => self.finish(),
            Ok(read) => {
                self.left -= read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.end = End::Failed;
                Err(error)
            }
        }
    }
}
