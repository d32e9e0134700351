//! The records that an index is made of: path, status and hash, in the order of the paths' bytes; and the checksum that ends one.

use crate::capture::{Found, FoundKind, Stat};
use crate::objects::Hash;

/// Files touched this long before a folder is read, or later, are not believed the next time.
pub(crate) const RACY_NS: i64 = 2_000_000_000;
/// dev, ino, size, mtime, ctime, kind, hash, path length.
const FIXED_BYTES: usize = 5 * 8 + 1 + 32 + 2;
const CHECKSUM_BYTES: usize = 32;

const EXECUTABLE: u8 = 1;
const LINK: u8 = 2;

/// What an index knows of one path.
pub(crate) struct Record<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) stat: Stat,
    /// Of a file's content, or of the text of a link.
    pub(crate) hash: Hash,
    pub(crate) is_link: bool,
}

impl Record<'_> {
    /// Whether the same lies at the path, whenever it was written.
    pub(crate) fn is_same(&self, other: &Record<'_>) -> bool {
        let what = |record: &Record<'_>| {
            let Stat {
                size, executable, ..
            } = record.stat;
            (record.hash, record.is_link, size, executable)
        };
        what(self) == what(other)
    }

    /// Appends it. A path that is longer than any in a manifest is left out.
    pub(crate) fn put(&self, body: &mut Vec<u8>) {
        let Ok(length) = u16::try_from(self.path.len()) else {
            return;
        };
        let Stat {
            dev,
            ino,
            size,
            mtime_ns,
            ctime_ns,
            executable,
        } = self.stat;
        for number in [dev, ino, size] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(&mtime_ns.to_le_bytes());
        body.extend_from_slice(&ctime_ns.to_le_bytes());
        body.push(match (self.is_link, executable) {
            (true, _) => LINK,
            (false, executable) => u8::from(executable),
        });
        body.extend_from_slice(self.hash.as_bytes());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(self.path);
    }
}

/// Reads records front to back.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The hashes of those files whose status is the one recorded. `found` is in the order of paths, as the records are.
    pub(crate) fn known(mut self, found: &[Found]) -> Vec<Option<Hash>> {
        let mut current = self.next();
        let mut known = Vec::with_capacity(found.len());
        for entry in found {
            while current
                .as_ref()
                .is_some_and(|record| record.path < entry.path.as_bytes())
            {
                current = self.next();
            }
            let hash = match (&entry.kind, &current) {
                (FoundKind::File { stat }, Some(record))
                    if record.path == entry.path.as_bytes()
                        && record.stat == *stat
                        && !record.is_link =>
                {
                    Some(record.hash)
                }
                _ => None,
            };
            known.push(hash);
        }
        known
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (fixed, rest) = self.rest.split_first_chunk::<FIXED_BYTES>()?;
        let number =
            |at: usize| u64::from_le_bytes(fixed[at..at + 8].try_into().expect("eight bytes"));
        let time =
            |at: usize| i64::from_le_bytes(fixed[at..at + 8].try_into().expect("eight bytes"));
        let stat = Stat {
            dev: number(0),
            ino: number(8),
            size: number(16),
            mtime_ns: time(24),
            ctime_ns: time(32),
            executable: fixed[40] == EXECUTABLE,
        };
        let hash = Hash::from_bytes(fixed[41..73].try_into().expect("32 bytes"));
        let length = usize::from(u16::from_le_bytes([fixed[73], fixed[74]]));
        let (path, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Record {
            path,
            stat,
            hash,
            is_link: fixed[40] == LINK,
        })
    }
}

/// What ends an index: whoever reads it knows by that whether it is whole.
pub(crate) fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::hash(body).as_bytes()
}

/// An index without its checksum; none where it is not whole, or begins with something else.
pub(crate) fn checked(mut bytes: Vec<u8>, header: &[u8]) -> Option<Vec<u8>> {
    let body = bytes.len().checked_sub(CHECKSUM_BYTES)?;
    let whole = bytes[..body].starts_with(header) && checksum(&bytes[..body]) == bytes[body..];
    bytes.truncate(body);
    whole.then_some(bytes)
}
