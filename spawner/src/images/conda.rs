//! `environment.yml`, as far as it can be followed without conda: a version of Python, and packages of pip's.

use serde::Deserialize;

use crate::{Error, Result};

/// What an `environment.yml` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Such as `3.11`.
    pub(super) python: Option<String>,
    /// As the lines of a `requirements.txt`.
    pub(super) packages: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependency {
    Conda(String),
    Pip { pip: Vec<String> },
}

/// Reads one. The name, the channels and what else it may hold do not matter.
///
/// # Errors
/// `Invalid` where it is no YAML, or asks conda for a package: then the message names it.
pub(super) fn read(text: &str) -> Result<Wanted> {
    let file: File = serde_saphyr::from_str(text)
        .map_err(|e| Error::Invalid(format!("environment.yml cannot be read: {e}")))?;
    let mut wanted = Wanted {
        python: None,
        packages: String::new(),
    };
    let mut refused = Vec::new();
    for dependency in file.dependencies {
        match dependency {
            Dependency::Pip { pip } => {
                for package in pip {
                    wanted.packages.push_str(&package);
                    wanted.packages.push('\n');
                }
            }
            Dependency::Conda(text) => match python(&text) {
                Some(version) => wanted.python = version,
                None if name(&text) == "pip" => {}
                None => refused.push(text),
            },
        }
    }
    if refused.is_empty() {
        return Ok(wanted);
    }
    Err(Error::Invalid(format!(
        "environment.yml asks conda for {}: only `python=VERSION` and packages below `pip:` can be had here. Move them below `pip:`, or use a \
         Dockerfile on an image that has conda",
        refused.join(", ")
    )))
}

/// The name before a version, without a channel.
fn name(text: &str) -> &str {
    let text = text.rsplit("::").next().unwrap_or(text).trim();
    let end = text
        .find([' ', '=', '<', '>', '!', '~'])
        .unwrap_or(text.len());
    &text[..end]
}

/// `Some` where it is Python: the version, if it is pinned.
#[expect(clippy::option_option, reason = "not Python, any Python, that Python")]
fn python(text: &str) -> Option<Option<String>> {
    if name(text) != "python" {
        return None;
    }
    let version = text
        .trim_start_matches(|c| c != '=')
        .trim_start_matches('=');
    let version = version.trim().trim_end_matches(".*");
    let plain = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match version {
        _ if text.contains(['<', '>', '!', '~', ',']) => None,
        "" => Some(None),
        version if plain => Some(Some(version.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_version_and_pips_packages_are_read() {
        let text = "name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n      - six==1.17.0\n      - numpy\n";
        let wanted = read(text).unwrap();
        assert_eq!(wanted.python.as_deref(), Some("3.11"));
        assert_eq!(wanted.packages, "six==1.17.0\nnumpy\n");
        for (text, version) in [
            ("conda-forge::python==3.12.*", Some("3.12")),
            ("python", None),
        ] {
            let read = read(&format!("dependencies: [\"{text}\"]")).unwrap();
            assert_eq!(read.python.as_deref(), version, "{text}");
        }
        assert_eq!(read("name: empty").unwrap().packages, "");
    }

    #[test]
    fn what_only_conda_has_is_refused_by_name() {
        for text in ["cudatoolkit=11", "python>=3.10", "python=3.11=build_x"] {
            let error = read(&format!("dependencies: [\"{text}\"]")).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        assert!(read("dependencies: {a: b}").is_err());
        assert!(read("[").is_err());
    }
}
