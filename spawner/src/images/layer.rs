//! Installing requirements on an image: the Dockerfile and the script that do it.

use super::Image;
use crate::{Error, Result};

/// Runs in the image. See the script.
pub(super) const SCRIPT: &str = include_str!("layer.sh");

/// Only the first stage sees what the machine's package indexes need; the image gets what the installer wrote and nothing else.
pub(super) fn dockerfile(base: &str, label: &str) -> String {
    format!(
        "FROM {base} AS packages\n{label}USER 0\nCOPY .cairn /cairn-build\nRUN sh /cairn-build/install.sh\n\
         FROM {base}\n{label}COPY --from=packages /cairn-new /\n"
    )
}

/// The lines of a `requirements.txt` that count.
///
/// # Errors
/// `Invalid` for lines that lead to other files: only this one is sent.
pub(super) fn requirements(text: &str) -> Result<String> {
    let mut kept = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let option = line.split([' ', '=']).next().unwrap_or_default();
        let leads = [
            "-r",
            "-c",
            "-e",
            "--requirement",
            "--constraint",
            "--editable",
        ]
        .contains(&option)
            || ["-r", "-c", "-e"]
                .iter()
                .any(|o| line.starts_with(o) && !line.starts_with("--"))
            || line.starts_with(['.', '/'])
            || line.contains("file:");
        if leads || line.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            let shown: String = line.chars().take(80).collect();
            return Err(Error::Invalid(format!(
                "the requirement {shown:?} leads to another file: write its packages out, or use a Dockerfile"
            )));
        }
        kept.push_str(line);
        kept.push('\n');
    }
    Ok(kept)
}

/// Whether the base's Python is of the version wanted.
///
/// # Errors
/// `Invalid` if it is not.
pub(super) fn check_python(name: &str, wanted: &str, base: &Image) -> Result<()> {
    let has = base.python.as_ref().map(|p| p.version.as_str());
    let fits = has.is_some_and(|has| has == wanted || has.starts_with(&format!("{wanted}.")));
    if fits {
        return Ok(());
    }
    let has = has.map_or_else(|| "no Python".to_owned(), |v| format!("Python {v}"));
    Err(Error::Invalid(format!(
        "the environment {name} wants Python {wanted}, and the image that it is built on has {has}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_other_files_is_refused() {
        for bad in [
            "-r other.txt",
            "-rother.txt",
            "--requirement=x",
            "-e .",
            "./x.whl",
            "/x",
            "x @ file:///x",
            "--constraint c",
        ] {
            assert!(requirements(bad).is_err(), "{bad}");
        }
        let text = "# a\n\n numpy>=1 \n--extra-index-url https://x\nx @ https://y/z.whl\n--require-hashes\n";
        assert_eq!(
            requirements(text).unwrap(),
            "numpy>=1\n--extra-index-url https://x\nx @ https://y/z.whl\n--require-hashes\n"
        );
    }

    #[test]
    fn only_the_copied_files_get_into_the_image() {
        let text = dockerfile("a", "LABEL x=y\n");
        let last = text.rsplit("FROM a\n").next().unwrap();
        assert_eq!(last, "LABEL x=y\nCOPY --from=packages /cairn-new /\n");
    }
}
