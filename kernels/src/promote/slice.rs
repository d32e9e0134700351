//! The way back from the last cell that ran to the first, with what is still needed.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::known;
use super::named::Named;
use super::sites::{Site, Sites};
use super::{Needed, Reason};

/// The way back, as far as it has come.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent finding"
)]
pub(super) struct Slice<'a> {
    read: &'a [Facts],
    sites: &'a Sites,
    /// Names that are needed from here on.
    live: BTreeSet<String>,
    /// Objects that are needed from here on, and a name that led to each.
    objects: BTreeMap<Site, String>,
    /// Everything is needed from here on.
    all: bool,
    /// The files that the needed cells may name.
    named: Named,
    /// Whether a needed cell may read any file.
    reads_any: bool,
    /// Whether a needed cell draws random numbers, and the notebook seeds them somewhere.
    draws: bool,
    seeded: bool,
    /// Whether the selection begins here or later.
    begun: bool,
    pub(super) needed: Vec<Needed>,
}

impl<'a> Slice<'a> {
    pub(super) fn new(read: &'a [Facts], sites: &'a Sites, seeded: bool) -> Self {
        Self {
            read,
            sites,
            live: BTreeSet::new(),
            objects: BTreeMap::new(),
            all: false,
            named: Named::default(),
            reads_any: false,
            draws: false,
            seeded,
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

    fn reasons(&mut self, facts: &Facts) -> Vec<Reason> {
        let mut reasons = BTreeSet::new();
        if let Some(why) = &facts.opaque {
            reasons.insert(Reason::Unreadable(why.clone()));
        }
        reasons.extend(facts.effects.iter().cloned().map(Reason::Effect));
        let is_live = |name: &&String| self.all || self.live.contains(*name);
        let defined = facts.binds.keys().filter(is_live);
        reasons.extend(defined.cloned().map(Reason::Defines));
        for (site, by) in &facts.changes {
            let Some(name) = self.objects.get(site) else {
                if self.all {
                    reasons.insert(Reason::MayChange(by.clone()));
                }
                continue;
            };
            if facts.settings.contains(site) {
                reasons.insert(Reason::Effect(by.clone()));
            } else if !facts.binds.get(name).copied().unwrap_or(false) {
                reasons.insert(Reason::MayChange(name.clone()));
            } else {
                reasons.insert(Reason::MayChange(format!("what {name} holds")));
            }
        }
        for file in &facts.writes {
            let named = &mut self.named;
            let mut is_read = || file.as_ref().is_none_or(|file| named.may_name(file));
            if self.all || self.reads_any || is_read() {
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
        self.live.extend(facts.uses.iter().cloned());
        for (site, name) in facts.reads.iter().chain(&facts.changes) {
            self.sites.spread(*site, name, &mut self.objects);
        }
        self.named.add(&facts.texts, &facts.pieces);
        self.reads_any |= facts.reads_any;
        self.draws |= facts.draws;
        self.all |= facts.opaque.is_some();
    }

    /// What is needed and was defined nowhere.
    pub(super) fn missing(&self) -> Vec<String> {
        let star = |facts: &Facts| facts.effects.iter().any(|one| one.ends_with("import *"));
        if self.read.iter().any(star) {
            return Vec::new();
        }
        let defined = |name: &String| self.read.iter().any(|facts| facts.binds.contains_key(name));
        let names = self
            .live
            .iter()
            .filter(|name| !defined(name) && !known::is_builtin(name) && !known::is_numbered(name));
        names.cloned().collect()
    }
}
