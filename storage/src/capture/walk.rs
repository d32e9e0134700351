//! Walks a folder through open descriptors, in the order of the paths' bytes, and sorts what it finds into what is taken and what is not.

use std::cmp::Ordering;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, RawDir};

use super::beneath::{Root, directory};
use super::rules::Verdict;
use super::{Reason, Rules, Skipped, Stat};
use crate::manifest::{MAX_DEPTH, check_path};
use crate::objects::io_error;
use crate::{Error, Result};

/// The most paths that one capture takes: bounds its memory.
const MAX_FOUND: usize = 1_000_000;
/// An ignore file is read up to this size.
const MAX_RULES_BYTES: u64 = 1024 * 1024;

/// What to do with symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Keep them as data.
    Keep,
    /// Leave them out with a remark.
    Skip,
}

/// What a capture takes.
pub(crate) struct Policy {
    pub(crate) links: Links,
    /// Whether ignore files, the defaults and the credential names count.
    pub(crate) rules: bool,
    /// Larger files are left out.
    pub(crate) max_file_bytes: Option<u64>,
    /// The name of the stat index, if one is kept.
    pub(crate) index: Option<String>,
}

/// A path to take.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) kind: FoundKind,
    /// Where it lies, when that cannot be its path in a manifest.
    pub(crate) odd: Option<Vec<u8>>,
}

impl Found {
    /// Where it lies beneath the folder.
    pub(crate) fn place(&self) -> &[u8] {
        self.odd.as_deref().unwrap_or(self.path.as_bytes())
    }
}

pub(crate) enum FoundKind {
    File { stat: Stat },
    Symlink { target: String },
}

/// Everything a walk saw, by the order of paths.
pub(super) struct Walked {
    pub(super) found: Vec<Found>,
    pub(super) skipped: Vec<Skipped>,
}

pub(super) fn walk(root: &Root, policy: Policy) -> Result<Walked> {
    let rules = policy
        .rules
        .then(|| Rules::new(&read_rules(root, ".git/info/exclude")));
    let walked = Walked {
        found: Vec::new(),
        skipped: Vec::new(),
    };
    let mut walk = Walk {
        root,
        policy,
        rules,
        walked,
        buffer: Vec::with_capacity(64 * 1024),
    };
    let top = root
        .again()
        .map_err(|error| io_error("cannot list the folder to capture", error))?;
    walk.folder(&top, "", 1)?;
    Ok(walk.walked)
}

struct Walk<'a> {
    root: &'a Root,
    policy: Policy,
    rules: Option<Rules>,
    walked: Walked,
    /// Where directory entries are read into, one folder after the other.
    buffer: Vec<u8>,
}

/// A name in a folder.
struct Name {
    bytes: Vec<u8>,
    kind: FileType,
}

impl Name {
    /// Compares names as their paths compare.
    fn order(a: &Self, b: &Self) -> Ordering {
        let shared = a.bytes.len().min(b.bytes.len());
        let next = |name: &Self| match name.bytes.get(shared) {
            None => (name.kind == FileType::Directory).then_some(b'/'),
            next => next.copied(),
        };
        a.bytes[..shared]
            .cmp(&b.bytes[..shared])
            .then_with(|| next(a).cmp(&next(b)))
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &str, depth: usize) -> Result<()> {
        let names = match self.names(folder) {
            Ok(names) => names,
            Err(error) if path.is_empty() => {
                return Err(io_error("cannot list the folder to capture", error));
            }
            Err(_) => {
                self.skip(path.to_owned(), Reason::Unreadable);
                return Ok(());
            }
        };
        if self.rules.is_some() && !path.is_empty() && is_derived(&names) {
            return Ok(());
        }
        let entered = self.enter(path, &names);
        for name in &names {
            self.name(folder, path, name, depth)?;
        }
        if let (true, Some(rules)) = (entered, &mut self.rules) {
            rules.leave();
        }
        Ok(())
    }

    /// Lists a folder so that the paths beneath come out in the order of their bytes: a folder sorts as if its name ended in a slash.
    fn names(&mut self, folder: &OwnedFd) -> std::io::Result<Vec<Name>> {
        let mut names = Vec::new();
        self.buffer.clear();
        let spare: &mut [MaybeUninit<u8>] = self.buffer.spare_capacity_mut();
        let mut entries = RawDir::new(folder, spare);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            names.push(Name {
                bytes: bytes.to_vec(),
                kind: entry.file_type(),
            });
        }
        for name in names
            .iter_mut()
            .filter(|name| name.kind == FileType::Unknown)
        {
            let stat =
                rustix::fs::statat(folder, name.bytes.as_slice(), AtFlags::SYMLINK_NOFOLLOW)?;
            name.kind = FileType::from_raw_mode(stat.st_mode);
        }
        names.sort_unstable_by(Name::order);
        Ok(names)
    }

    /// Puts the folder's ignore files in force, if it has any.
    fn enter(&mut self, path: &str, names: &[Name]) -> bool {
        let Some(rules) = &mut self.rules else {
            return false;
        };
        let read = |file: &str| {
            let present = names
                .iter()
                .any(|name| name.bytes == file.as_bytes() && name.kind == FileType::RegularFile);
            if present {
                read_rules(self.root, &join(path, file))
            } else {
                Vec::new()
            }
        };
        let (cairn, git) = (read(".cairnignore"), read(".gitignore"));
        if cairn.is_empty() && git.is_empty() {
            return false;
        }
        rules.enter(path, &cairn, &git);
        true
    }

    fn name(&mut self, folder: &OwnedFd, parent: &str, name: &Name, depth: usize) -> Result<()> {
        let Ok(text) = std::str::from_utf8(&name.bytes) else {
            self.skip(
                join(parent, &String::from_utf8_lossy(&name.bytes)),
                Reason::NotUtf8,
            );
            return Ok(());
        };
        let path = join(parent, text);
        let is_folder = name.kind == FileType::Directory;
        match self
            .rules
            .as_ref()
            .map_or(Verdict::Take, |rules| rules.judge(&path, is_folder))
        {
            Verdict::Take => {}
            Verdict::Ignore => return Ok(()),
            Verdict::Credential => {
                self.skip(path, Reason::Credential);
                return Ok(());
            }
        }
        if depth > MAX_DEPTH || check_path(&path).is_err() {
            self.skip(path, Reason::BadPath);
            return Ok(());
        }
        match name.kind {
            FileType::Directory => self.descend(folder, path, text, depth),
            FileType::RegularFile => self.file(folder.as_fd(), path, text),
            FileType::Symlink => self.link(folder.as_fd(), path, text),
            kind => {
                self.skip(path, special(kind));
                Ok(())
            }
        }
    }

    fn descend(&mut self, folder: &OwnedFd, path: String, name: &str, depth: usize) -> Result<()> {
        match directory(folder.as_fd(), name) {
            Ok(inner) => self.folder(&inner, &path, depth + 1),
            Err(error) if exhausted(&error) => Err(io_error("cannot open a folder", error)),
            Err(error) => {
                self.skip(path, why(&error));
                Ok(())
            }
        }
    }

    fn file(&mut self, folder: BorrowedFd<'_>, path: String, name: &str) -> Result<()> {
        let found = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(error) => {
                self.skip(path, why(&error.into()));
                return Ok(());
            }
        };
        let stat = Stat::from(&found);
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            self.skip(path, Reason::Vanished);
            return Ok(());
        }
        if self
            .policy
            .max_file_bytes
            .is_some_and(|most| stat.size > most)
        {
            self.skip(path, Reason::TooLarge);
            return Ok(());
        }
        self.take(path, FoundKind::File { stat })
    }

    fn link(&mut self, folder: BorrowedFd<'_>, path: String, name: &str) -> Result<()> {
        if self.policy.links == Links::Skip {
            self.skip(path, Reason::Symlink);
            return Ok(());
        }
        match rustix::fs::readlinkat(folder, name, Vec::new()).map(std::ffi::CString::into_string) {
            Ok(Ok(target)) if !target.is_empty() => self.take(path, FoundKind::Symlink { target }),
            Ok(_) => {
                self.skip(path, Reason::NotUtf8);
                Ok(())
            }
            Err(error) => {
                self.skip(path, why(&error.into()));
                Ok(())
            }
        }
    }

    fn take(&mut self, path: String, kind: FoundKind) -> Result<()> {
        if self.walked.found.len() >= MAX_FOUND {
            return Err(Error::invalid(format!(
                "the folder holds more than {MAX_FOUND} files"
            )));
        }
        self.walked.found.push(Found {
            path,
            kind,
            odd: None,
        });
        Ok(())
    }

    fn skip(&mut self, path: String, reason: Reason) {
        // A folder full of pipes must not fill the memory: what is beyond is counted, not named.
        if self.walked.skipped.len() < MAX_FOUND {
            self.walked.skipped.push(Skipped { path, reason });
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        [parent, "/", name].concat()
    }
}

/// Whether a folder says of itself that it can be made again: a virtual environment, a cache.
fn is_derived(names: &[Name]) -> bool {
    names
        .iter()
        .any(|name| name.bytes == b"pyvenv.cfg" || name.bytes == b"CACHEDIR.TAG")
}

pub(crate) fn special(kind: FileType) -> Reason {
    match kind {
        FileType::Fifo => Reason::Fifo,
        FileType::Socket => Reason::Socket,
        _ => Reason::Device,
    }
}

/// Why a path that was listed could not be opened.
pub(crate) fn why(error: &std::io::Error) -> Reason {
    match error
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error)
    {
        Some(
            rustix::io::Errno::NOENT
            | rustix::io::Errno::LOOP
            | rustix::io::Errno::NOTDIR
            | rustix::io::Errno::NXIO,
        ) => Reason::Vanished,
        _ => Reason::Unreadable,
    }
}

/// Whether the process, not the file, is to blame: then nothing may be left out silently.
pub(crate) fn exhausted(error: &std::io::Error) -> bool {
    matches!(
        error
            .raw_os_error()
            .map(rustix::io::Errno::from_raw_os_error),
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOMEM)
    )
}

/// Reads an ignore file, which may be anything: only the start of a regular file counts.
fn read_rules(root: &Root, path: &str) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(file) = root.file(path.as_bytes())
        && file.metadata().is_ok_and(|found| found.is_file())
        && file.take(MAX_RULES_BYTES).read_to_end(&mut text).is_err()
    {
        text.clear();
    }
    text
}
