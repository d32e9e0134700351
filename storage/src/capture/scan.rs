//! Reads a folder as a capture would and keeps nothing: what a client declares before it sends a folder to a store that is elsewhere.

use std::io::{self, Read};
use std::path::Path;

use super::beneath::Root;
use super::walk::{self, Found, FoundKind, Policy};
use super::{Reason, Skipped, Stat, cut, ingest};
use crate::Result;
use crate::objects::{Batch, Claim, Hash, io_error};
use crate::uploads::{Declared, Known};

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The entries, by the order of their paths' bytes.
    pub entries: Vec<Declared>,
    /// What was left out, by path; at most 1000 lines and one that counts the rest.
    pub skipped: Vec<Skipped>,
    /// The status that each file had before it was read; none for links and for what changed meanwhile.
    pub(crate) stats: Vec<Option<Stat>>,
}

/// Reads a folder, but for those files that are as they are `known` to be.
pub(crate) fn scan(folder: &Path, policy: Policy, known: Option<&Known>) -> Result<Scan> {
    let root = Root::open(folder)?;
    let walk::Walked { found, mut skipped } = walk::walk(&root, policy)?;
    let known = known.map(|known| known.hashes(&found)).unwrap_or_default();
    let taken = ingest::ingest(&root, &Measure, &found, &known)?;
    let mut entries = Vec::with_capacity(found.len());
    let mut stats = Vec::with_capacity(found.len());
    for (Found { path, kind, .. }, taken) in found.into_iter().zip(taken) {
        let (entry, stat) = match (kind, taken) {
            (FoundKind::Symlink { target }, _) => (Declared::link(path, target), None),
            (FoundKind::File { .. }, ingest::Taken::Left(reason)) => {
                skipped.push(Skipped { path, reason });
                continue;
            }
            (FoundKind::File { .. }, ingest::Taken::Kept(kept)) => {
                if kept.torn {
                    let path = path.clone();
                    skipped.push(Skipped {
                        path,
                        reason: Reason::Torn,
                    });
                }
                let file = Declared {
                    executable: kept.stat.executable,
                    ..Declared::file(path, kept.hash, kept.size)
                };
                (file, (!kept.torn).then_some(kept.stat))
            }
        };
        entries.push(entry);
        stats.push(stat);
    }
    Ok(Scan {
        entries,
        skipped: cut(skipped),
        stats,
    })
}

/// A batch that hashes what it is given and drops it.
struct Measure;

impl Batch for Measure {
    fn put(&self, body: &mut dyn Read) -> Result<(Hash, u64)> {
        let mut hasher = Hashing(blake3::Hasher::new());
        let failed = |error| io_error("cannot read content to hash", error);
        let size = io::copy(body, &mut hasher).map_err(failed)?;
        Ok((hasher.0.finalize().into(), size))
    }

    fn adopt(&self, _path: &Path, _hash: &Hash) -> Result<()> {
        Ok(())
    }

    fn has_node(&self, _digest: &Hash) -> Result<bool> {
        Ok(false)
    }

    fn put_node(&self, _digest: &Hash, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Claim> {
        Ok(Claim::nothing())
    }
}

struct Hashing(blake3::Hasher);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::snapshot::{MAX_FILE_BYTES, scan};
    use crate::{Hash, snapshot::Reason};

    #[test]
    fn a_folder_is_described_as_a_snapshot_of_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
        std::fs::create_dir_all(folder.path().join("src")).unwrap();
        write("src/train.py", "print(1)");
        write("a.log", "noise");
        write(".gitignore", "*.log\n");
        write(".env", "SECRET=1");
        write("big", "0123456789abcdef");
        std::os::unix::fs::symlink("src/train.py", folder.path().join("link")).unwrap();

        let found = scan(folder.path(), 15, None).unwrap();
        let paths: Vec<&str> = found
            .entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect();
        assert_eq!(paths, [".gitignore", "link", "src/train.py"]);
        assert_eq!(found.entries[1].target.as_deref(), Some("src/train.py"));
        assert_eq!(found.entries[2].hash, Some(Hash::of(b"print(1)")));
        assert_eq!(found.entries[2].size, 8);
        let skipped: Vec<_> = found
            .skipped
            .iter()
            .map(|skipped| (skipped.path.as_str(), skipped.reason))
            .collect();
        assert_eq!(
            skipped,
            [(".env", Reason::Credential), ("big", Reason::TooLarge)]
        );
        assert!(scan(&folder.path().join("src/train.py"), MAX_FILE_BYTES, None).is_err());
    }
}
