//! A backup as it comes in: its beginning, then file after file. Nothing of it is believed before it is checked.

use std::io::{self, Cursor, Read};

use super::{FORMAT, HEADER, Header, OLDEST_SCHEMA};
use crate::db::newest_version;
use crate::objects::{Hash, io_error};
use crate::{Error, Result};

const BLOCK_BYTES: usize = 512;
/// The most bytes of a file that is read as a whole and says what a backup is.
const MAX_SMALL_BYTES: u64 = 4 << 20;
/// What a file packed with zstd begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A backup whose beginning has been read.
pub struct Incoming {
    pub(super) reader: Reader,
    pub(super) header: Header,
    /// The hash of what it says of itself.
    pub(super) id: Hash,
}

impl Incoming {
    /// Reads the beginning of a backup, packed or not. Blocks.
    ///
    /// # Errors
    /// `Invalid` where this is no backup, or one that this version of Cairn cannot read.
    pub fn open(source: Box<dyn Read + Send>) -> Result<Self> {
        let mut reader = Reader::new(unpacked(source)?);
        let no_backup = || {
            Error::invalid(
                "this is not a backup that `cairn backup` has made, or no more than the beginning of one",
            )
        };
        let first = match reader.next() {
            // It was read, and is no archive.
            Err(Error::Invalid(_)) | Ok(None) => return Err(no_backup()),
            first => first?,
        };
        if first.is_none_or(|(name, _)| name != HEADER) {
            return Err(no_backup());
        }
        let bytes = reader.whole(MAX_SMALL_BYTES)?;
        let id = Hash::of(&bytes);
        reader.note(&id, HEADER);
        let said: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| no_backup())?;
        if said["format"] != FORMAT {
            return Err(Error::invalid(format!(
                "this backup has format {}, made by Cairn {}; this version of Cairn reads format {FORMAT}",
                said["format"],
                said["cairn"].as_str().unwrap_or("?")
            )));
        }
        let header: Header = serde_json::from_value(said).map_err(|_| no_backup())?;
        if header.schema < OLDEST_SCHEMA {
            return Err(Error::invalid(format!(
                "this backup is of tables of version {}, from before there were backups: it is damaged. Take another copy of it, or an older backup",
                header.schema
            )));
        }
        if header.schema > newest_version() {
            return Err(Error::invalid(format!(
                "this backup is of Cairn {} with tables of version {}; this one, {}, knows those up to {}: restore with a newer Cairn",
                header.cairn,
                header.schema,
                env!("CARGO_PKG_VERSION"),
                newest_version()
            )));
        }
        Ok(Self { reader, header, id })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }
}

fn unpacked(mut source: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>> {
    let failed = |error| io_error("the backup cannot be read", error);
    let mut first = Vec::new();
    let mut head = source.as_mut().take(ZSTD.len() as u64);
    head.read_to_end(&mut first).map_err(failed)?;
    let is_packed = first == ZSTD;
    let whole = Cursor::new(first).chain(source);
    if is_packed {
        Ok(Box::new(zstd::Decoder::new(whole).map_err(failed)?))
    } else {
        Ok(Box::new(whole))
    }
}

/// Reads one file after another; the content of the present one by [`Read`].
pub(super) struct Reader {
    source: Box<dyn Read + Send>,
    /// Of the present file.
    left: u64,
    padding: u64,
    trouble: Option<Error>,
    /// Of the lines that `b3sum` would give.
    lines: blake3::Hasher,
}

impl Reader {
    fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source,
            left: 0,
            padding: 0,
            trouble: None,
            lines: blake3::Hasher::new(),
        }
    }

    /// The name and size of the next file; none at the end of the archive. All of the present one must have been read.
    pub(super) fn next(&mut self) -> Result<Option<(String, u64)>> {
        if self.left > 0 {
            return Err(damaged("a file is longer than it may be"));
        }
        let mut block = [0; BLOCK_BYTES];
        let padding = usize::try_from(self.padding).unwrap_or_default();
        self.fill(&mut block[..padding])?;
        self.fill(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = tar::Header::from_byte_slice(&block);
        let (before, after) = (&block[..148], &block[156..]);
        let sum = before.iter().chain(after).map(|byte| u32::from(*byte));
        let sum: u32 = sum.sum::<u32>() + 8 * u32::from(b' ');
        if header.cksum().ok() != Some(sum) || !header.entry_type().is_file() {
            return Err(damaged("a name in it is not as it was written"));
        }
        let size = header.entry_size();
        let size = size.map_err(|_| damaged("a size in it is not as it was written"))?;
        let name = String::from_utf8(header.path_bytes().into_owned());
        let name = name.map_err(|_| damaged("a name in it is not as it was written"))?;
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK_BYTES as u64;
        Ok(Some((name, size)))
    }

    /// All of the present file, which must have at most so many bytes.
    pub(super) fn whole(&mut self, most: u64) -> Result<Vec<u8>> {
        if self.left > most {
            return Err(damaged("a file is longer than it may be"));
        }
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.because(io_error("the backup cannot be read", error))),
        }
    }

    /// Adds a file that was read to the digest of all of it.
    pub(super) fn note(&mut self, hash: &Hash, name: &str) {
        self.lines.update(format!("{hash}  {name}\n").as_bytes());
    }

    /// The digest of all files that were read so far.
    pub(super) fn digest(&self) -> Hash {
        self.lines.finalize().into()
    }

    /// What went wrong: the reading of the backup, if that did, else `other`.
    pub(super) fn because(&mut self, other: Error) -> Error {
        self.trouble.take().unwrap_or(other)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.source.read_exact(buffer).map_err(unread)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.source.read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Ok(read @ 1..) => {
                self.left -= read as u64;
                Ok(read)
            }
            failed => {
                let error = failed.err();
                let error = error.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                self.trouble = Some(unread(error));
                Err(io::Error::other("the backup cannot be read"))
            }
        }
    }
}

fn unread(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_short(),
        // zstd says so of what it cannot unpack; the system has a number for its own.
        _ if error.raw_os_error().is_none() => damaged("it cannot be unpacked"),
        _ => io_error("the backup cannot be read", error),
    }
}

pub(super) fn cut_short() -> Error {
    Error::invalid(
        "the backup is cut short: its end is missing. Nothing was restored of it. Take another copy of it, or an older backup",
    )
}

pub(super) fn damaged(what: &str) -> Error {
    Error::invalid(format!(
        "the backup is damaged: {what}. Nothing was restored of it. Take another copy of it, or an older backup"
    ))
}
