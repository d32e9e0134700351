//! Source code as HTML: Python with its tokens marked, other languages plain.

use std::io::{self, Write};

use ruff_python_ast::PySourceType;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::parse_unchecked_source;

use super::escape::Escaped;

/// Cell magics after which Python goes on; after any other comes another language, or text.
const PYTHON_MAGICS: [&str; 5] = ["time", "timeit", "capture", "prun", "memit"];

/// Longer sources stay plain: see [`marks`].
const LONGEST_BYTES: usize = 64 * 1024;
/// More f-strings than this stay plain: reading one inside another inside another takes time with the square of their number.
const MOST_FORMATS: usize = 1000;
const STACK_BYTES_PER_BYTE: usize = 2048;

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

/// What to mark in the source; nothing where it does not lex.
///
/// The parser makes a tree besides its tokens, whose end takes stack for each level, and a level may be one byte of a hostile notebook: a thread
/// of its own has room for that. Its stack takes memory only as far as it is used.
fn marks(source: &str) -> Vec<Mark> {
    if source.trim().is_empty() || source.len() > LONGEST_BYTES || formats(source) > MOST_FORMATS {
        return Vec::new();
    }
    let stack_bytes = (source.len() + 1024) * STACK_BYTES_PER_BYTE;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(stack_bytes)
            .spawn_scoped(scope, || tokens(source));
        // Without a thread, or with a parser that gave up, the source is still there to read.
        let marks = thread.ok().and_then(|thread| thread.join().ok());
        marks.unwrap_or_default()
    })
}

/// How many f-strings there are at most: what ends like a prefix of one, before a quote.
fn formats(source: &str) -> usize {
    let pairs = source.as_bytes().windows(2);
    let is_format = |pair: &&[u8]| {
        matches!(pair[0].to_ascii_lowercase(), b'f' | b't' | b'r')
            && matches!(pair[1], b'\'' | b'"')
    };
    pairs.filter(is_format).count()
}

fn tokens(source: &str) -> Vec<Mark> {
    let parsed = parse_unchecked_source(source, PySourceType::Ipynb);
    let mut last = TokenKind::Newline;
    let mut marks = Vec::new();
    for token in parsed.tokens() {
        let (kind, range) = token.as_tuple();
        if kind == TokenKind::Unknown {
            return Vec::new();
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
    marks
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
