//! Running the functions of a notebook where they are called.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::machine::{Body, Code, FrameId, Given, Machine, TOO_DEEP, place};
use super::sites::{Kind, Site, Value};

/// How many calls of functions are followed in one cell, and in the whole notebook, and how deep.
const STEPS: usize = 20_000;
const ALL_STEPS: usize = 40_000;
const DEPTH: usize = 24;
impl<'n> Machine<'n> {
    /// Runs a function of the notebook that is called at `from`.
    pub(super) fn run(&mut self, function: Site, given: &Given, from: usize) -> Value {
        let Some(body) = self.bodies.get(&function).cloned() else {
            return Value::default();
        };
        let running = self
            .running
            .iter()
            .find(|(site, _)| *site == function)
            .copied();
        let key = (function, from, self.frame);
        let known = running.map(|(_, frame)| frame).or(body.resumes);
        let frame = known.or_else(|| self.called.get(&key).copied());
        let frame = frame.unwrap_or_else(|| {
            let id = self.open(Rc::clone(&body.locals), false);
            self.frames[id].parent = body.scope;
            id
        });
        let recursive = running.is_some();
        self.called.insert(key, frame);
        self.pass(&body, frame, given);
        if recursive {
            let mut returned = self.frames[frame].returns.clone();
            returned.sites.extend(given.sites());
            return returned;
        }
        self.steps += 1;
        self.all_steps += 1;
        if self.running.len() >= DEPTH || self.steps > STEPS || self.all_steps > ALL_STEPS {
            self.facts.opaque = Some(TOO_DEEP.to_owned());
            return Value::default();
        }
        self.running.push((function, frame));
        self.branch(|machine| {
            machine.within(frame, |machine| match body.code {
                Code::Body(body) => machine.block(body),
                Code::Generator(comp) => {
                    for inner in comp.generators.iter().skip(1) {
                        machine.expr(&inner.iter);
                    }
                    for test in comp.generators.iter().flat_map(|inner| &inner.ifs) {
                        machine.expr(test);
                    }
                    let value = machine.expr(&comp.elt);
                    machine.give(frame, value);
                }
                Code::Expr(expr) => {
                    let value = machine.expr(expr);
                    machine.give(frame, value);
                }
            });
        });
        self.running.pop();
        let returned = self.frames[frame].returns.sites.clone();
        if !body.is_lazy || body.resumes.is_some() {
            return Value::of(returned);
        }
        self.lazy(function, body, frame, &returned)
    }

    /// What a generator gives: it goes on where something is taken from it.
    fn lazy(
        &mut self,
        function: Site,
        body: Body<'n>,
        frame: FrameId,
        returned: &BTreeSet<Site>,
    ) -> Value {
        let site = self.sites.at((function, frame + 1), Kind::Iterator);
        let names = self.frames[frame].names.values();
        let mut holds: BTreeSet<Site> = names.flat_map(|value| value.sites.clone()).collect();
        holds.extend(returned);
        self.sites.hold(site, &holds);
        let rest = self
            .sites
            .at((function, usize::MAX - frame), Kind::Function);
        self.bodies.insert(
            rest,
            Body {
                resumes: Some(frame),
                parameters: None,
                ..body
            },
        );
        self.sites.follow(site, &BTreeSet::from([rest]));
        Value::of([site])
    }

    pub(super) fn give(&mut self, frame: FrameId, value: Value) {
        let old = std::mem::take(&mut self.frames[frame].returns);
        self.frames[frame].returns = if old == Value::default() {
            value
        } else {
            old.or(value)
        };
    }

    /// Gives the arguments to the parameters.
    fn pass(&mut self, body: &Body<'n>, frame: FrameId, given: &Given) {
        let Some(parameters) = body.parameters else {
            return;
        };
        let exact = given.any.sites.is_empty() && !body.is_decorated;
        let mut all = given.sites();
        if let Some(receiver) = &given.receiver {
            if self.frames[frame].receiver == Value::default() {
                self.frames[frame].receiver = receiver.clone();
            }
            if !exact {
                all.extend(&receiver.sites);
            }
        }
        let receiver = given.receiver.iter();
        let places: Vec<&Value> = receiver.chain(&given.places).collect();
        let mut bound: Vec<(String, Value)> = Vec::new();
        for (at, one) in parameters.iter_non_variadic_params().enumerate() {
            let name = one.parameter.name.as_str();
            let named = given.names.iter().find(|(key, _)| key == name);
            let mut value = match places.get(at).copied().or(named.map(|(_, value)| value)) {
                Some(value) if exact => value.clone(),
                _ if exact => Value::default(),
                _ => Value::of(all.clone()),
            };
            if one.default.is_some() {
                value = value.or(body.defaults.clone());
            }
            bound.push((name.to_owned(), value));
        }
        let rest = [&parameters.vararg, &parameters.kwarg];
        for one in rest.into_iter().flatten() {
            let site = self.sites.at((place(&**one), frame + 1), Kind::Container);
            self.sites.hold(site, &all);
            bound.push((one.name.to_string(), Value::of([site])));
        }
        self.within(frame, |machine| {
            for (name, value) in bound {
                machine.bind(&name, value);
            }
        });
    }
}
