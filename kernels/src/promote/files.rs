//! Which files calls read and write, and the texts that name them.

use super::known;
use super::machine::{Given, Machine};
use super::sites::{Kind, Value};

/// What a call has to do with files.
#[derive(Default)]
pub(super) struct Filed {
    /// The text that it gives.
    pub(super) text: Option<String>,
    /// The files that are open for writing in what it gives; none where the name cannot be told.
    pub(super) opened: Vec<Option<String>>,
}

impl Machine<'_> {
    /// `base`: what is before the dot.
    pub(super) fn files(&mut self, name: &str, base: Option<&Value>, given: &Given) -> Filed {
        let module = base.and_then(|base| base.path.as_deref());
        let full = module.map_or_else(|| name.to_owned(), |module| format!("{module}.{name}"));
        // `Path.open(…)` has its file before the dot.
        let before = base.filter(|base| base.path.is_none());
        let file = || {
            let named = given.names.iter().find(|(key, _)| known::names_file(key));
            before
                .or(given.places.first())
                .or(named.map(|(_, value)| value))
        };
        let text = self.built(name, &full, before, given);
        if known::opens(&full, name) {
            let opened = self.opened_by(&full, before.is_some(), given, file());
            return Filed { text, opened };
        }
        if known::lists(name) && (module.is_none() || known::is_file_module(&full)) {
            self.lists(file(), before.and(given.places.first()));
        } else if known::reads_files(name) {
            self.reads(file());
        } else if known::is_file_function(&full) {
            self.writes_all(given);
        } else if before.is_some_and(|base| self.may_be_path(base)) && known::writes_itself(name) {
            let named = before.and_then(|base| base.text.clone());
            self.facts.writes.insert(named);
            for value in &given.places {
                if matches!(name, "rename" | "replace" | "symlink_to" | "hardlink_to") {
                    self.facts.writes.insert(value.text.clone());
                }
            }
        } else if known::writes_files(name) {
            self.writes(given);
        }
        Filed {
            text,
            opened: Vec::new(),
        }
    }

    /// Whether methods such as `replace` are of a path: neither of a text nor of a frame.
    fn may_be_path(&self, base: &Value) -> bool {
        let mut kinds = base.sites.iter().map(|site| self.sites.kind(*site));
        kinds.any(|kind| matches!(kind, Kind::Path | Kind::Unknown))
    }

    fn opened_by(
        &mut self,
        full: &str,
        is_method: bool,
        given: &Given,
        file: Option<&Value>,
    ) -> Vec<Option<String>> {
        let named = given.names.iter().find(|(key, _)| key == "mode");
        let mode = given.places.get(usize::from(!is_method));
        let mode = mode.or(named.map(|(_, value)| value));
        let both = known::always_writes(full);
        let writes = both
            || match mode {
                None => !given.any.sites.is_empty(),
                Some(mode) => mode
                    .text
                    .as_deref()
                    .is_none_or(|mode| mode.contains(['w', 'a', 'x', '+'])),
            };
        let only = !both
            && mode
                .and_then(|mode| mode.text.as_deref())
                .is_some_and(|mode| mode.contains(['w', 'x']));
        let name = file.and_then(|file| file.text.clone());
        // A file in memory, or one that is open.
        let is_object = |value: &Value| {
            let mut kinds = value.sites.iter().map(|site| self.sites.kind(*site));
            kinds.any(|kind| matches!(kind, Kind::Iterator))
        };
        if file.is_some_and(is_object) {
            return Vec::new();
        }
        if !only {
            self.reads(file);
        }
        if !writes {
            return Vec::new();
        }
        self.facts.writes.insert(name.clone());
        vec![name]
    }

    fn reads(&mut self, file: Option<&Value>) {
        let Some(file) = file else { return };
        match &file.text {
            Some(text) => {
                self.facts.texts.insert(text.clone());
            }
            None if file
                .sites
                .iter()
                .all(|site| self.sites.kind(*site) == Kind::Path)
                || self.may_be_path(file) =>
            {
                self.facts.reads_any = true;
            }
            None => {}
        }
    }

    /// A folder is listed, perhaps by a pattern.
    fn lists(&mut self, folder: Option<&Value>, pattern: Option<&Value>) {
        let texts = [folder, pattern]
            .into_iter()
            .flatten()
            .map(|value| value.text.clone());
        let texts: Option<Vec<String>> = texts.collect();
        let joined = texts.map(|texts| texts.join("/")).unwrap_or_default();
        let parts = joined.split(['/', '*', '?', '[', ']']);
        let plain: Vec<&str> = parts
            .filter(|part| part.chars().any(char::is_alphanumeric))
            .collect();
        if plain.is_empty() {
            self.facts.reads_any = true;
        } else if joined.contains('*') {
            self.facts
                .pieces
                .extend(plain.into_iter().map(str::to_owned));
        } else {
            self.facts.texts.insert(joined);
        }
    }

    fn writes_all(&mut self, given: &Given) {
        let named = given.names.iter().filter(|(key, _)| known::names_file(key));
        let values = given.places.iter().chain(named.map(|(_, value)| value));
        let files: Vec<Option<String>> = values
            .filter(|value| {
                value.text.is_some() || value.sites.is_empty() || self.may_be_path(value)
            })
            .map(|value| value.text.clone())
            .collect();
        if !given.any.sites.is_empty() {
            self.facts.writes.insert(None);
        }
        for file in &files {
            self.facts.texts.extend(file.clone());
        }
        self.facts.writes.extend(files);
    }

    fn writes(&mut self, given: &Given) {
        let values = || {
            given
                .places
                .iter()
                .chain(given.names.iter().map(|(_, value)| value))
        };
        let texts: Vec<String> = values().filter_map(|value| value.text.clone()).collect();
        if !texts.is_empty() {
            self.facts.writes.extend(texts.into_iter().map(Some));
            return;
        }
        // `json.dump(x, f)` writes to what was opened.
        let is_open = |value: &Value| {
            let mut kinds = value.sites.iter().map(|site| self.sites.kind(*site));
            kinds.any(|kind| kind == Kind::Iterator)
        };
        let open: Vec<Value> = values().filter(|value| is_open(value)).cloned().collect();
        if open.is_empty() {
            self.facts.writes.insert(None);
        }
        for file in open {
            self.change(&file.sites, "writing");
        }
    }

    /// The text that a call makes of others.
    fn built(
        &mut self,
        name: &str,
        full: &str,
        before: Option<&Value>,
        given: &Given,
    ) -> Option<String> {
        let texts = || -> Option<Vec<String>> {
            let all = before.into_iter().chain(&given.places);
            all.map(|value| value.text.clone()).collect()
        };
        let joins = (known::is_path_class(full) || full == "os.path.join" || name == "joinpath")
            && given.names.is_empty();
        let found = match full {
            _ if joins => texts().map(|texts| texts.join("/")),
            "builtins.str" | "os.fspath" | "os.path.normpath" => {
                texts().map(|texts| texts.concat())
            }
            _ => None,
        };
        if found.is_none() && known::builds_text(name) {
            let texts = before
                .into_iter()
                .chain(&given.places)
                .filter_map(|value| value.text.clone());
            let texts: Vec<String> = texts.collect();
            for text in texts {
                let parts = text.split(['{', '}', '%', '*', '/']);
                self.facts.pieces.extend(parts.map(str::to_owned));
            }
        }
        found
    }
}
