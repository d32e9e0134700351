//! Reads what a job wrote of its outputs, within limits.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use storage::{
    Store, datasets,
    manifest::{self, FileKind},
    objects::Hash,
};

use crate::{Error, Result, reference::Reference};

const LINES: &str = "valohai.metadata.jsonl";
const BESIDE: &str = ".metadata.json";
/// The most bytes of [`LINES`].
const LINES_BYTES: u64 = 16 * 1024 * 1024;
/// The most bytes of one file's own metadata.
const BESIDE_BYTES: u64 = 1024 * 1024;
/// The most files with metadata of their own that are read.
const MOST_BESIDE: usize = 10_000;
/// The most versions that one job makes.
const MOST_VERSIONS: usize = 100;
/// The most aliases that one version gets, and the most patterns of what it leaves out.
const MOST_ALIASES: usize = 20;
/// How many remarks are kept, and how many characters of each.
const MOST_REMARKS: usize = 5;
const REMARK_LENGTH: usize = 200;
/// What names the newest version says nothing of a new one.
const LATEST: &str = "latest";

/// What could not be done.
#[derive(Default)]
pub(super) struct Remarks {
    kept: BTreeSet<String>,
    more: usize,
}

impl Remarks {
    /// Adds one, cut to a line that a person reads.
    pub(super) fn add(&mut self, text: impl Into<String>) {
        let text: String = text.into().chars().take(REMARK_LENGTH).collect();
        if self.kept.contains(&text) {
            return;
        }
        if self.kept.len() < MOST_REMARKS {
            self.kept.insert(text);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let mut text = "The outputs are kept, but not every dataset version was made:".to_owned();
        for remark in &self.kept {
            text = format!("{text} {remark}.");
        }
        if self.more > 0 {
            text = format!("{text} And {} more.", self.more);
        }
        Some(text)
    }
}

/// A version that is asked for: all that names one URI.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// A dataset of the job's project.
    pub(super) dataset: String,
    /// Aliases for it.
    pub(super) aliases: BTreeSet<String>,
    /// What it begins with.
    pub(super) from: Option<String>,
    /// Patterns of files of that which it does not have.
    pub(super) exclude: BTreeSet<String>,
    /// The outputs that go into it.
    pub(super) files: HashSet<String>,
}

#[derive(Deserialize)]
struct Line {
    file: String,
    metadata: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(rename = "valohai.dataset-versions", default)]
    versions: Vec<Wanted>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Uri(String),
    Detailed(Detailed),
}

#[derive(Default, Deserialize)]
struct Detailed {
    uri: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    start_fresh: bool,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    targeting_aliases: Vec<String>,
}

impl From<Wanted> for Detailed {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Detailed(detailed) => detailed,
            Wanted::Uri(uri) => Self {
                uri,
                ..Self::default()
            },
        }
    }
}

/// Everything that the outputs with this manifest ask for, in the order in which it is first named.
pub(super) async fn asked(
    store: &Store,
    outputs: Hash,
    remarks: &mut Remarks,
) -> Result<Vec<Asked>> {
    let mut asked = Wishes::default();
    if let Some(text) = content(store, outputs, LINES, LINES_BYTES, remarks).await? {
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => asked.note(&line.file, line.metadata, remarks),
                Err(error) => {
                    remarks.add(format!("line {number} of {LINES} cannot be read: {error}"));
                }
            }
        }
    }
    for path in beside(store, outputs, remarks).await? {
        let Some(text) = content(store, outputs, &path, BESIDE_BYTES, remarks).await? else {
            continue;
        };
        let file = path.strip_suffix(BESIDE).unwrap_or(&path);
        match serde_json::from_slice::<Properties>(&text) {
            Ok(properties) => asked.note(file, properties, remarks),
            Err(error) => remarks.add(format!("{path:?} cannot be read: {error}")),
        }
    }
    asked.that_exist(store, outputs, remarks).await
}

/// What is asked for, by URI without its options.
#[derive(Default)]
struct Wishes {
    places: HashMap<(String, String), usize>,
    asked: Vec<Asked>,
}

impl Wishes {
    fn note(&mut self, file: &str, properties: Properties, remarks: &mut Remarks) {
        for wanted in properties.versions {
            if let Err(error) = self.add(file, wanted, remarks) {
                remarks.add(error.to_string());
            }
        }
    }

    fn add(&mut self, file: &str, wanted: Wanted, remarks: &mut Remarks) -> Result<()> {
        let Detailed {
            uri,
            from,
            start_fresh,
            exclude,
            targeting_aliases,
        } = wanted.into();
        let (dataset, which) = place(&uri)?;
        for alias in &targeting_aliases {
            datasets::check_alias(alias)?;
        }
        let key = (dataset.clone(), which.clone());
        let at = match self.places.get(&key) {
            Some(at) => *at,
            None if self.asked.len() == MOST_VERSIONS => {
                return Err(Error::invalid(format!(
                    "a job makes at most {MOST_VERSIONS} versions"
                )));
            }
            None => {
                self.asked.push(Asked {
                    dataset,
                    ..Asked::default()
                });
                self.places.insert(key, self.asked.len() - 1);
                self.asked.len() - 1
            }
        };
        let asked = &mut self.asked[at];
        asked.files.insert(file.to_owned());
        asked.exclude.extend(exclude);
        // The version's part of a URI is a name that the job chose: it becomes an alias, unless it says nothing.
        if which != LATEST {
            match datasets::check_alias(&which) {
                Ok(()) => drop(asked.aliases.insert(which)),
                Err(error) => remarks.add(format!("`{which}` did not become an alias: {error}")),
            }
        }
        asked.aliases.extend(targeting_aliases);
        if asked.aliases.len() > MOST_ALIASES || asked.exclude.len() > MOST_ALIASES {
            while asked.aliases.len() > MOST_ALIASES {
                asked.aliases.pop_last();
            }
            while asked.exclude.len() > MOST_ALIASES {
                asked.exclude.pop_last();
            }
            remarks.add(format!(
                "a version gets at most {MOST_ALIASES} aliases and patterns at once"
            ));
        }
        match (&asked.from, from.filter(|_| !start_fresh)) {
            (Some(known), Some(other)) if *known != other => {
                remarks.add(format!("two files of `{uri}` name another `from`"));
            }
            (None, from) => asked.from = from,
            _ => {}
        }
        Ok(())
    }

    /// Only with outputs that are there, and only what has any.
    async fn that_exist(
        mut self,
        store: &Store,
        outputs: Hash,
        remarks: &mut Remarks,
    ) -> Result<Vec<Asked>> {
        let named = self
            .asked
            .iter()
            .flat_map(|asked| asked.files.iter().cloned());
        let named: BTreeSet<String> = named.collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let present = manifest::present(store, outputs, named.clone()).await?;
        let present = present.unwrap_or_default();
        let missing: Vec<&String> = named.difference(&present).collect();
        if let Some(first) = missing.first() {
            let more = match missing.len() - 1 {
                0 => String::new(),
                more => format!(" (nor {more} others)"),
            };
            let first: String = first.chars().take(REMARK_LENGTH / 2).collect();
            remarks.add(format!("there is no output {first:?}{more}"));
        }
        for asked in &mut self.asked {
            asked.files.retain(|file| present.contains(file));
        }
        self.asked.retain(|asked| !asked.files.is_empty());
        Ok(self.asked)
    }
}

/// The dataset that a URI names, and the name of the version in it.
fn place(uri: &str) -> Result<(String, String)> {
    let trimmed = uri.trim_end_matches('/');
    let is_bare = trimmed
        .strip_prefix("dataset://")
        .is_some_and(|rest| !rest.contains('/'));
    let whole = if is_bare {
        format!("{trimmed}/{LATEST}")
    } else {
        trimmed.to_owned()
    };
    let Reference::Version {
        project: None,
        dataset,
        which,
        path: None,
    } = whole.parse()?
    else {
        let shown: String = uri.chars().take(80).collect();
        return Err(Error::invalid(format!(
            "`{}` names no dataset of the job's project",
            shown.escape_debug()
        )));
    };
    datasets::check_name(&dataset)?;
    Ok((dataset, which))
}

async fn content(
    store: &Store,
    outputs: Hash,
    path: &str,
    most: u64,
    remarks: &mut Remarks,
) -> Result<Option<Vec<u8>>> {
    let file = match manifest::file(store, outputs, path).await? {
        Some(file) if file.kind == FileKind::File => file,
        _ => return Ok(None),
    };
    if file.bytes > most {
        remarks.add(format!("{path:?} is larger than {most} bytes"));
        return Ok(None);
    }
    match manifest::read(store, outputs, path, None).await? {
        Some(content) => Ok(Some(content.collect().await?)),
        None => Ok(None),
    }
}

/// The files that hold the metadata of the file beside them.
async fn beside(store: &Store, outputs: Hash, remarks: &mut Remarks) -> Result<Vec<String>> {
    let paths = manifest::paths(store, outputs, BESIDE, MOST_BESIDE + 1).await?;
    let mut paths = paths.unwrap_or_default();
    if paths.len() > MOST_BESIDE {
        paths.truncate(MOST_BESIDE);
        remarks.add(format!("more than {MOST_BESIDE} files end in {BESIDE}"));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
