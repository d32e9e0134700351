//! Which cells a selection needs: what ran before them and made, or may have changed, what they use. Rather too many than too few.
//!
//! A notebook is a record of what a kernel was told, in the order of its execution numbers. From the selection back, a cell is needed when it
//! binds a name that is still needed, may change its object in place, writes a file that is read later, or does something to everything after it
//! (a magic, a shell command, a call made only for its effect). What cannot be told counts as yes, and is marked as a doubt.

mod bound;
mod call;
mod define;
mod expr;
mod facts;
mod files;
mod follow;
mod known;
mod lift;
mod machine;
mod method;
mod named;
mod opened;
mod sites;
mod slice;
mod stmt;
mod value;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use self::facts::Facts;
use self::machine::Machine;
use self::sites::Sites;
use self::slice::Slice;
use crate::notebook::{Cell, Document, Kind};
use crate::python;

pub use self::lift::{Candidate, Source, assemble, parameters};

/// A cell, in the order of the document.
#[derive(Debug, Clone)]
struct Code {
    source: String,
    /// The number of its last execution; none where it never ran, or is no code.
    execution_count: Option<u64>,
    /// Whether it ended in an error.
    failed: bool,
}

/// What a selection needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The cells, in the order in which they have to run.
    pub cells: Vec<Needed>,
    /// What the analysis could not see, in words; empty where there is nothing of the kind.
    pub doubts: Vec<String>,
    /// Names that no cell that ran defines: they may only live in the kernel. Each is a doubt, too.
    pub missing: Vec<String>,
}

/// A cell that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// Which, counted from 0 among all cells of the document.
    pub cell: usize,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Why a cell is needed. JSON: `{"kind": "defines", "what": "x"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "snake_case")]
pub enum Reason {
    /// It was selected.
    Selected,
    /// It defines a name that a later cell uses.
    Defines(String),
    /// It may change the object of a name that a later cell uses.
    MayChange(String),
    /// It writes a file that a later cell names; or some file, where its name cannot be told.
    Writes(Option<String>),
    /// It does something that everything after it may depend on.
    Effect(String),
    /// It may do anything: the text says why.
    Unreadable(String),
}

impl Reason {
    /// Whether the cell may not be needed after all.
    pub fn is_doubt(&self) -> bool {
        !matches!(
            self,
            Self::Selected | Self::Defines(_) | Self::Writes(Some(_))
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selected => f.write_str("selected"),
            Self::Defines(name) => write!(f, "defines {name}"),
            Self::MayChange(name) => write!(f, "may change {name}"),
            Self::Writes(Some(file)) => write!(f, "writes {file}"),
            Self::Writes(None) => f.write_str("writes a file whose name cannot be told"),
            Self::Effect(what) => write!(f, "{what} may affect what follows"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// Proposes the cells that those at the positions `selected` need to run by themselves; positions without a code cell are passed over.
///
/// Cells that never ran count only where they are selected; where none ever ran, the order of the document stands for that of execution.
/// Python is read, as `IPython` does; of any other language everything that ran before the last selected cell is needed.
pub fn propose(document: &Document, selected: &BTreeSet<usize>) -> Proposal {
    let is_code = |at: &&usize| {
        document
            .cells()
            .get(**at)
            .is_some_and(|cell| cell.kind() == Kind::Code)
    };
    let selected: BTreeSet<usize> = selected.iter().filter(is_code).copied().collect();
    let cells: Vec<Code> = document.cells().iter().map(Code::of).collect();
    if !is_python(document) {
        return preceding(&cells, &selected, "cells of this language are not read");
    }
    let read = python::with_room(|| sliced(&cells, &selected));
    read.unwrap_or_else(|| preceding(&cells, &selected, "the cells could not be read"))
}

/// Whether its cells are read; Python is what a notebook is in that does not say.
fn is_python(document: &Document) -> bool {
    let language = document.language();
    language.is_none_or(|name| name == "python" || name == "ipython")
}

impl Code {
    fn of(cell: &Cell) -> Self {
        let is_code = cell.kind() == Kind::Code;
        Self {
            source: if is_code {
                cell.source().to_owned()
            } else {
                String::new()
            },
            execution_count: cell.execution_count().filter(|_| is_code),
            failed: cell.failed(),
        }
    }
}

fn sliced(cells: &[Code], selected: &BTreeSet<usize>) -> Proposal {
    let order = order(cells, selected);
    let last = order.iter().rposition(|cell| selected.contains(cell));
    let (read, sites) = read_all(cells, &order[..last.map_or(0, |at| at + 1)]);
    let mut doubts = gaps(cells, &order);
    let seeded = cells.iter().any(|cell| {
        let source = cell.source.to_lowercase();
        ["seed", "set_state", "setstate", "random_state"]
            .iter()
            .any(|word| source.contains(word))
    });
    let mut slice = Slice::new(&read, &sites, seeded);
    for &cell in order.iter().rev() {
        slice.visit(cell, selected.contains(&cell));
    }
    let missing = slice.missing();
    if !missing.is_empty() {
        doubts.push(format!(
            "no cell that ran defines `{}`: it may only live in the kernel",
            missing.join("`, `")
        ));
    }
    let mut needed = slice.needed;
    needed.reverse();
    if needed.iter().any(|one| read[one.cell].counts) {
        doubts.push(
            "a cell refers to others by their numbers, which are others where fewer cells run"
                .to_owned(),
        );
    }
    if needed.iter().any(|one| cells[one.cell].failed) {
        doubts.push(
            "a cell that is needed ended in an error: what it did by then is not known".to_owned(),
        );
    }
    Proposal {
        cells: needed,
        doubts,
        missing,
    }
}

/// Every cell up to the last selected one, where `why` says that they are not read.
fn preceding(cells: &[Code], selected: &BTreeSet<usize>, why: &str) -> Proposal {
    let order = order(cells, selected);
    let last = order.iter().rposition(|cell| selected.contains(cell));
    let needed = order[..last.map_or(0, |at| at + 1)].iter().map(|&cell| {
        let reason = if selected.contains(&cell) {
            Reason::Selected
        } else {
            Reason::Unreadable(format!("{why}: everything before the selection is taken"))
        };
        Needed {
            cell,
            reasons: vec![reason],
        }
    });
    Proposal {
        cells: needed.collect(),
        doubts: gaps(cells, &order),
        missing: Vec::new(),
    }
}

/// The cells that count, in the order in which the kernel was told them.
fn order(cells: &[Code], selected: &BTreeSet<usize>) -> Vec<usize> {
    if cells.iter().all(|cell| cell.execution_count.is_none()) {
        return (0..cells.len()).collect();
    }
    let mut ran: Vec<usize> = (0..cells.len())
        .filter(|&at| cells[at].execution_count.is_some())
        .collect();
    ran.sort_by_key(|&at| (cells[at].execution_count, at));
    let late = selected.iter().filter(|&&at| {
        cells
            .get(at)
            .is_some_and(|cell| cell.execution_count.is_none())
    });
    ran.extend(late);
    ran
}

/// Says where the kernel was told something that is in no cell any more.
fn gaps(cells: &[Code], order: &[usize]) -> Vec<String> {
    let mut counts: Vec<u64> = order
        .iter()
        .filter_map(|&at| cells[at].execution_count)
        .collect();
    counts.sort_unstable();
    let doubled = counts.windows(2).any(|pair| pair[0] == pair[1]);
    counts.dedup();
    let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
        return Vec::new();
    };
    let mut doubts = Vec::new();
    let missing = last
        .saturating_sub(*first)
        .saturating_add(1)
        .saturating_sub(counts.len() as u64)
        + first.saturating_sub(1);
    if missing > 0 {
        doubts.push(format!(
            "{missing} executions are of cells that were run again, changed or deleted since: what they did is not in the notebook"
        ));
    }
    if doubled {
        doubts.push(
            "the execution numbers are of more than one kernel: their order is a guess".to_owned(),
        );
    }
    doubts
}

/// What each cell does, when they run in this order. Only within [`python::with_room`].
fn read_all(cells: &[Code], order: &[usize]) -> (Vec<Facts>, Sites) {
    let mut all: Vec<Facts> = vec![Facts::default(); cells.len()];
    let sources: Vec<Option<facts::Source>> = cells
        .iter()
        .zip(&mut all)
        .map(|(cell, facts)| facts::prepare(&cell.source, facts))
        .collect();
    let parsed: Vec<_> = sources
        .iter()
        .map(|source| {
            let text = source.as_ref().map_or("", |source| source.text.as_str());
            python::parse(text)
        })
        .collect();
    let mut machine = Machine::default();
    for &at in order {
        let facts = std::mem::take(&mut all[at]);
        let Some(parsed) = &parsed[at] else {
            all[at] = facts.unread("it is longer, or may nest deeper, than is read".to_owned());
            continue;
        };
        if let Some(error) = parsed.errors().first() {
            all[at] = facts.unread(format!("it cannot be read as Python: {}", error.error));
            continue;
        }
        let unsure = cells[at].failed || sources[at].as_ref().is_some_and(|source| source.unsure);
        all[at] = machine.cell(parsed.suite(), facts, unsure);
    }
    for facts in &mut all {
        machine.settle(facts);
    }
    (all, machine.sites)
}

#[cfg(test)]
mod tests;
