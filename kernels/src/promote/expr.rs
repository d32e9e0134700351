//! What expressions give, and what working them out does.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::{
    Comprehension, Expr, ExprAttribute, ExprBinOp, ExprGenerator, ExprSubscript,
    InterpolatedStringElement, Operator,
};

use super::bound::Bound;
use super::known;
use super::machine::{Body, Code, Given, Machine};
use super::sites::{Kind, Site, Value};

impl<'n> Machine<'n> {
    pub(super) fn expr(&mut self, expr: &'n Expr) -> Value {
        self.deeper(|machine| machine.common(expr))
    }

    fn common(&mut self, expr: &'n Expr) -> Value {
        match expr {
            Expr::Name(name) => self.load(name.id.as_str()),
            Expr::Attribute(attribute) => self.attribute(attribute),
            Expr::Subscript(subscript) => {
                let value = self.expr(&subscript.value);
                self.expr(&subscript.slice);
                self.item(subscript, &value)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.container(list, &list.elts),
            Expr::Tuple(tuple) => self.container(tuple, &tuple.elts),
            Expr::Set(set) => self.container(set, &set.elts),
            Expr::Dict(dict) => {
                let mut held = BTreeSet::new();
                for item in &dict.items {
                    if let Some(key) = &item.key {
                        held.extend(self.expr(key).sites);
                    }
                    let value = self.expr(&item.value);
                    if item.key.is_none() {
                        held.extend(self.sites.parts(&value.sites));
                    } else {
                        held.extend(value.sites);
                    }
                }
                self.make(dict, Kind::Container, &held)
            }
            Expr::BoolOp(operation) => {
                let values = operation.values.iter();
                self.either(values)
            }
            Expr::If(choice) => {
                self.expr(&choice.test);
                self.unsure += 1;
                let value = self.either([&*choice.body, &*choice.orelse].into_iter());
                self.unsure -= 1;
                value
            }
            Expr::Named(named) => {
                let value = self.expr(&named.value);
                self.assign(&named.target, value.clone());
                value
            }
            Expr::BinOp(operation) => self.operation(operation),
            Expr::UnaryOp(operation) => {
                let value = self.expr(&operation.operand);
                self.fresh(operation, &[value])
            }
            Expr::Compare(compare) => {
                let left = self.expr(&compare.left);
                let mut values = vec![left];
                for right in &compare.comparators {
                    let right = self.expr(right);
                    // `in` takes from an iterator.
                    self.consume(&right);
                    values.push(right);
                }
                self.fresh(compare, &values)
            }
            expr => self.scoped(expr),
        }
    }

    /// Expressions with scopes of their own.
    fn scoped(&mut self, expr: &'n Expr) -> Value {
        match expr {
            Expr::ListComp(comp) => self.comprehension(comp, &comp.generators, &[&comp.elt]),
            Expr::SetComp(comp) => self.comprehension(comp, &comp.generators, &[&comp.elt]),
            Expr::DictComp(comp) => {
                let mut parts: Vec<&Expr> = comp.key.as_deref().into_iter().collect();
                parts.push(&comp.value);
                self.comprehension(comp, &comp.generators, &parts)
            }
            Expr::Generator(comp) => {
                let held = self.comprehension(comp, &comp.generators, &[&comp.elt]);
                self.later(comp, &held)
            }
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                let locals = parameters.into_iter().flat_map(|all| all.iter());
                let locals: BTreeSet<String> = locals.map(|one| one.name().to_string()).collect();
                let body = Body {
                    parameters,
                    code: Code::Expr(&lambda.body),
                    scope: self.frame,
                    locals: Rc::new(locals),
                    defaults: self.defaults(parameters),
                    is_lazy: false,
                    is_decorated: false,
                    resumes: None,
                };
                self.function(lambda, &body)
            }
            expr => self.rare(expr),
        }
    }

    /// Texts, and what is rare.
    fn rare(&mut self, expr: &'n Expr) -> Value {
        match expr {
            Expr::Starred(starred) => {
                let value = self.expr(&starred.value);
                self.consume(&value);
                Value::of(self.sites.parts(&value.sites))
            }
            Expr::Await(await_) => {
                let value = self.expr(&await_.value);
                self.consume(&value);
                Value::of(self.sites.deep(&value.sites))
            }
            Expr::Yield(yielded) => {
                let value = yielded.value.as_deref().map(|value| self.expr(value));
                self.yielded(value.unwrap_or_default())
            }
            Expr::YieldFrom(yielded) => {
                let value = self.expr(&yielded.value);
                self.consume(&value);
                let parts = Value::of(self.sites.parts(&value.sites));
                self.yielded(parts)
            }
            Expr::Slice(slice) => {
                let parts = [&slice.lower, &slice.upper, &slice.step];
                for part in parts.into_iter().flatten() {
                    self.expr(part);
                }
                Value::default()
            }
            Expr::StringLiteral(text) => {
                let text = text.value.to_str().to_owned();
                self.facts.texts.insert(text.clone());
                Value {
                    text: Some(text),
                    ..Value::default()
                }
            }
            Expr::FString(text) => self.interpolated(text.value.elements()),
            Expr::TString(text) => self.interpolated(text.value.elements()),
            Expr::IpyEscapeCommand(command) => {
                self.magic(command.kind, &command.value);
                self.make(command, Kind::Unknown, &BTreeSet::new())
            }
            _ => Value::default(),
        }
    }

    fn yielded(&mut self, value: Value) -> Value {
        if let Some(frame) = self.frame {
            self.give(frame, value);
        }
        Value::default()
    }

    fn container<T>(&mut self, node: &T, parts: &'n [Expr]) -> Value {
        let mut held = BTreeSet::new();
        for part in parts {
            held.extend(self.expr(part).sites);
        }
        self.make(node, Kind::Container, &held)
    }

    fn either(&mut self, values: impl Iterator<Item = &'n Expr>) -> Value {
        let mut all: Option<Value> = None;
        for value in values {
            let value = self.expr(value);
            all = Some(match all {
                Some(all) => all.or(value),
                None => value,
            });
        }
        all.unwrap_or_default()
    }

    fn operation(&mut self, operation: &'n ExprBinOp) -> Value {
        let left = self.expr(&operation.left);
        let right = self.expr(&operation.right);
        let text = match (&left.text, &right.text, operation.op) {
            (Some(left), Some(right), Operator::Add) => Some(format!("{left}{right}")),
            (Some(left), Some(right), Operator::Div) => Some(format!("{left}/{right}")),
            _ => None,
        };
        if text.is_none() {
            for side in [&left, &right] {
                self.facts.pieces.extend(side.text.clone());
            }
        }
        // A joined path is a path.
        let is_path = operation.op == Operator::Div && self.is_path(&left);
        let mut value = self.fresh(operation, &[left, right]);
        if is_path {
            value = self.make(operation, Kind::Path, &BTreeSet::new());
        }
        value.text = text;
        value
    }

    pub(super) fn is_path(&self, value: &Value) -> bool {
        let mut sites = value.sites.iter();
        sites.any(|&site| self.sites.kind(site) == Kind::Path)
    }

    /// What an operation gives: a new object, which holds parts of the others unless they are data.
    fn fresh<T>(&mut self, node: &T, values: &[Value]) -> Value {
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
    fn item(&mut self, subscript: &'n ExprSubscript, value: &Value) -> Value {
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

    fn attribute(&mut self, attribute: &'n ExprAttribute) -> Value {
        let base = self.expr(&attribute.value);
        self.member(attribute, &base, attribute.attr.as_str())
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

    fn comprehension<T>(
        &mut self,
        node: &T,
        generators: &'n [Comprehension],
        parts: &[&'n Expr],
    ) -> Value {
        let mut locals = Bound::default();
        for generator in generators {
            locals.target(&generator.target);
        }
        let key = self.place(&generators[0]);
        let known = self.comprehensions.get(&key).copied();
        let frame = known.unwrap_or_else(|| self.open(Rc::new(locals.names()), false));
        self.comprehensions.insert(key, frame);
        let mut held = BTreeSet::new();
        self.repeat(|machine| {
            for (at, generator) in generators.iter().enumerate() {
                let mut iter = Value::default();
                if at == 0 {
                    iter = machine.expr(&generator.iter);
                }
                machine.within(frame, |machine| {
                    if at > 0 {
                        iter = machine.expr(&generator.iter);
                    }
                    machine.consume(&iter);
                    let part = machine.part_of(&iter);
                    machine.assign(&generator.target, part);
                    for test in &generator.ifs {
                        machine.expr(test);
                    }
                });
            }
            machine.within(frame, |machine| {
                for part in parts {
                    held.extend(machine.expr(part).sites);
                }
            });
        });
        self.make(node, Kind::Container, &held)
    }

    /// A generator in brackets: it is worked out where something is taken from it.
    fn later(&mut self, comp: &'n ExprGenerator, held: &Value) -> Value {
        let value = self.make(&comp.parenthesized, Kind::Iterator, &held.sites);
        let rest = self.make(&comp.range, Kind::Function, &BTreeSet::new());
        let key = self.place(&comp.generators[0]);
        let body = Body {
            parameters: None,
            code: Code::Generator(comp),
            scope: self.frame,
            locals: Rc::default(),
            defaults: Value::default(),
            is_lazy: false,
            is_decorated: false,
            resumes: self.comprehensions.get(&key).copied(),
        };
        for &site in &rest.sites {
            self.bodies.insert(site, body.clone());
        }
        for &site in &value.sites {
            self.sites.follow(site, &rest.sites);
        }
        value
    }

    fn interpolated(
        &mut self,
        elements: impl Iterator<Item = &'n InterpolatedStringElement>,
    ) -> Value {
        let mut whole = Some(String::new());
        let mut pieces = Vec::new();
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(text) => {
                    if let Some(whole) = &mut whole {
                        whole.push_str(&text.value);
                    }
                    pieces.push(text.value.to_string());
                }
                InterpolatedStringElement::Interpolation(inner) => {
                    let value = self.expr(&inner.expression);
                    if let Some(spec) = &inner.format_spec {
                        self.interpolated(spec.elements.iter());
                    }
                    whole = match (whole, value.text) {
                        (Some(whole), Some(text)) if inner.format_spec.is_none() => {
                            Some(whole + &text)
                        }
                        _ => None,
                    };
                }
            }
        }
        match &whole {
            Some(whole) => {
                self.facts.texts.insert(whole.clone());
            }
            None => self.facts.pieces.extend(pieces),
        }
        Value {
            text: whole,
            ..Value::default()
        }
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
