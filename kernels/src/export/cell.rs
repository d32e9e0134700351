//! One cell as HTML: its label, its source, its outputs.

use std::io::{self, Write};

use serde_json::value::RawValue;

use super::data::Attachments;
use super::escape::Escaped;
use super::{code, markdown, output};
use crate::notebook::raw::Object;
use crate::notebook::{Cell, Kind};

/// What all cells of a page share.
#[derive(Debug)]
pub(super) struct Setting {
    /// Whether sources of code cells are shown.
    pub(super) code: bool,
    pub(super) is_python: bool,
}

/// Writes the cell at `index`.
pub(super) fn write(
    cell: &Cell,
    index: usize,
    setting: &Setting,
    out: &mut dyn Write,
) -> io::Result<()> {
    if cell.kind() == Kind::Code {
        return run(cell, index, setting, out);
    }
    if cell.fields().read::<String>("cell_type").as_deref() == Some("markdown") {
        let attachments = Attachments::of(cell.fields().read("attachments").unwrap_or_default());
        out.write_all(b"<section class=\"cell markdown\">\n")?;
        markdown::write(cell.source(), &attachments, &format!("c{index}-"), out)?;
        return out.write_all(b"</section>\n");
    }
    if cell.source().is_empty() {
        return Ok(());
    }
    out.write_all(b"<section class=\"cell\">")?;
    output::preformatted("plain", out)?;
    writeln!(out, "{}</pre></section>", Escaped(cell.source()))
}

fn run(cell: &Cell, index: usize, setting: &Setting, out: &mut dyn Write) -> io::Result<()> {
    let outputs: Vec<Box<RawValue>> = cell.fields().read("outputs").unwrap_or_default();
    let has_source = setting.code && !cell.source().trim().is_empty();
    if !has_source && outputs.is_empty() {
        return Ok(());
    }
    out.write_all(b"<section class=\"cell code\">\n")?;
    if has_source {
        source(cell, setting, out)?;
    }
    if !outputs.is_empty() {
        let is_hidden =
            says(cell, "outputs_hidden") || cell.metadata().read("collapsed") == Some(true);
        let (start, end) = fold(is_hidden, "Output");
        writeln!(out, "{start}<section class=\"outputs\">")?;
        for (number, one) in outputs.iter().enumerate() {
            output::write(one.get(), &format!("o{index}-{number}"), out)?;
        }
        writeln!(out, "</section>{end}")?;
    }
    out.write_all(b"</section>\n")
}

fn source(cell: &Cell, setting: &Setting, out: &mut dyn Write) -> io::Result<()> {
    if let Some(label) = label(cell) {
        writeln!(out, "<p class=\"label\">{label}</p>")?;
    }
    let (start, end) = fold(says(cell, "source_hidden"), "Code");
    let count = cell
        .execution_count()
        .map_or_else(|| " ".to_owned(), |count| count.to_string());
    write!(
        out,
        "{start}<section class=\"source\"><span class=\"count\" title=\"Execution number\">[{count}]</span>"
    )?;
    output::preformatted("code", out)?;
    out.write_all(b"<code>")?;
    if setting.is_python {
        code::python(cell.source(), out)?;
    } else {
        write!(out, "{}", Escaped(cell.source()))?;
    }
    writeln!(out, "</code></pre></section>{end}")
}

fn label(cell: &Cell) -> Option<&'static str> {
    if cell.has_tag("injected-parameters") {
        return Some("Parameters of this run");
    }
    cell.has_tag("parameters").then_some("Parameters")
}

/// Whether the cell's `jupyter` metadata has this flag.
fn says(cell: &Cell, flag: &str) -> bool {
    let jupyter: Option<Object> = cell.metadata().read("jupyter");
    jupyter.and_then(|jupyter| jupyter.read(flag)) == Some(true)
}

fn fold(is_hidden: bool, title: &str) -> (String, &'static str) {
    if !is_hidden {
        return (String::new(), "");
    }
    let start = format!("<details class=\"fold\"><summary>{title}</summary>");
    (start, "</details>")
}
