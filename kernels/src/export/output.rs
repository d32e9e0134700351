//! Outputs of cells: of the types that one comes in, the richest that the page can show.
//!
//! Source: nbformat 4.5, "Code cell outputs".

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use super::data::{self, Attachments};
use super::escape::{self, Escaped};
use super::{json, markdown, terminal};
use crate::lenient;
use crate::notebook::raw::Object;

/// From the richest to the plainest. Widgets are not among them: without a kernel their text is all that there is.
pub(super) const ORDER: &[&str] = &[
    "text/html",
    "text/markdown",
    data::SVG,
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "text/latex",
    "application/javascript",
    "text/javascript",
    "application/json",
    "text/plain",
];
/// A text in place of an image is not longer than this.
const ALT_CHARS: usize = 160;

/// Writes one output from its JSON text; `id` is its own in the page.
pub(super) fn write(output: &str, id: &str, out: &mut dyn Write) -> io::Result<()> {
    let Ok(output) = Object::parse(output) else {
        return quiet("An output that cannot be read is left out.", out);
    };
    let kind = output.get("output_type").and_then(text);
    match kind.as_deref() {
        Some("stream") => stream(&output, out),
        Some("error") => error(&output, out),
        Some("display_data" | "execute_result" | "update_display_data") => {
            let data = output.read("data").unwrap_or_default();
            let metadata = output.read("metadata").unwrap_or_default();
            bundle(&data, &metadata, id, out)
        }
        Some(other) => quiet(&format!("An output of the kind {other} is left out."), out),
        None => quiet("An output without a kind is left out.", out),
    }
}

/// The text of a value that is one, or is a list of its lines.
pub(super) fn text(json: &str) -> Option<String> {
    match lenient::from_slice(json.as_bytes()).ok()? {
        Value::String(text) => Some(text),
        Value::Array(lines) => lines.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn stream(output: &Object, out: &mut dyn Write) -> io::Result<()> {
    let Some(printed) = output.get("text").and_then(text) else {
        return quiet("A stream without text is left out.", out);
    };
    let is_error = output.get("name").and_then(text).as_deref() == Some("stderr");
    printed_as(
        if is_error { "stream stderr" } else { "stream" },
        &printed,
        out,
    )
}

fn error(output: &Object, out: &mut dyn Write) -> io::Result<()> {
    let lines = output.get("traceback").unwrap_or("[]");
    let lines: Vec<Value> = lenient::from_slice(lines.as_bytes()).unwrap_or_default();
    let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
    if !lines.is_empty() {
        return printed_as("traceback", &lines.join("\n"), out);
    }
    let part = |key: &str| output.get(key).and_then(text).unwrap_or_default();
    printed_as(
        "traceback",
        &format!("{}: {}", part("ename"), part("evalue")),
        out,
    )
}

fn bundle(data: &Object, metadata: &Object, id: &str, out: &mut dyn Write) -> io::Result<()> {
    for &mime in ORDER {
        let Some(value) = data.get(mime) else {
            continue;
        };
        if mime == "application/json" {
            return tree(value, out);
        }
        let Some(text) = text(value) else { continue };
        // An empty rich form is a habit of libraries that send it for its metadata.
        if text.is_empty() && mime != "text/plain" {
            continue;
        }
        let uri = if data::is_image(mime) {
            // What is no base64 is no image: the next type has to do.
            let Some(uri) = data::uri(mime, &text) else {
                continue;
            };
            Some(uri)
        } else {
            (mime == data::SVG).then(|| data::svg(&text))
        };
        return match uri {
            Some(uri) => image(&uri, data, metadata.read(mime), out),
            None => written(mime, &text, id, out),
        };
    }
    let mimes: Vec<&str> = data.iter().map(|(mime, _)| mime).collect();
    if mimes.is_empty() {
        return Ok(());
    }
    let mimes = mimes.join(", ");
    quiet(
        &format!("An output that this page cannot show: {mimes}."),
        out,
    )
}

fn written(mime: &str, text: &str, id: &str, out: &mut dyn Write) -> io::Result<()> {
    match mime {
        "text/html" => writeln!(out, "<section class=\"html\">{text}</section>"),
        "text/markdown" => {
            out.write_all(b"<section class=\"markdown\">\n")?;
            markdown::write(text, &Attachments::default(), &format!("{id}-"), out)?;
            out.write_all(b"</section>\n")
        }
        "text/latex" => {
            let tex = Escaped(text.trim().trim_matches('$'));
            writeln!(out, "<p><code class=\"math display\">{tex}</code></p>")
        }
        "text/plain" if text.is_empty() => Ok(()),
        "text/plain" => printed_as("plain", text, out),
        _ => run(text, id, out),
    }
}

/// A script with the `element` to draw into that Jupyter gives it. In a function, as there: its names are its own.
fn run(code: &str, id: &str, out: &mut dyn Write) -> io::Result<()> {
    let code = escape::script(code);
    write!(
        out,
        "<section class=\"html\" id=\"{id}\"></section>\n<script>(function (element) {{\n{code}\n}})(document.getElementById(\"{id}\"));</script>\n"
    )
}

fn image(
    uri: &str,
    data: &Object,
    metadata: Option<Object>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let alt = data.get("text/plain").and_then(text).unwrap_or_default();
    let alt: String = alt.trim().chars().take(ALT_CHARS).collect();
    let alt = if alt.is_empty() { "Image" } else { &alt };
    write!(out, "<p><img src=\"{uri}\" alt=\"{}\"", Escaped(alt))?;
    let metadata = metadata.unwrap_or_default();
    for side in ["width", "height"] {
        if let Some(pixels) = metadata.read::<u32>(side) {
            write!(out, " {side}=\"{pixels}\"")?;
        }
    }
    out.write_all(b"></p>\n")
}

fn tree(json: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = if json.len() > super::LONGEST_FORMED {
        json.into()
    } else {
        Cow::from(json::pretty(json))
    };
    out.write_all(b"<details><summary>JSON</summary>")?;
    preformatted("plain", out)?;
    writeln!(out, "{}</pre></details>", Escaped(&text))
}

/// What came through a terminal: also texts of results may carry colours.
fn printed_as(class: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    preformatted(class, out)?;
    terminal::write(text, out)?;
    out.write_all(b"</pre>\n")
}

/// Begins preformatted text. The line break is the one that HTML drops there, so that one of the text's own stays.
pub(super) fn preformatted(class: &str, out: &mut dyn Write) -> io::Result<()> {
    // Long lines and long logs scroll, which has to work with a keyboard too.
    writeln!(out, "<pre class=\"{class}\" tabindex=\"0\">")
}

fn quiet(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<p class=\"quiet\">{}</p>", Escaped(text))
}
