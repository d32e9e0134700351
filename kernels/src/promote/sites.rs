//! The objects that a notebook may make, one for each place that makes some, and what they may hold. Only ever grows.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many objects are told apart where there may be any of them.
const MANY: usize = 32;

/// An object, or all that one place of the source makes.
pub(super) type Site = usize;

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list, dict, set or tuple.
    Container,
    /// Text, dates, arrays, frames: methods of known names leave it alone, and it is no iterator.
    Data,
    /// A path of a file.
    Path,
    /// A function of the notebook.
    Function,
    /// A class of the notebook.
    Class,
    /// What is used up by reading it.
    Iterator,
    /// A module that is imported.
    Module,
    /// Anything.
    Unknown,
}

/// What an expression may give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// Which objects; none where it cannot be changed, as a number.
    pub(super) sites: BTreeSet<Site>,
    /// The full name, where it comes from an import.
    pub(super) path: Option<String>,
    /// The text that it is.
    pub(super) text: Option<String>,
}

impl Value {
    pub(super) fn of(sites: impl IntoIterator<Item = Site>) -> Self {
        Self {
            sites: sites.into_iter().collect(),
            ..Self::default()
        }
    }

    /// This one or the other.
    pub(super) fn or(mut self, other: Self) -> Self {
        if self.path != other.path {
            self.path = None;
        }
        if self.text != other.text {
            self.text = None;
        }
        self.sites.extend(other.sites);
        self
    }
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// What it may hold, so that who has it may change that.
    holds: BTreeSet<Site>,
    /// What it depends on without changing it: its class, the function that made it.
    follows: BTreeSet<Site>,
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Sites {
    same: Vec<Site>,
    nodes: Vec<Node>,
    placed: HashMap<(usize, usize), Site>,
    /// Grows with every change.
    pub(super) version: usize,
    /// Grows where objects turn out to be the same.
    pub(super) joins: usize,
}

impl Sites {
    /// The object that the place `key` makes; the same one each time.
    pub(super) fn at(&mut self, key: (usize, usize), kind: Kind) -> Site {
        if let Some(&site) = self.placed.get(&key) {
            return self.find(site);
        }
        let site = self.add(kind);
        self.placed.insert(key, site);
        site
    }

    pub(super) fn add(&mut self, kind: Kind) -> Site {
        let site = self.nodes.len();
        self.same.push(site);
        self.nodes.push(Node {
            kind,
            holds: BTreeSet::new(),
            follows: BTreeSet::new(),
        });
        self.version += 1;
        site
    }

    pub(super) fn find(&self, mut site: Site) -> Site {
        while self.same[site] != site {
            site = self.same[site];
        }
        site
    }

    pub(super) fn kind(&self, site: Site) -> Kind {
        self.nodes[self.find(site)].kind
    }

    pub(super) fn hold(&mut self, site: Site, held: &BTreeSet<Site>) {
        let site = self.find(site);
        for &one in held {
            let one = self.find(one);
            if one != site && self.nodes[site].holds.insert(one) {
                self.version += 1;
            }
        }
        if self.nodes[site].holds.len() > MANY {
            let mut holds = std::mem::take(&mut self.nodes[site].holds);
            self.narrow(&mut holds);
            let site = self.find(site);
            self.nodes[site].holds.extend(holds);
        }
    }

    /// Takes many objects to be one, so that each step stays small.
    pub(super) fn narrow(&mut self, sites: &mut BTreeSet<Site>) {
        if sites.len() > MANY {
            self.join(sites);
            let found = sites.iter().map(|&site| self.find(site)).collect();
            *sites = found;
        }
    }

    pub(super) fn follow(&mut self, site: Site, followed: &BTreeSet<Site>) {
        let site = self.find(site);
        for &one in followed {
            if self.nodes[site].follows.insert(one) {
                self.version += 1;
            }
        }
    }

    /// Takes all these to be one object, but for functions, classes and modules.
    pub(super) fn join(&mut self, sites: &BTreeSet<Site>) {
        let mut first: Option<Site> = None;
        for &site in sites {
            let site = self.find(site);
            if matches!(
                self.nodes[site].kind,
                Kind::Function | Kind::Class | Kind::Module
            ) {
                continue;
            }
            let Some(first) = first else {
                first = Some(site);
                continue;
            };
            let first = self.find(first);
            if first == site {
                continue;
            }
            self.version += 1;
            self.joins += 1;
            self.same[site] = first;
            if self.nodes[site].kind != self.nodes[first].kind {
                self.nodes[first].kind = Kind::Unknown;
            }
            let holds = std::mem::take(&mut self.nodes[site].holds);
            let follows = std::mem::take(&mut self.nodes[site].follows);
            self.nodes[first].holds.extend(holds);
            self.nodes[first].follows.extend(follows);
        }
    }

    /// These objects and all that they hold.
    pub(super) fn deep(&self, sites: &BTreeSet<Site>) -> BTreeSet<Site> {
        self.closure(sites, false)
    }

    /// These objects and all that they hold or depend on.
    pub(super) fn read(&self, sites: &BTreeSet<Site>) -> BTreeSet<Site> {
        self.closure(sites, true)
    }

    /// What one of these holds; of what is not known well, itself as well.
    pub(super) fn parts(&self, sites: &BTreeSet<Site>) -> BTreeSet<Site> {
        let mut all = BTreeSet::new();
        for &site in sites {
            let site = self.find(site);
            if self.nodes[site].kind == Kind::Container {
                all.extend(self.deep(&self.nodes[site].holds));
            } else {
                all.extend(self.deep(&BTreeSet::from([site])));
            }
        }
        all
    }

    pub(super) fn follows(&self, site: Site) -> &BTreeSet<Site> {
        &self.nodes[self.find(site)].follows
    }

    /// Adds these objects, and all that they hold or depend on, to `all`, each with `name`.
    pub(super) fn spread(&self, site: Site, name: &str, all: &mut BTreeMap<Site, String>) {
        let mut open = vec![site];
        while let Some(site) = open.pop() {
            let site = self.find(site);
            if let Entry::Vacant(entry) = all.entry(site) {
                entry.insert(name.to_owned());
                open.extend(&self.nodes[site].holds);
                open.extend(&self.nodes[site].follows);
            }
        }
    }

    fn closure(&self, sites: &BTreeSet<Site>, follows: bool) -> BTreeSet<Site> {
        let mut all = BTreeSet::new();
        let mut open: Vec<Site> = sites.iter().copied().collect();
        while let Some(site) = open.pop() {
            let site = self.find(site);
            if all.insert(site) {
                open.extend(&self.nodes[site].holds);
                if follows {
                    open.extend(&self.nodes[site].follows);
                }
            }
        }
        all
    }
}
