//! Log lines as the API shows them, made of the spawner's records. Knows nothing of where the bytes come from.

use serde::Serialize;
use spawner::log::Record;

/// Which stream of the process a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// Cairn itself: what it did to the run.
    System,
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Byte offset of the record in the log; stable for ever, so a link to it holds.
    pub offset: u64,
    /// When it was written, in ms since 1970 UTC.
    pub ms: i64,
    /// Where it came from.
    pub stream: Stream,
    /// The text without its newline; bytes that are not UTF-8 are shown as U+FFFD.
    pub text: String,
    /// True where the line goes on in a later record of the same stream.
    pub partial: bool,
}

/// A run of lines, and where the next one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The lines, oldest first.
    pub items: Vec<Line>,
    /// Offset to ask for next.
    pub next: u64,
    /// True where nothing will follow `next`.
    pub ended: bool,
}

impl From<Record<'_>> for Line {
    fn from(record: Record<'_>) -> Self {
        Self {
            offset: record.offset,
            ms: record.ms,
            stream: match record.stream {
                spawner::log::Stream::Stdout => Stream::Stdout,
                spawner::log::Stream::Stderr => Stream::Stderr,
                spawner::log::Stream::System => Stream::System,
            },
            text: String::from_utf8_lossy(record.text).into_owned(),
            partial: record.partial,
        }
    }
}
