//! A file that is written from front to back, while a few bytes further in front are filled in later.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Most of what is filled in later lies among the last written.
const HELD_BYTES: usize = 4 << 20;

pub(super) struct Output<'a> {
    file: &'a File,
    held: Vec<u8>,
    /// Where what is held begins.
    start: u64,
}

impl<'a> Output<'a> {
    /// Begins at `start`; what lies before it is filled in later.
    pub(super) fn new(file: &'a File, start: u64) -> Self {
        Self {
            file,
            held: Vec::with_capacity(HELD_BYTES),
            start,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.start + self.held.len() as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.held.len() + bytes.len() > HELD_BYTES {
            self.flush()?;
        }
        if bytes.len() > HELD_BYTES {
            self.file.write_all_at(bytes, self.start)?;
            self.start += bytes.len() as u64;
            return Ok(());
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Fills up to `position`, less than two blocks further, with nothing.
    pub(super) fn skip_to(&mut self, position: u64) -> io::Result<()> {
        let gap = position - self.position();
        let nothing = [0; 2 * super::BLOCK_BYTES];
        let gap = usize::try_from(gap).expect("it is less than two blocks");
        self.write(&nothing[..gap])
    }

    /// Writes what lies before the position.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = at + bytes.len() as u64;
        if end <= self.start {
            return self.file.write_all_at(bytes, at);
        }
        if at < self.start {
            self.flush()?;
            return self.file.write_all_at(bytes, at);
        }
        let from = usize::try_from(at - self.start).expect("it is in memory");
        self.held[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.held, self.start)?;
        self.start += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }
}
