//! The way through a cell's syntax tree, with the scopes that names are looked up in.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::Visitor as _;
use ruff_python_ast::{Arguments, Comprehension, Expr, IpyEscapeKind, Parameters, Stmt};

use super::bound::Bound;
use super::facts::{self, Context, Facts};
use super::known;

/// Adds what a body does to `facts`.
pub(super) fn walk(body: &[Stmt], facts: Facts, context: &Context) -> Facts {
    let mut walk = Walk {
        facts,
        context,
        scopes: Vec::new(),
        unsure: 0,
    };
    walk.visit_body(body);
    walk.facts
}

/// Where names are looked up.
pub(super) struct Scope {
    pub(super) kind: Kind,
    /// Names that belong to it.
    pub(super) locals: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Class,
    Comprehension,
}

pub(super) struct Walk<'c> {
    pub(super) facts: Facts,
    context: &'c Context,
    pub(super) scopes: Vec<Scope>,
    /// How many branches and loops around may not be entered.
    pub(super) unsure: usize,
}

impl Walk<'_> {
    fn is_later(&self) -> bool {
        self.scopes.iter().any(|scope| scope.kind == Kind::Function)
    }

    /// Whether a name belongs to a scope of the cell, so that no other cell sees it.
    fn is_local(&self, name: &str) -> bool {
        let last = self.scopes.len().saturating_sub(1);
        self.scopes.iter().enumerate().any(|(at, scope)| {
            // What a class holds is not seen by its methods.
            (scope.kind != Kind::Class || at == last) && scope.locals.contains(name)
        })
    }

    pub(super) fn load(&mut self, name: &str) {
        if self.is_local(name) {
            return;
        }
        if known::is_opaque(name) && !self.context.own.contains(name) {
            self.facts.opaque = Some(format!("it calls {name}"));
        }
        if self.is_later() {
            self.facts.later.uses.insert(name.to_owned());
        } else if !self.facts.binds.get(name).copied().unwrap_or(false) {
            self.facts.uses.insert(name.to_owned());
        }
    }

    pub(super) fn store(&mut self, name: &str) {
        // A walrus in a comprehension binds outside of it.
        let scope = self
            .scopes
            .iter()
            .rev()
            .find(|scope| scope.kind != Kind::Comprehension);
        match scope {
            Some(scope) if scope.kind == Kind::Class || scope.locals.contains(name) => {}
            // Declared global.
            Some(_) => {
                self.facts.later.changes.insert(name.to_owned());
            }
            None if self.is_local(name) => {}
            None => {
                let surely = self.unsure == 0;
                *self.facts.binds.entry(name.to_owned()).or_default() |= surely;
            }
        }
    }

    pub(super) fn change(&mut self, name: &str) {
        if self.is_local(name) {
            return;
        }
        if self.is_later() {
            self.facts.later.changes.insert(name.to_owned());
        } else {
            self.facts.changes.insert(name.to_owned());
        }
    }

    /// What an expression may hand out to be changed.
    fn expose(&mut self, expr: &Expr) {
        match expr {
            Expr::List(list) => list.elts.iter().for_each(|one| self.expose(one)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|one| self.expose(one)),
            Expr::Set(set) => set.elts.iter().for_each(|one| self.expose(one)),
            Expr::Dict(dict) => dict.items.iter().for_each(|item| self.expose(&item.value)),
            Expr::If(choice) => {
                self.expose(&choice.body);
                self.expose(&choice.orelse);
            }
            Expr::Named(named) => self.expose(&named.value),
            expr => {
                if let Some(name) = root(expr) {
                    self.change(name);
                }
            }
        }
    }

    /// The full name of what is called, where it comes from an import.
    fn path(&self, callee: &Expr) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = callee;
        while let Expr::Attribute(attribute) = at {
            parts.push(attribute.attr.as_str());
            at = &attribute.value;
        }
        let Expr::Name(name) = at else { return None };
        let name = name.id.as_str();
        if self.is_local(name) || self.context.own.contains(name) {
            return None;
        }
        let first = self
            .facts
            .imports
            .get(name)
            .or(self.context.imports.get(name))?;
        parts.push(first);
        parts.reverse();
        Some(parts.join("."))
    }

    /// Whether a call leaves alone what it is called on and given.
    fn is_pure(&self, callee: &Expr, arguments: &Arguments) -> bool {
        let in_place = arguments.keywords.iter().any(|keyword| {
            keyword
                .arg
                .as_ref()
                .is_some_and(|arg| arg.as_str() == "inplace" || arg.as_str() == "out")
        });
        if in_place {
            return false;
        }
        if let Some(path) = self.path(callee) {
            return known::is_pure_function(&path);
        }
        match callee {
            Expr::Name(name) => {
                let name = name.id.as_str();
                known::is_pure_builtin(name)
                    && !self.context.own.contains(name)
                    && !self.context.imports.contains_key(name)
                    && !self.is_local(name)
            }
            Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                known::is_pure_method(name) && !self.context.methods.contains(name)
            }
            _ => false,
        }
    }

    pub(super) fn call(&mut self, callee: &Expr, arguments: &Arguments) {
        self.files(callee, arguments);
        if self.is_pure(callee, arguments) {
            return;
        }
        self.facts.draws = true;
        if let Expr::Attribute(attribute) = callee {
            self.expose(&attribute.value);
        }
        for argument in &arguments.args {
            self.expose(argument);
        }
        for keyword in &arguments.keywords {
            self.expose(&keyword.value);
        }
    }

    fn files(&mut self, callee: &Expr, arguments: &Arguments) {
        let name = match callee {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return,
        };
        let text = |expr: &Expr| match expr {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
            _ => None,
        };
        let argument = |at: usize, key: &str| {
            let keyed = arguments
                .keywords
                .iter()
                .find(|one| one.arg.as_ref().is_some_and(|arg| arg.as_str() == key));
            arguments.args.get(at).or(keyed.map(|one| &one.value))
        };
        if name == "open" {
            let is_method = matches!(callee, Expr::Attribute(_));
            // `Path.open(mode)` has its file before the dot.
            let mode = argument(usize::from(!is_method), "mode");
            let writes = match mode {
                None => false,
                Some(mode) => text(mode).is_none_or(|mode| mode.contains(['w', 'a', 'x', '+'])),
            };
            if writes {
                let file = if is_method {
                    None
                } else {
                    argument(0, "file").and_then(text)
                };
                self.facts.writes.insert(file);
            }
        } else if known::writes_itself(name)
            && let Expr::Attribute(attribute) = callee
        {
            // `Path("a").write_text(…)` says its file before the dot.
            let file = match &*attribute.value {
                Expr::Call(made) => made.arguments.args.first().and_then(text),
                _ => None,
            };
            self.facts.writes.insert(file);
        } else if known::writes_files(name) {
            let named = arguments.args.iter().find_map(text);
            let keyed = arguments.keywords.iter().find_map(|one| text(&one.value));
            self.facts.writes.insert(named.or(keyed));
        }
    }

    pub(super) fn import(&mut self, name: &str, full: String) {
        self.store(name);
        if self.scopes.is_empty() {
            self.facts.imports.insert(name.to_owned(), full);
        }
    }

    pub(super) fn branch(&mut self, work: impl FnOnce(&mut Self)) {
        self.unsure += 1;
        work(self);
        self.unsure -= 1;
    }

    pub(super) fn function(
        &mut self,
        parameters: Option<&Parameters>,
        locals: BTreeSet<String>,
        body: impl FnOnce(&mut Self),
    ) {
        if let Some(parameters) = parameters {
            // Defaults are worked out where the function is made.
            for one in parameters.iter_non_variadic_params() {
                if let Some(default) = &one.default {
                    self.visit_expr(default);
                }
            }
        }
        let mut locals = locals;
        if let Some(parameters) = parameters {
            locals.extend(parameters.iter().map(|one| one.name().to_string()));
        }
        self.scopes.push(Scope {
            kind: Kind::Function,
            locals,
        });
        body(self);
        self.scopes.pop();
    }

    pub(super) fn comprehension(&mut self, generators: &[Comprehension], parts: &[&Expr]) {
        let mut locals = Bound::default();
        for generator in generators {
            locals.target(&generator.target);
        }
        // The first iterable is worked out outside.
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.scopes.push(Scope {
            kind: Kind::Comprehension,
            locals: locals.names(),
        });
        for (at, generator) in generators.iter().enumerate() {
            if at > 0 {
                self.visit_expr(&generator.iter);
            }
            for test in &generator.ifs {
                self.visit_expr(test);
            }
        }
        for part in parts {
            self.visit_expr(part);
        }
        self.scopes.pop();
    }

    pub(super) fn magic(&mut self, kind: IpyEscapeKind, value: &str) {
        let word = value.split_whitespace().next().unwrap_or_default();
        match kind {
            IpyEscapeKind::Help | IpyEscapeKind::Help2 => {}
            IpyEscapeKind::Magic | IpyEscapeKind::Magic2 => match word {
                "time" | "timeit" | "prun" | "memit" => {
                    let rest = value.trim_start().strip_prefix(word).unwrap_or_default();
                    let inner = facts::read(rest.trim_start(), self.context);
                    self.facts.take(inner);
                }
                word if known::only_shows(word) => {}
                word => {
                    self.facts.effects.insert(format!("%{word}"));
                }
            },
            _ => {
                self.facts.effects.insert("a shell command".to_owned());
            }
        }
    }

    /// A call whose result nobody takes is made for what it does.
    pub(super) fn discarded(&mut self, expr: &Expr) {
        let Expr::Call(call) = expr else { return };
        if self.is_later() || self.is_pure(&call.func, &call.arguments) {
            return;
        }
        if let Some(path) = self.path(&call.func) {
            self.facts.effects.insert(format!("{path}()"));
        }
    }

    /// An assignment to a part of an object.
    pub(super) fn part(&mut self, target: &Expr) {
        let Some(name) = root(target) else { return };
        self.change(name);
        let is_module =
            self.facts.imports.contains_key(name) || self.context.imports.contains_key(name);
        if is_module && !self.context.own.contains(name) && !self.is_later() {
            self.facts.effects.insert(format!("a setting of {name}"));
        }
    }
}

/// The name that an attribute or an item belongs to in the end.
fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Subscript(subscript) => root(&subscript.value),
        Expr::Starred(starred) => root(&starred.value),
        Expr::Await(await_) => root(&await_.value),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(attribute) => root(&attribute.value),
            _ => None,
        },
        _ => None,
    }
}
