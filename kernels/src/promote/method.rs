//! What calls of methods do: those of the notebook's own classes, which are followed, and those that are known by their names.

use std::collections::BTreeSet;

use super::known;
use super::machine::{Given, Machine};
use super::sites::{Kind, Site, Value};

impl Machine<'_> {
    pub(super) fn call_method(
        &mut self,
        at: usize,
        base: &Value,
        name: &str,
        given: &Given,
    ) -> Value {
        let mut found = self.of_class(base, name);
        found.retain(|site| self.bodies.contains_key(site));
        if !found.is_empty() {
            return self.call_own_method(at, base, &found, given);
        }
        let kinds = base.sites.iter().map(|site| self.sites.kind(*site));
        let kinds: Vec<Kind> = kinds.collect();
        // What a class of the notebook inherits is not known by its name.
        let is_known = self.classes_of(&base.sites).is_empty() && !given.in_place;
        if is_known && is_pure(name, &kinds) {
            return self.call_pure_method(at, base, name, given);
        }
        if is_known && changes_its_own(name, &kinds) {
            return self.call_changing_method(at, base, name, given);
        }
        let mut touched = given.sites();
        touched.extend(&base.sites);
        self.call_unknown(at, &touched)
    }

    /// A method that leaves its object alone.
    fn call_pure_method(&mut self, at: usize, base: &Value, name: &str, given: &Given) -> Value {
        let key = (at, self.frame.map_or(0, |frame| frame + 1));
        let all = given.sites();
        let mut reached = self.sites.deep(&all);
        reached.extend(self.sites.deep(&base.sites));
        self.facts.draws |= name == "sample";
        self.callbacks(&self.sites.deep(&all), &reached, at);
        self.out(given);
        if name == "join" {
            self.take_all(given);
        }
        if !base.sites.is_empty() {
            let mut result = self.result_of_method(key, base, name);
            if name == "get" {
                result.sites.extend(all);
            }
            return result;
        }
        if all.is_empty() && !known::makes_list(name) {
            return Value::default();
        }
        Value::of([self.sites.at(key, Kind::Data)])
    }

    /// A method that changes its object, and keeps what it is given.
    fn call_changing_method(
        &mut self,
        at: usize,
        base: &Value,
        name: &str,
        given: &Given,
    ) -> Value {
        let key = (at, self.frame.map_or(0, |frame| frame + 1));
        let all = given.sites();
        let mut reached = self.sites.deep(&all);
        self.callbacks(&reached.clone(), &reached, at);
        self.out(given);
        self.change(&base.sites, name);
        self.facts.draws = true;
        reached = all;
        if matches!(name, "extend" | "update" | "extendleft") {
            self.take_all(given);
            reached.extend(self.sites.parts(&reached));
        }
        for &site in &base.sites {
            self.sites.hold(site, &reached);
        }
        if name == "fit_transform" || name == "fit_predict" {
            return Value::of([self.sites.at(key, Kind::Data)]);
        }
        Value::of(self.sites.deep(&base.sites))
    }

    fn call_own_method(
        &mut self,
        at: usize,
        base: &Value,
        found: &BTreeSet<Site>,
        given: &Given,
    ) -> Value {
        let mut sites = BTreeSet::new();
        for &method in found {
            let mut given = given.clone();
            given.receiver = Some(base.clone());
            sites.extend(self.run(method, &given, at).sites);
        }
        Value::of(sites)
    }

    /// What a method gives that leaves its object alone.
    fn result_of_method(&mut self, key: (usize, usize), base: &Value, name: &str) -> Value {
        let kinds = base.sites.iter().map(|site| self.sites.kind(*site));
        let kinds: Vec<Kind> = kinds.collect();
        if kinds.contains(&Kind::Container) && !known::is_scalar_of_container(name) {
            let site = self.sites.at(key, Kind::Container);
            let parts = self.sites.parts(&base.sites);
            self.sites.hold(site, &parts);
            let mut value = Value::of(parts);
            value.sites.insert(site);
            return value;
        }
        let kind = if kinds.iter().all(|kind| *kind == Kind::Path) {
            Kind::Path
        } else {
            Kind::Data
        };
        let site = self.sites.at(key, kind);
        if known::is_view(name) {
            self.sites.hold(site, &base.sites);
        }
        Value::of([site])
    }
}

/// Whether a method of objects of these kinds leaves them alone.
fn is_pure(name: &str, kinds: &[Kind]) -> bool {
    let is = |some: &[Kind]| kinds.iter().all(|kind| some.contains(kind));
    kinds.is_empty()
        || known::is_pure_method(name)
        || is(&[Kind::Data, Kind::Path]) && known::is_pure_of_data(name)
        || is(&[Kind::Container]) && known::is_pure_of_container(name)
}

/// Whether a method of objects of these kinds changes them, and none of its arguments.
fn changes_its_own(name: &str, kinds: &[Kind]) -> bool {
    let is_plain = |kind: &Kind| matches!(kind, Kind::Container | Kind::Data);
    if kinds.iter().all(is_plain) {
        known::is_receivers(name)
    } else {
        !kinds.contains(&Kind::Iterator) && known::is_receivers_of_any(name)
    }
}
