//! A private folder with a short path for the sockets of one kernel.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The longest path a Unix socket may have, less the name of a socket in the folder and what ends the path.
const LONGEST: usize = 100;

/// The folder; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder where its path is short enough for sockets, else where there is a place at all.
    pub(super) fn create() -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let bases = [runtime, Some("/tmp".into()), Some(std::env::temp_dir())];
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("cairn-k-{}", &id[..12]);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let candidates = bases
            .into_iter()
            .flatten()
            .filter(|base| base.is_absolute());
        let (short, long): (Vec<_>, Vec<_>) = candidates
            .map(|base| base.join(&name))
            .partition(|path| fits(path));
        for path in short.into_iter().chain(long) {
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn fits_sockets(&self) -> bool {
        fits(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is empty of secrets once the kernel is gone.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST && path.to_str().is_some()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::Folder;

    #[test]
    fn it_is_private_and_goes_away() {
        let folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
