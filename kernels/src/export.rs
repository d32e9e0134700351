//! A notebook as one HTML page that needs nothing else: to read, to print, to send. Knows nothing of kernels and runs nothing.

mod cell;
mod clean;
mod code;
mod data;
mod escape;
mod json;
mod markdown;
mod output;
mod terminal;

use std::io::{self, Write};

use self::cell::Setting;
use self::escape::Escaped;
use crate::notebook::Document;

macro_rules! without_network {
    () => {
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; style-src 'unsafe-inline'; \
         img-src data: blob:; font-src data:; media-src data: blob:; frame-src data: blob:; connect-src 'none'; form-action 'none'; base-uri 'none'"
    };
}

/// The `Content-Security-Policy` that a server must send with the page.
///
/// Outputs are other people's HTML and scripts, and the page keeps them working. `sandbox` without `allow-same-origin` gives them an origin of
/// their own, so that they reach no cookie, storage or API of the server; the rest loads nothing from the network. The page itself says the same,
/// but for `sandbox`, which browsers take from a header only. What no policy forbids is that a script takes the reader to another page, and so tells
/// that what it has read in this one; or that it speaks WebRTC.
///
/// Source: Content Security Policy Level 3, "sandbox" and "The meta element".
pub const CONTENT_SECURITY_POLICY: &str = concat!("sandbox allow-scripts; ", without_network!());

/// Markdown and JSON longer than this, in bytes, are shown as they stand: their forms take a multiple of it in memory.
const LONGEST_FORMED: usize = 1 << 20;

const STYLE: &str = include_str!("export/page.css");

/// What a page shows besides the notebook's own content.
#[derive(Debug, Clone)]
pub struct Options {
    /// The page's title.
    pub title: String,
    /// Whether the sources of code cells are shown; without, cells that put out nothing go too.
    pub code: bool,
    /// A line on top: where the notebook comes from, such as `vision#12 · complete`.
    pub note: Option<String>,
}

/// Writes the notebook as a page of HTML, piece by piece, so that it is never in memory as a whole.
///
/// Nothing that is wrong in an output or in metadata is an error: it shows as text, as a quiet line, or not at all. Outputs of the type
/// `text/html` and scripts go in as they are, all into one document: libraries such as Plotly and Bokeh load in the output of one cell what those
/// of later cells use. They can so change all of the page, the note on top included; see [`CONTENT_SECURITY_POLICY`] for what they cannot.
/// HTML in Markdown is reduced to formatting, as in Jupyter, and images that are not in the notebook become links.
///
/// # Errors
/// Those of `out`.
///
/// Source: nbformat 4.5.
pub fn html(document: &Document, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let title = Escaped(&options.title);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n",
        without_network!()
    )?;
    if let Some(note) = &options.note {
        writeln!(out, "<p class=\"note\">{}</p>", Escaped(note))?;
    }
    write!(out, "<p class=\"title\">{title}</p>\n</header>\n<main>\n")?;
    let language = document.language();
    let setting = Setting {
        code: options.code,
        // A notebook that does not say is one of `IPython`'s first versions, or made by hand for it.
        is_python: language.is_none_or(|name| matches!(name.as_str(), "python" | "ipython")),
    };
    for (index, cell) in document.cells().iter().enumerate() {
        cell::write(cell, index, &setting, out)?;
    }
    out.write_all(b"</main>\n</body>\n</html>\n")
}

#[cfg(test)]
mod tests;
