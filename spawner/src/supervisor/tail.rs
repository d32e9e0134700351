//! The last lines of a log, for messages.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::log::{Stream, records};

const BYTES: u64 = 4096;
const LINES: usize = 12;

/// The last lines that the work wrote, as text; empty if there are none or they cannot be read.
pub(super) fn read(path: &Path) -> String {
    let bytes = read_end(path).unwrap_or_default();
    let lines = records(&bytes, 0).filter(|r| r.stream != Stream::System);
    let lines: Vec<_> = lines
        .map(|r| String::from_utf8_lossy(r.text).into_owned())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn read_end(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    if start > 0 {
        let first = bytes
            .iter()
            .position(|b| *b == b'\n')
            .map_or(bytes.len(), |n| n + 1);
        bytes.drain(..first);
    }
    Ok(bytes)
}
