//! Reading Python sources of any kind: hostile ones, too, neither take all of the stack nor time without end.

use ruff_python_ast::{ModModule, PySourceType};
use ruff_python_parser::{Parsed, parse_unchecked_source};

/// How many levels the tree of one source may have at most, and may be followed at a time.
pub(crate) const DEEPEST: usize = 16_384;
/// More f-strings than this are not read: one inside another inside another takes time with the square of their number.
const MOST_FORMATS: usize = 1000;
/// Longer sources are not read: a tree takes a multiple of its source in memory.
const LONGEST_BYTES: usize = 1 << 20;
/// Enough for [`DEEPEST`] levels in an unoptimised build; it takes memory only as far as it is used.
const STACK_BYTES: usize = 512 << 20;

/// Does work that reads sources, on a thread with room for it. None where there is no such thread, or where the work gave up.
///
/// The parser, whoever walks its tree and even the end of the tree take stack for each level, and a level may be one byte of the source.
pub(crate) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("python".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        thread.ok()?.join().ok()
    })
}

/// Reads a source as `IPython` does, errors and all; only within [`with_room`]. None for one that may nest too deep, or is too long.
pub(crate) fn parse(source: &str) -> Option<Parsed<ModModule>> {
    let is_bounded = source.len() <= LONGEST_BYTES
        && levels(source) <= DEEPEST
        && formats(source) <= MOST_FORMATS;
    is_bounded.then(|| parse_unchecked_source(source, PySourceType::Ipynb))
}

/// More than its tree has: each level needs an operator, a bracket, a colon, or one of these words. What stands in texts is counted, too.
fn levels(source: &str) -> usize {
    const WORDS: [&str; 7] = ["and", "await", "else", "if", "lambda", "not", "or"];
    let marks = source.bytes().filter(|byte| {
        byte.is_ascii_punctuation()
            && !matches!(
                byte,
                b',' | b';' | b'#' | b'"' | b'\'' | b'_' | b'\\' | b')' | b']' | b'}'
            )
    });
    let words = source.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    marks.count() + words.filter(|word| WORDS.contains(word)).count()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_nest_too_deep_is_not_read() {
        let read = |source: &str| with_room(|| parse(source).is_some()).unwrap();
        assert!(read("x = [1, 2]\nif x and not y:\n    f(x)"));
        assert!(!read(&"-".repeat(DEEPEST + 1)));
        assert!(!read(&"not ".repeat(DEEPEST + 1)));
        assert!(!read(&"f'{".repeat(MOST_FORMATS + 1)));
        assert!(!read(&"a;".repeat(LONGEST_BYTES)));
    }
}
