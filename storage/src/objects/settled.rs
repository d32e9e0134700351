//! Which objects this process knows to be durable, so that a batch that meets them again need not sync their folders again.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use super::{Hash, Space};

/// The most objects remembered.
const MOST: usize = 16 * 1024;

/// One file in its place. Another file there, also one of the same name and number, changed its status at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    inode: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Sighting {
    fn from(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// What was seen in its place before that place's folder was synced, by this process, since it started.
#[derive(Default)]
pub(super) struct Settled(Mutex<HashMap<(Space, Hash), Sighting>>);

impl Settled {
    /// Whether the entry that was seen is durable.
    pub(super) fn holds(&self, key: (Space, Hash), seen: Sighting) -> bool {
        self.known().get(&key) == Some(&seen)
    }

    /// Remembers what was seen before a sync that has succeeded.
    pub(super) fn add(&self, seen: impl IntoIterator<Item = ((Space, Hash), Sighting)>) {
        let mut known = self.known();
        for (key, sighting) in seen {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, sighting);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(Space, Hash), Sighting>> {
        // Every entry is true by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_in_the_same_place_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        let key = (Space::Objects, Hash::of(b"x"));
        let see = || Sighting::from(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "x").unwrap();
        let settled = Settled::default();
        assert!(!settled.holds(key, see()));
        settled.add([(key, see())]);
        assert!(settled.holds(key, see()));
        std::fs::write(folder.path().join("other"), "x").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(!settled.holds(key, see()));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Sighting::from(&std::fs::metadata(folder.path()).unwrap());
        let settled = Settled::default();
        let keys =
            (0..MOST as u64 + 10).map(|number| (Space::Objects, Hash::of(&number.to_le_bytes())));
        settled.add(keys.map(|key| (key, seen)));
        assert!(settled.known().len() <= MOST);
    }
}
