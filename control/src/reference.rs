//! The REF grammar: how inputs are named on the command line, in the API and in the app. One parser for all of them.
//!
//! ```text
//! REF     = [PROJECT] "#" NUMBER [ "/" PATH ]      outputs of a job
//! ```

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// A parsed reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The outputs of a job, or a folder of them.
    Outputs {
        /// Project name; none means the project in which the reference is used.
        project: Option<String>,
        /// Job number within the project, at least 1.
        number: i64,
        /// Folder or file within the outputs; no leading or trailing slash.
        path: Option<String>,
    },
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((project, rest)) = text.split_once('#') else {
            return Err(bad(text, "it has no `#`"));
        };
        let (number, path) = match rest.split_once('/') {
            Some((number, path)) => (number, Some(path.trim_end_matches('/'))),
            None => (rest, None),
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(text, "what follows `#` is not a job number"));
        }
        let number: i64 = number
            .parse()
            .map_err(|_| bad(text, "the job number is too large"))?;
        if number < 1 {
            return Err(bad(text, "job numbers begin at 1"));
        }
        let path = path.filter(|path| !path.is_empty());
        if let Some(path) = path {
            check_path(path).map_err(|why| bad(text, why))?;
        }
        Ok(Self::Outputs {
            project: Some(project.to_owned()).filter(|name| !name.is_empty()),
            number,
            path: path.map(str::to_owned),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outputs {
                project,
                number,
                path,
            } => {
                write!(f, "{}#{number}", project.as_deref().unwrap_or_default())?;
                path.as_ref().map_or(Ok(()), |path| write!(f, "/{path}"))
            }
        }
    }
}

fn bad(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(120).collect();
    Error::invalid(format!(
        "`{}` is not a reference: {why}. Write PROJECT#NUMBER, or #NUMBER for a job of this project",
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
        for text in ["vision#12", "#1", "vision#12/models/best", "a.b-c#7/x"] {
            assert_eq!(parsed(text).to_string(), text);
        }
        assert_eq!(parsed("vision#12/models/").to_string(), "vision#12/models");
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
