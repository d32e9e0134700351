//! The attributes of a home: its tree with everything that a manifest does not say. The manifest says which content lies in each file.
//!
//! One object: a magic and one zstd frame of records, folders before what is in them, in the order of the paths' bytes. A path that a manifest
//! cannot hold (not UTF-8, too long, too deep) has another name there; see [`key`].

use crate::Result;
use crate::manifest::{check_path, put_bytes, put_number};
use crate::objects::{Hash, corrupt};

const MAGIC: &[u8; 4] = b"CHA1";
/// Beneath this name a manifest keeps the files whose own paths it cannot hold.
const ODD: &str = ".cairn-odd";
/// Fast: what is saved by more does not pay for it.
const LEVEL: i32 = 3;

const FOLDER: u8 = 0;
const FILE: u8 = 1;
const SYMLINK: u8 = 2;
const LINK: u8 = 3;
const END: u8 = 0xff;

/// One path of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Relative, components divided by `/`; empty for the home itself, which comes first.
    pub(super) path: Vec<u8>,
    /// Permissions and the sticky bit.
    pub(super) mode: u32,
    pub(super) mtime_ns: i64,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Folder,
    /// Its content is in the manifest, under [`key`].
    File,
    Symlink {
        target: Vec<u8>,
    },
    /// Another name of the file at this place in the list.
    Link {
        first: usize,
    },
}

/// The path of a file in the manifest: its own, or one made of its hash where a manifest could not hold it.
pub(super) fn key(path: &[u8]) -> String {
    let own = std::str::from_utf8(path).ok().filter(|text| {
        // Names beneath ours would be mistaken for it.
        check_path(text).is_ok() && text.split('/').next() != Some(ODD)
    });
    own.map_or_else(
        || format!("{}{}", odd(), Hash::of(path).to_hex()),
        str::to_owned,
    )
}

/// What the names of odd paths begin with in a manifest.
pub(super) fn odd() -> String {
    format!("{ODD}/")
}

/// Encodes nodes whose links all point to files before them.
pub(super) fn encode(nodes: &[Node]) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(nodes.len() * 32);
    let mut before: &[u8] = &[];
    for node in nodes {
        plain.push(match node.what {
            What::Folder => FOLDER,
            What::File => FILE,
            What::Symlink { .. } => SYMLINK,
            What::Link { .. } => LINK,
        });
        let shared = before.iter().zip(&node.path).take_while(|(a, b)| a == b);
        let shared = shared.count();
        put_number(&mut plain, shared as u64);
        put_bytes(&mut plain, &node.path[shared..]);
        put_number(&mut plain, u64::from(node.mode));
        plain.extend_from_slice(&node.mtime_ns.to_le_bytes());
        match &node.what {
            What::Symlink { target } => put_bytes(&mut plain, target),
            What::Link { first } => put_number(&mut plain, *first as u64),
            What::Folder | What::File => {}
        }
        before = &node.path;
    }
    plain.push(END);
    let failed = |error| crate::Error::internal("a home's attributes cannot be packed", error);
    let mut packed = MAGIC.to_vec();
    zstd::stream::copy_encode(plain.as_slice(), &mut packed, LEVEL).map_err(failed)?;
    Ok(packed)
}

/// Decodes and checks everything that a restore relies on: paths that stay inside, folders before what is in them, links to files.
pub(super) fn decode(packed: &[u8]) -> Result<Vec<Node>> {
    let frame = packed
        .strip_prefix(MAGIC)
        .ok_or_else(|| corrupt("a home's attributes have an unknown format"))?;
    let plain = zstd::stream::decode_all(frame)
        .map_err(|error| corrupt(format!("a home's attributes cannot be unpacked: {error}")))?;
    let mut reader = Reader { rest: &plain };
    let mut nodes: Vec<Node> = Vec::new();
    let mut folders: Vec<usize> = Vec::new();
    loop {
        let kind = reader.take(1)?[0];
        if kind == END {
            break;
        }
        let node = reader.node(kind, &nodes)?;
        place(&node, &nodes, &mut folders)?;
        if node.what == What::Folder {
            folders.push(nodes.len());
        }
        nodes.push(node);
    }
    if nodes.is_empty() || !reader.rest.is_empty() {
        return Err(corrupt("a home's attributes have no top or no end"));
    }
    Ok(nodes)
}

/// Checks that a node lies directly in one of the open folders, and closes those that it does not lie in.
fn place(node: &Node, nodes: &[Node], folders: &mut Vec<usize>) -> Result<()> {
    if nodes.is_empty() {
        return match (&node.what, node.path.is_empty()) {
            (What::Folder, true) => Ok(()),
            _ => Err(corrupt("a home's attributes do not begin with the home")),
        };
    }
    if !comes_after(&nodes[nodes.len() - 1], node) {
        return Err(corrupt("the paths of a home are out of order"));
    }
    let (parent, name) = split(&node.path);
    while folders
        .last()
        .is_some_and(|open| nodes[*open].path != parent)
    {
        folders.pop();
    }
    let bad = name.is_empty()
        || node.path[0] == b'/'
        || name == b"."
        || name == b".."
        || name.contains(&0);
    if folders.is_empty() || bad {
        return Err(corrupt("a path of a home does not lie in its folder"));
    }
    Ok(())
}

/// Folders sort as if their names ended in a slash: `a.b` comes before what is in the folder `a`, and before `a` itself.
fn comes_after(before: &Node, node: &Node) -> bool {
    let key = |node: &Node| {
        let mut key = node.path.clone();
        if node.what == What::Folder && !key.is_empty() {
            key.push(b'/');
        }
        key
    };
    key(before) < key(node)
}

/// A path's folder and its last component.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| corrupt("a home's attributes end early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value)
                    .map_err(|_| corrupt("a home's attributes hold a bad number"));
            }
        }
        Err(corrupt("a home's attributes hold a bad number"))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.number()?;
        self.take(count)
    }

    fn node(&mut self, kind: u8, before: &[Node]) -> Result<Node> {
        let shared = self.number()?;
        let last = before.last().map_or(&[][..], |node| &node.path);
        let start = last
            .get(..shared)
            .ok_or_else(|| corrupt("a home's attributes hold a bad path"))?;
        let path = [start, self.bytes()?].concat();
        let mode = u32::try_from(self.number()?)
            .ok()
            .filter(|mode| mode & !0o1777 == 0)
            .ok_or_else(|| corrupt("a home's attributes hold a bad mode"))?;
        let mtime = self.take(8)?.try_into().expect("eight bytes were taken");
        let what = match kind {
            FOLDER => What::Folder,
            FILE => What::File,
            SYMLINK => What::Symlink {
                target: self.bytes()?.to_vec(),
            },
            LINK => {
                let first = self.number()?;
                let file = before
                    .get(first)
                    .is_some_and(|node| node.what == What::File);
                if !file {
                    return Err(corrupt("a home's attributes hold a link to no file"));
                }
                What::Link { first }
            }
            _ => return Err(corrupt("a home's attributes hold an unknown kind")),
        };
        Ok(Node {
            path,
            mode,
            mtime_ns: i64::from_le_bytes(mtime),
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &[u8], what: What) -> Node {
        Node {
            path: path.to_vec(),
            mode: 0o750,
            mtime_ns: -1_234_567_890_123,
            what,
        }
    }

    #[test]
    fn nodes_round_trip() {
        let target = b"../\xff/x".to_vec();
        let nodes = [
            node(b"", What::Folder),
            node(b"a.b", What::File),
            node(b"a", What::Folder),
            node(b"a/b", What::Folder),
            node(b"a/b/\xff\n", What::Link { first: 1 }),
            node(b"a0", What::Symlink { target }),
        ];
        assert_eq!(decode(&encode(&nodes).unwrap()).unwrap(), nodes);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let top = node(b"", What::Folder);
        for path in [&b"../x"[..], b"/x", b"a/b", b"..", b"a//b", b"a\0b", b""] {
            let nodes = [top.clone(), node(path, What::File)];
            assert!(decode(&encode(&nodes).unwrap()).is_err(), "{path:?}");
        }
        let first = What::Symlink {
            target: b"/etc".to_vec(),
        };
        let through = [top.clone(), node(b"a", first), node(b"a/b", What::File)];
        assert!(decode(&encode(&through).unwrap()).is_err());
        let twice = [top, node(b"b", What::File), node(b"b", What::File)];
        assert!(decode(&encode(&twice).unwrap()).is_err());
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = encode(&[node(b"", What::Folder), node(b"a", What::File)]).unwrap();
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{end}");
        }
        assert!(decode(b"CHA1 and something else").is_err());
    }

    #[test]
    fn odd_paths_have_names_of_their_own() {
        assert_eq!(key(b"a/b"), "a/b");
        let deep = "d/".repeat(80) + "x";
        for path in [
            &b"\xff"[..],
            b".cairn-odd",
            b".cairn-odd/x",
            deep.as_bytes(),
        ] {
            assert!(key(path).starts_with(".cairn-odd/"), "{path:?}");
        }
        assert_ne!(key(b"\xff"), key(b"\xfe"));
        assert_eq!(key(b"x/.cairn-odd"), "x/.cairn-odd");
    }
}
