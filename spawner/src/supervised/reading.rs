//! Reads whole records from a log that may be growing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::Context;
use crate::{LogChunk, Result};

/// Longer than any record.
const LEAST_BYTES: usize = 256 << 10;

/// Reads from `offset`; `exited` says that the log was complete before this call.
pub(super) fn read(path: &Path, offset: u64, max_bytes: usize, exited: bool) -> Result<LogChunk> {
    read_records(path, offset, max_bytes, exited)
        .context(|| format!("{} cannot be read", path.display()))
}

fn read_records(path: &Path, offset: u64, max_bytes: usize, exited: bool) -> io::Result<LogChunk> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(LogChunk {
                offset,
                next: offset,
                bytes: Vec::new(),
                ended: exited,
            });
        }
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    let offset = align(&mut file, offset.min(length))?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    (&mut file)
        .take(max_bytes.max(LEAST_BYTES) as u64)
        .read_to_end(&mut bytes)?;
    let read = bytes.len();
    if offset + (read as u64) < length || !exited || read == 0 || bytes.last() == Some(&b'\n') {
        trim(&mut bytes, max_bytes);
    }
    let next = offset + bytes.len() as u64;
    Ok(LogChunk {
        offset,
        next,
        bytes,
        ended: exited && next >= length,
    })
}

/// Cuts after the last whole record within `max_bytes`, or after the first one if that is longer.
fn trim(bytes: &mut Vec<u8>, max_bytes: usize) {
    let within = bytes.len().min(max_bytes);
    let last = bytes[..within].iter().rposition(|b| *b == b'\n');
    let cut = last
        .or_else(|| bytes.iter().position(|b| *b == b'\n'))
        .map_or(0, |n| n + 1);
    bytes.truncate(cut);
}

/// The start of the first record at or after `offset`.
fn align(file: &mut File, offset: u64) -> io::Result<u64> {
    if offset == 0 {
        return Ok(0);
    }
    file.seek(SeekFrom::Start(offset - 1))?;
    let mut bytes = Vec::new();
    file.take(LEAST_BYTES as u64).read_to_end(&mut bytes)?;
    let newline = bytes.iter().position(|b| *b == b'\n');
    Ok(offset + newline.unwrap_or(bytes.len().saturating_sub(1)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"1 o one\n2 e two\n3 o three\n";

    fn chunk(offset: u64, max: usize, exited: bool) -> LogChunk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, LOG).unwrap();
        read(&path, offset, max, exited).unwrap()
    }

    #[test]
    fn reads_whole_records_up_to_the_limit() {
        let got = chunk(0, 17, true);
        assert_eq!((got.next, got.ended), (16, false));
        assert_eq!(
            got.records().map(|r| r.text).collect::<Vec<_>>(),
            [b"one", b"two"]
        );
    }

    #[test]
    fn gives_at_least_one_record() {
        assert_eq!(chunk(0, 1, true).next, 8);
    }

    #[test]
    fn an_offset_inside_a_record_moves_to_the_next() {
        let got = chunk(9, 1000, true);
        assert_eq!((got.offset, got.next, got.ended), (16, 26, true));
        assert_eq!(chunk(8, 1000, true).offset, 8);
    }

    #[test]
    fn the_end_is_told_only_after_the_exit() {
        assert!(!chunk(26, 10, false).ended);
        assert!(chunk(26, 10, true).ended);
        assert!(chunk(1000, 10, true).ended);
    }

    #[test]
    fn an_unfinished_record_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, b"1 o one\n2 o tw").unwrap();
        let got = read(&path, 0, 1000, false).unwrap();
        assert_eq!(got.next, 8);
        assert_eq!(read(&path, got.next, 1000, false).unwrap().bytes, b"");
    }
}
