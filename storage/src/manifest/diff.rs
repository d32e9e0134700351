//! What changed between two manifests, in time that grows with the changed leaves.

use std::cmp::Ordering;

use serde::Serialize;

use super::{Entry, Manifest};
use crate::Result;

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, with other content, kind or executable bit.
    Modified,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path.
    pub path: String,
    /// How it differs.
    pub change: Change,
}

/// One side of the comparison: the entries of the current leaf that are not compared yet.
struct Side<'a> {
    manifest: &'a Manifest,
    /// The leaf that `rest` does not hold yet.
    next: usize,
    rest: std::iter::Peekable<std::vec::IntoIter<Entry>>,
}

impl<'a> Side<'a> {
    fn new(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            next: 0,
            rest: Vec::new().into_iter().peekable(),
        }
    }

    /// The digest of the next leaf when nothing of an earlier one is left.
    fn whole_leaf(&mut self) -> Option<crate::objects::Hash> {
        if self.rest.peek().is_some() {
            None
        } else {
            self.manifest.leaf_digest(self.next)
        }
    }

    fn fill(&mut self) -> Result<()> {
        if self.rest.peek().is_none() && self.next < self.manifest.leaves() {
            self.rest = self.manifest.leaf(self.next)?.into_iter().peekable();
            self.next += 1;
        }
        Ok(())
    }
}

/// Calls `found` with every path that differs, in order, until it returns false. Leaves that both have are not read.
pub(super) fn compare(
    before: &Manifest,
    after: &Manifest,
    found: &mut dyn FnMut(Difference) -> bool,
) -> Result<()> {
    let (mut left, mut right) = (Side::new(before), Side::new(after));
    loop {
        match (left.whole_leaf(), right.whole_leaf()) {
            (Some(a), Some(b)) if a == b => {
                left.next += 1;
                right.next += 1;
                continue;
            }
            _ => {}
        }
        left.fill()?;
        right.fill()?;
        let order = match (left.rest.peek(), right.rest.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        let going = match order {
            Ordering::Less => left
                .rest
                .next()
                .is_none_or(|entry| found(named(entry, Change::Removed))),
            Ordering::Greater => right
                .rest
                .next()
                .is_none_or(|entry| found(named(entry, Change::Added))),
            Ordering::Equal => match (left.rest.next(), right.rest.next()) {
                (Some(a), Some(b)) if a.node != b.node => found(named(b, Change::Modified)),
                _ => true,
            },
        };
        if !going {
            return Ok(());
        }
    }
}

fn named(entry: Entry, change: Change) -> Difference {
    Difference {
        path: entry.path,
        change,
    }
}
