//! The command `cairn html`: a notebook as one page of HTML, written whole or not at all.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::{complain, full_text};
use crate::error::{Error, Result};
use crate::export::{self, Options};
use crate::notebook::Document;
use crate::save;

/// The flags of `cairn html`.
#[derive(Debug, Clone, clap::Args)]
pub struct HtmlArgs {
    /// The notebook.
    #[arg(value_name = "NOTEBOOK")]
    pub notebook: PathBuf,
    /// Where the page goes, - for stdout; else beside the notebook.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave the sources of code cells out.
    #[arg(long)]
    pub no_code: bool,
    /// The page's title; else the notebook's name.
    #[arg(long, value_name = "TITLE")]
    pub title: Option<String>,
}

/// Runs `cairn html` and gives its exit status: 0 done, 2 bad input, 4 the page could not be written.
///
/// Messages go to stderr. A reader of stdout that has seen enough is no error.
pub fn main_html(args: &HtmlArgs) -> u8 {
    let Err(error) = run(args) else { return 0 };
    complain(&full_text(&error));
    error.exit_code()
}

fn run(args: &HtmlArgs) -> Result<()> {
    let document = Document::read(&args.notebook)?;
    let name = args.notebook.file_stem().unwrap_or_default();
    let options = Options {
        title: args
            .title
            .clone()
            .unwrap_or_else(|| name.to_string_lossy().into_owned()),
        code: !args.no_code,
        note: None,
    };
    let beside = args.notebook.with_extension("html");
    let path = args.output.as_deref().unwrap_or(&beside);
    if path == Path::new("-") {
        return print(&document, &options);
    }
    if is_same(path, &args.notebook) {
        return Err(Error::Invalid(
            "the page would replace the notebook: choose another name with --output".into(),
        ));
    }
    save::replace_with(path, false, |out| export::html(&document, &options, out))
        .map_err(|error| Error::internal(format!("{} cannot be written", path.display()), error))
}

fn print(document: &Document, options: &Options) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match export::html(document, options, &mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::internal("the page cannot be written", error))
        }
        _ => Ok(()),
    }
}

/// Whether both name one file, by whatever paths.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{HtmlArgs, main_html};

    #[test]
    fn a_page_goes_beside_its_notebook_and_never_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let notebook = folder.path().join("a <b>.ipynb");
        std::fs::write(&notebook, r#"{"nbformat": 4, "cells": []}"#).unwrap();
        let mut args = HtmlArgs {
            notebook: notebook.clone(),
            output: None,
            no_code: false,
            title: None,
        };
        assert_eq!(main_html(&args), 0);
        let page = std::fs::read_to_string(folder.path().join("a <b>.html")).unwrap();
        assert!(page.contains("<title>a &lt;b&gt;</title>"), "{page}");
        args.output = Some(folder.path().join("./a <b>.ipynb"));
        assert_eq!(main_html(&args), 2);
        args.output = Some(folder.path().join("missing/a.html"));
        assert_eq!(main_html(&args), 4);
        args.notebook = folder.path().join("missing.ipynb");
        assert_eq!(main_html(&args), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
