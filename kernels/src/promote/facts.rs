//! What one cell of Python does to names, objects and files. Where it cannot be told, the answer is the larger one.

use std::collections::{BTreeMap, BTreeSet};

use super::sites::Site;

/// What a cell does.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Names that it binds, and whether it does so whatever happens.
    pub(super) binds: BTreeMap<String, bool>,
    /// Names that it needs.
    pub(super) uses: BTreeSet<String>,
    /// The objects that it needs, and a name that led to each.
    pub(super) reads: BTreeMap<Site, String>,
    /// The objects that it may change in place, and by what.
    pub(super) changes: BTreeMap<Site, String>,
    /// Those of them that are modules.
    pub(super) settings: BTreeSet<Site>,
    /// Files that it writes; none where the name cannot be told.
    pub(super) writes: BTreeSet<Option<String>>,
    /// Its texts, any of which may be the name of a file.
    pub(super) texts: BTreeSet<String>,
    /// Pieces of texts that are put together when it runs.
    pub(super) pieces: BTreeSet<String>,
    /// Whether it may read a file whose name cannot be told.
    pub(super) reads_any: bool,
    /// What it does to everything after it, in words.
    pub(super) effects: BTreeSet<String>,
    /// Why it cannot be read, so that it may use and change everything.
    pub(super) opaque: Option<String>,
    /// Whether it calls what may draw random numbers.
    pub(super) draws: bool,
    /// Whether it says cells by their numbers.
    pub(super) counts: bool,
}

impl Facts {
    /// The same of a cell that cannot be read, which may do anything.
    pub(super) fn unread(self, why: String) -> Self {
        Self {
            opaque: Some(why),
            ..self
        }
    }
}

/// A cell's source as it is read, and how.
pub(super) struct Source {
    /// Python, without magics that only measure.
    pub(super) text: String,
    /// Whether nothing in it surely happens.
    pub(super) unsure: bool,
}

/// Takes the magics out of a cell that only measure or capture; notes what the others do. None where nothing is left to read.
pub(super) fn prepare(source: &str, facts: &mut Facts) -> Option<Source> {
    let trimmed = source.trim_start();
    let Some(line) = trimmed.strip_prefix("%%") else {
        return Some(Source {
            text: lines(source),
            unsure: false,
        });
    };
    let (line, body) = line.split_once('\n').unwrap_or((line, ""));
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let mut plain = words.clone().filter(|word| !word.starts_with('-'));
    let inner = |unsure| {
        Some(Source {
            text: lines(body),
            unsure,
        })
    };
    match word {
        "time" => return inner(false),
        "timeit" | "prun" | "memit" | "mprun" => return inner(true),
        "capture" => {
            if let Some(name) = plain.next() {
                facts.binds.insert(name.to_owned(), true);
            }
            return inner(false);
        }
        "writefile" | "file" => {
            let name = plain.next().filter(|name| !name.contains(['$', '{']));
            facts.writes.insert(name.map(str::to_owned));
            // `-a` adds to what is there.
            if line.contains(" -a") {
                facts.texts.extend(name.map(str::to_owned));
            }
        }
        "html" | "HTML" | "javascript" | "js" | "latex" | "markdown" | "svg" | "SVG" => {}
        other => {
            facts.effects.insert(format!("%%{other}"));
            facts.reads_any = true;
        }
    }
    None
}

/// Takes `%time` and its like off the beginnings of lines.
fn lines(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let rest = line.trim_start();
        let indent = &line[..line.len() - rest.len()];
        let found = ["time", "timeit", "prun", "memit"].iter().find_map(|word| {
            let rest = rest.strip_prefix('%')?.strip_prefix(word)?;
            rest.starts_with([' ', '\t', '\n']).then_some((*word, rest))
        });
        let Some((word, rest)) = found else {
            out.push_str(line);
            continue;
        };
        out.push_str(indent);
        let mut rest = rest.trim_start_matches([' ', '\t']);
        while let Some(option) = rest.strip_prefix('-') {
            let end = option.find([' ', '\t', '\n']).unwrap_or(option.len());
            rest = option[end..].trim_start_matches([' ', '\t']);
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if end == 1 {
                rest = digits.trim_start_matches([' ', '\t']);
            }
        }
        match (word, rest.trim().is_empty()) {
            (_, true) => out.push_str("pass\n"),
            ("time", _) => out.push_str(rest),
            // It runs, but what it assigns is its own.
            _ => {
                out.push_str("while 0: ");
                out.push_str(rest);
            }
        }
    }
    out
}
