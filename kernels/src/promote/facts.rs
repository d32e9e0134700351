//! What one cell of Python does to names and files, read from its syntax tree. Where it cannot be told, the answer is the larger one.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::PySourceType;
use ruff_python_parser::parse_unchecked_source;

use super::walk;

/// What a cell does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Names that it binds, and whether it does so whatever happens.
    pub(super) binds: BTreeMap<String, bool>,
    /// Names that it needs.
    pub(super) uses: BTreeSet<String>,
    /// Names whose objects it may change in place.
    pub(super) changes: BTreeSet<String>,
    /// What functions and classes made here need and may change once they are called.
    pub(super) later: Later,
    /// Imported names, and the full names of what they stand for.
    pub(super) imports: BTreeMap<String, String>,
    /// Methods that its classes define.
    pub(super) methods: BTreeSet<String>,
    /// Files that it writes; none where the name cannot be told.
    pub(super) writes: BTreeSet<Option<String>>,
    /// Its texts, any of which may be the name of a file.
    pub(super) texts: BTreeSet<String>,
    /// What it does to everything after it, in words.
    pub(super) effects: BTreeSet<String>,
    /// Why it cannot be read, so that it may use and change everything.
    pub(super) opaque: Option<String>,
    /// Whether it calls what may draw random numbers.
    pub(super) draws: bool,
}

/// What happens when something that a cell made is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Later {
    pub(super) uses: BTreeSet<String>,
    pub(super) changes: BTreeSet<String>,
}

/// What is known of the notebook as a whole when one cell is read.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Imported names, and what they stand for.
    pub(super) imports: BTreeMap<String, String>,
    /// Names that some cell binds otherwise than by an import.
    pub(super) own: BTreeSet<String>,
    /// Methods of the notebook's own classes.
    pub(super) methods: BTreeSet<String>,
}

/// Reads a cell.
pub(super) fn read(source: &str, context: &Context) -> Facts {
    let mut facts = Facts::default();
    let Some(body) = cell_magic(source, &mut facts) else {
        return facts;
    };
    let parsed = parse_unchecked_source(body, PySourceType::Ipynb);
    if let Some(error) = parsed.errors().first() {
        facts.opaque = Some(format!("it cannot be read as Python: {}", error.error));
        return facts;
    }
    walk::walk(parsed.suite(), facts, context)
}

/// Deals with a first line `%%…`; returns what is to be read as Python, if anything is.
fn cell_magic<'a>(source: &'a str, facts: &mut Facts) -> Option<&'a str> {
    let trimmed = source.trim_start();
    let Some(line) = trimmed.strip_prefix("%%") else {
        return Some(source);
    };
    let (line, body) = line.split_once('\n').unwrap_or((line, ""));
    let mut words = line.split_whitespace();
    match words.next().unwrap_or_default() {
        "time" | "timeit" | "prun" | "memit" | "mprun" => return Some(body),
        "capture" => {
            if let Some(name) = words.find(|word| !word.starts_with('-')) {
                facts.binds.insert(name.to_owned(), true);
            }
            return Some(body);
        }
        "writefile" | "file" => {
            let name = words.find(|word| !word.starts_with('-'));
            facts.writes.insert(name.map(str::to_owned));
        }
        "html" | "HTML" | "javascript" | "js" | "latex" | "markdown" | "svg" | "SVG" => {}
        other => {
            facts.effects.insert(format!("%%{other}"));
        }
    }
    None
}

impl Facts {
    /// Adds what another piece of the same cell does.
    pub(super) fn take(&mut self, other: Self) {
        for (name, surely) in other.binds {
            *self.binds.entry(name).or_default() |= surely;
        }
        self.uses.extend(other.uses);
        self.changes.extend(other.changes);
        self.later.uses.extend(other.later.uses);
        self.later.changes.extend(other.later.changes);
        self.imports.extend(other.imports);
        self.methods.extend(other.methods);
        self.writes.extend(other.writes);
        self.texts.extend(other.texts);
        self.effects.extend(other.effects);
        self.opaque = self.opaque.take().or(other.opaque);
        self.draws |= other.draws;
    }
}
