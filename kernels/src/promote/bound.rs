//! The names that a body binds for itself.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, ExprContext, Pattern, Stmt};

/// Collects the names that a body binds for itself.
#[derive(Default)]
pub(super) struct Bound {
    names: BTreeSet<String>,
    elsewhere: BTreeSet<String>,
}

impl Bound {
    /// Those of a function or class.
    pub(super) fn of(body: &[Stmt]) -> BTreeSet<String> {
        let mut bound = Self::default();
        bound.visit_body(body);
        &bound.names - &bound.elsewhere
    }

    pub(super) fn names(self) -> BTreeSet<String> {
        self.names
    }

    /// Adds those that are assigned to in `expr`.
    pub(super) fn target(&mut self, expr: &Expr) {
        self.visit_expr(expr);
    }
}

impl<'a> Visitor<'a> for Bound {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                self.names.insert(function.name.to_string());
            }
            Stmt::ClassDef(class) => {
                self.names.insert(class.name.to_string());
            }
            Stmt::Global(global) => self
                .elsewhere
                .extend(global.names.iter().map(ToString::to_string)),
            Stmt::Nonlocal(nonlocal) => self
                .elsewhere
                .extend(nonlocal.names.iter().map(ToString::to_string)),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let full = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.names
                        .insert(full.split('.').next().unwrap_or(full).to_owned());
                }
            }
            Stmt::ImportFrom(import) => {
                let names = import
                    .names
                    .iter()
                    .map(|alias| alias.asname.as_ref().unwrap_or(&alias.name));
                self.names.extend(names.map(ToString::to_string));
            }
            stmt => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        self.names
            .extend(inner.name.as_ref().map(ToString::to_string));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(one) => one.name.as_ref(),
            Pattern::MatchStar(one) => one.name.as_ref(),
            Pattern::MatchMapping(one) => one.rest.as_ref(),
            _ => None,
        };
        self.names.extend(name.map(ToString::to_string));
        visitor::walk_pattern(self, pattern);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // A name that is only deleted is a local one, too.
            Expr::Name(name) if name.ctx != ExprContext::Load => {
                self.names.insert(name.id.to_string());
            }
            Expr::Lambda(_) => {}
            // Scopes of their own, but for the names that `:=` gives.
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                let mut inner = Walrus::default();
                visitor::walk_expr(&mut inner, expr);
                self.names.extend(inner.0);
            }
            expr => visitor::walk_expr(self, expr),
        }
    }
}

/// Collects the names that `:=` binds within a comprehension.
#[derive(Default)]
struct Walrus(BTreeSet<String>);

impl<'a> Visitor<'a> for Walrus {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Named(named) = expr
            && let Expr::Name(name) = &*named.target
        {
            self.0.insert(name.id.to_string());
        }
        if !expr.is_lambda_expr() {
            visitor::walk_expr(self, expr);
        }
    }
}
