//! Marks: what is needed, spilled to files by the first byte of the hashes, so that memory does not grow with the store.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::Result;
use crate::objects::{Files, Hash, Key, Scratch, Space, corrupt, io_error};

const RECORD_BYTES: usize = 33;
const BUFFER_BYTES: usize = 4096;
const MANIFESTS: u8 = 1;
const HELD: u8 = 2;

/// How much something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// It is in a manifest that nothing holds and that is not forgotten yet.
    Fading,
    /// Something holds it.
    Held,
}

/// Marks being made. They go away with the value.
pub(crate) struct Marks {
    scratch: Scratch,
    /// One for each first byte, made when it is needed.
    files: Vec<Option<BufWriter<File>>>,
}

impl Marks {
    pub(crate) fn create(store: &Files) -> Result<Self> {
        let scratch = store.scratch()?;
        let files = (0..=u8::MAX).map(|_| None).collect();
        Ok(Self { scratch, files })
    }

    pub(crate) fn add(&mut self, (space, hash): Key, need: Need) -> Result<()> {
        let mut record = [0; RECORD_BYTES];
        record[0] = match space {
            Space::Objects => 0,
            Space::Manifests => MANIFESTS,
        } + match need {
            Need::Fading => 0,
            Need::Held => HELD,
        };
        record[1..].copy_from_slice(hash.as_bytes());
        let failed = |error| io_error("cannot write what is needed", error);
        let prefix = hash.as_bytes()[0];
        let file = &mut self.files[usize::from(prefix)];
        if file.is_none() {
            let fresh = File::create_new(place(self.scratch.path(), prefix)).map_err(failed)?;
            *file = Some(BufWriter::with_capacity(BUFFER_BYTES, fresh));
        }
        match file {
            Some(file) => file.write_all(&record).map_err(failed),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(mut self) -> Result<Marked> {
        for file in self.files.iter_mut().flatten() {
            file.flush()
                .map_err(|error| io_error("cannot write what is needed", error))?;
        }
        Ok(Marked(self.scratch))
    }
}

/// Marks that are made.
pub(crate) struct Marked(Scratch);

impl Marked {
    /// What is needed of all that begins with this byte.
    pub(crate) fn needs(&self, prefix: u8) -> Result<Needs> {
        let bytes = match fs::read(place(self.0.path(), prefix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| io_error("cannot read what is needed", error))?,
        };
        let (records, rest) = bytes.as_chunks::<RECORD_BYTES>();
        if !rest.is_empty() {
            return Err(corrupt("a list of what is needed is cut short"));
        }
        let mut needs: Vec<(Key, Need)> = records.iter().map(parse).collect();
        // The greatest need of each comes first, and is the one that stays.
        needs.sort_unstable_by(|a, b| b.cmp(a));
        needs.dedup_by_key(|(key, _)| *key);
        needs.reverse();
        Ok(Needs(needs))
    }
}

/// What is needed, sorted.
pub(crate) struct Needs(Vec<(Key, Need)>);

impl Needs {
    /// All of it, in order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Key, Need)> {
        self.0.iter()
    }

    pub(crate) fn of(&self, key: &Key) -> Option<Need> {
        let found = self.0.binary_search_by(|(other, _)| other.cmp(key));
        found.ok().map(|at| self.0[at].1)
    }
}

fn parse(record: &[u8; RECORD_BYTES]) -> (Key, Need) {
    let mut hash = [0; 32];
    hash.copy_from_slice(&record[1..]);
    let space = match record[0] & MANIFESTS {
        0 => Space::Objects,
        _ => Space::Manifests,
    };
    let need = match record[0] & HELD {
        0 => Need::Fading,
        _ => Need::Held,
    };
    ((space, Hash::from_bytes(hash)), need)
}

fn place(folder: &Path, prefix: u8) -> std::path::PathBuf {
    folder.join(hex::encode([prefix]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_need_of_each_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(&folder.path().join("store")).unwrap();
        let mut marks = Marks::create(&files).unwrap();
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        for need in [Need::Fading, Need::Held, Need::Fading] {
            marks.add((Space::Objects, one), need).unwrap();
        }
        marks.add((Space::Manifests, two), Need::Fading).unwrap();
        let marked = marks.finish().unwrap();
        let of = |space, hash: Hash| {
            let needs = marked.needs(hash.as_bytes()[0]).unwrap();
            needs.of(&(space, hash))
        };
        assert_eq!(of(Space::Objects, one), Some(Need::Held));
        assert_eq!(of(Space::Manifests, one), None);
        assert_eq!(of(Space::Manifests, two), Some(Need::Fading));
        assert_eq!(of(Space::Objects, two), None);
    }
}
