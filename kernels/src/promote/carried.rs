//! What comes along with a name: a function is of no use without what its body needs.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Later};

/// What comes along with a name: what the functions need and may change that it stands for, or holds.
pub(super) struct Carried(BTreeMap<String, Later>);

impl Carried {
    pub(super) fn of(cells: &[Facts]) -> Self {
        let mut all: BTreeMap<String, Later> = BTreeMap::new();
        for facts in cells.iter().filter(|facts| facts.later != Later::default()) {
            for name in facts.binds.keys().chain(&facts.changes) {
                let later = all.entry(name.clone()).or_default();
                later.uses.extend(facts.later.uses.iter().cloned());
                later.changes.extend(facts.later.changes.iter().cloned());
            }
        }
        // An object made with a function or class may hold it.
        loop {
            let mut grown = false;
            for facts in cells {
                let mut more = Later::default();
                for name in &facts.uses {
                    if let Some(later) = all.get(name) {
                        more.uses.extend(later.uses.iter().cloned());
                        more.changes.extend(later.changes.iter().cloned());
                    }
                }
                if more == Later::default() {
                    continue;
                }
                for name in facts.binds.keys().chain(&facts.changes) {
                    let later = all.entry(name.clone()).or_default();
                    let before = later.uses.len() + later.changes.len();
                    later.uses.extend(more.uses.iter().cloned());
                    later.changes.extend(more.changes.iter().cloned());
                    grown |= later.uses.len() + later.changes.len() > before;
                }
            }
            if !grown {
                return Self(all);
            }
        }
    }

    /// The names, and all that comes along with them.
    pub(super) fn with(&self, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut open: Vec<String> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if let Some(later) = self.0.get(&name)
                && !all.contains(&name)
            {
                open.extend(later.uses.iter().cloned());
                open.extend(later.changes.iter().cloned());
            }
            all.insert(name);
        }
        all
    }

    /// What may change when these names are used.
    pub(super) fn changed_by(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        let later = names.iter().filter_map(|name| self.0.get(name));
        later
            .flat_map(|later| later.changes.iter().cloned())
            .collect()
    }
}
