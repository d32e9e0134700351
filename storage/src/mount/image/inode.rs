//! Inodes and attributes as bytes. An inode has 32 bytes, or 64 where a number in it needs them.

use super::{Hash, Owner, SHARED};

/// The longest inode.
pub(super) const MOST: u64 = 64;

/// The first word of a place in the list of attributes: 12 bytes, the shared one, and the one that leads to the object.
const ATTRIBUTES: u16 = 1 + (4 + 72) / 4;
/// The first of the long names, instead of one of the known beginnings.
const LONG: u8 = 0x80;

/// Where a file's data is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// In blocks from this one on.
    Plain(u32),
    /// The same, but for the rest, which follows the inode.
    Inline(u32),
    /// In chunks of a block times two to this power: here in none, as the object has it.
    Chunks(u16),
}

/// What an inode says.
pub(super) struct Inode {
    mode: u16,
    links: u32,
    size: u64,
    shape: Shape,
}

impl Inode {
    pub(super) fn file(mode: u16, size: u64, shape: Shape) -> Self {
        Self {
            mode: 0o100_000 | mode,
            links: 1,
            size,
            shape,
        }
    }

    pub(super) fn symlink(size: u64, shape: Shape) -> Self {
        Self {
            mode: 0o120_777,
            links: 1,
            size,
            shape,
        }
    }

    pub(super) fn folder(size: u64, links: u32, shape: Shape) -> Self {
        Self {
            mode: 0o040_555,
            links,
            size,
            shape,
        }
    }

    fn is_long(&self, owner: Owner) -> bool {
        let most = u32::from(u16::MAX);
        self.size > u64::from(u32::MAX) || self.links > most || owner.uid > most || owner.gid > most
    }

    /// As bytes; `serial` is for systems whose inode numbers have 32 bits.
    pub(super) fn encode(&self, owner: Owner, serial: u32) -> Vec<u8> {
        let (layout, data, attributes) = match self.shape {
            Shape::Plain(block) => (0_u16, block, 0),
            Shape::Inline(block) => (2, block, 0),
            Shape::Chunks(bits) => (4, u32::from(bits), ATTRIBUTES),
        };
        let is_long = self.is_long(owner);
        let low = |number: u32| {
            let [a, b, ..] = number.to_le_bytes();
            [a, b]
        };
        let mut bytes = Vec::with_capacity(64);
        bytes.extend((layout << 1 | u16::from(is_long)).to_le_bytes());
        bytes.extend(attributes.to_le_bytes());
        bytes.extend(self.mode.to_le_bytes());
        if is_long {
            bytes.extend([0; 2]);
            bytes.extend(self.size.to_le_bytes());
            bytes.extend(data.to_le_bytes());
            bytes.extend(serial.to_le_bytes());
            bytes.extend(owner.uid.to_le_bytes());
            bytes.extend(owner.gid.to_le_bytes());
            bytes.extend(super::TIME.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(self.links.to_le_bytes());
            bytes.extend([0; 16]);
        } else {
            bytes.extend(low(self.links));
            bytes.extend(&self.size.to_le_bytes()[..4]);
            bytes.extend([0; 4]);
            bytes.extend(data.to_le_bytes());
            bytes.extend(serial.to_le_bytes());
            bytes.extend(low(owner.uid));
            bytes.extend(low(owner.gid));
            bytes.extend([0; 4]);
        }
        bytes
    }
}

/// How many bytes an inode takes without what follows it.
pub(super) fn bytes(inode: &Inode, owner: Owner) -> usize {
    if inode.is_long(owner) { 64 } else { 32 }
}

/// The size of a file's chunks, as a power of two of blocks, and how many there are: one, but for files that are larger than the largest chunk.
pub(super) fn chunks(size: u64) -> (u16, usize) {
    let mut bits: u16 = 0;
    while bits < 31 && (super::BLOCK << bits) < size {
        bits += 1;
    }
    let count = size.div_ceil(super::BLOCK << bits);
    (bits, usize::try_from(count).unwrap_or(usize::MAX))
}

/// The attributes of a file whose content is an object.
pub(super) fn redirect(hash: &Hash) -> Vec<u8> {
    let mut list = Vec::with_capacity(96);
    list.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let shared = u32::try_from(SHARED / 4).expect("it is in block 0");
    list.extend(shared.to_le_bytes());
    let digits = hash.digits();
    let mut path = [b'/'; 66];
    path[1..3].copy_from_slice(&digits[..2]);
    path[4..].copy_from_slice(&digits[2..]);
    list.extend(attribute(LONG, &[], &path));
    list
}

/// One attribute, padded.
pub(super) fn attribute(beginning: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    bytes.push(u8::try_from(name.len()).expect("our names are short"));
    bytes.push(beginning);
    let size = u16::try_from(value.len()).expect("our values are short");
    bytes.extend(size.to_le_bytes());
    bytes.extend(name);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
