//! What expressions give, and what working them out does.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::{
    Comprehension, Expr, ExprAttribute, ExprBinOp, ExprGenerator, InterpolatedStringElement,
    Operator,
};

use super::bound::Bound;
use super::machine::{Body, Code, Machine};
use super::sites::{Kind, Value};

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

    fn attribute(&mut self, attribute: &'n ExprAttribute) -> Value {
        let base = self.expr(&attribute.value);
        self.member(attribute, &base, attribute.attr.as_str())
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
}
