//! Functions and classes that a notebook defines.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Decorator, Expr, Parameters, Stmt, StmtClassDef, StmtFunctionDef};

use super::bound::Bound;
use super::machine::{Body, Code, Given, Machine, place};
use super::sites::{Kind, Site, Value};

impl<'n> Machine<'n> {
    pub(super) fn defaults(&mut self, parameters: Option<&'n Parameters>) -> Value {
        let mut all = BTreeSet::new();
        for one in parameters
            .into_iter()
            .flat_map(Parameters::iter_non_variadic_params)
        {
            if let Some(default) = &one.default {
                all.extend(self.expr(default).sites);
            }
        }
        Value::of(all)
    }

    pub(super) fn function<T>(&mut self, node: &T, body: &Body<'n>) -> Value {
        let value = self.make(node, Kind::Function, &body.defaults.sites.clone());
        for &site in &value.sites {
            // It holds what it sees of the functions around it.
            let mut at = body.scope;
            let mut held = BTreeSet::new();
            while let Some(id) = at {
                let frame = &mut self.frames[id];
                if !frame.is_class {
                    held.insert(
                        *frame
                            .site
                            .get_or_insert_with(|| self.sites.add(Kind::Container)),
                    );
                    held.extend(frame.names.values().flat_map(|value| value.sites.clone()));
                }
                at = frame.parent;
            }
            held.remove(&site);
            self.sites.hold(site, &held);
            self.bodies.insert(site, body.clone());
        }
        value
    }

    pub(super) fn define(&mut self, function: &'n StmtFunctionDef) {
        let decorators = self.decorators(&function.decorator_list);
        let mut locals = Bound::of(&function.body);
        locals.extend(function.parameters.iter().map(|one| one.name().to_string()));
        let body = Body {
            parameters: Some(&function.parameters),
            code: Code::Body(&function.body),
            scope: self.frame,
            locals: Rc::new(locals),
            defaults: self.defaults(Some(&function.parameters)),
            is_lazy: function.is_async || yields(&function.body),
            is_decorated: !decorators.is_empty(),
            resumes: None,
        };
        let value = self.function(function, &body);
        let value = self.decorate(decorators, value);
        self.bind(&function.name, value);
    }

    pub(super) fn class(&mut self, class: &'n StmtClassDef) {
        let decorators = self.decorators(&class.decorator_list);
        let mut bases: BTreeSet<Site> = BTreeSet::new();
        if let Some(arguments) = &class.arguments {
            for base in &arguments.args {
                bases.extend(self.expr(base).sites);
            }
            for keyword in &arguments.keywords {
                let value = self.expr(&keyword.value);
                self.callbacks(
                    &self.sites.read(&value.sites),
                    &BTreeSet::new(),
                    place(class),
                );
                bases.extend(value.sites);
            }
        }
        let value = self.make(class, Kind::Class, &BTreeSet::new());
        let frame = match value.sites.first().and_then(|site| self.classes.get(site)) {
            Some(frame) => *frame,
            None => self.open(Rc::new(Bound::of(&class.body)), true),
        };
        self.within(frame, |machine| machine.block(&class.body));
        for &site in &value.sites {
            self.classes.insert(site, frame);
            let held = self.frames[frame].names.values();
            let held: BTreeSet<Site> = held.flat_map(|value| value.sites.clone()).collect();
            self.sites.hold(site, &held);
            self.sites.follow(site, &bases.clone());
        }
        let mut hooks = self.of_class(&Value::of(bases), "__init_subclass__");
        hooks.retain(|site| self.bodies.contains_key(site));
        let own = value.sites.clone();
        self.callbacks(&hooks, &own, place(class));
        let value = self.decorate(decorators, value);
        self.bind(&class.name, value);
    }

    /// What the decorators of a definition are, with their places, in the order of the source: that is how they are evaluated.
    fn decorators(&mut self, list: &'n [Decorator]) -> Vec<(usize, Value)> {
        let evaluated = list.iter();
        evaluated
            .map(|one| (place(one), self.expr(&one.expression)))
            .collect()
    }

    /// What a definition is once its decorators were called on it, the last one first: itself, and what they made of it.
    fn decorate(&mut self, decorators: Vec<(usize, Value)>, mut value: Value) -> Value {
        for (at, decorator) in decorators.into_iter().rev() {
            let is_plain = decorator
                .path
                .as_deref()
                .is_some_and(super::known::is_plain_decorator);
            if !is_plain {
                let given = Given {
                    places: vec![value.clone()],
                    ..Given::default()
                };
                let made = self.call_value(at, &decorator, &given);
                value = Value::of(made.sites.union(&value.sites).copied());
            }
        }
        value
    }
}

/// Whether a body is that of a generator.
fn yields(body: &[Stmt]) -> bool {
    struct Yields(bool);
    impl<'a> Visitor<'a> for Yields {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                visitor::walk_stmt(self, stmt);
            }
        }

        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 |= matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_));
            if !expr.is_lambda_expr() {
                visitor::walk_expr(self, expr);
            }
        }
    }
    let mut found = Yields(false);
    found.visit_body(body);
    found.0
}
