//! Text as HTML. Knows nothing of notebooks.

use std::fmt;

/// Text that is safe between tags and between quotes of an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Code for a `<script>` element, which only `</script` ends.
///
/// `<!--` goes too: after it, `<script` would make the parser pass over the next `</script`. Both stay what they are inside strings.
pub(super) fn script(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find('<') {
        let (before, tail) = rest.split_at(at + 1);
        out.push_str(before);
        let ends = tail
            .get(..7)
            .is_some_and(|tag| tag.eq_ignore_ascii_case("/script"));
        if ends || tail.starts_with("!--") {
            out.push('\\');
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}
