//! The leaf format: a columnar block of up to 8192 entries, zstd on disk. The digest covers the plain block, so that no change of the
//! compressor changes an identity.

use super::codec::{Reader, put_bytes, put_number, text};
use super::{Entry, Node, path};
use crate::Result;
use crate::objects::{Hash, corrupt};

const MAGIC: &[u8; 4] = b"CML1";
const CONTEXT: &str = "cairn manifest leaf v1";
/// The fewest entries before a boundary, but for the last leaf.
const MIN_ENTRIES: usize = 256;
/// The most entries in a leaf.
const MAX_ENTRIES: usize = 8192;
/// One path in so many ends a leaf.
const SPREAD: u16 = 2048;

const FILE: u8 = 0;
const EXECUTABLE: u8 = 1;
const SYMLINK: u8 = 2;

/// Whether a leaf with `count` entries ends after `path`: a function of the paths alone.
pub(super) fn ends_after(path: &str, count: usize) -> bool {
    if count >= MAX_ENTRIES {
        return true;
    }
    if count < MIN_ENTRIES {
        return false;
    }
    let hash = blake3::hash(path.as_bytes());
    let head = u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]);
    head.is_multiple_of(SPREAD)
}

pub(super) fn digest(block: &[u8]) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, block))
}

/// Encodes entries that are sorted and valid.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 64);
    out.extend_from_slice(MAGIC);
    put_number(&mut out, entries.len() as u64);
    out.extend(entries.iter().map(|entry| kind(&entry.node)));
    let mut before: &[u8] = &[];
    for entry in entries {
        let bytes = entry.path.as_bytes();
        let shared = before.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        put_number(&mut out, shared as u64);
        put_bytes(&mut out, &bytes[shared..]);
        before = bytes;
    }
    for entry in entries {
        match &entry.node {
            Node::File { size, .. } => put_number(&mut out, *size),
            Node::Symlink { target } => put_bytes(&mut out, target.as_bytes()),
        }
    }
    for entry in entries {
        if let Node::File { hash, .. } = &entry.node {
            out.extend_from_slice(hash.as_bytes());
        }
    }
    out
}

fn kind(node: &Node) -> u8 {
    match node {
        Node::File {
            executable: false, ..
        } => FILE,
        Node::File {
            executable: true, ..
        } => EXECUTABLE,
        Node::Symlink { .. } => SYMLINK,
    }
}

/// Decodes a block and checks everything that later code relies on.
pub(super) fn decode(block: &[u8]) -> Result<Vec<Entry>> {
    let mut reader = Reader::new(block);
    if reader.take(4)? != MAGIC {
        return Err(corrupt("a manifest leaf has an unknown format"));
    }
    let count = reader.count()?;
    if count == 0 || count > MAX_ENTRIES {
        return Err(corrupt("a manifest leaf has too few or too many entries"));
    }
    let kinds = reader.take(count)?;
    let paths = decode_paths(&mut reader, count)?;
    let mut entries = Vec::with_capacity(count);
    for (path, kind) in paths.into_iter().zip(kinds) {
        let node = match *kind {
            FILE | EXECUTABLE => Node::File {
                hash: Hash::from_bytes([0; 32]),
                size: reader.number()?,
                executable: *kind == EXECUTABLE,
            },
            SYMLINK => Node::Symlink {
                target: reader.text()?,
            },
            _ => return Err(corrupt("a manifest leaf holds an unknown kind")),
        };
        if let Node::Symlink { target } = &node {
            path::check_target(target).map_err(corrupt)?;
        }
        entries.push(Entry { path, node });
    }
    for entry in &mut entries {
        if let Node::File { hash, .. } = &mut entry.node {
            *hash = reader.hash()?;
        }
    }
    reader.end()?;
    Ok(entries)
}

fn decode_paths(reader: &mut Reader<'_>, count: usize) -> Result<Vec<String>> {
    let mut order = path::Order::default();
    let mut paths: Vec<String> = Vec::with_capacity(count);
    for _ in 0..count {
        let shared = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        let before = paths.last().map_or(&[][..], |path| path.as_bytes());
        let start = before
            .get(..shared)
            .ok_or_else(|| corrupt("a manifest leaf holds a bad path"))?;
        let path = text([start, reader.bytes()?].concat())?;
        order.next(&path).map_err(corrupt)?;
        paths.push(path);
    }
    Ok(paths)
}
