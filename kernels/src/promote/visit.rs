//! What each kind of statement and expression does, told to the walk.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ExceptHandler, Expr, ExprContext, Pattern, Stmt, StmtAugAssign, StmtClassDef,
    StmtFunctionDef, StmtImportFrom,
};

use super::bound::Bound;
use super::walk::{Kind, Scope, Walk};

impl Walk<'_> {
    fn define(&mut self, function: &StmtFunctionDef) {
        for one in &function.decorator_list {
            self.visit_decorator(one);
        }
        self.store(&function.name);
        let locals = Bound::of(&function.body);
        self.function(Some(&function.parameters), locals, |walk| {
            let unsure = std::mem::take(&mut walk.unsure);
            walk.visit_body(&function.body);
            walk.unsure = unsure;
        });
    }

    fn class(&mut self, class: &StmtClassDef) {
        for one in &class.decorator_list {
            self.visit_decorator(one);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        self.store(&class.name);
        for stmt in &class.body {
            if let Stmt::FunctionDef(method) = stmt {
                self.facts.methods.insert(method.name.to_string());
            }
        }
        self.scopes.push(Scope {
            kind: Kind::Class,
            locals: Bound::of(&class.body),
        });
        self.visit_body(&class.body);
        self.scopes.pop();
    }

    fn add_to(&mut self, assign: &StmtAugAssign) {
        self.visit_expr(&assign.value);
        match &*assign.target {
            Expr::Name(name) => {
                self.load(name.id.as_str());
                self.store(name.id.as_str());
                // `+=` of a list changes the object that others may hold.
                self.change(name.id.as_str());
            }
            target => self.visit_expr(target),
        }
    }

    fn delete(&mut self, targets: &[Expr]) {
        for target in targets {
            match target {
                Expr::Name(name) => self.change(name.id.as_str()),
                target => self.part(target),
            }
        }
    }

    fn import_module(&mut self, alias: &Alias) {
        let full = alias.name.as_str();
        let first = full.split('.').next().unwrap_or(full);
        match &alias.asname {
            Some(name) => self.import(name.as_str(), full.to_owned()),
            None => self.import(first, first.to_owned()),
        }
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let module = import.module.as_ref();
        let module = module.map_or("", |module| module.as_str());
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                let effect = format!("from {module} import *");
                self.facts.effects.insert(effect);
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            self.import(name.as_str(), format!("{module}.{}", alias.name));
        }
    }

    /// Statements whose parts may not be carried out; says whether it was one.
    fn branches(&mut self, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::For(one) => {
                self.visit_expr(&one.iter);
                self.branch(|walk| {
                    walk.visit_expr(&one.target);
                    walk.visit_body(&one.body);
                    walk.visit_body(&one.orelse);
                });
            }
            Stmt::While(one) => {
                self.visit_expr(&one.test);
                self.branch(|walk| {
                    walk.visit_body(&one.body);
                    walk.visit_body(&one.orelse);
                });
            }
            Stmt::If(one) => {
                self.visit_expr(&one.test);
                self.branch(|walk| {
                    walk.visit_body(&one.body);
                    for clause in &one.elif_else_clauses {
                        walk.visit_elif_else_clause(clause);
                    }
                });
            }
            Stmt::Match(one) => {
                self.visit_expr(&one.subject);
                self.branch(|walk| {
                    for case in &one.cases {
                        walk.visit_match_case(case);
                    }
                });
            }
            Stmt::Try(one) => {
                self.branch(|walk| {
                    walk.visit_body(&one.body);
                    for handler in &one.handlers {
                        walk.visit_except_handler(handler);
                    }
                    walk.visit_body(&one.orelse);
                });
                self.visit_body(&one.finalbody);
            }
            _ => return false,
        }
        true
    }
}

impl<'a> Visitor<'a> for Walk<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if self.branches(stmt) {
            return;
        }
        match stmt {
            Stmt::FunctionDef(function) => self.define(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::Assign(assign) => {
                self.visit_expr(&assign.value);
                for target in &assign.targets {
                    self.visit_expr(target);
                }
            }
            Stmt::AugAssign(assign) => self.add_to(assign),
            Stmt::AnnAssign(assign) => {
                self.visit_annotation(&assign.annotation);
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                    self.visit_expr(&assign.target);
                }
            }
            Stmt::Delete(delete) => self.delete(&delete.targets),
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import_module(alias);
                }
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Expr(expr) => {
                self.discarded(&expr.value);
                self.visit_expr(&expr.value);
            }
            Stmt::IpyEscapeCommand(command) => self.magic(command.kind, &command.value),
            stmt => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.store(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let mut bound = Bound::default();
        bound.visit_pattern(pattern);
        for name in bound.names() {
            self.store(&name);
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => match name.ctx {
                ExprContext::Store => self.store(name.id.as_str()),
                ExprContext::Del => self.change(name.id.as_str()),
                _ => self.load(name.id.as_str()),
            },
            Expr::Attribute(attribute) => {
                if attribute.ctx != ExprContext::Load {
                    self.part(expr);
                }
                self.visit_expr(&attribute.value);
            }
            Expr::Subscript(subscript) => {
                if subscript.ctx != ExprContext::Load {
                    self.part(expr);
                }
                self.visit_expr(&subscript.value);
                self.visit_expr(&subscript.slice);
            }
            Expr::Call(call) => {
                self.call(&call.func, &call.arguments);
                visitor::walk_expr(self, expr);
            }
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                let body = |walk: &mut Self| walk.visit_expr(&lambda.body);
                self.function(parameters, BTreeSet::new(), body);
            }
            Expr::ListComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::SetComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::Generator(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::DictComp(comp) => {
                let mut parts: Vec<&Expr> = comp.key.as_deref().into_iter().collect();
                parts.push(&comp.value);
                self.comprehension(&comp.generators, &parts);
            }
            Expr::StringLiteral(text) => {
                self.facts.texts.insert(text.value.to_str().to_owned());
            }
            Expr::IpyEscapeCommand(command) => self.magic(command.kind, &command.value),
            expr => visitor::walk_expr(self, expr),
        }
    }
}
