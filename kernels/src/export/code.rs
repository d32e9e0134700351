//! Source code as HTML: Python with its tokens marked, other languages plain.

use std::io::{self, Write};

use ruff_python_ast::token::TokenKind;

use super::escape::Escaped;
use crate::python;

/// Cell magics after which Python goes on; after any other comes another language, or text.
const PYTHON_MAGICS: [&str; 5] = ["time", "timeit", "capture", "prun", "memit"];

/// Writes Python as `IPython` reads it, magics and shell commands included.
pub(super) fn python(source: &str, out: &mut dyn Write) -> io::Result<()> {
    let (space, trimmed) = source.split_at(source.len() - source.trim_start().len());
    let Some(magic) = trimmed.strip_prefix("%%") else {
        return marked(source, out);
    };
    let head = trimmed.find('\n').unwrap_or(trimmed.len());
    let (head, body) = trimmed.split_at(head);
    write!(out, "{space}<span class=\"magic\">{}</span>", Escaped(head))?;
    let name = magic.split_whitespace().next().unwrap_or_default();
    if PYTHON_MAGICS.contains(&name) {
        return marked(body, out);
    }
    write!(out, "{}", Escaped(body))
}

fn marked(source: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut done = 0;
    for Mark { start, end, class } in marks(source) {
        // What error recovery makes up covers nothing, or what has been written.
        let (Some(gap), Some(text)) = (source.get(done..start), source.get(start..end)) else {
            continue;
        };
        let (gap, text) = (Escaped(gap), Escaped(text));
        write!(out, "{gap}<span class=\"{class}\">{text}</span>")?;
        done = end;
    }
    write!(out, "{}", Escaped(source.get(done..).unwrap_or_default()))
}

#[derive(Debug)]
struct Mark {
    start: usize,
    end: usize,
    class: &'static str,
}

/// What to mark in the source; nothing where it cannot be read, which is no reason not to show it.
fn marks(source: &str) -> Vec<Mark> {
    let marks = python::with_room(|| tokens(source));
    marks.flatten().unwrap_or_default()
}

fn tokens(source: &str) -> Option<Vec<Mark>> {
    let parsed = python::parse(source)?;
    let mut last = TokenKind::Newline;
    let mut marks = Vec::new();
    for token in parsed.tokens() {
        let (kind, range) = token.as_tuple();
        if kind == TokenKind::Unknown {
            return None;
        }
        let before = std::mem::replace(&mut last, kind);
        if let Some(class) = class(kind, before) {
            marks.push(Mark {
                start: range.start().to_usize(),
                end: range.end().to_usize(),
                class,
            });
        }
    }
    Some(marks)
}

fn class(kind: TokenKind, before: TokenKind) -> Option<&'static str> {
    Some(match kind {
        TokenKind::Comment => "comment",
        TokenKind::IpyEscapeCommand => "magic",
        TokenKind::Int
        | TokenKind::Float
        | TokenKind::Complex
        | TokenKind::True
        | TokenKind::False
        | TokenKind::None => "number",
        TokenKind::String
        | TokenKind::FStringStart
        | TokenKind::FStringMiddle
        | TokenKind::FStringEnd
        | TokenKind::TStringStart
        | TokenKind::TStringMiddle
        | TokenKind::TStringEnd => "string",
        TokenKind::Name if matches!(before, TokenKind::Def | TokenKind::Class) => "name",
        _ if kind.is_keyword() => "keyword",
        _ => return None,
    })
}
