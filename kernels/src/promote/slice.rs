//! The way back from the last cell that ran to the first, with what is still needed.

use std::collections::BTreeSet;

use super::carried::Carried;
use super::facts::Facts;
use super::known;
use super::{Needed, Reason};

/// Builtins and names that `IPython` gives; nobody has to define them.
const GIVEN: &[&str] = &[
    "In",
    "Out",
    "_",
    "__",
    "___",
    "__name__",
    "__file__",
    "__doc__",
    "__builtins__",
    "display",
    "exit",
    "quit",
    "True",
    "False",
    "None",
    "NotImplemented",
    "Ellipsis",
    "input",
    "compile",
    "setattr",
    "delattr",
    "property",
    "classmethod",
    "staticmethod",
    "object",
    "memoryview",
    "help",
    "next",
    "breakpoint",
    "aiter",
    "anext",
    "exec",
    "eval",
    "globals",
    "locals",
    "__import__",
    "get_ipython",
    "__debug__",
];

/// The way back, as far as it has come.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent finding"
)]
pub(super) struct Slice<'a> {
    read: &'a [Facts],
    carried: &'a Carried,
    /// Names that are needed from here on.
    live: BTreeSet<String>,
    /// Everything is needed from here on.
    all: bool,
    /// Texts of the needed cells, any of which may name a file.
    texts: BTreeSet<String>,
    /// Whether a needed cell draws random numbers, and the notebook seeds them somewhere.
    draws: bool,
    seeded: bool,
    /// Whether the selection begins here or later.
    begun: bool,
    pub(super) needed: Vec<Needed>,
}

impl<'a> Slice<'a> {
    pub(super) fn new(read: &'a [Facts], carried: &'a Carried) -> Self {
        let seeds = |facts: &Facts| {
            let named = |name: &String| {
                name.to_lowercase().contains("seed") || name.contains("random_state")
            };
            facts
                .effects
                .iter()
                .chain(&facts.uses)
                .chain(facts.binds.keys())
                .any(named)
        };
        Self {
            read,
            carried,
            live: BTreeSet::new(),
            all: false,
            texts: BTreeSet::new(),
            draws: false,
            seeded: read.iter().any(seeds),
            begun: false,
            needed: Vec::new(),
        }
    }

    pub(super) fn visit(&mut self, cell: usize, selected: bool) {
        self.begun |= selected;
        if !self.begun {
            return;
        }
        let facts = &self.read[cell];
        let reasons = if selected {
            vec![Reason::Selected]
        } else {
            self.reasons(facts)
        };
        if reasons.is_empty() {
            return;
        }
        self.needed.push(Needed { cell, reasons });
        self.take(facts);
    }

    fn reasons(&self, facts: &Facts) -> Vec<Reason> {
        let mut reasons = BTreeSet::new();
        if let Some(why) = &facts.opaque {
            reasons.insert(Reason::Unreadable(why.clone()));
        }
        reasons.extend(facts.effects.iter().cloned().map(Reason::Effect));
        let is_live = |name: &&String| self.all || self.live.contains(*name);
        let defined = facts.binds.keys().filter(is_live);
        reasons.extend(defined.cloned().map(Reason::Defines));
        let by_calls = self
            .carried
            .changed_by(&self.carried.with(facts.uses.iter().cloned()));
        let changed = facts.changes.iter().chain(&by_calls).filter(is_live);
        let changed = changed.filter(|name| !facts.binds.contains_key(*name));
        reasons.extend(changed.cloned().map(Reason::MayChange));
        for file in &facts.writes {
            let is_read = |file: &String| {
                let names = |text: &String| {
                    text == file
                        || text.ends_with(&format!("/{file}"))
                        || file.ends_with(&format!("/{text}"))
                };
                self.texts.iter().any(names)
            };
            if self.all || file.as_ref().is_none_or(is_read) {
                reasons.insert(Reason::Writes(file.clone()));
            }
        }
        if self.seeded && self.draws && facts.draws {
            reasons.insert(Reason::Effect("random numbers".to_owned()));
        }
        reasons.into_iter().collect()
    }

    /// A cell is needed: what it binds for sure is no longer open, what it uses is.
    fn take(&mut self, facts: &Facts) {
        for (name, surely) in &facts.binds {
            if *surely {
                self.live.remove(name);
            }
        }
        let wanted = facts.uses.iter().chain(&facts.changes).filter(|name| {
            // Bound first, then changed: by the cell itself.
            facts.uses.contains(*name) || !facts.binds.get(*name).copied().unwrap_or(false)
        });
        let wanted: Vec<String> = wanted.cloned().collect();
        self.live.extend(self.carried.with(wanted));
        self.texts.extend(facts.texts.iter().cloned());
        self.draws |= facts.draws;
        self.all |= facts.opaque.is_some();
    }

    /// What is needed and was defined nowhere.
    pub(super) fn missing(&self) -> Vec<String> {
        let star = self.read.iter().any(|facts| {
            facts
                .effects
                .iter()
                .any(|effect| effect.ends_with("import *"))
        });
        if star {
            return Vec::new();
        }
        let defined = |name: &String| self.read.iter().any(|facts| facts.binds.contains_key(name));
        let given = |name: &String| {
            GIVEN.contains(&name.as_str())
                || known::is_pure_builtin(name)
                || name.ends_with("Error")
                || name.ends_with("Exception")
                || name.ends_with("Warning")
                || [
                    "KeyboardInterrupt",
                    "StopIteration",
                    "SystemExit",
                    "GeneratorExit",
                ]
                .contains(&name.as_str())
        };
        let names = self
            .live
            .iter()
            .filter(|name| !defined(name) && !given(name));
        names.cloned().collect()
    }
}
