//! What is in a folder: gathered in the order of paths, written in the order of names, in blocks that can be searched.

use std::io;

use super::output::Output;
use super::{BLOCK, BLOCK_BYTES};

/// Number, offset of the name, kind, nothing.
const ENTRY: usize = 12;

/// What an entry is; as the format says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File = 1,
    Folder = 2,
    Symlink = 7,
    /// The folder itself.
    Own = 0x12,
    /// The folder around it.
    Parent = 0x22,
}

struct Child {
    number: u64,
    /// Where its name begins.
    start: u32,
    bytes: u8,
    kind: Kind,
}

/// A folder that more may come into.
pub(super) struct Folder {
    names: Vec<u8>,
    children: Vec<Child>,
    /// Where the folders in it say what is around them.
    parents: Vec<u64>,
}

impl Folder {
    pub(super) fn new() -> Self {
        let mut folder = Self {
            names: Vec::new(),
            children: Vec::new(),
            parents: Vec::new(),
        };
        folder.add(".", Kind::Own, 0);
        folder.add("..", Kind::Parent, 0);
        folder
    }

    pub(super) fn add(&mut self, name: &str, kind: Kind, number: u64) {
        let start = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.children.push(Child {
            number,
            start: u32::try_from(start).expect("a manifest has fewer entries than would fill it"),
            bytes: u8::try_from(name.len()).expect("a manifest has names of up to 255 bytes"),
            kind,
        });
    }

    /// Adds a folder that says at the byte `parent_at` of the image what is around it.
    pub(super) fn add_folder(&mut self, name: &str, number: u64, parent_at: u64) {
        self.add(name, Kind::Folder, number);
        self.parents.push(parent_at);
    }

    pub(super) fn listing(mut self) -> Listing {
        let names = &self.names;
        // Nearly sorted: only a folder stands behind names such as `a.b`, as its paths begin with `a/`.
        self.children
            .sort_by(|a, b| name(names, a).cmp(name(names, b)));
        let (mut ends, mut fill, mut bytes) = (Vec::new(), 0, 0);
        for (at, child) in self.children.iter().enumerate() {
            let more = ENTRY + usize::from(child.bytes);
            if fill + more > BLOCK_BYTES {
                ends.push(at);
                bytes += BLOCK;
                fill = 0;
            }
            fill += more;
        }
        ends.push(self.children.len());
        Listing {
            folder: self,
            ends,
            bytes: bytes + fill as u64,
        }
    }
}

/// A folder that is complete.
pub(super) struct Listing {
    folder: Folder,
    /// Where each block ends, as a number of children.
    ends: Vec<usize>,
    bytes: u64,
}

impl Listing {
    /// How many bytes it takes; all blocks but the last are full.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As elsewhere: its own, the one above, and one for each folder in it; 1 where they are too many to say.
    pub(super) fn links(&self) -> u32 {
        u16::try_from(2 + self.folder.parents.len()).map_or(1, u32::from)
    }

    /// Its bytes, when it has this number. What is around it is left open.
    pub(super) fn encode(&self, number: u64) -> Vec<u8> {
        let Folder {
            names, children, ..
        } = &self.folder;
        let mut bytes = Vec::with_capacity(self.ends.len() * BLOCK_BYTES);
        let mut from = 0;
        for end in &self.ends {
            bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
            let block = &children[from..*end];
            let mut name_at = block.len() * ENTRY;
            for child in block {
                let number = if child.kind == Kind::Own {
                    number
                } else {
                    child.number
                };
                bytes.extend(number.to_le_bytes());
                let at = u16::try_from(name_at).expect("it is in one block");
                bytes.extend(at.to_le_bytes());
                bytes.extend([child.kind as u8 & 0xf, 0]);
                name_at += usize::from(child.bytes);
            }
            for child in block {
                bytes.extend(name(names, child));
            }
            from = *end;
        }
        bytes
    }

    /// Which of its bytes say what is around it.
    pub(super) fn parent_at(&self) -> u64 {
        let is_parent = |child: &Child| child.kind == Kind::Parent;
        let child = self.folder.children.iter().position(is_parent);
        let child = child.expect("every folder has it from the start");
        let block = self.ends.partition_point(|end| *end <= child);
        let first = block.checked_sub(1).map_or(0, |before| self.ends[before]);
        block as u64 * BLOCK + ((child - first) * ENTRY) as u64
    }

    /// Tells the folders in it that it has this number.
    pub(super) fn adopt(&self, out: &mut Output<'_>, number: u64) -> io::Result<()> {
        let mut parents = self.folder.parents.iter();
        parents.try_for_each(|at| out.patch(*at, &number.to_le_bytes()))
    }
}

fn name<'a>(names: &'a [u8], child: &Child) -> &'a [u8] {
    let start = child.start as usize;
    &names[start..start + usize::from(child.bytes)]
}
