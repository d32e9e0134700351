//! The words of `cairn data`.

use std::path::PathBuf;
use std::str::FromStr;

use control::reference::Reference;
use serde_json::{Value, json};

use crate::reference::{self, Parameter};

/// What to do with datasets.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Send a folder as a version of a dataset, which is made where there is none. Only what the project lacks is sent.
    Push {
        /// The dataset: NAME, or PROJECT/NAME.
        #[arg(value_name = "NAME")]
        name: DatasetRef,
        /// The folder: every regular file in it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        described: Described,
    },
    /// Make a version of what lies in a bucket, where it lies. Every file is read once, and none is copied.
    Adopt {
        /// The dataset: NAME, or PROJECT/NAME; it is made where there is none.
        #[arg(value_name = "NAME")]
        name: DatasetRef,
        /// Where it lies: `s3://BUCKET/PREFIX`, as far as the server's configuration lets the project adopt that.
        #[arg(value_name = "URI")]
        uri: String,
        /// What is new in it.
        #[arg(long, short, value_name = "TEXT", default_value = "")]
        message: String,
        /// Do not wait for its end: it goes on by itself. The same command without this waits for it.
        #[arg(long)]
        detach: bool,
    },
    /// Make a version of parts of other versions and of outputs; nothing is copied or sent.
    Make(MakeArgs),
    /// Fetch a version, or what a job left, into a folder. What is there already and the same is left alone.
    Pull {
        /// What: NAME:VERSION[/PATH] or `[PROJECT]#N[/PATH]`.
        #[arg(value_name = "REF")]
        reference: Reference,
        /// The folder; it is made when it is not there. Nothing is ever written outside of it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Replace files that are there and differ.
        #[arg(long, short)]
        force: bool,
    },
    /// List datasets, the versions of one, or the files of a version.
    Ls {
        /// Nothing, a dataset, or a version with or without a path: digits, digits:3, digits:3/train.
        #[arg(value_name = "NAME")]
        what: Option<String>,
        /// With everything below.
        #[arg(long, short)]
        recursive: bool,
    },
    /// Say which files differ between two versions of a dataset.
    Diff {
        /// The older one: NAME:VERSION.
        #[arg(value_name = "A")]
        from: Which,
        /// The newer one.
        #[arg(value_name = "B")]
        to: Which,
    },
    /// Give a version another name, or move that name to it.
    Alias {
        /// The version: NAME:VERSION.
        #[arg(value_name = "VERSION")]
        of: Which,
        /// The alias.
        #[arg(value_parser = reference::name)]
        alias: String,
        /// Take the alias away instead.
        #[arg(long)]
        remove: bool,
    },
    /// Check that a version's files are all there, and with --full that they are what they were. Exits 1 where they are not.
    Verify {
        /// The version: NAME:VERSION.
        #[arg(value_name = "REF")]
        of: Which,
        /// Read and hash every file.
        #[arg(long)]
        full: bool,
    },
    /// Take a version back: nothing new can use it. What already does keeps its files.
    Rm {
        /// The version, by its number: NAME:3.
        #[arg(value_name = "REF")]
        what: String,
        /// The whole dataset, named without a version.
        #[arg(long)]
        all: bool,
    },
}

/// Arguments of `cairn data make`.
#[derive(Debug, clap::Args)]
pub(crate) struct MakeArgs {
    /// The dataset: NAME, or PROJECT/NAME.
    #[arg(value_name = "NAME")]
    pub(super) name: DatasetRef,
    /// Where its files are: NAME:VERSION[/PATH] or `[PROJECT]#N[/PATH]`, and before a `=` the folder that they go to.
    #[arg(value_name = "[FOLDER=]REF", required = true)]
    pub(super) parts: Vec<Part>,
    /// Take only what matches: `**/*.csv`. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    pub(super) keep: Vec<String>,
    /// Leave out what matches. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    pub(super) drop: Vec<String>,
    /// What happens where two sources have different files at one path.
    #[arg(long, value_enum, default_value_t = OnClash::Refuse)]
    pub(super) on_clash: OnClash,
    #[command(flatten)]
    pub(super) described: Described,
}

/// What is said of a version.
#[derive(Debug, clap::Args)]
pub(crate) struct Described {
    /// What is new in it.
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    message: String,
    /// A name for it, in place of the version that has it now. May be given several times.
    #[arg(long, value_name = "ALIAS", value_parser = reference::name)]
    alias: Vec<String>,
    /// What is to be known of it; JSON where it is JSON. May be given several times.
    #[arg(long, value_name = "K=V")]
    metadata: Vec<Parameter>,
}

impl Described {
    pub(super) fn body(self) -> anyhow::Result<Value> {
        let metadata = reference::parameters(self.metadata)?;
        Ok(json!({ "message": self.message, "aliases": self.alias, "metadata": metadata }))
    }
}

/// What happens where two sources have different files at one path.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum OnClash {
    /// No version is made, and the paths are named.
    Refuse,
    /// The earlier source wins.
    First,
    /// The later source wins.
    Last,
}

impl OnClash {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::First => "first",
            Self::Last => "last",
        }
    }
}

/// A dataset: `digits` in the current project, `vision/digits` in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatasetRef {
    pub(super) project: Option<String>,
    pub(super) name: String,
}

impl FromStr for DatasetRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (project, name) = match text.split_once('/') {
            Some((project, name)) => (Some(reference::name(project)?), name),
            None => (None, text),
        };
        storage::datasets::check_name(name).map_err(|error| format!("`{name}`: {error}"))?;
        let name = name.to_owned();
        Ok(Self { project, name })
    }
}

/// A version of a dataset: `digits:3`, `digits:latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Which {
    pub(super) dataset: DatasetRef,
    pub(super) which: String,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text
            .parse()
            .map_err(|error: control::Error| error.to_string())?
        {
            Reference::Version {
                project,
                dataset: name,
                which,
                path: None,
            } => Ok(Self {
                dataset: DatasetRef { project, name },
                which,
            }),
            _ => Err(format!("`{text}` names no version: say NAME:VERSION")),
        }
    }
}

/// A source of a version: a reference, and the folder that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(super) reference: String,
    pub(super) to: Option<String>,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A `=` behind `:` or `#` is part of a path, as in digits:3/year=2024.
        let (to, reference) = match text.split_once('=') {
            Some((to, reference)) if !to.contains([':', '#']) => (Some(to), reference),
            _ => (None, text),
        };
        let parsed: Reference = reference
            .parse()
            .map_err(|error: control::Error| error.to_string())?;
        let to = to.map(|to| to.trim_end_matches('/').to_owned());
        Ok(Self {
            reference: parsed.to_string(),
            to: to.filter(|to| !to.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_versions_and_parts_are_read() {
        let dataset: DatasetRef = "vision/digits".parse().unwrap();
        assert_eq!(
            (dataset.project.as_deref(), dataset.name.as_str()),
            (Some("vision"), "digits")
        );
        for bad in ["", "a:b", "a/b/c", "A", "../x", "#1"] {
            assert!(bad.parse::<DatasetRef>().is_err(), "{bad}");
        }
        assert_eq!("digits:best".parse::<Which>().unwrap().which, "best");
        for bad in ["digits", "#1", "digits:1/a", ""] {
            assert!(bad.parse::<Which>().is_err(), "{bad}");
        }
        let part = |text: &str| text.parse::<Part>().map(|part| (part.reference, part.to));
        assert_eq!(
            part("b/=#3/a"),
            Ok(("#3/a".to_owned(), Some("b".to_owned())))
        );
        assert_eq!(
            part("digits:3/year=2024"),
            Ok(("digits:3/year=2024".to_owned(), None))
        );
        assert_eq!(part("digits:1"), Ok(("digits:1".to_owned(), None)));
        assert!(part("digits").is_err());
    }
}
