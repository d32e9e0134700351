//! Walks a whole home: every name, whatever its bytes, with what is to be kept of it. No rule leaves anything out.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, RawDir};

use super::attributes::{Node, What};
use crate::capture::{Reason, Root, Skipped, Stat, directory, exhausted, special, why};
use crate::objects::io_error;
use crate::{Error, Result};

/// The most paths that a home may have: bounds the memory of a snapshot.
const MAX_NODES: usize = 4_000_000;
/// Folders deeper than this are left out and named: each level holds a descriptor open.
const MAX_DEPTH: usize = 256;
/// What is kept of a mode: permissions and the sticky bit. What runs as another user does not travel.
const MODE: u32 = 0o1777;

/// What a walk saw, in the order of the paths' bytes, folders before what is in them.
pub(super) struct Walked {
    pub(super) nodes: Vec<Node>,
    /// The status of the files among `nodes`, by their place there.
    pub(super) stats: HashMap<usize, Stat>,
    pub(super) skipped: Vec<Skipped>,
}

pub(super) fn walk(root: &Root) -> Result<Walked> {
    let failed = |error| io_error("cannot list the home", error);
    let top = root.again().map_err(failed)?;
    let status = rustix::fs::fstat(&top).map_err(|error| failed(error.into()))?;
    let mut walk = Walk {
        walked: Walked {
            nodes: vec![node(Vec::new(), &status, What::Folder)],
            stats: HashMap::new(),
            skipped: Vec::new(),
        },
        first: HashMap::new(),
        buffer: Vec::with_capacity(64 * 1024),
    };
    walk.folder(&top, &[], 1)?;
    Ok(walk.walked)
}

struct Walk {
    walked: Walked,
    /// Where a file with several names was met first, by device and inode.
    first: HashMap<(u64, u64), usize>,
    buffer: Vec<u8>,
}

struct Name {
    bytes: Vec<u8>,
    kind: FileType,
}

impl Walk {
    fn folder(&mut self, folder: &OwnedFd, path: &[u8], depth: usize) -> Result<()> {
        let names = match self.names(folder) {
            Ok(names) => names,
            Err(error) if path.is_empty() => {
                return Err(io_error("cannot list the home", error));
            }
            Err(_) => {
                self.skip(path, Reason::Unreadable);
                return Ok(());
            }
        };
        for name in names {
            let mut inner = path.to_vec();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend_from_slice(&name.bytes);
            self.name(folder.as_fd(), inner, &name, depth)?;
        }
        Ok(())
    }

    fn names(&mut self, folder: &OwnedFd) -> std::io::Result<Vec<Name>> {
        let mut names = Vec::new();
        self.buffer.clear();
        let spare: &mut [MaybeUninit<u8>] = self.buffer.spare_capacity_mut();
        let mut entries = RawDir::new(folder, spare);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if bytes != b"." && bytes != b".." {
                names.push(Name {
                    bytes: bytes.to_vec(),
                    kind: entry.file_type(),
                });
            }
        }
        for name in &mut names {
            if name.kind == FileType::Unknown {
                let status =
                    rustix::fs::statat(folder, name.bytes.as_slice(), AtFlags::SYMLINK_NOFOLLOW)?;
                name.kind = FileType::from_raw_mode(status.st_mode);
            }
        }
        // A folder sorts as if its name ended in a slash: then all paths come out in the order of their bytes.
        names.sort_unstable_by(|a, b| {
            let slash = |name: &Name| (name.kind == FileType::Directory).then_some(b'/');
            let key = |name| slash(name).into_iter();
            (a.bytes.iter().copied().chain(key(a))).cmp(b.bytes.iter().copied().chain(key(b)))
        });
        Ok(names)
    }

    fn name(
        &mut self,
        folder: BorrowedFd<'_>,
        path: Vec<u8>,
        name: &Name,
        depth: usize,
    ) -> Result<()> {
        let bytes = name.bytes.as_slice();
        let status = match rustix::fs::statat(folder, bytes, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(error) => {
                self.skip(&path, why(&error.into()));
                return Ok(());
            }
        };
        match FileType::from_raw_mode(status.st_mode) {
            kind if kind != name.kind => {
                self.skip(&path, Reason::Vanished);
                Ok(())
            }
            FileType::Directory if depth >= MAX_DEPTH => {
                self.skip(&path, Reason::BadPath);
                Ok(())
            }
            FileType::Directory => match directory(folder, bytes) {
                Ok(inner) => {
                    self.add(node(path.clone(), &status, What::Folder))?;
                    self.folder(&inner, &path, depth + 1)
                }
                Err(error) if exhausted(&error) => Err(io_error("cannot open a folder", error)),
                Err(error) => {
                    self.skip(&path, why(&error));
                    Ok(())
                }
            },
            FileType::RegularFile => self.file(path, &status),
            FileType::Symlink => match rustix::fs::readlinkat(folder, bytes, Vec::new()) {
                Ok(target) => {
                    let target = target.into_bytes();
                    self.add(node(path, &status, What::Symlink { target }))
                }
                Err(error) => {
                    self.skip(&path, why(&error.into()));
                    Ok(())
                }
            },
            kind => {
                self.skip(&path, special(kind));
                Ok(())
            }
        }
    }

    #[expect(
        clippy::unnecessary_cast,
        reason = "the types of these fields differ between systems"
    )]
    fn file(&mut self, path: Vec<u8>, status: &rustix::fs::Stat) -> Result<()> {
        let stat = Stat::from(status);
        let number = self.walked.nodes.len();
        if status.st_nlink as u64 > 1 {
            let first = *self.first.entry((stat.dev, stat.ino)).or_insert(number);
            if first != number {
                return self.add(node(path, status, What::Link { first }));
            }
        }
        self.walked.stats.insert(number, stat);
        self.add(node(path, status, What::File))
    }

    fn add(&mut self, node: Node) -> Result<()> {
        if self.walked.nodes.len() >= MAX_NODES {
            return Err(Error::invalid(format!(
                "the home holds more than {MAX_NODES} files"
            )));
        }
        self.walked.nodes.push(node);
        Ok(())
    }

    fn skip(&mut self, path: &[u8], reason: Reason) {
        if self.walked.skipped.len() < MAX_NODES {
            let path = String::from_utf8_lossy(path).into_owned();
            self.walked.skipped.push(Skipped { path, reason });
        }
    }
}

#[expect(
    clippy::unnecessary_cast,
    reason = "the types of these fields differ between systems"
)]
fn node(path: Vec<u8>, status: &rustix::fs::Stat, what: What) -> Node {
    Node {
        path,
        mode: status.st_mode as u32 & MODE,
        mtime_ns: Stat::from(status).mtime_ns,
        what,
    }
}
