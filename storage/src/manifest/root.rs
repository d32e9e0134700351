//! The root format: totals, the content digest, and for every leaf its first and last path, digest, entries and bytes.

use super::codec::{Reader, put_bytes, put_number};
use super::{MAX_ENTRIES, Summary, leaf, path};
use crate::Result;
use crate::objects::{Batch, Hash, Objects, Space, corrupt, io_error};

const MAGIC: &[u8; 4] = b"CMR1";
const CONTEXT: &str = "cairn manifest root v1";
const ZSTD_LEVEL: i32 = 3;
/// The largest plain node: 8192 entries with the longest paths and targets.
const MAX_NODE_BYTES: u64 = 80 * 1024 * 1024;

/// One leaf as its root names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) first: String,
    pub(super) last: String,
    pub(super) digest: Hash,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// A decoded root.
pub(super) struct Root {
    pub(super) summary: Summary,
    pub(super) branches: Vec<Branch>,
}

/// What goes into a root; the digest follows from it.
pub(super) struct Totals {
    pub(super) content_digest: Hash,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) symlinks: u64,
}

/// Encodes a root and returns it with its digest.
pub(super) fn encode(totals: &Totals, branches: &[Branch]) -> (Hash, Vec<u8>) {
    let mut out = Vec::with_capacity(64 + branches.len() * 160);
    out.extend_from_slice(MAGIC);
    put_number(&mut out, totals.files);
    put_number(&mut out, totals.bytes);
    put_number(&mut out, totals.symlinks);
    out.extend_from_slice(totals.content_digest.as_bytes());
    put_number(&mut out, branches.len() as u64);
    for branch in branches {
        put_bytes(&mut out, branch.first.as_bytes());
        put_bytes(&mut out, branch.last.as_bytes());
        out.extend_from_slice(branch.digest.as_bytes());
        put_number(&mut out, branch.entries);
        put_number(&mut out, branch.bytes);
    }
    (digest(&out), out)
}

fn digest(block: &[u8]) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, block))
}

fn decode(manifest_digest: Hash, block: &[u8]) -> Result<Root> {
    let mut reader = Reader::new(block);
    if reader.take(4)? != MAGIC {
        return Err(corrupt("a manifest root has an unknown format"));
    }
    let (files, bytes, symlinks) = (reader.number()?, reader.number()?, reader.number()?);
    let content_digest = reader.hash()?;
    let count = reader.count()?;
    let mut branches: Vec<Branch> = Vec::with_capacity(count);
    for _ in 0..count {
        let (first, last) = (reader.text()?, reader.text()?);
        let branch = Branch {
            first,
            last,
            digest: reader.hash()?,
            entries: reader.number()?,
            bytes: reader.number()?,
        };
        let ordered = branch.first <= branch.last
            && branches
                .last()
                .is_none_or(|before| before.last < branch.first);
        if !ordered {
            return Err(corrupt("a manifest root has leaves out of order"));
        }
        path::check_path(&branch.first)
            .and_then(|()| path::check_path(&branch.last))
            .map_err(corrupt)?;
        branches.push(branch);
    }
    reader.end()?;
    let entries = branches
        .iter()
        .try_fold(0u64, |sum, branch| sum.checked_add(branch.entries));
    if entries != files.checked_add(symlinks) || entries.is_none_or(|entries| entries > MAX_ENTRIES)
    {
        return Err(corrupt("a manifest root has totals that do not add up"));
    }
    Ok(Root {
        summary: Summary {
            manifest_digest,
            content_digest,
            files,
            bytes,
            symlinks,
        },
        branches,
    })
}

/// Reads and checks a root.
pub(super) fn load(objects: &dyn Objects, manifest_digest: &Hash) -> Result<Option<Root>> {
    let Some(block) = load_node(objects, manifest_digest)? else {
        return Ok(None);
    };
    if digest(&block) != *manifest_digest {
        return Err(corrupt(format!(
            "manifest {manifest_digest} has other content"
        )));
    }
    decode(*manifest_digest, &block).map(Some)
}

/// Reads a node and unpacks it, whatever its digest.
pub(super) fn load_node(objects: &dyn Objects, digest: &Hash) -> Result<Option<Vec<u8>>> {
    let Some(source) = objects.open(Space::Manifests, digest)? else {
        return Ok(None);
    };
    unpack(source, digest).map(Some)
}

/// Whether packed bytes from elsewhere are a node with this digest.
pub(crate) fn is_node(claimed: &Hash, packed: &[u8]) -> bool {
    unpack(packed, claimed)
        .is_ok_and(|block| digest(&block) == *claimed || leaf::digest(&block) == *claimed)
}

fn unpack(source: impl std::io::Read, digest: &Hash) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let failed = |error| io_error(format!("cannot unpack manifest node {digest}"), error);
    let mut block = Vec::new();
    let decoder = zstd::Decoder::new(source).map_err(failed)?;
    decoder
        .take(MAX_NODE_BYTES + 1)
        .read_to_end(&mut block)
        .map_err(failed)?;
    if block.len() as u64 > MAX_NODE_BYTES {
        return Err(corrupt(format!("manifest node {digest} is too large")));
    }
    Ok(block)
}

/// Packs a node into the batch.
pub(super) fn save_node(batch: &dyn Batch, digest: &Hash, block: &[u8]) -> Result<()> {
    if batch.has_node(digest)? {
        return Ok(());
    }
    let packed = zstd::bulk::compress(block, ZSTD_LEVEL)
        .map_err(|error| io_error("cannot pack a manifest node", error))?;
    batch.put_node(digest, &packed)
}
