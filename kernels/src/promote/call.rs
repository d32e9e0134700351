//! What calls do: of functions of the notebook, which are followed; of what is known; and of all else, which may change what it is given.

use std::collections::BTreeSet;

use ruff_python_ast::{Arguments, Expr, ExprCall, IpyEscapeKind};

use super::files::Filed;
use super::known::{self, Builtin};
use super::machine::{Given, Machine, place};
use super::sites::{Kind, Site, Value};

impl<'n> Machine<'n> {
    pub(super) fn call(&mut self, call: &'n ExprCall) -> Value {
        let at = place(call);
        if let Expr::Attribute(attribute) = &*call.func {
            let base = self.expr(&attribute.value);
            let given = self.given(&call.arguments);
            let name = attribute.attr.as_str();
            let files = self.files(name, Some(&base), &given);
            let value = match &base.path {
                Some(path) => self.call_path(at, &format!("{path}.{name}"), &base, &given),
                None => self.call_method(at, &base, name, &given),
            };
            return self.filed(value, files);
        }
        let callee = self.expr(&call.func);
        let given = self.given(&call.arguments);
        let path = callee.path.clone().unwrap_or_default();
        let (module, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let base = Value {
            path: Some(module.to_owned()),
            ..Value::default()
        };
        let files = self.files(name, Some(&base).filter(|_| !module.is_empty()), &given);
        let value = self.call_value(at, &callee, &given);
        self.filed(value, files)
    }

    /// Notes with what a call gives what is known of its file.
    fn filed(&mut self, mut value: Value, files: Filed) -> Value {
        value.text = files.text;
        for file in files.opened {
            for &site in &value.sites {
                self.opened.add(self.sites.find(site), file.clone());
            }
        }
        value
    }

    /// A call whose result nobody takes is made for what it does.
    pub(super) fn discarded(&mut self, expr: &'n Expr) {
        let inner = match expr {
            Expr::Await(await_) => &*await_.value,
            expr => expr,
        };
        if let Expr::Call(call) = inner {
            self.discards = Some(place(call));
        }
    }

    fn given(&mut self, arguments: &'n Arguments) -> Given {
        let mut given = Given::default();
        for argument in &arguments.args {
            let value = self.expr(argument);
            if argument.is_starred_expr() {
                given.any.sites.extend(value.sites);
            } else {
                given.places.push(value);
            }
        }
        for keyword in &arguments.keywords {
            let value = self.expr(&keyword.value);
            match &keyword.arg {
                Some(name) => {
                    let no = matches!(&keyword.value, Expr::BooleanLiteral(no) if !no.value);
                    given.in_place |= name.as_str() == "inplace" && !no;
                    given.names.push((name.to_string(), value));
                }
                None => given.any.sites.extend(self.sites.deep(&value.sites)),
            }
        }
        // Which of the others is missing from the front cannot be told.
        if !given.any.sites.is_empty() {
            let all = given.sites();
            given.any.sites.extend(all);
        }
        given
    }

    /// Calls what a name or an expression stands for.
    pub(super) fn call_value(&mut self, at: usize, callee: &Value, given: &Given) -> Value {
        if let Some(path) = &callee.path {
            return self.call_path(at, &path.clone(), callee, given);
        }
        let direct: BTreeSet<Site> = callee
            .sites
            .iter()
            .map(|site| self.sites.find(*site))
            .collect();
        let is_known =
            |site: &Site| self.bodies.contains_key(site) || self.classes.contains_key(site);
        if direct.is_empty() || !direct.iter().all(is_known) {
            let mut touched = given.sites();
            touched.extend(&direct);
            let found = self.of_class(callee, "__call__");
            for method in found {
                let mut given = given.clone();
                given.receiver = Some(callee.clone());
                self.run(method, &given, at);
            }
            return self.call_unknown(at, &touched);
        }
        let mut all = BTreeSet::new();
        for site in direct {
            let value = if self.classes.contains_key(&site) {
                self.construct(at, site, given)
            } else {
                self.run(site, given, at)
            };
            all.extend(value.sites);
        }
        Value::of(all)
    }

    /// Makes an object of a class of the notebook.
    fn construct(&mut self, at: usize, class: Site, given: &Given) -> Value {
        let key = (at, self.frame.map_or(0, |frame| frame + 1));
        let object = self.sites.at(key, Kind::Unknown);
        self.sites.follow(object, &BTreeSet::from([class]));
        let value = Value::of([object]);
        let mut is_own = false;
        for name in ["__new__", "__init__", "__post_init__"] {
            for method in self.of_class(&value, name) {
                if self.bodies.contains_key(&method) {
                    is_own |= name != "__post_init__";
                    let mut given = given.clone();
                    given.receiver = Some(value.clone());
                    let made = self.run(method, &given, at);
                    self.sites.hold(object, &made.sites);
                }
            }
        }
        if !is_own {
            self.sites.hold(object, &given.sites());
        }
        value
    }

    /// Calls something of which nothing is known: it may change all that it gets, and keep it.
    pub(super) fn call_unknown(&mut self, at: usize, touched: &BTreeSet<Site>) -> Value {
        let all = self.sites.deep(touched);
        self.change(&all, "a call");
        let reached = self.sites.read(touched);
        self.callbacks(&reached, &all, at);
        self.facts.draws = true;
        let key = (at, self.frame.map_or(0, |frame| frame + 1));
        let made = self.sites.at(key, Kind::Unknown);
        let mut joined = all.clone();
        joined.insert(made);
        self.sites.join(&joined);
        self.sites.hold(made, &all);
        Value::of([self.sites.find(made)])
    }

    /// Calls what an import or a builtin stands for.
    fn call_path(&mut self, at: usize, path: &str, callee: &Value, given: &Given) -> Value {
        let all = given.sites();
        let key = (at, self.frame.map_or(0, |frame| frame + 1));
        if let Some(name) = path.strip_prefix("builtins.")
            && !name.contains('.')
        {
            return self.call_builtin(key, name, given);
        }
        if known::is_random(path) {
            return self.call_random(key, path, given);
        }
        self.facts.draws |= known::may_draw(path);
        let discarded = self.discards == Some(at);
        if !known::is_pure_function(path) {
            if discarded || known::is_stateful(path) {
                self.facts.effects.insert(format!("{path}()"));
            }
            self.facts.reads_any |= !known::writes_files(path.rsplit('.').next().unwrap_or(path));
            self.change(&callee.sites, &format!("{path}()"));
            let made = self.call_unknown(at, &all);
            if !known::is_stateful(path) {
                // What a package made may use what else it knows.
                for &site in &made.sites {
                    self.sites.hold(site, &callee.sites);
                }
            }
            return made;
        }
        let reached = self.sites.deep(&all);
        self.callbacks(&reached, &reached, at);
        self.out(given);
        if known::takes(path) {
            for value in given
                .places
                .iter()
                .chain(given.names.iter().map(|(_, value)| value))
            {
                self.consume(value);
            }
            if known::is_at(path) || path.starts_with("heapq.") || path.starts_with("bisect.") {
                self.change(&all, path);
            }
        }
        if known::draws_on(path) {
            let axes = |site: &Site| self.sites.kind(*site) == Kind::Unknown;
            let axes: BTreeSet<Site> = reached.iter().copied().filter(axes).collect();
            self.change(&axes, path);
        }
        let kind = known::result_of(path);
        let site = self.sites.at(key, kind);
        if known::keeps(path) {
            self.sites.hold(site, &all);
        }
        if kind == Kind::Container {
            // What is in it was made with it.
            let within = self.sites.at((key.0 + 1, key.1), Kind::Data);
            self.sites.hold(site, &BTreeSet::from([within]));
        }
        Value::of([site])
    }

    /// Arguments that are there to be changed.
    pub(super) fn out(&mut self, given: &Given) {
        for (name, value) in &given.names {
            if matches!(
                name.as_str(),
                "out" | "ax" | "axes" | "axs" | "file" | "fig" | "cax"
            ) {
                let all = self.sites.deep(&value.sites);
                self.change(&all, name);
            }
        }
    }

    fn call_random(&mut self, key: (usize, usize), path: &str, given: &Given) -> Value {
        let name = path.rsplit('.').next().unwrap_or(path);
        let all = given.sites();
        self.facts.draws = true;
        if known::seeds(name) {
            self.facts.effects.insert(format!("{path}()"));
        }
        let mut kind = Kind::Data;
        match name {
            "shuffle" => self.change(&self.sites.deep(&all), path),
            "default_rng" | "RandomState" | "Generator" | "Random" | "get_state"
            | "SystemRandom" | "PCG64" => kind = Kind::Unknown,
            "choice" | "choices" | "sample" => kind = Kind::Container,
            _ => {}
        }
        let site = self.sites.at(key, kind);
        if kind != Kind::Data {
            let parts = self.sites.parts(&all);
            self.sites.hold(site, &parts);
        }
        let mut sites = BTreeSet::from([site]);
        if name == "choice" {
            sites.extend(self.sites.parts(&all));
        }
        Value::of(sites)
    }

    fn call_builtin(&mut self, key: (usize, usize), name: &str, given: &Given) -> Value {
        let all = given.sites();
        self.out(given);
        let kind = known::builtin(name);
        match kind {
            Builtin::Plain => Value::default(),
            Builtin::Value => {
                if all.is_empty() {
                    return Value::default();
                }
                Value::of([self.sites.at(key, Kind::Data)])
            }
            Builtin::Copy | Builtin::Part | Builtin::Iterator => self.take(key, kind, given),
            Builtin::Super => {
                let receiver = self.frame.map(|frame| self.frames[frame].receiver.clone());
                receiver.unwrap_or_default()
            }
            Builtin::Kind if given.places.len() == 1 => self.kind_of(&given.places[0]),
            Builtin::SetPart => {
                if let Some(base) = given.places.first().cloned() {
                    self.store_in(&base, &Value::of(all), "");
                }
                Value::default()
            }
            Builtin::Holder => {
                let site = self.sites.at(key, Kind::Unknown);
                self.sites.hold(site, &all);
                Value::of([site])
            }
            Builtin::Kind | Builtin::Unknown => self.call_unknown(key.0, &all),
        }
    }

    /// Builtins that give what they are given in another form.
    fn take(&mut self, key: (usize, usize), kind: Builtin, given: &Given) -> Value {
        let all = given.sites();
        let reached = self.sites.deep(&all);
        match kind {
            Builtin::Copy => {
                self.take_all(given);
                self.callbacks(&reached, &reached, key.0);
                let site = self.sites.at(key, Kind::Container);
                let places = given.places.iter().chain([&given.any]);
                let places: BTreeSet<Site> = places.flat_map(|value| value.sites.clone()).collect();
                let parts = self.sites.parts(&places);
                self.sites.hold(site, &parts);
                for (_, value) in &given.names {
                    self.sites.hold(site, &value.sites);
                }
                Value::of([site])
            }
            Builtin::Part => {
                self.take_all(given);
                self.callbacks(&reached, &reached, key.0);
                Value::of(reached)
            }
            _ => {
                self.callbacks(&reached, &reached, key.0);
                let site = self.sites.at(key, Kind::Iterator);
                self.sites.hold(site, &all);
                // `map` runs its function when something is taken.
                let functions = reached
                    .iter()
                    .copied()
                    .filter(|site| self.bodies.contains_key(site));
                let functions: BTreeSet<Site> = functions.collect();
                self.sites.follow(site, &functions);
                Value::of([site])
            }
        }
    }

    pub(super) fn take_all(&mut self, given: &Given) {
        let values: Vec<Value> = given.places.iter().chain([&given.any]).cloned().collect();
        for value in values {
            self.consume(&value);
        }
    }

    pub(super) fn magic(&mut self, kind: IpyEscapeKind, value: &str) {
        let word = value.split_whitespace().next().unwrap_or_default();
        match kind {
            IpyEscapeKind::Help | IpyEscapeKind::Help2 => {}
            IpyEscapeKind::Magic | IpyEscapeKind::Magic2 => match word {
                word if known::only_shows(word) => {}
                word if known::is_opaque_magic(word) => {
                    self.facts.opaque = Some(format!("%{word} may do anything"));
                }
                word => {
                    self.facts.effects.insert(format!("%{word}"));
                }
            },
            _ => {
                self.facts.effects.insert("a shell command".to_owned());
                self.facts.reads_any = true;
            }
        }
    }
}
