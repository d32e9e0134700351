//! How much a home takes: a walk that reads no content and keeps to itself.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::capture::{Root, directory};
use crate::objects::{blocking, io_error};

/// After so many names the walk pauses, so that it never takes a disk or a core for itself.
const BURST: u64 = 2000;
const PAUSE: Duration = Duration::from_millis(4);
const MAX_DEPTH: usize = 256;

/// What a home takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Files, links and folders.
    pub files: u64,
    /// Bytes on disk, as `du` counts them: a file with several names counts once, holes do not count.
    pub bytes: u64,
}

/// Measures a home. A folder that is not there takes nothing; what cannot be read counts as nothing.
pub async fn measure(folder: &Path) -> Result<Usage> {
    let folder = folder.to_owned();
    blocking(move || measure_now(&folder)).await
}

fn measure_now(folder: &Path) -> Result<Usage> {
    let root = match Root::open(folder) {
        Ok(root) => root,
        Err(crate::Error::NotFound(_)) => return Ok(Usage::default()),
        Err(error) => return Err(error),
    };
    let top = root
        .again()
        .map_err(|error| io_error("cannot measure a home", error))?;
    let mut walk = Walk::default();
    walk.folder(&top, 1);
    Ok(walk.usage)
}

#[derive(Default)]
struct Walk {
    usage: Usage,
    met: HashSet<(u64, u64)>,
}

impl Walk {
    #[expect(
        clippy::unnecessary_cast,
        reason = "the types of these fields differ between systems"
    )]
    fn folder(&mut self, folder: &OwnedFd, depth: usize) {
        let Ok(entries) = Dir::read_from(folder) else {
            return;
        };
        for entry in entries.filter_map(std::result::Result::ok) {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(found) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let several = found.st_nlink as u64 > 1;
            let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
            if several && !is_folder && !self.met.insert((found.st_dev as u64, found.st_ino as u64))
            {
                continue;
            }
            self.usage.files += 1;
            self.usage.bytes += u64::try_from(found.st_blocks).unwrap_or_default() * 512;
            if self.usage.files.is_multiple_of(BURST) {
                std::thread::sleep(PAUSE);
            }
            if is_folder
                && depth < MAX_DEPTH
                && let Ok(inner) = directory(folder.as_fd(), name)
            {
                self.folder(&inner, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::write;

    #[tokio::test]
    async fn a_file_with_several_names_counts_once_and_holes_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a/b", vec![1; 1 << 20]);
        std::fs::hard_link(dir.path().join("a/b"), dir.path().join("c")).unwrap();
        let sparse = std::fs::File::create(dir.path().join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        let usage = measure(dir.path()).await.unwrap();
        assert_eq!(usage.files, 3);
        assert!((1 << 20..2 << 20).contains(&usage.bytes), "{usage:?}");
        let none = measure(&dir.path().join("none")).await.unwrap();
        assert_eq!(none, Usage::default());
    }
}
