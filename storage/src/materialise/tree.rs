//! Writes the entries of a manifest beneath a folder through open descriptors, so that no name in it can lead elsewhere.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{Link, Owner};
use crate::Result;
use crate::objects::{Hash, Store, corrupt, io_error, read_whole};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const NEW: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What a tree is to be.
pub(super) struct Fill {
    pub(super) link: Link,
    pub(super) writable: bool,
    pub(super) owner: Option<Owner>,
}

/// A tree being written, in the order of paths.
pub(super) struct Tree<'a> {
    how: &'a Fill,
    root: OwnedFd,
    /// The folders of the last path, outermost first.
    open: Vec<(String, OwnedFd)>,
}

impl<'a> Tree<'a> {
    pub(super) fn open(folder: &Path, how: &'a Fill) -> Result<Self> {
        let root = rustix::fs::open(folder, DIRECTORY, Mode::empty())
            .map_err(|error| io_error("cannot open the folder to fill", error.into()))?;
        Ok(Self {
            how,
            root,
            open: Vec::new(),
        })
    }

    pub(super) fn file(
        &mut self,
        store: &Store,
        path: &str,
        (hash, size): (&Hash, u64),
        executable: bool,
    ) -> Result<()> {
        let how = self.how;
        let (parent, name) = self.parent(path)?;
        let failed = |error: io::Error| io_error(format!("cannot write {path:?}"), error);
        if how.link == Link::Hard
            && !executable
            && size > 0
            && hard_link(store, hash, parent, name).map_err(failed)?
        {
            return store.check(hash);
        }
        let mode = match (how.writable, executable) {
            (true, true) => 0o755,
            (true, false) => 0o644,
            (false, true) => 0o555,
            (false, false) => 0o444,
        };
        let mut file = File::from(
            rustix::fs::openat(parent, name, NEW, Mode::from_raw_mode(0o600))
                .map_err(|error| failed(error.into()))?,
        );
        let written = if reflink(store, hash, &file) {
            store.check(hash)?;
            size
        } else {
            read_whole(&**store.objects(), hash, &mut |bytes| {
                file.write_all(bytes).map_err(failed)
            })?
        };
        if written != size {
            return Err(corrupt(format!(
                "object {hash} has {written} bytes, its manifest says {size}"
            )));
        }
        own(&file, how.owner).map_err(failed)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| failed(error.into()))
    }

    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        let owner = self.how.owner;
        let (parent, name) = self.parent(path)?;
        let failed = |error: rustix::io::Errno| {
            io_error(format!("cannot make the link {path:?}"), error.into())
        };
        rustix::fs::symlinkat(target, parent, name).map_err(failed)?;
        let Some((uid, gid)) = owner.map(numbers) else {
            return Ok(());
        };
        rustix::fs::chownat(
            parent,
            name,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(failed)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        while self.close()? {}
        Ok(())
    }

    /// Opens the folder of a path, making it and those above it when they are new.
    fn parent<'p>(&mut self, path: &'p str) -> Result<(BorrowedFd<'_>, &'p str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        while self
            .open
            .last()
            .is_some_and(|(open, _)| !is_within(folder, open))
        {
            self.close()?;
        }
        let mut done = self.open.last().map_or(0, |(open, _)| open.len() + 1);
        while done < folder.len() {
            let end = folder[done..]
                .find('/')
                .map_or(folder.len(), |at| done + at);
            let made = self.make(&folder[done..end])?;
            self.open.push((folder[..end].to_owned(), made));
            done = end + 1;
        }
        Ok((self.current(), name))
    }

    fn current(&self) -> BorrowedFd<'_> {
        self.open
            .last()
            .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd())
    }

    fn make(&self, name: &str) -> Result<OwnedFd> {
        let failed = |error: rustix::io::Errno| {
            io_error(format!("cannot make the folder {name:?}"), error.into())
        };
        match rustix::fs::mkdirat(self.current(), name, Mode::from_raw_mode(0o700)) {
            // A file system that does not tell cases apart.
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed(error)),
        }
        rustix::fs::openat(self.current(), name, DIRECTORY, Mode::empty()).map_err(failed)
    }

    /// Ends the innermost folder: it gets its owner and mode when nothing more comes into it.
    fn close(&mut self) -> Result<bool> {
        let Some((path, fd)) = self.open.pop() else {
            return Ok(false);
        };
        let failed =
            |error: io::Error| io_error(format!("cannot finish the folder {path:?}"), error);
        own(&fd, self.how.owner).map_err(failed)?;
        let mode = if self.how.writable { 0o755 } else { 0o555 };
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).map_err(|error| failed(error.into()))?;
        Ok(true)
    }
}

/// Whether `folder` is `open` or lies in it.
fn is_within(folder: &str, open: &str) -> bool {
    folder
        .strip_prefix(open)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn numbers(owner: Owner) -> (rustix::fs::Uid, rustix::fs::Gid) {
    (
        rustix::fs::Uid::from_raw(owner.uid),
        rustix::fs::Gid::from_raw(owner.gid),
    )
}

fn own(file: impl AsFd, owner: Option<Owner>) -> io::Result<()> {
    let Some((uid, gid)) = owner.map(numbers) else {
        return Ok(());
    };
    Ok(rustix::fs::fchown(file, Some(uid), Some(gid))?)
}

/// Links the object into the tree; false when it must be copied instead.
fn hard_link(store: &Store, hash: &Hash, parent: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    use rustix::io::Errno;
    let Some(object) = store.objects().path(hash) else {
        return Ok(false);
    };
    match rustix::fs::linkat(rustix::fs::CWD, &object, parent, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::NOTSUP | Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Shares the object's blocks with `file`; false when the file system cannot.
#[cfg(target_os = "linux")]
pub(crate) fn reflink(store: &Store, hash: &Hash, file: &File) -> bool {
    let object = store
        .objects()
        .path(hash)
        .and_then(|path| File::open(path).ok());
    object.is_some_and(|object| rustix::fs::ioctl_ficlone(file, &object).is_ok())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reflink(_store: &Store, _hash: &Hash, _file: &File) -> bool {
    false
}
