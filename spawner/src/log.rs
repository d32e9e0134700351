//! The log file's format: how it is read and written.
//!
//! One record a line: `{unix_ms} {tag} {bytes}\n`. The tag is `o` (stdout), `e` (stderr) or `s` (the supervisor). A capital `O` or `E` is a part
//! of a line whose rest follows in a later record of the same stream; a part is written when a line pauses for 100 ms or exceeds 64 KiB.

/// Whole records read from a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogChunk {
    /// Byte offset of the first record; not before the one asked for.
    pub offset: u64,
    /// Where to go on.
    pub next: u64,
    /// Raw records: see [`records`].
    pub bytes: Vec<u8>,
    /// Whether the run has exited and nothing follows `next`.
    pub ended: bool,
}

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The work's standard output.
    Stdout,
    /// The work's standard error.
    Stderr,
    /// Cairn itself: what it did to the run.
    System,
}

/// One record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Byte offset in the log file.
    pub offset: u64,
    /// When it was read, UTC.
    pub ms: i64,
    /// Who wrote it.
    pub stream: Stream,
    /// Whether its line goes on in a later record of the same stream.
    pub partial: bool,
    /// The text without its newline; any bytes but a newline.
    pub text: &'a [u8],
}

impl LogChunk {
    /// The chunk's records in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        records(&self.bytes, self.offset)
    }
}

/// The records in `bytes`, which begin at byte `offset` of the log. A line that is no record counts as the supervisor's.
pub fn records(bytes: &[u8], offset: u64) -> impl Iterator<Item = Record<'_>> {
    let mut at = offset;
    bytes.split_inclusive(|b| *b == b'\n').map(move |line| {
        let record = parse(line.strip_suffix(b"\n").unwrap_or(line), at);
        at += line.len() as u64;
        record
    })
}

fn parse(line: &[u8], offset: u64) -> Record<'_> {
    fields(line, offset).unwrap_or(Record {
        offset,
        ms: 0,
        stream: Stream::System,
        partial: false,
        text: line,
    })
}

fn fields(line: &[u8], offset: u64) -> Option<Record<'_>> {
    let space = line.iter().position(|b| *b == b' ')?;
    let ms = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let (stream, partial) = match line.get(space + 1)? {
        b'o' => (Stream::Stdout, false),
        b'O' => (Stream::Stdout, true),
        b'e' => (Stream::Stderr, false),
        b'E' => (Stream::Stderr, true),
        b's' => (Stream::System, false),
        _ => return None,
    };
    let text = line.get(space + 2..)?.strip_prefix(b" ")?;
    Some(Record {
        offset,
        ms,
        stream,
        partial,
        text,
    })
}
