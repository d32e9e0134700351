//! Writes the image of a manifest: an EROFS file system of names, sizes and modes, whose files are told by attributes to have their content in
//! the object store. Equal manifests give equal bytes. Knows the format, not the kernel: it opens nothing and mounts nothing.
//!
//! Block 0 holds the superblock, the one shared attribute, the one long attribute name and the root folder's inode; the others follow in the
//! order of the manifest, each folder after what is in it. So the writer holds in memory only what is in the folders that are open: 16 bytes and
//! the name of each entry.
//!
//! Source: Linux `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h` (v6.18); `Documentation/filesystems/overlayfs.rst`,
//! "Metadata only copy up" and "Data-only lower layers".

use std::fs::File;
use std::io;

use crate::manifest::{Entry, Node};
use crate::materialise::Owner;
use crate::objects::{Hash, io_error};
use crate::{Error, Result};

mod folder;
mod inode;
mod output;

use folder::{Folder, Kind};
use inode::{Inode, Shape};
use output::Output;

/// Names the bytes that this writer makes: another number where they change.
pub(super) const VERSION: u32 = 1;
/// The unit of everything.
pub(super) const BLOCK: u64 = BLOCK_BYTES as u64;
pub(super) const BLOCK_BYTES: usize = 4096;

const SUPERBLOCK: u64 = 1024;
/// Where the shared attribute lies, after the superblock.
const SHARED: u64 = SUPERBLOCK + 128;
/// Where the long attribute name lies, after that.
const PREFIX: u64 = SHARED + 20;
/// Where the root's inode lies: its number has 16 bits, so it comes first.
const ROOT: u64 = 1216;
/// Where the other inodes begin.
const FIRST: u64 = ROOT + inode::MOST;
/// Inodes are numbered by where they lie.
const SLOT: u64 = 32;
/// When all files were changed: in 1980, before which zip archives know no time.
const TIME: u64 = 315_532_800;

const METACOPY: &[u8] = b"overlay.metacopy";
const REDIRECT: &[u8] = b"overlay.redirect";
/// The number of `trusted.` among the beginnings of attributes' names.
const TRUSTED: u8 = 4;

const CHUNKED_FILES: u32 = 0x4;
const LONG_PREFIXES: u32 = 0x40;

/// Writes the image of the manifest `digest`, whose entries come in order, into an empty file, and returns its length in bytes, whole blocks.
///
/// Files are 0444 or 0555, folders 0555, all of `owner`. Blocks; syncs nothing.
///
/// # Errors
/// The first of `entries`; `Invalid` for a link that is too long for a kernel; `Unavailable` when the disk is full.
pub(super) fn write(
    file: &File,
    digest: &Hash,
    owner: Owner,
    entries: impl Iterator<Item = Result<Entry>>,
) -> Result<u64> {
    let mut writer = Writer {
        out: Output::new(file, FIRST),
        owner,
        path: String::new(),
        open: vec![Folder::new()],
        inodes: 0,
    };
    let failed = |error| io_error("cannot write an image", error);
    for entry in entries {
        let entry = entry?;
        check(&entry)?;
        writer.add(&entry).map_err(failed)?;
    }
    writer.finish(digest).map_err(failed)
}

fn check(entry: &Entry) -> Result<()> {
    match &entry.node {
        Node::Symlink { target } if target.len() as u64 >= BLOCK => Err(Error::invalid(format!(
            "the link {:?} is longer than 4095 bytes",
            entry.path
        ))),
        _ => Ok(()),
    }
}

struct Writer<'a> {
    out: Output<'a>,
    owner: Owner,
    /// The path of the innermost folder.
    path: String,
    /// The folders of the last entry, the root first.
    open: Vec<Folder>,
    inodes: u32,
}

impl Writer<'_> {
    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let path = entry.path.as_str();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.go_to(folder)?;
        let (kind, number) = match &entry.node {
            Node::File {
                hash,
                size,
                executable,
            } => (Kind::File, self.file(hash, *size, *executable)?),
            Node::Symlink { target } => (Kind::Symlink, self.symlink(target.as_bytes())?),
        };
        self.innermost().add(name, kind, number);
        Ok(())
    }

    fn file(&mut self, hash: &Hash, size: u64, executable: bool) -> io::Result<u64> {
        let mode = if executable { 0o555 } else { 0o444 };
        if size == 0 {
            // Nothing to lead to.
            return self.inode(0, &Inode::file(mode, 0, Shape::Plain(0)), &[]);
        }
        let (bits, chunks) = inode::chunks(size);
        let head = Inode::file(mode, size, Shape::Chunks(bits));
        let mut body = inode::redirect(hash);
        body.extend(std::iter::repeat_n(0xff, chunks * 4));
        self.inode(0, &head, &body)
    }

    fn symlink(&mut self, target: &[u8]) -> io::Result<u64> {
        let size = target.len() as u64;
        let head = inode::bytes(&Inode::symlink(size, Shape::Inline(0)), self.owner) as u64;
        if head + size <= BLOCK {
            let inode = Inode::symlink(size, Shape::Inline(0));
            return self.inode(size, &inode, target);
        }
        self.out
            .skip_to(self.out.position().next_multiple_of(BLOCK))?;
        let block = self.out.position();
        self.out.write(target)?;
        self.out.skip_to(block + BLOCK)?;
        let inode = Inode::symlink(size, Shape::Plain(number_of_block(block)?));
        self.inode(0, &inode, &[])
    }

    /// Writes an inode where it and `together` bytes of its body lie in one block, and returns its number.
    fn inode(&mut self, together: u64, inode: &Inode, body: &[u8]) -> io::Result<u64> {
        let head = inode::bytes(inode, self.owner) as u64;
        let together = if together > 0 { head + together } else { 0 };
        self.out.skip_to(fit(self.out.position(), together))?;
        let place = self.out.position();
        self.put(inode, body)?;
        Ok(place / SLOT)
    }

    fn put(&mut self, inode: &Inode, body: &[u8]) -> io::Result<()> {
        self.inodes += 1;
        self.out.write(&inode.encode(self.owner, self.inodes))?;
        self.out.write(body)
    }

    /// Opens the folder at `path`, closing those that nothing more comes into.
    fn go_to(&mut self, path: &str) -> io::Result<()> {
        while !is_within(path, &self.path) {
            self.close()?;
        }
        while self.path.len() < path.len() {
            let from = match self.path.len() {
                0 => 0,
                there => there + 1,
            };
            let end = path[from..].find('/').map_or(path.len(), |at| from + at);
            self.path.clear();
            self.path.push_str(&path[..end]);
            self.open.push(Folder::new());
        }
        Ok(())
    }

    fn innermost(&mut self) -> &mut Folder {
        self.open
            .last_mut()
            .expect("the root stays open to the end")
    }

    /// Writes the innermost folder, which is not the root, and names it in the one around it.
    fn close(&mut self) -> io::Result<()> {
        let folder = self.innermost();
        let listing = std::mem::replace(folder, Folder::new()).listing();
        self.open.pop();
        let size = listing.bytes();
        let (tail, links) = (size % BLOCK, listing.links());
        let head = inode::bytes(&Inode::folder(size, links, Shape::Inline(0)), self.owner) as u64;
        let inline = tail > 0 && head + tail <= BLOCK;
        let outside = if inline {
            size - tail
        } else {
            size.next_multiple_of(BLOCK)
        };
        if outside > 0 {
            self.out
                .skip_to(self.out.position().next_multiple_of(BLOCK))?;
        }
        let start = self.out.position();
        let place = fit(start + outside, head + if inline { tail } else { 0 });
        let number = place / SLOT;
        let data = listing.encode(number);
        let split = usize::try_from(size.min(outside)).expect("it is in memory");
        self.out.write(&data[..split])?;
        self.out.skip_to(place)?;
        let first = if outside > 0 {
            number_of_block(start)?
        } else {
            0
        };
        let shape = if inline {
            Shape::Inline(first)
        } else {
            Shape::Plain(first)
        };
        self.put(&Inode::folder(size, links, shape), &data[split..])?;
        listing.adopt(&mut self.out, number)?;
        let at = listing.parent_at();
        let at = if at < outside {
            start + at
        } else {
            place + head + (at - outside)
        };
        let path = std::mem::take(&mut self.path);
        let (around, name) = path.rsplit_once('/').unwrap_or(("", &path));
        around.clone_into(&mut self.path);
        self.innermost().add_folder(name, number, at);
        Ok(())
    }

    fn finish(mut self, digest: &Hash) -> io::Result<u64> {
        while self.open.len() > 1 {
            self.close()?;
        }
        let root = self.open.pop().expect("the root stays open to the end");
        let (listing, number) = (root.listing(), ROOT / SLOT);
        self.out
            .skip_to(self.out.position().next_multiple_of(BLOCK))?;
        let start = self.out.position();
        self.out.write(&listing.encode(number))?;
        let length = self.out.position().next_multiple_of(BLOCK);
        self.out.skip_to(length)?;
        listing.adopt(&mut self.out, number)?;
        self.out
            .patch(start + listing.parent_at(), &number.to_le_bytes())?;
        let shape = Shape::Plain(number_of_block(start)?);
        let inode = Inode::folder(listing.bytes(), listing.links(), shape);
        self.inodes += 1;
        self.out
            .patch(ROOT, &inode.encode(self.owner, self.inodes))?;
        let head = superblock(digest, self.inodes, number_of_block(length)?);
        self.out.patch(SUPERBLOCK, &head)?;
        self.out.finish()?;
        Ok(length)
    }
}

/// Everything in block 0 before the root's inode.
fn superblock(digest: &Hash, inodes: u32, blocks: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(192);
    let mut put = |bytes: &[u8]| head.extend_from_slice(bytes);
    put(&0xe0f5_e1e2_u32.to_le_bytes());
    // No checksum, no optional features: what is mounted was checked as a whole.
    put(&[0; 8]);
    put(&[12, 0]);
    put(&u16::try_from(ROOT / SLOT)
        .expect("it comes first")
        .to_le_bytes());
    put(&u64::from(inodes).to_le_bytes());
    put(&TIME.to_le_bytes());
    put(&[0; 4]);
    put(&blocks.to_le_bytes());
    // Inodes and shared attributes are counted from block 0.
    put(&[0; 8]);
    put(&digest.as_bytes()[..16]);
    put(&[0; 16]);
    put(&(CHUNKED_FILES | LONG_PREFIXES).to_le_bytes());
    put(&[0; 7]);
    put(&[1]);
    put(&u32::try_from(PREFIX / 4)
        .expect("it is in block 0")
        .to_le_bytes());
    put(&[0; 32]);
    debug_assert_eq!(head.len() as u64, SHARED - SUPERBLOCK);
    head.extend(inode::attribute(TRUSTED, METACOPY, &[]));
    let name_bytes = u16::try_from(1 + REDIRECT.len()).expect("it is short");
    head.extend(name_bytes.to_le_bytes());
    head.push(TRUSTED);
    head.extend(REDIRECT);
    head
}

fn number_of_block(at: u64) -> io::Result<u32> {
    u32::try_from(at / BLOCK).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// The first place for an inode at or after `from` where `together` bytes of it lie in one block.
fn fit(from: u64, together: u64) -> u64 {
    let place = from.next_multiple_of(SLOT);
    if place % BLOCK + together <= BLOCK {
        place
    } else {
        place.next_multiple_of(BLOCK)
    }
}

/// Whether the folder `path` is `open` or lies in it.
fn is_within(path: &str, open: &str) -> bool {
    open.is_empty()
        || path
            .strip_prefix(open)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
