//! What a client knows of a folder that it sent: the manifest that the folder became, and for each path what was there. It is the client's to keep.
//!
//! A cache, believed only whole; losing it costs time, nothing else. As with the stat index of captures (`crate::index`), a file touched within
//! two seconds of the moment that its folder was read, or later, is read again: it may have changed within one tick of the clock.

use super::Declared;
use crate::capture::{Found, Scan, Stat};
use crate::index::{RACY_NS, Record, Records, checked, checksum};
use crate::objects::Hash;

const MAGIC: &[u8; 8] = b"CAIRNUP1";
const DIGEST_BYTES: usize = 32;

/// A folder as it was when it was sent.
#[derive(Debug)]
pub struct Known {
    /// The magic, the digest of the manifest, and a record for each of its entries.
    bytes: Vec<u8>,
    manifest_digest: Hash,
}

impl Known {
    /// Writes down what a folder that was read at `began_ns` (nanoseconds since 1970, UTC) became.
    pub fn write(scan: &Scan, manifest_digest: &Hash, began_ns: i64) -> Vec<u8> {
        let mut body = [&MAGIC[..], manifest_digest.as_bytes()].concat();
        for (entry, stat) in scan.entries.iter().zip(&scan.stats) {
            let believed = stat.filter(|stat| stat.touched_ns() < began_ns.saturating_sub(RACY_NS));
            record(entry, believed).put(&mut body);
        }
        let checksum = checksum(&body);
        body.extend_from_slice(&checksum);
        body
    }

    /// Reads what [`Known::write`] gave; none where it is not that, or not whole.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let bytes = checked(bytes, MAGIC)?;
        let digest = bytes[MAGIC.len()..].first_chunk::<DIGEST_BYTES>()?;
        Some(Self {
            manifest_digest: Hash::from_bytes(*digest),
            bytes,
        })
    }

    /// The manifest that the folder became: the base for what it is now.
    pub fn manifest_digest(&self) -> Hash {
        self.manifest_digest
    }

    /// What makes the manifest become `entries`, which are in the order of their paths' bytes.
    pub fn changes(&self, entries: &[Declared]) -> Vec<Declared> {
        let gone = |record: Record<'_>| Declared::removed(String::from_utf8_lossy(record.path));
        let (mut changes, mut records) = (Vec::new(), self.records().peekable());
        for entry in entries {
            let path = entry.path.as_bytes();
            while let Some(before) = records.next_if(|record| record.path < path) {
                changes.push(gone(before));
            }
            let now = record(entry, None);
            let before = records.next_if(|record| record.path == path);
            if !before.is_some_and(|before| before.is_same(&now)) {
                changes.push(entry.clone());
            }
        }
        changes.extend(records.map(gone));
        changes
    }

    /// The hashes of those files that are as they were.
    pub(crate) fn hashes(&self, found: &[Found]) -> Vec<Option<Hash>> {
        self.records().known(found)
    }

    fn records(&self) -> Records<'_> {
        Records::new(&self.bytes[MAGIC.len() + DIGEST_BYTES..])
    }
}

/// The record of an entry; with a status that no file has where that is not to be believed.
fn record(entry: &Declared, believed: Option<Stat>) -> Record<'_> {
    let unbelieved = Stat {
        dev: 0,
        ino: 0,
        size: entry.size,
        mtime_ns: 0,
        ctime_ns: 0,
        executable: entry.executable,
    };
    let target = entry.target.as_deref().unwrap_or_default();
    Record {
        path: entry.path.as_bytes(),
        stat: believed.unwrap_or(unbelieved),
        hash: entry.hash.unwrap_or_else(|| Hash::of(target.as_bytes())),
        is_link: entry.target.is_some(),
    }
}

#[cfg(test)]
mod tests;
