//! Writes the nodes of a home beneath a staging folder through open descriptors, so that no name in it can lead elsewhere.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};

use super::attributes::{Node, split};
use crate::Result;
use crate::capture::{Root, Stat, directory};
use crate::materialise::{Owner, reflink};
use crate::objects::{Hash, Store, corrupt, io_error, read_whole};

const NEW: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A home being written, folders before what is in them.
pub(super) struct Tree<'a> {
    root: Root,
    owner: Option<Owner>,
    /// The folders of the last node, outermost (the home itself) first.
    open: Vec<(&'a Node, OwnedFd)>,
}

impl<'a> Tree<'a> {
    /// `top` is the home itself, which is empty and exists.
    pub(super) fn open(folder: &Path, top: &'a Node, owner: Option<Owner>) -> Result<Self> {
        let root = Root::open(folder)?;
        let fd = root
            .again()
            .map_err(|error| io_error("cannot open the folder to fill", error))?;
        Ok(Self {
            root,
            owner,
            open: vec![(top, fd)],
        })
    }

    pub(super) fn folder(&mut self, node: &'a Node) -> Result<()> {
        let made = self.within(node, "make the folder", |parent, name, _| {
            rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
            directory(parent, name)
        })?;
        self.open.push((node, made));
        Ok(())
    }

    /// Writes a file out of the store, checked against its hash.
    pub(super) fn file(
        &mut self,
        store: &Store,
        node: &'a Node,
        (hash, size): (&Hash, u64),
    ) -> Result<()> {
        let mut file = self.within(node, "write", |parent, name, _| {
            let mode = Mode::from_raw_mode(0o600);
            Ok(File::from(rustix::fs::openat(parent, name, NEW, mode)?))
        })?;
        let failed = |error: io::Error| io_error(format!("cannot write {}", shown(node)), error);
        let written = if size > 0 && reflink(store, hash, &file) {
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
        finish(&file, node, self.owner).map_err(failed)
    }

    /// Links a file of an older copy in, if it is still the one with this status and is to stay as it is.
    pub(super) fn reuse(&mut self, old: &Root, node: &'a Node, stat: &Stat) -> Result<bool> {
        let owner = self.owner;
        let (folder, name) = split(&node.path);
        let linked = self.within(node, "link", |parent, _, _| {
            let Ok(from) = old.folder(folder) else {
                return Ok(false);
            };
            let Ok(status) = rustix::fs::statat(&from, name, AtFlags::SYMLINK_NOFOLLOW) else {
                return Ok(false);
            };
            if !stays(&status, node, owner) || Stat::from(&status) != *stat {
                return Ok(false);
            }
            Ok(rustix::fs::linkat(&from, name, parent, name, AtFlags::empty()).is_ok())
        })?;
        Ok(linked)
    }

    pub(super) fn symlink(&mut self, node: &'a Node, target: &[u8]) -> Result<()> {
        self.within(node, "make the link", |parent, name, owner| {
            rustix::fs::symlinkat(target, parent, name)?;
            if let Some((uid, gid)) = owner.map(numbers) {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(parent, name, Some(uid), Some(gid), flags)?;
            }
            let times = times(node.mtime_ns);
            Ok(rustix::fs::utimensat(
                parent,
                name,
                &times,
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        })
    }

    /// Gives a file that is written already another name.
    pub(super) fn link(&mut self, node: &'a Node, first: &Node) -> Result<()> {
        let (folder, old) = split(&first.path);
        let from = self
            .root
            .folder(folder)
            .map_err(|error| io_error(format!("cannot find {}", shown(first)), error))?;
        self.within(node, "link", |parent, name, _| {
            Ok(rustix::fs::linkat(
                &from,
                old,
                parent,
                name,
                AtFlags::empty(),
            )?)
        })
    }

    /// Ends all folders: each gets its owner, mode and time when nothing more comes into it.
    pub(super) fn finish(mut self) -> Result<()> {
        while self.close()? {}
        Ok(())
    }

    /// Does something in the folder of a node, ending those that come before it.
    fn within<T>(
        &mut self,
        node: &Node,
        what: &str,
        work: impl FnOnce(BorrowedFd<'_>, &[u8], Option<Owner>) -> io::Result<T>,
    ) -> Result<T> {
        let (folder, name) = split(&node.path);
        while self
            .open
            .last()
            .is_some_and(|(open, _)| open.path != folder)
        {
            self.close()?;
        }
        let Some((_, parent)) = self.open.last() else {
            return Err(corrupt("a path of a home does not lie in its folder"));
        };
        work(parent.as_fd(), name, self.owner)
            .map_err(|error| io_error(format!("cannot {what} {}", shown(node)), error))
    }

    fn close(&mut self) -> Result<bool> {
        let Some((node, fd)) = self.open.pop() else {
            return Ok(false);
        };
        finish(&fd, node, self.owner).map_err(|error| {
            io_error(format!("cannot finish the folder {}", shown(node)), error)
        })?;
        Ok(true)
    }
}

/// Whether a file of an older copy can be shared with it: nothing about it would change, and it has no other names.
#[expect(
    clippy::unnecessary_cast,
    reason = "the types of these fields differ between systems"
)]
fn stays(status: &rustix::fs::Stat, node: &Node, owner: Option<Owner>) -> bool {
    let stays_whose =
        owner.is_none_or(|owner| (owner.uid, owner.gid) == (status.st_uid, status.st_gid));
    stays_whose
        && status.st_nlink as u64 == 1
        && status.st_mode as u32 & 0o7777 == node.mode
        && Stat::from(status).mtime_ns == node.mtime_ns
}

fn finish(file: impl AsFd, node: &Node, owner: Option<Owner>) -> io::Result<()> {
    if let Some((uid, gid)) = owner.map(numbers) {
        rustix::fs::fchown(&file, Some(uid), Some(gid))?;
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(node.mode))?;
    Ok(rustix::fs::futimens(&file, &times(node.mtime_ns))?)
}

fn numbers(owner: Owner) -> (rustix::fs::Uid, rustix::fs::Gid) {
    (
        rustix::fs::Uid::from_raw(owner.uid),
        rustix::fs::Gid::from_raw(owner.gid),
    )
}

fn times(mtime_ns: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime_ns.div_euclid(1_000_000_000),
        tv_nsec: mtime_ns.rem_euclid(1_000_000_000),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn shown(node: &Node) -> String {
    format!("{:?}", String::from_utf8_lossy(&node.path))
}
