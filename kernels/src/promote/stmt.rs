//! What statements do.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ExceptHandler, Expr, Pattern, Stmt, StmtAugAssign, StmtFor, StmtImportFrom, StmtTry,
    StmtWith,
};

use super::bound::Bound;
use super::machine::Machine;
use super::sites::{Kind, Value};

impl<'n> Machine<'n> {
    pub(super) fn block(&mut self, body: &'n [Stmt]) {
        for stmt in body {
            self.deeper(|machine| machine.stmt(stmt));
        }
    }

    fn stmt(&mut self, stmt: &'n Stmt) {
        match stmt {
            Stmt::Expr(expr) => {
                self.discarded(&expr.value);
                self.expr(&expr.value);
            }
            Stmt::Assign(assign) => {
                if let ([Expr::Tuple(target)], Expr::Tuple(value)) =
                    (assign.targets.as_slice(), &*assign.value)
                    && target.elts.len() == value.elts.len()
                    && !target
                        .elts
                        .iter()
                        .chain(&value.elts)
                        .any(Expr::is_starred_expr)
                {
                    let values: Vec<Value> = value.elts.iter().map(|one| self.expr(one)).collect();
                    for (target, value) in target.elts.iter().zip(values) {
                        self.assign(target, value);
                    }
                    return;
                }
                let value = self.expr(&assign.value);
                for target in &assign.targets {
                    self.assign(target, value.clone());
                }
            }
            Stmt::AugAssign(assign) => self.add_to(assign),
            Stmt::AnnAssign(assign) => {
                self.expr(&assign.annotation);
                if let Some(value) = &assign.value {
                    let value = self.expr(value);
                    self.assign(&assign.target, value);
                }
            }
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    match target {
                        Expr::Name(name) => self.branch(|machine| {
                            machine.load(name.id.as_str());
                            machine.bind(name.id.as_str(), Value::default());
                        }),
                        target => self.assign(target, Value::default()),
                    }
                }
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import_module(alias);
                }
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => self.define(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::IpyEscapeCommand(command) => self.magic(command.kind, &command.value),
            stmt => self.branches(stmt),
        }
    }

    /// Statements with others in them, and what is rare.
    fn branches(&mut self, stmt: &'n Stmt) {
        match stmt {
            Stmt::For(one) => self.for_each(one),
            Stmt::While(one) => {
                self.expr(&one.test);
                self.repeat(|machine| {
                    machine.block(&one.body);
                    machine.expr(&one.test);
                });
                self.branch(|machine| machine.block(&one.orelse));
            }
            Stmt::If(one) => {
                self.expr(&one.test);
                self.branch(|machine| {
                    machine.block(&one.body);
                    for clause in &one.elif_else_clauses {
                        if let Some(test) = &clause.test {
                            machine.expr(test);
                        }
                        machine.block(&clause.body);
                    }
                });
            }
            Stmt::With(one) => self.with(one),
            Stmt::Try(one) => self.try_(one),
            Stmt::Match(one) => {
                let value = self.expr(&one.subject);
                let parts = Value::of(self.sites.deep(&value.sites));
                self.branch(|machine| {
                    for case in &one.cases {
                        machine.pattern(&case.pattern, &parts);
                        if let Some(guard) = &case.guard {
                            machine.expr(guard);
                        }
                        machine.block(&case.body);
                    }
                });
            }
            Stmt::Return(one) => {
                let value = one.value.as_deref().map(|value| self.expr(value));
                if let Some(frame) = self.frame {
                    self.give(frame, value.unwrap_or_default());
                }
            }
            Stmt::Raise(one) => {
                for part in [&one.exc, &one.cause].into_iter().flatten() {
                    self.expr(part);
                }
            }
            Stmt::Assert(one) => {
                self.expr(&one.test);
                if let Some(part) = &one.msg {
                    self.expr(part);
                }
            }
            Stmt::TypeAlias(one) => {
                let value = self.expr(&one.value);
                self.assign(&one.name, value);
            }
            _ => {}
        }
    }

    fn for_each(&mut self, one: &'n StmtFor) {
        let iter = self.expr(&one.iter);
        self.repeat(|machine| {
            machine.consume(&iter);
            let part = machine.part_of(&iter);
            machine.assign(&one.target, part);
            machine.block(&one.body);
        });
        self.branch(|machine| machine.block(&one.orelse));
    }

    fn with(&mut self, one: &'n StmtWith) {
        // What the manager does with an exception is not known.
        self.branch(|machine| {
            for item in &one.items {
                let value = machine.expr(&item.context_expr);
                machine.consume(&value);
                if let Some(target) = &item.optional_vars {
                    let deep = machine.sites.deep(&value.sites);
                    machine.assign(
                        target,
                        Value {
                            text: value.text,
                            ..Value::of(deep)
                        },
                    );
                }
            }
            machine.block(&one.body);
        });
    }

    fn try_(&mut self, one: &'n StmtTry) {
        self.branch(|machine| {
            machine.block(&one.body);
            for handler in &one.handlers {
                let ExceptHandler::ExceptHandler(handler) = handler;
                if let Some(kind) = &handler.type_ {
                    machine.expr(kind);
                }
                if let Some(name) = &handler.name {
                    let site = machine.make(handler, Kind::Unknown, &BTreeSet::new());
                    machine.bind(name.as_str(), site);
                }
                machine.block(&handler.body);
            }
            machine.block(&one.orelse);
        });
        self.block(&one.finalbody);
    }

    /// Binds the names of a pattern to parts of what is matched; the values in it are looked up.
    fn pattern(&mut self, pattern: &'n Pattern, parts: &Value) {
        struct Values<'p>(Vec<&'p Expr>);
        impl<'p> Visitor<'p> for Values<'p> {
            fn visit_expr(&mut self, expr: &'p Expr) {
                self.0.push(expr);
            }
        }
        let mut values = Values(Vec::new());
        visitor::walk_pattern(&mut values, pattern);
        for value in values.0 {
            self.expr(value);
        }
        let mut bound = Bound::default();
        bound.visit_pattern(pattern);
        for name in bound.names() {
            self.bind(&name, parts.clone());
        }
    }

    pub(super) fn assign(&mut self, target: &'n Expr, value: Value) {
        match target {
            Expr::Name(name) => self.bind(name.id.as_str(), value),
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, &value),
            Expr::List(list) => self.unpack(&list.elts, &value),
            Expr::Starred(starred) => {
                let held = value.sites;
                let list = self.make(starred, Kind::Container, &held);
                self.assign(&starred.value, list);
            }
            Expr::Attribute(attribute) => {
                let base = self.expr(&attribute.value);
                self.store_in(&base, &value, attribute.attr.as_str());
            }
            Expr::Subscript(subscript) => {
                let base = self.expr(&subscript.value);
                let key = self.expr(&subscript.slice);
                self.store_in(&base, &value.or(Value::of(key.sites)), "");
            }
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &'n [Expr], value: &Value) {
        self.consume(value);
        let part = self.part_of(value);
        for target in targets {
            self.assign(target, part.clone());
        }
    }

    /// An assignment to a part of an object.
    pub(super) fn store_in(&mut self, base: &Value, value: &Value, part: &str) {
        self.change(&base.sites, "");
        for &site in &base.sites {
            self.sites.hold(site, &value.sites);
        }
        // A class that gets a method.
        for site in &base.sites {
            if let Some(&class) = self.classes.get(&self.sites.find(*site)) {
                let names = &mut self.frames[class].names;
                let old = names.remove(part).unwrap_or_default();
                names.insert(part.to_owned(), old.or(value.clone()));
            }
        }
        if let Some(path) = &base.path {
            self.facts.effects.insert(format!("a setting of {path}"));
        }
    }

    fn add_to(&mut self, assign: &'n StmtAugAssign) {
        let added = self.expr(&assign.value);
        match &*assign.target {
            Expr::Name(name) => {
                let mut value = self.load(name.id.as_str());
                self.consume(&added);
                // `+=` of a list changes the object that others may hold.
                self.change(&value.sites, name.id.as_str());
                let held = self.sites.parts(&added.sites);
                for &site in &value.sites {
                    self.sites.hold(site, &held);
                }
                if !added.sites.is_empty() {
                    let made = self.make(assign, Kind::Unknown, &added.sites);
                    value.sites.extend(made.sites);
                }
                value.text = None;
                self.bind(name.id.as_str(), value);
            }
            target => {
                let old = self.expr(target);
                self.change(&old.sites, "");
                self.assign(target, old.or(added));
            }
        }
    }

    fn import_module(&mut self, alias: &Alias) {
        let full = alias.name.as_str();
        let top = full.split('.').next().unwrap_or(full);
        match &alias.asname {
            Some(name) => self.import(name.as_str(), full),
            None if top == full => self.import(top, top),
            // `a` may be there already; `import a.b` adds to it.
            None => self.branch(|machine| machine.import(top, top)),
        }
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let module = import.module.as_ref();
        let module = module.map_or("", |module| module.as_str());
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                let effect = format!("from {module} import *");
                self.facts.effects.insert(effect);
                self.facts.texts.insert(format!("{module}.py"));
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            self.import(name.as_str(), &format!("{module}.{}", alias.name));
        }
    }
}
