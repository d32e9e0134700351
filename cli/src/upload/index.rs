//! Keeps what folders held when they were last sent: one file in `CAIRN_HOME` for each server, project, folder and what it was sent as. Names and
//! hashes, no secrets. A cache: whatever is wrong with it, everything is read and sent instead.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use storage::objects::Hash;
use storage::snapshot::Scan;
use storage::uploads::Known;

use crate::clock::now_ms;
use crate::home::Home;

/// How many are kept; the oldest go.
const MOST: usize = 32;
const NS_PER_MS: i64 = 1_000_000;

/// The index of one folder, and the one that takes its place.
#[derive(Debug)]
pub(super) struct Index {
    place: PathBuf,
    fresh: PathBuf,
    file: File,
    began_ns: i64,
}

impl Index {
    /// Opens the index of a folder that is read from now on; `of` says where the folder goes, and as what. None where no index can be kept, nor for
    /// a folder that holds `CAIRN_HOME`, which would never be the same twice.
    pub(super) fn open(home: &Home, folder: &Path, of: &[&str]) -> Option<Self> {
        let folder = fs::canonicalize(folder).ok()?;
        let all = home.within("sent").ok()?;
        if fs::canonicalize(&all).ok()?.starts_with(&folder) {
            return None;
        }
        let key = [of.join("\0").as_bytes(), folder.as_os_str().as_bytes()].join(&0);
        let place = all.join(Hash::of(&key).to_hex());
        let fresh = place.with_extension(std::process::id().to_string());
        // A file of that name was left by a process that died.
        let _ = fs::remove_file(&fresh);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let file = file.open(&fresh).ok()?;
        // Clocks of file servers differ from ours: the earlier one makes fewer files count as still.
        let theirs = file.metadata().ok()?;
        let theirs = theirs.mtime() * 1000 * NS_PER_MS + theirs.mtime_nsec();
        Some(Self {
            place,
            fresh,
            file,
            began_ns: theirs.min(now_ms() * NS_PER_MS),
        })
    }

    /// What is known of the folder, if that can be believed.
    pub(super) fn known(&self) -> Option<Known> {
        Known::read(fs::read(&self.place).ok()?)
    }

    /// Keeps what the folder became. Where that fails the next time takes longer, and nothing else. Not synced: what a power cut tears is not believed.
    pub(super) fn keep(mut self, scan: &Scan, manifest_digest: &Hash) {
        let known = Known::write(scan, manifest_digest, self.began_ns);
        let kept = self.file.write_all(&known);
        let kept = kept.and_then(|()| fs::rename(&self.fresh, &self.place));
        if let (Ok(()), Some(all)) = (kept, self.place.parent()) {
            forget_oldest(all);
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = fs::remove_file(&self.fresh);
    }
}

fn forget_oldest(all: &Path) {
    let Ok(found) = fs::read_dir(all) else { return };
    let mut found: Vec<(SystemTime, PathBuf)> = found
        .flatten()
        .filter_map(|one| Some((one.metadata().ok()?.modified().ok()?, one.path())))
        .collect();
    found.sort_unstable();
    for (_, path) in &found[..found.len().saturating_sub(MOST)] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: [&str; 3] = ["https://a.example", "vision", "outputs"];

    fn digest() -> Hash {
        Hash::of(b"a manifest")
    }

    fn home() -> (tempfile::TempDir, Home, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a"), "one").unwrap();
        let home = Home::at(&folder.path().join("home"));
        (folder, home, data)
    }

    fn keep(home: &Home, data: &Path, of: &[&str]) {
        let index = Index::open(home, data, of).unwrap();
        let scan = storage::outputs::scan(data, None).unwrap();
        index.keep(&scan, &digest());
    }

    #[test]
    fn what_was_kept_is_known_of_the_same_folder_and_no_other() {
        let (_folder, home, data) = home();
        keep(&home, &data, &OF);
        let again = Index::open(&home, &data.join("../data"), &OF).unwrap();
        assert_eq!(again.known().unwrap().manifest_digest(), digest());
        let mode = fs::metadata(&again.place).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = ["https://a.example", "vision", "snapshot"];
        assert!(Index::open(&home, &data, &other).unwrap().known().is_none());
        fs::write(&again.place, "torn").unwrap();
        assert!(again.known().is_none());
        drop(again);
        let kept = fs::read_dir(home.within("sent").unwrap()).unwrap();
        assert_eq!(kept.count(), 1, "no temporary file is left");
    }

    #[test]
    fn the_oldest_go() {
        let (_folder, home, data) = home();
        for number in 0..=MOST {
            keep(&home, &data, &[&number.to_string()]);
        }
        let known = |of: &str| Index::open(&home, &data, &[of]).unwrap().known();
        assert!(known("0").is_none());
        assert!(known("1").is_some() && known(&MOST.to_string()).is_some());
    }

    #[test]
    fn a_folder_that_holds_the_indexes_has_none() {
        let (folder, home, _) = home();
        assert!(Index::open(&home, folder.path(), &OF).is_none());
    }
}
