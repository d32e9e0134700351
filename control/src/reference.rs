//! The REF grammar: how inputs are named on the command line, in the API and in the app. One parser for all of them.
//!
//! ```text
//! REF     = JOB | VERSION | URI
//! JOB     = [ PROJECT ] "#" NUMBER [ "/" PATH ]                   outputs of a job
//! VERSION = [ PROJECT "/" ] NAME ":" WHICH [ "/" PATH ]           a version of a dataset
//! WHICH   = NUMBER | ALIAS                                        `latest` is the newest version
//! URI     = "dataset://" [ PROJECT "/" ] NAME "/" WHICH           the same, as Valohai writes it
//! ```

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// A parsed reference. No project means the one in which the reference is used; a path has no leading or trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The outputs of a job, or a folder or file of them.
    Outputs {
        /// Project name.
        project: Option<String>,
        /// Job number within the project, at least 1.
        number: i64,
        /// Folder or file within the outputs.
        path: Option<String>,
    },
    /// A version of a dataset, or a folder or file of it.
    Version {
        /// Project name.
        project: Option<String>,
        /// The dataset's name.
        dataset: String,
        /// The version's number, or an alias.
        which: String,
        /// Folder or file within the version.
        path: Option<String>,
    },
}

impl Reference {
    /// The project that is named.
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::Outputs { project, .. } | Self::Version { project, .. } => project.as_deref(),
        }
    }

    /// The folder or file that is named.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Outputs { path, .. } | Self::Version { path, .. } => path.as_deref(),
        }
    }

    /// The name of an input's folder where none is chosen: `vision-12` for `vision#12`, `job-12` for `#12`, `digits` for `digits:3`.
    pub fn default_name(&self) -> String {
        match self {
            Self::Outputs {
                project, number, ..
            } => format!("{}-{number}", project.as_deref().unwrap_or("job")),
            Self::Version { dataset, .. } => dataset.clone(),
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return uri(text, scheme, rest);
        }
        let mark = text.find(['#', ':']);
        let Some((before, mark, after)) =
            mark.map(|at| (&text[..at], &text[at..=at], &text[at + 1..]))
        else {
            return Err(bad(text, "it has neither `#` nor `:`"));
        };
        let (which, path) = match after.split_once('/') {
            Some((which, path)) => (which, Some(path.trim_end_matches('/'))),
            None => (after, None),
        };
        let path = path.filter(|path| !path.is_empty());
        if let Some(path) = path {
            check_path(path).map_err(|why| bad(text, why))?;
        }
        let path = path.map(str::to_owned);
        if mark == "#" {
            let project = Some(before.to_owned()).filter(|name| !name.is_empty());
            let number = job_number(which).map_err(|why| bad(text, why))?;
            return Ok(Self::Outputs {
                project,
                number,
                path,
            });
        }
        version(before, which, path).map_err(|why| bad(text, why))
    }
}

fn uri(text: &str, scheme: &str, rest: &str) -> Result<Reference> {
    if scheme != "dataset" {
        return Err(bad(
            text,
            "only `dataset://` can stand before `//` in this version",
        ));
    }
    let (of, which) = rest
        .trim_end_matches('/')
        .rsplit_once('/')
        .ok_or_else(|| bad(text, "it names no version"))?;
    version(of, which, None).map_err(|why| bad(text, why))
}

fn version(of: &str, which: &str, path: Option<String>) -> Result<Reference, &'static str> {
    let (project, dataset) = match of.split_once('/') {
        Some((project, dataset)) => (Some(project), dataset),
        None => (None, of),
    };
    if !is_name(dataset) || project.is_some_and(|project| !is_name(project)) {
        return Err("what comes before the version is not the name of a dataset");
    }
    if !is_name(which) {
        return Err("what names the version is neither a number nor an alias");
    }
    Ok(Reference::Version {
        project: project.map(str::to_owned),
        dataset: dataset.to_owned(),
        which: which.to_owned(),
        path,
    })
}

fn job_number(text: &str) -> Result<i64, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("what follows `#` is not a job number");
    }
    let number: i64 = text.parse().map_err(|_| "the job number is too large")?;
    if number < 1 {
        return Err("job numbers begin at 1");
    }
    Ok(number)
}

fn is_name(text: &str) -> bool {
    storage::names::check("dataset", text).is_ok()
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outputs {
                project, number, ..
            } => write!(f, "{}#{number}", project.as_deref().unwrap_or_default())?,
            Self::Version {
                project,
                dataset,
                which,
                ..
            } => {
                if let Some(project) = project {
                    write!(f, "{project}/")?;
                }
                write!(f, "{dataset}:{which}")?;
            }
        }
        self.path().map_or(Ok(()), |path| write!(f, "/{path}"))
    }
}

fn bad(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(120).collect();
    Error::invalid(format!(
        "`{}` is not a reference: {why}. Write PROJECT#NUMBER or #NUMBER for a job, DATASET:VERSION for data",
        shown.escape_debug()
    ))
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.len() > 4096 {
        return Err("the path is longer than 4096 bytes");
    }
    if path.chars().any(char::is_control) {
        return Err("the path contains a control character");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("the path has an empty, `.` or `..` part");
    }
    Ok(())
}

/// Checks the name an input is mounted under: one path component, at most 64 bytes of letters, digits, `.`, `_` and `-`.
pub fn check_input_name(name: &str) -> Result<()> {
    let fine = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(['.', '-'])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fine {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::invalid(format!(
        "`{}` cannot name an input: use at most 64 letters, digits, `.`, `_` and `-`, beginning with a letter, digit or `_`",
        shown.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Reference {
        text.parse().expect(text)
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "vision#12",
            "#1",
            "vision#12/models/best",
            "a.b-c#7/x",
            "#1/a:b",
            "digits:3",
            "digits:latest",
            "vision/digits:best/train/a#b.png",
            "digits:1/a:b",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        assert_eq!(parsed("vision#12/models/").to_string(), "vision#12/models");
        assert_eq!(parsed("dataset://digits/3").to_string(), "digits:3");
        assert_eq!(
            parsed("dataset://vision/digits/latest").to_string(),
            "vision/digits:latest"
        );
    }

    #[test]
    fn inputs_are_named_after_what_they_are() {
        assert_eq!(parsed("vision#12/best").default_name(), "vision-12");
        assert_eq!(parsed("#3").default_name(), "job-3");
        assert_eq!(parsed("vision/digits:3/train").default_name(), "digits");
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        for text in [
            "",
            "vision",
            "vision#",
            "vision#x",
            "vision#0",
            "#-1",
            "#1/../x",
            "#1/a//b",
            "#1/a\nb",
            "#99999999999999999999",
            "digits:",
            ":3",
            "a/b/c:3",
            "Digits:3",
            "digits:3/../x",
            "digits:3/a//b",
            "digits:a b",
            "s3://bucket/key",
            "https://example.org/x",
            "dataset://digits",
            "dataset:///3",
        ] {
            let error = text.parse::<Reference>().expect_err(text);
            assert!(matches!(error, Error::Invalid(_)), "{text}");
        }
    }

    #[test]
    fn input_names_are_one_safe_component() {
        for name in ["model", "a", "A_b-1.2", "_x"] {
            check_input_name(name).expect(name);
        }
        for name in ["", ".", "..", "-x", "a/b", "a b", "é", "a\0"] {
            check_input_name(name).expect_err(name);
        }
    }
}
