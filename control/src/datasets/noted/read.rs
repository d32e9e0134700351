//! Reads what a job wrote of its outputs, within limits.

use std::collections::BTreeSet;

use serde::Deserialize;
use storage::{
    Store, datasets,
    manifest::{self, FileKind},
    objects::Hash,
};

use super::AskedFor;
use crate::{Error, Result, reference::Reference};

const LINES: &str = "valohai.metadata.jsonl";
const BESIDE: &str = ".metadata.json";
/// The most bytes of [`LINES`].
const LINES_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of one file's own metadata.
const BESIDE_BYTES: u64 = 1024 * 1024;
/// The most files with metadata of their own that are read.
const MOST_BESIDE: usize = 10_000;
/// The most versions that one job makes.
const MOST_VERSIONS: usize = 100;
/// How many remarks are kept.
const MOST_REMARKS: usize = 5;

/// What could not be done.
#[derive(Default)]
pub(super) struct Remarks {
    kept: BTreeSet<String>,
    more: usize,
}

impl Remarks {
    pub(super) fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
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

/// A version that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// A dataset of the job's project.
    pub(super) dataset: String,
    /// Aliases for it.
    pub(super) aliases: Vec<String>,
    /// The version whose files it has too.
    pub(super) from: Option<String>,
    /// Patterns of files of that version that it does not have.
    pub(super) exclude: Vec<String>,
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
    Detailed {
        uri: String,
        #[serde(default)]
        from: Option<String>,
        #[serde(default)]
        start_fresh: bool,
        #[serde(default)]
        exclude: Vec<String>,
        #[serde(default)]
        targeting_aliases: Vec<String>,
    },
}

/// Everything that the outputs with this manifest ask for.
pub(super) async fn asked(store: &Store, outputs: Hash, remarks: &mut Remarks) -> Result<AskedFor> {
    let mut asked = AskedFor::new();
    if let Some(text) = content(store, outputs, LINES, LINES_BYTES, remarks).await? {
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => note(&mut asked, &line.file, line.metadata, remarks),
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
            Ok(properties) => note(&mut asked, file, properties, remarks),
            Err(error) => remarks.add(format!("{path:?} cannot be read: {error}")),
        }
    }
    for files in asked.values() {
        for file in files {
            let found = manifest::file(store, outputs, file).await;
            if !found.is_ok_and(|found| found.is_some_and(|file| file.kind == FileKind::File)) {
                remarks.add(format!("there is no output {file:?}"));
            }
        }
    }
    Ok(asked)
}

fn note(asked: &mut AskedFor, file: &str, properties: Properties, remarks: &mut Remarks) {
    for wanted in properties.versions {
        match understand(wanted) {
            Ok(wish) if asked.len() < MOST_VERSIONS || asked.contains_key(&wish) => {
                asked.entry(wish).or_default().insert(file.to_owned());
            }
            Ok(_) => remarks.add(format!("a job makes at most {MOST_VERSIONS} versions")),
            Err(error) => remarks.add(error.to_string()),
        }
    }
}

/// The version's part of a URI is a name that the job chose: it becomes an alias, unless it says nothing.
fn understand(wanted: Wanted) -> Result<Asked> {
    let (uri, from, exclude, mut aliases) = match wanted {
        Wanted::Uri(uri) => (uri, None, Vec::new(), Vec::new()),
        Wanted::Detailed {
            uri,
            from,
            start_fresh,
            exclude,
            targeting_aliases,
        } => (
            uri,
            from.filter(|_| !start_fresh),
            exclude,
            targeting_aliases,
        ),
    };
    let whole = if uri
        .trim_start_matches("dataset://")
        .trim_end_matches('/')
        .contains('/')
    {
        uri.clone()
    } else {
        format!("{}/latest", uri.trim_end_matches('/'))
    };
    let Reference::Version {
        project: None,
        dataset,
        which,
        path: None,
    } = whole.parse()?
    else {
        return Err(Error::invalid(format!(
            "`{}` names no dataset of the job's project",
            uri.escape_debug()
        )));
    };
    datasets::check_name(&dataset)?;
    if datasets::check_alias(&which).is_ok() {
        aliases.push(which);
    }
    for alias in &aliases {
        datasets::check_alias(alias)?;
    }
    aliases.sort();
    aliases.dedup();
    Ok(Asked {
        dataset,
        aliases,
        from,
        exclude,
    })
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
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(value: serde_json::Value) -> Result<Asked> {
        understand(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_name_in_place_of_a_number_is_an_alias() {
        for (uri, aliases) in [
            ("dataset://digits/best", vec!["best"]),
            ("dataset://digits/latest", vec![]),
            ("dataset://digits/7", vec![]),
            ("dataset://digits/", vec![]),
            ("dataset://digits", vec![]),
        ] {
            let asked = wanted(json!(uri)).unwrap();
            assert_eq!(
                (asked.dataset.as_str(), asked.aliases),
                ("digits", aliases.into_iter().map(str::to_owned).collect()),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_base_and_more_aliases_can_be_named() {
        let asked = wanted(
            json!({"uri": "dataset://digits/v-two", "from": "dataset://digits/latest",
            "exclude": ["old/**"], "targeting_aliases": ["best", "v-two"], "packaging": true}),
        );
        let asked = asked.unwrap();
        assert_eq!(asked.aliases, ["best", "v-two"]);
        assert_eq!(
            (asked.from.as_deref(), asked.exclude),
            (Some("dataset://digits/latest"), vec!["old/**".to_owned()])
        );
        let fresh = wanted(
            json!({"uri": "dataset://digits/x", "from": "dataset://digits/1", "start_fresh": true}),
        );
        assert_eq!(fresh.unwrap().from, None);
    }

    #[test]
    fn what_names_no_own_dataset_is_refused() {
        for uri in [
            "",
            "digits",
            "s3://a/b",
            "dataset://a/b/c",
            "dataset://../x",
            "dataset://A/b",
            "#12",
            "dataset://digits/B",
        ] {
            wanted(json!(uri)).expect_err(uri);
        }
        wanted(json!({"uri": "dataset://digits/x", "targeting_aliases": ["latest"]})).unwrap_err();
    }
}
