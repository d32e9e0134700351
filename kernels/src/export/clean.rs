//! HTML inside Markdown: formatting stays, whatever runs, frames or reaches out goes, as Jupyter does it.

use std::fmt::Write as _;

use super::data::Attachments;
use super::escape::Escaped;

/// Elements that stay. `section` is not among them: no text closes what the page itself is made of.
const ELEMENTS: &str = "a abbr b big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption \
    figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub summary \
    sup table tbody td tfoot th thead tr tt u ul var wbr";
const ATTRIBUTES: &str = "align alt bgcolor border cellpadding cellspacing color colspan dir face height href id lang name open rowspan \
    size src start style title valign width";
/// Elements without content, and those whose end browsers find by themselves.
const LOOSE: &str = "br col dd dt hr img li p td th tr wbr";

/// Elements inside more others than this go: browsers do not follow either, and looking for what an end tag ends has to stay cheap.
const DEEPEST: usize = 200;

/// Whether a link may go there: to the web, to an address, to a place in the page, or beside the page.
pub(super) fn is_link(url: &str) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    let known = ["http://", "https://", "mailto:", "#"];
    // A character reference could stand for the colon of a scheme; control characters inside one are passed over by browsers.
    known.iter().any(|start| lower.starts_with(start))
        || !lower.contains([':', '&', '\\']) && !lower.chars().any(char::is_control)
}

/// Where an image of the page is, if it is in the page: a data URI, or an attachment.
pub(super) fn image(url: &str, attachments: &Attachments) -> Option<String> {
    if let Some(name) = url.strip_prefix("attachment:") {
        return attachments.uri(name);
    }
    let (mime, base64) = url.strip_prefix("data:")?.split_once(";base64,")?;
    let is_known = super::data::is_image(mime) || mime == super::data::SVG;
    is_known.then(|| super::data::uri(mime, base64)).flatten()
}

/// Cleans the pieces of HTML of one Markdown text, in order.
#[derive(Debug)]
pub(super) struct Cleaner<'a> {
    attachments: &'a Attachments,
    open: Vec<String>,
}

impl<'a> Cleaner<'a> {
    pub(super) fn new(attachments: &'a Attachments) -> Self {
        Self {
            attachments,
            open: Vec::new(),
        }
    }

    /// The HTML that stays of `html`.
    pub(super) fn clean(&mut self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
            } else if let Some((tag, after)) = Tag::parse(rest) {
                let text = &rest[..rest.len() - after.len()];
                rest = self.tag(&tag, text, after, &mut out);
            } else {
                out.push_str("&lt;");
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }

    /// The ends of what was left open.
    pub(super) fn finish(&mut self) -> String {
        let open = std::mem::take(&mut self.open);
        let ends = open.iter().rev().map(|name| format!("</{name}>"));
        ends.collect()
    }

    fn tag<'t>(&mut self, tag: &Tag, text: &str, after: &'t str, out: &mut String) -> &'t str {
        let name = tag.name.as_str();
        if matches!(name, "script" | "style") {
            return content_end(name, after);
        }
        if !is_in(ELEMENTS, name) {
            let _ = write!(out, "{}", Escaped(text));
        } else if !tag.is_end {
            self.start(tag, out);
        } else if is_in(LOOSE, name) {
            let _ = write!(out, "</{name}>");
        } else if let Some(at) = self.open.iter().rposition(|open| open == name) {
            for open in self.open.drain(at..).rev() {
                let _ = write!(out, "</{open}>");
            }
        }
        after
    }

    fn start(&mut self, tag: &Tag, out: &mut String) {
        if self.open.len() >= DEEPEST {
            return;
        }
        out.push('<');
        out.push_str(&tag.name);
        for (name, value) in &tag.attributes {
            let Some(value) = self.attribute(name, value) else {
                continue;
            };
            // Character references stay what they are; only the quotes are ours.
            let value = value.replace('"', "&quot;").replace('<', "&lt;");
            let _ = write!(out, " {name}=\"{value}\"");
        }
        if tag.name == "a" {
            out.push_str(" rel=\"noopener noreferrer\"");
        }
        out.push('>');
        if !is_in(LOOSE, &tag.name) {
            self.open.push(tag.name.clone());
        }
    }

    fn attribute(&self, name: &str, value: &str) -> Option<String> {
        match name {
            "href" => is_link(value).then(|| value.to_owned()),
            "src" => image(value, self.attachments),
            _ => is_in(ATTRIBUTES, name).then(|| value.to_owned()),
        }
    }
}

fn is_in(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == name)
}

/// What follows the end tag of an element whose content is no HTML; nothing where it has none, as browsers see it.
fn content_end<'t>(name: &str, text: &'t str) -> &'t str {
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("</") {
        let found = tail.get(..name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return tail.split_once('>').map_or("", |(_, after)| after);
        }
        rest = tail;
    }
    ""
}

#[derive(Debug)]
struct Tag {
    name: String,
    is_end: bool,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// Reads a whole tag at the start of `text` and gives what follows it; `None` where it is none, or is cut.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let text = text.strip_prefix('<')?;
        let (is_end, text) = match text.strip_prefix('/') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (name, mut rest) = split(text, |c| c.is_ascii_alphanumeric() || c == '-');
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                let name = name.to_ascii_lowercase();
                let tag = Self {
                    name,
                    is_end,
                    attributes,
                };
                return Some((tag, after));
            }
            let (name, value, after) = attribute(rest)?;
            attributes.push((name.to_ascii_lowercase(), value.to_owned()));
            rest = after;
        }
    }
}

fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
    let (name, rest) = split(text, is_name);
    if name.is_empty() {
        return None;
    }
    let Some(rest) = rest.trim_start().strip_prefix('=') else {
        return Some((name, "", rest));
    };
    let rest = rest.trim_start();
    for quote in ['"', '\''] {
        if let Some(rest) = rest.strip_prefix(quote) {
            let (value, rest) = rest.split_once(quote)?;
            return Some((name, value, rest));
        }
    }
    // A `<` is none of a value in well-formed HTML; going on behind it would read a text of cut tags as often as it has some.
    let is_value = |c: char| !c.is_ascii_whitespace() && !matches!(c, '<' | '>');
    let (value, rest) = split(rest, is_value);
    Some((name, value, rest))
}

fn split(text: &str, mut inside: impl FnMut(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    text.split_at(end)
}
