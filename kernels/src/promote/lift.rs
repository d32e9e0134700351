//! Plain assignments that could become parameters, and the notebook of some cells in which they are. Moves statements; never rewrites one.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, UnaryOp};
use serde::Serialize;

use super::bound::Bound;
use super::facts::Facts;
use super::sites::{Site, Sites};
use super::{Code, is_python, known, read_all};
use crate::notebook::{Document, Kind, Parameter, declared};
use crate::python;

/// What is, or could become, a parameter. JSON: the fields of [`Parameter`], and `{"cell": 3, "source": "assignment"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name, type and default.
    #[serde(flatten)]
    pub parameter: Parameter,
    /// The cell that assigns it, counted from 0 among all cells of the document.
    pub cell: usize,
    /// How it is declared.
    pub source: Source,
}

/// How a parameter is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In the cell tagged `parameters`: it is one already.
    Parameters,
    /// By an assignment somewhere: it becomes one where it is lifted.
    Assignment,
}

impl Source {
    /// Its text in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Assignment => "assignment",
        }
    }
}

/// The parameters that a notebook of the cells at the positions `cells`, in this order, has or could have.
///
/// Those that its cell tagged `parameters` declares, then plain assignments `name = literal` at the margin of other cells, where the name is
/// bound nowhere else in `cells`. Each of the latter can be lifted by [`assemble`], alone or with others, without changing what the notebook does.
pub fn parameters(document: &Document, cells: &[usize]) -> Vec<Candidate> {
    let cells = within(document, cells);
    let tagged = tagged(document, &cells).into_iter().flat_map(|at| {
        let cell = cells[at];
        let found = declared(document.cells()[cell].source()).into_iter();
        found.map(move |parameter| Candidate {
            parameter,
            cell,
            source: Source::Parameters,
        })
    });
    let lifts = lifts(document, &cells).into_iter().map(|lift| Candidate {
        cell: cells[lift.at],
        parameter: lift.parameter,
        source: Source::Assignment,
    });
    tagged.chain(lifts).collect()
}

/// Makes a notebook of the cells at the positions `keep`, in this order and without outputs, whose parameters can be given.
///
/// First comes a cell with `prelude`, then a cell tagged `parameters` with the assignments of the names `lift`, which are cut out of where they
/// stood; the rest of those cells stays byte for byte. Where a kept cell is tagged `parameters` already, they are put at its end, and it goes before the
/// first cell that uses them. Names that [`parameters`] does not offer as assignments are passed over.
#[must_use]
pub fn assemble(
    document: &Document,
    keep: &[usize],
    lift: &[String],
    prelude: Option<&str>,
) -> Document {
    let cells = within(document, keep);
    let mut lifts = match lift {
        [] => Vec::new(),
        _ => lifts(document, &cells),
    };
    lifts.retain(|one| lift.contains(&one.parameter.name));
    let mut made = document.excerpt(&cells);
    // From the last on, so that the places of the others hold.
    for one in lifts.iter().rev() {
        let cell = made.cell_mut(one.at);
        let mut source = cell.source().to_owned();
        source.replace_range(one.cut.clone(), "");
        cell.set_source(source);
    }
    let lifted: Vec<&str> = lifts.iter().map(|one| one.text.as_str()).collect();
    let lifted = lifted.join("\n");
    match tagged(document, &cells) {
        _ if lifts.is_empty() => {}
        Some(at) => {
            let cell = made.cell_mut(at);
            let own = cell.source().trim_end_matches('\n');
            let break_ = if own.is_empty() { "" } else { "\n" };
            let source = format!("{own}{break_}{lifted}");
            cell.set_source(source);
            let before = lifts.iter().map(|one| one.needed_at);
            made.move_up(at, before.min().unwrap_or(at).min(at));
        }
        None => made.insert(0, &lifted, Some("parameters")),
    }
    if let Some(prelude) = prelude {
        made.insert(0, prelude, None);
    }
    made
}

/// Those of these positions that the document has.
fn within(document: &Document, cells: &[usize]) -> Vec<usize> {
    let count = document.cells().len();
    cells.iter().copied().filter(|&at| at < count).collect()
}

/// Which of these cells is tagged `parameters`.
fn tagged(document: &Document, cells: &[usize]) -> Option<usize> {
    let is_tagged = |&at: &usize| {
        let cell = &document.cells()[at];
        cell.kind() == Kind::Code && cell.has_tag("parameters")
    };
    cells.iter().position(is_tagged)
}

/// The assignments in these cells that can be lifted; none where they cannot be read.
fn lifts(document: &Document, cells: &[usize]) -> Vec<Lift> {
    if !is_python(document) {
        return Vec::new();
    }
    let found = python::with_room(|| Kept::of(document, cells).lifts());
    found.unwrap_or_default()
}

/// The cells that a notebook is made of, read.
struct Kept<'a> {
    sources: Vec<&'a str>,
    facts: Vec<Facts>,
    known: Sites,
    /// The names that each binds or deletes in a way of its own, functions included.
    bound: Vec<BTreeSet<String>>,
    /// Which of them is tagged `parameters`.
    tagged: Option<usize>,
}

/// An assignment that can be lifted.
struct Lift {
    parameter: Parameter,
    /// Which of the kept cells holds it.
    at: usize,
    /// What is cut out of that cell.
    cut: Range<usize>,
    /// The statement, with the comment behind it.
    text: String,
    /// The first of the kept cells that may use it.
    needed_at: usize,
}

impl<'a> Kept<'a> {
    fn of(document: &'a Document, cells: &[usize]) -> Self {
        let all = document.cells();
        let code: Vec<Code> = cells.iter().map(|&at| Code::of(&all[at])).collect();
        let sources: Vec<&str> = cells.iter().map(|&at| all[at].source()).collect();
        let order: Vec<usize> = (0..code.len()).collect();
        let (facts, known) = read_all(&code, &order);
        Self {
            bound: sources.iter().map(|source| bound(source)).collect(),
            sources,
            tagged: tagged(document, cells),
            facts,
            known,
        }
    }

    fn lifts(&self) -> Vec<Lift> {
        let mut lifts = Vec::new();
        for at in (0..self.sources.len()).filter(|at| self.tagged != Some(*at)) {
            if self.facts[at].binds.is_empty() || self.facts[at].opaque.is_some() {
                continue;
            }
            let found = assignments(self.sources[at]).into_iter();
            lifts.extend(found.filter_map(|(parameter, cut, text)| {
                let needed_at = self.needed_at(&parameter.name, at)?;
                Some(Lift {
                    parameter,
                    at,
                    cut,
                    text,
                    needed_at,
                })
            }));
        }
        lifts
    }

    /// The first cell that may use `name`, which the cell at `own` assigns; none where the assignment cannot go to before it.
    fn needed_at(&self, name: &str, own: usize) -> Option<usize> {
        let declares_global = mentions(self.sources[own], "global") > 0;
        let mut others = (0..self.sources.len()).filter(|at| *at != own);
        let is_bound = others.any(|at| {
            let facts = &self.facts[at];
            let unread = facts.opaque.is_some() && mentions(self.sources[at], name) > 0;
            unread || facts.binds.contains_key(name) || self.bound[at].contains(name)
        });
        let star = |facts: &Facts| facts.effects.iter().any(|one| one.ends_with("import *"));
        if is_bound
            || (declares_global && mentions(self.sources[own], name) > 1)
            || self.facts[..=own].iter().any(star)
            || known::is_builtin(name)
        {
            return None;
        }
        let users = (0..self.sources.len()).filter(|at| Some(*at) != self.tagged);
        let mut users = users
            .filter(|at| mentions(self.sources[*at], name) > usize::from(*at == own) && *at >= own);
        let first = users.next().unwrap_or(self.sources.len());
        match self.tagged {
            Some(tagged) if first < tagged && !self.can_move(tagged, first) => None,
            _ => Some(first),
        }
    }

    /// Whether the cell at `from` does the same when it runs before the one at `to`.
    fn can_move(&self, from: usize, to: usize) -> bool {
        let moved = &self.facts[from];
        let names = |facts: &Facts| facts.binds.keys().cloned().collect::<BTreeSet<String>>();
        let objects = |facts: &Facts| facts.changes.keys().copied().collect::<BTreeSet<Site>>();
        let reads = |facts: &Facts| {
            let direct = facts.reads.keys().copied().collect();
            self.known.read(&direct)
        };
        let plain = |facts: &Facts| facts.opaque.is_none();
        plain(moved)
            && moved.effects.is_empty()
            && moved.writes.is_empty()
            && !moved.reads_any
            && self.facts[to..from].iter().all(|passed| {
                plain(passed)
                    && names(moved).is_disjoint(&names(passed))
                    && names(moved).is_disjoint(&passed.uses)
                    && moved.uses.is_disjoint(&names(passed))
                    && objects(moved).is_disjoint(&reads(passed))
                    && objects(passed).is_disjoint(&reads(moved))
            })
    }
}

/// The statements `name = literal` of a cell that can be cut out of it: the parameter, what is cut, and the text.
fn assignments(source: &str) -> Vec<(Parameter, Range<usize>, String)> {
    let Some(parsed) = python::parse(source) else {
        return Vec::new();
    };
    if source.trim_start().starts_with("%%") || !parsed.errors().is_empty() {
        return Vec::new();
    }
    let body = parsed.suite();
    // An expression that became the last statement would be shown.
    let trailing = body
        .iter()
        .rev()
        .take_while(|stmt| assigned(stmt).is_some());
    let end = body.len() - trailing.count();
    let shows = end > 0 && body[end - 1].is_expr_stmt();
    let mut found = Vec::new();
    for (at, stmt) in body.iter().enumerate() {
        let others = || body[..at].iter().chain(&body[at + 1..]);
        let Some((name, range)) = assigned(stmt) else {
            continue;
        };
        let bound_again =
            others().any(|other| Bound::of(std::slice::from_ref(other)).contains(name));
        if bound_again || name.starts_with('_') || (shows && at == end) {
            continue;
        }
        let Some((cut, text)) = cut(source, range) else {
            continue;
        };
        if let [parameter] = declared(&text).as_slice()
            && parameter.name == name
            && parameter.kind != "code"
        {
            found.push((parameter.clone(), cut, text));
        }
    }
    found
}

/// The name that a plain assignment of a literal binds, and where the statement stands.
fn assigned(stmt: &Stmt) -> Option<(&str, Range<usize>)> {
    let (target, value, range) = match stmt {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [target] => (target, &*assign.value, assign.range),
            _ => return None,
        },
        Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_deref()?, assign.range),
        _ => return None,
    };
    let Expr::Name(name) = target else {
        return None;
    };
    is_literal(value).then(|| (name.id.as_str(), range.into()))
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::List(list) => list.elts.iter().all(is_literal),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_literal),
        Expr::Dict(dict) => dict
            .items
            .iter()
            .all(|item| item.key.as_ref().is_some_and(is_literal) && is_literal(&item.value)),
        Expr::UnaryOp(unary) => unary.op == UnaryOp::USub && unary.operand.is_number_literal_expr(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        _ => false,
    }
}

/// What is to be cut out of a source with a statement, and the statement with the comment behind it.
fn cut(source: &str, range: Range<usize>) -> Option<(Range<usize>, String)> {
    let text = source.get(range.clone())?;
    let behind = source[range.end..].trim_start_matches([' ', '\t']);
    if let Some(next) = behind.strip_prefix(';') {
        // The next statement of the line moves to the place of this one.
        let next = next.trim_start_matches([' ', '\t']);
        let end = source.len() - next.len();
        let is_plain = !next.starts_with('\\');
        return is_plain.then(|| (range.start..end, text.to_owned()));
    }
    let comment = behind.lines().next().filter(|line| line.starts_with('#'));
    let text = comment.map_or_else(|| text.to_owned(), |comment| format!("{text}  {comment}"));
    Some((range, text))
}

/// How often a source has `name` as a word.
fn mentions(source: &str, name: &str) -> usize {
    let words = source.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| *word == name).count()
}

/// The names that a source binds or deletes, and those that its functions declare global.
fn bound(source: &str) -> BTreeSet<String> {
    struct Globals(BTreeSet<String>);
    impl<'a> Visitor<'a> for Globals {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if let Stmt::Global(global) = stmt {
                self.0.extend(global.names.iter().map(ToString::to_string));
            }
            visitor::walk_stmt(self, stmt);
        }
    }
    // A name in a cell that is not read counts as bound by it anyway.
    let Some(parsed) = python::parse(source) else {
        return BTreeSet::new();
    };
    let mut found = Globals(Bound::of(parsed.suite()));
    found.visit_body(parsed.suite());
    found.0
}

#[cfg(test)]
mod tests;
