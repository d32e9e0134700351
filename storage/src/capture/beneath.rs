//! Opens files beneath a folder whose contents may be changed by others meanwhile: no link is followed, nothing outside is reached, and
//! opening never waits.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::objects::io_error;
use crate::{Error, Result};

/// Folders are opened for listing; a link in the folder's place is refused.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// A pipe without a writer opens at once, a terminal does not become ours.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A folder held open: it stays the same one, wherever it is moved.
pub(crate) struct Root(OwnedFd);

impl Root {
    /// Opens the folder itself.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Invalid` when it is a link or no folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        match rustix::fs::open(folder, DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Self(fd)),
            Err(rustix::io::Errno::NOENT) => {
                Err(Error::not_found("the folder to capture is not there"))
            }
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => Err(Error::invalid(
                "what should be captured is a link or a file, not a folder",
            )),
            Err(error) => Err(io_error(
                format!("cannot open the folder {}", folder.display()),
                error.into(),
            )),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Opens the root again, for listing it.
    pub(crate) fn again(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(&self.0, ".", DIRECTORY, Mode::empty())?)
    }

    /// Opens a folder by its path beneath this one; the empty path is this one.
    pub(crate) fn folder(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = self.again()?;
        for name in path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            at = directory(at.as_fd(), name)?;
        }
        Ok(at)
    }

    /// Opens a file by its path beneath the folder.
    pub(super) fn file(&self, path: &[u8]) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::ResolveFlags;
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.0, path, FILE, Mode::empty(), resolve) {
                Ok(fd) => return Ok(fd.into()),
                // An old kernel, a filter that does not know the call, a path as long as we allow, or a rename while it resolved.
                Err(
                    rustix::io::Errno::NOSYS
                    | rustix::io::Errno::PERM
                    | rustix::io::Errno::NAMETOOLONG
                    | rustix::io::Errno::AGAIN,
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.file_by_steps(path)
    }

    /// The same one folder at a time.
    fn file_by_steps(&self, path: &[u8]) -> io::Result<File> {
        let (folders, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&[][..], path),
        };
        let mut at: Option<OwnedFd> = None;
        for folder in folders
            .split(|byte| *byte == b'/')
            .filter(|folder| !folder.is_empty())
        {
            at = Some(directory(
                at.as_ref().map_or(self.fd(), AsFd::as_fd),
                folder,
            )?);
        }
        let parent = at.as_ref().map_or(self.fd(), AsFd::as_fd);
        Ok(rustix::fs::openat(parent, name, FILE, Mode::empty())?.into())
    }
}

/// Opens a folder by its name in another.
pub(crate) fn directory<P: rustix::path::Arg>(
    parent: BorrowedFd<'_>,
    name: P,
) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_never_followed_by_either_way() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(inside.path().join("a/b")).unwrap();
        std::fs::write(inside.path().join("a/b/file"), "ours").unwrap();
        symlink(outside.path(), inside.path().join("dir")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("file")).unwrap();
        symlink("/proc/self/root", inside.path().join("root")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        for path in ["dir/secret", "file", "root/etc/passwd"] {
            assert!(
                root.file(path.as_bytes()).is_err(),
                "{path} must be refused"
            );
            assert!(
                root.file_by_steps(path.as_bytes()).is_err(),
                "{path} must be refused"
            );
        }
        root.file(b"a/b/file").unwrap();
        root.file_by_steps(b"a/b/file").unwrap();
    }

    #[test]
    fn a_link_in_the_folders_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc", dir.path().join("work")).unwrap();
        assert!(matches!(
            Root::open(&dir.path().join("work")),
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            Root::open(&dir.path().join("none")),
            Err(Error::NotFound(_))
        ));
    }
}
