//! Runs a notebook's cells, in the order of their execution, without their values: which object each name may stand for is all that is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use ruff_python_ast::{Expr, ExprGenerator, Parameters, Stmt};

use super::facts::Facts;
use super::known;
use super::opened::Opened;
use super::sites::{Kind, Site, Sites, Value};
use crate::python;

pub(super) const TOO_DEEP: &str = "its calls go deeper than is followed";

pub(super) type FrameId = usize;

/// The names of a function that runs, of a class, or of a comprehension.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) parent: Option<FrameId>,
    pub(super) names: BTreeMap<String, Value>,
    pub(super) locals: Rc<BTreeSet<String>>,
    pub(super) is_class: bool,
    /// Itself, where functions within may bind its names.
    pub(super) site: Option<Site>,
    pub(super) returns: Value,
    /// What a method is called on.
    pub(super) receiver: Value,
}

/// What runs when a function is called.
#[derive(Clone)]
pub(super) struct Body<'n> {
    pub(super) parameters: Option<&'n Parameters>,
    pub(super) code: Code<'n>,
    pub(super) scope: Option<FrameId>,
    pub(super) locals: Rc<BTreeSet<String>>,
    pub(super) defaults: Value,
    /// Whether it runs bit by bit, each time something is taken from what it returned.
    pub(super) is_lazy: bool,
    pub(super) is_decorated: bool,
    /// The frame in which it goes on.
    pub(super) resumes: Option<FrameId>,
}

#[derive(Clone, Copy)]
pub(super) enum Code<'n> {
    Body(&'n [Stmt]),
    Expr(&'n Expr),
    /// What is taken from a generator in brackets.
    Generator(&'n ExprGenerator),
}

/// What a call is given.
#[derive(Clone, Default)]
pub(super) struct Given {
    pub(super) receiver: Option<Value>,
    pub(super) places: Vec<Value>,
    pub(super) names: Vec<(String, Value)>,
    /// What may be any argument.
    pub(super) any: Value,
    /// Whether it may say `inplace`.
    pub(super) in_place: bool,
}

impl Given {
    pub(super) fn any(sites: BTreeSet<Site>) -> Self {
        Self {
            any: Value::of(sites),
            ..Self::default()
        }
    }

    /// Everything but what it is called on.
    pub(super) fn sites(&self) -> BTreeSet<Site> {
        let named = self.names.iter().map(|(_, value)| value);
        let all = self.places.iter().chain(named).chain([&self.any]);
        all.flat_map(|value| value.sites.iter().copied()).collect()
    }
}

#[derive(Default)]
pub(super) struct Machine<'n> {
    pub(super) sites: Sites,
    /// The names of the notebook.
    names: BTreeMap<String, Value>,
    unknown: HashMap<String, Site>,
    modules: HashMap<String, Site>,
    pub(super) bodies: HashMap<Site, Body<'n>>,
    pub(super) classes: HashMap<Site, FrameId>,
    pub(super) frames: Vec<Frame>,
    pub(super) called: HashMap<(Site, usize, Option<FrameId>), FrameId>,
    pub(super) comprehensions: HashMap<(usize, usize), FrameId>,
    pub(super) frame: Option<FrameId>,
    pub(super) running: Vec<(Site, FrameId)>,
    /// How many branches, loops and calls around may not be entered.
    pub(super) unsure: usize,
    pub(super) steps: usize,
    pub(super) all_steps: usize,
    /// How many statements and expressions are within each other now, those of called functions included.
    levels: usize,
    /// The objects of which it is known in this cell what using them runs.
    pub(super) implied: HashSet<Site>,
    /// Whether a cell binds `_` itself.
    names_underscore: bool,
    /// The call whose result nobody takes.
    pub(super) discards: Option<usize>,
    /// Files that are open for writing.
    pub(super) opened: Opened,
    pub(super) facts: Facts,
}

/// The place of a piece of the source.
pub(super) fn place<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

impl<'n> Machine<'n> {
    /// Runs one cell.
    pub(super) fn cell(&mut self, body: &'n [Stmt], facts: Facts, unsure: bool) -> Facts {
        self.facts = facts;
        self.steps = 0;
        self.opened.begin();
        self.implied.clear();
        self.unsure = usize::from(unsure);
        // `%%capture` has bound its name.
        let given: Vec<String> = self.facts.binds.keys().cloned().collect();
        for name in given {
            let site = self.sites.add(Kind::Unknown);
            self.names.insert(name, Value::of([site]));
        }
        self.block(body);
        if let Some(Stmt::Expr(last)) = body.last() {
            self.displayed(&last.value);
        }
        std::mem::take(&mut self.facts)
    }

    /// Gives objects that turned out to be the same one name.
    pub(super) fn settle(&self, facts: &mut Facts) {
        for sites in [&mut facts.reads, &mut facts.changes] {
            let settled = std::mem::take(sites).into_iter();
            for (site, name) in settled {
                sites.entry(self.sites.find(site)).or_insert(name);
            }
        }
    }

    /// What a cell shows last is `_` in the next.
    fn displayed(&mut self, shown: &'n Expr) {
        if known::gives_nothing(shown) {
            return;
        }
        // A notebook's own `_` stays.
        let surely =
            shown.is_literal_expr() && !shown.is_none_literal_expr() && !self.names_underscore;
        let last = self.names.get("_").cloned().unwrap_or_default();
        let before = self.names.get("__").cloned().unwrap_or_default();
        let unsure = std::mem::replace(&mut self.unsure, usize::from(!surely));
        let value = self.expr(shown);
        let named = self.names_underscore;
        self.bind("_", value);
        self.names_underscore = named;
        self.unsure = 1;
        self.bind("__", last);
        self.bind("___", before);
        self.unsure = unsure;
    }

    pub(super) fn place<T>(&self, node: &T) -> (usize, usize) {
        (place(node), self.frame.map_or(0, |frame| frame + 1))
    }

    /// A new object that the place `node` makes, which holds those.
    pub(super) fn make<T>(&mut self, node: &T, kind: Kind, holds: &BTreeSet<Site>) -> Value {
        let site = self.sites.at(self.place(node), kind);
        self.sites.hold(site, holds);
        Value::of([site])
    }

    /// The frame in which `name` is looked up; none for the notebook's own.
    fn owner(&self, name: &str) -> Option<FrameId> {
        let mut at = self.frame;
        while let Some(id) = at {
            let frame = &self.frames[id];
            // What a class holds is not seen by its methods.
            let is_seen = !frame.is_class || self.frame == Some(id);
            if is_seen && frame.locals.contains(name) {
                return Some(id);
            }
            at = frame.parent;
        }
        None
    }

    /// Does `work` one level deeper; not where it is too deep already, which it may only be where functions call each other.
    pub(super) fn deeper<T: Default>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.levels >= python::DEEPEST {
            self.facts.opaque = Some(TOO_DEEP.to_owned());
            return T::default();
        }
        self.levels += 1;
        let done = work(self);
        self.levels -= 1;
        done
    }

    pub(super) fn load(&mut self, name: &str) -> Value {
        if let Some(owner) = self.owner(name) {
            let frame = &self.frames[owner];
            match frame.names.get(name) {
                Some(value) => {
                    let value = value.clone();
                    self.read(&value, name);
                    self.implied(&value);
                    return value;
                }
                None if !frame.is_class => return Value::default(),
                None => {}
            }
        }
        if !self.names.contains_key(name) {
            if known::is_numbered(name) {
                self.facts.counts = true;
                self.facts.opaque = Some(format!("it refers to other cells by {name}"));
            }
            if known::is_opaque(name) {
                self.facts.opaque = Some(format!("it calls {name}"));
            }
        }
        if !self.facts.binds.get(name).copied().unwrap_or(false) {
            self.facts.uses.insert(name.to_owned());
        }
        let value = match self.names.get(name) {
            Some(value) => value.clone(),
            None if known::is_builtin(name) => Value {
                path: Some(format!("builtins.{name}")),
                ..Value::default()
            },
            None => {
                let sites = &mut self.sites;
                let new = || sites.add(Kind::Unknown);
                let site = self.unknown.entry(name.to_owned()).or_insert_with(new);
                Value::of([*site])
            }
        };
        self.read(&value, name);
        self.implied(&value);
        value
    }

    fn read(&mut self, value: &Value, name: &str) {
        for &site in &value.sites {
            let led = || name.to_owned();
            self.facts.reads.entry(site).or_insert_with(led);
        }
    }

    pub(super) fn is_running(&self, function: Site) -> bool {
        self.running.iter().any(|(site, _)| *site == function)
    }

    pub(super) fn bind(&mut self, name: &str, mut value: Value) {
        self.sites.narrow(&mut value.sites);
        if let Some(owner) = self.owner(name) {
            if self.frame != Some(owner) {
                let sites = self.frames[owner].site.into_iter().collect();
                self.change(&sites, name);
            }
            let names = &mut self.frames[owner].names;
            let joined = match names.get(name) {
                Some(old) => old.clone().or(value),
                None => value,
            };
            if names.get(name) != Some(&joined) {
                names.insert(name.to_owned(), joined);
                self.sites.version += 1;
            }
            return;
        }
        self.names_underscore |= name == "_";
        let surely = self.unsure == 0;
        *self.facts.binds.entry(name.to_owned()).or_default() |= surely;
        match self.names.get(name) {
            Some(old) if !surely => {
                let joined = old.clone().or(value);
                if *old != joined {
                    self.names.insert(name.to_owned(), joined);
                    self.sites.version += 1;
                }
            }
            _ => {
                self.names.insert(name.to_owned(), value);
            }
        }
    }

    /// Binds a name to a module, or to what is in it.
    pub(super) fn import(&mut self, name: &str, full: &str) {
        let top = full.split('.').next().unwrap_or(full).to_owned();
        let sites = &mut self.sites;
        let new = || sites.add(Kind::Module);
        let site = *self.modules.entry(top.clone()).or_insert_with(new);
        self.facts.reads.entry(site).or_insert(top.clone());
        self.facts.texts.insert(format!("{top}.py"));
        self.facts.texts.insert(format!("{top}/__init__.py"));
        let value = Value {
            path: Some(full.to_owned()),
            ..Value::of([site])
        };
        self.bind(name, value);
    }

    /// Notes that these objects themselves may change.
    pub(super) fn change(&mut self, sites: &BTreeSet<Site>, by: &str) {
        for &site in sites {
            let site = self.sites.find(site);
            if self.sites.kind(site) == Kind::Module {
                self.facts.settings.insert(site);
            }
            let files = self.opened.written(site, &self.sites);
            self.facts.writes.extend(files.cloned());
            let by = || by.to_owned();
            self.facts.changes.entry(site).or_insert_with(by);
        }
    }

    /// Does `work` again until it shows nothing new: a loop, whose later rounds see what the earlier did.
    pub(super) fn repeat(&mut self, mut work: impl FnMut(&mut Self)) {
        self.unsure += 1;
        for _ in 0..6 {
            let before = self.sites.version;
            work(self);
            if self.sites.version == before {
                break;
            }
        }
        self.unsure -= 1;
    }

    pub(super) fn branch(&mut self, work: impl FnOnce(&mut Self)) {
        self.unsure += 1;
        work(self);
        self.unsure -= 1;
    }

    pub(super) fn within(&mut self, frame: FrameId, work: impl FnOnce(&mut Self)) {
        let before = self.frame.replace(frame);
        work(self);
        self.frame = before;
    }

    pub(super) fn open(&mut self, locals: Rc<BTreeSet<String>>, is_class: bool) -> FrameId {
        self.frames.push(Frame {
            parent: self.frame,
            locals,
            is_class,
            ..Frame::default()
        });
        self.frames.len() - 1
    }
}
