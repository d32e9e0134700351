//! What values are made of, and what using them runs: their parts and members, the functions among them, the methods that Python calls by itself.

use std::collections::BTreeSet;

use ruff_python_ast::ExprSubscript;

use super::known;
use super::machine::{Given, Machine};
use super::sites::{Kind, Site, Value};

impl<'n> Machine<'n> {
    pub(super) fn is_path(&self, value: &Value) -> bool {
        let mut sites = value.sites.iter();
        sites.any(|&site| self.sites.kind(site) == Kind::Path)
    }

    /// What an operation gives: a new object, which holds parts of the others unless they are data.
    pub(super) fn fresh<T>(&mut self, node: &T, values: &[Value]) -> Value {
        let all = values.iter().flat_map(|value| value.sites.iter().copied());
        let all: BTreeSet<Site> = all.collect();
        if all.is_empty() {
            return Value::default();
        }
        let shared = |site: &Site| self.sites.kind(*site) != Kind::Data;
        let held: BTreeSet<Site> = all.iter().copied().filter(shared).collect();
        let kind = if held.is_empty() {
            Kind::Data
        } else if held
            .iter()
            .all(|&site| self.sites.kind(site) == Kind::Container)
        {
            Kind::Container
        } else {
            Kind::Unknown
        };
        self.make(node, kind, &held)
    }

    /// What `value[…]` gives.
    pub(super) fn item(&mut self, subscript: &'n ExprSubscript, value: &Value) -> Value {
        let is = |kind| {
            let mut sites = value.sites.iter();
            sites.any(|&site| self.sites.kind(site) == kind)
        };
        let (made_by_asking, copied) = (is(Kind::Iterator), is(Kind::Container));
        if made_by_asking {
            // A dict with defaults gets an item where it is asked for one.
            self.change(&value.sites, "asking");
        }
        let mut part = self.part_of(value);
        if copied && !subscript.slice.is_literal_expr() {
            let slice = self.make(subscript, Kind::Container, &part.sites);
            part.sites.extend(slice.sites);
        }
        part
    }

    /// A part of it, such as an item.
    pub(super) fn part_of(&mut self, value: &Value) -> Value {
        Value::of(self.sites.parts(&value.sites))
    }

    /// What `base.name` is.
    pub(super) fn member<T>(&mut self, node: &T, base: &Value, name: &str) -> Value {
        if let Some(path) = &base.path {
            return Value {
                path: Some(format!("{path}.{name}")),
                ..Value::of(base.sites.iter().copied())
            };
        }
        let is_data = |site: &Site| self.sites.kind(*site) == Kind::Data;
        if known::is_plain_part(name) && base.sites.iter().all(is_data) {
            return Value::default();
        }
        if name == "__class__" {
            return self.kind_of(base);
        }
        let mut found = self.of_class(base, name);
        let mut value = Value::of(self.sites.deep(&base.sites));
        let is_method = |site: &Site| self.bodies.contains_key(site);
        if found.iter().any(is_method) {
            // A method by itself remembers what it belongs to.
            let held = found.union(&value.sites).copied().collect();
            let bound = self.make(node, Kind::Unknown, &held);
            if found.iter().all(|site| self.bodies.contains_key(site)) {
                return bound;
            }
            found.extend(bound.sites);
        }
        value.sites.extend(self.sites.deep(&found));
        value
    }

    /// The classes of the notebook that these objects are of.
    pub(super) fn kind_of(&self, value: &Value) -> Value {
        let followed = value
            .sites
            .iter()
            .flat_map(|site| self.sites.follows(*site));
        Value::of(followed.copied())
    }

    /// What the classes of the notebook have by this name.
    pub(super) fn of_class(&self, base: &Value, name: &str) -> BTreeSet<Site> {
        let mut found = BTreeSet::new();
        for class in self.classes_of(&base.sites) {
            if let Some(value) = self.frames[class].names.get(name) {
                found.extend(value.sites.iter().map(|&site| self.sites.find(site)));
            }
        }
        found
    }

    /// The frames of the classes that these objects are, or are of.
    pub(super) fn classes_of(&self, sites: &BTreeSet<Site>) -> Vec<usize> {
        if self.classes.is_empty() {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut open: Vec<Site> = sites.iter().copied().collect();
        while let Some(site) = open.pop() {
            let site = self.sites.find(site);
            if seen.insert(site) {
                found.extend(self.classes.get(&site));
                open.extend(self.sites.follows(site));
            }
        }
        found
    }

    /// What is taken from these may be used up.
    pub(super) fn consume(&mut self, value: &Value) {
        let mut open: Vec<Site> = value.sites.iter().copied().collect();
        let mut used = BTreeSet::new();
        while let Some(site) = open.pop() {
            let kind = self.sites.kind(site);
            if matches!(kind, Kind::Iterator | Kind::Unknown)
                && used.insert(self.sites.find(site))
                && kind == Kind::Iterator
            {
                open.extend(self.sites.deep(&BTreeSet::from([site])));
            }
        }
        if used.is_empty() {
            return;
        }
        self.change(&used, "taking from it");
        let all = self.sites.read(&used);
        self.callbacks(&all, &BTreeSet::new(), 0);
    }

    /// Runs the functions among these, with any of `given`.
    pub(super) fn callbacks(
        &mut self,
        among: &BTreeSet<Site>,
        given: &BTreeSet<Site>,
        from: usize,
    ) {
        if self.bodies.is_empty() {
            return;
        }
        let functions: Vec<Site> = among
            .iter()
            .copied()
            .filter(|site| self.bodies.contains_key(site))
            .collect();
        for function in functions {
            self.run(function, &Given::any(given.clone()), from);
        }
    }

    /// What using an object may run: methods that Python calls by itself, and properties.
    pub(super) fn implied(&mut self, value: &Value) {
        if self.classes.is_empty() {
            return;
        }
        let mut fresh = value.sites.clone();
        fresh.retain(|site| self.implied.insert(self.sites.find(*site)));
        if fresh.is_empty() {
            return;
        }
        let deep = self.sites.deep(&fresh);
        for site in deep {
            if self.sites.kind(site) == Kind::Class || self.sites.follows(site).is_empty() {
                continue;
            }
            let own = BTreeSet::from([site]);
            for class in self.classes_of(&own) {
                let methods = self.frames[class].names.iter();
                let methods: Vec<Site> = methods
                    .flat_map(|(name, value)| value.sites.iter().map(move |site| (name, *site)))
                    .filter(|(name, site)| {
                        self.bodies
                            .get(site)
                            .is_some_and(|body| body.is_decorated || known::is_implied_method(name))
                    })
                    .map(|(_, site)| site)
                    .collect();
                for method in methods {
                    if self.is_running(method) {
                        continue;
                    }
                    let given = Given {
                        receiver: Some(Value::of([site])),
                        ..Given::default()
                    };
                    self.run(method, &given, class);
                }
            }
        }
    }
}
