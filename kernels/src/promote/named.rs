//! Which files the texts of a notebook may name. Texts and pieces are only ever added, so that each pair is looked at once.

use std::collections::{BTreeSet, HashMap, HashSet};

/// A part of a path, by its number.
type Part = usize;

/// Texts that may name files, and pieces of such; with what was found so far.
#[derive(Debug, Default)]
pub(super) struct Named {
    parts: HashMap<String, Part>,
    texts: Vec<Vec<Part>>,
    pieces: Vec<String>,
    seen_texts: HashSet<String>,
    seen_pieces: HashSet<String>,
    files: HashMap<String, File>,
}

/// What was found about a file.
#[derive(Debug, Default, Clone, Copy)]
struct File {
    is_named: bool,
    /// How many texts and pieces were looked at.
    texts: usize,
    pieces: usize,
}

impl Named {
    pub(super) fn add(&mut self, texts: &BTreeSet<String>, pieces: &BTreeSet<String>) {
        for text in texts {
            if self.seen_texts.insert(text.clone()) {
                let text = self.split(text);
                self.texts.push(text);
            }
        }
        for piece in pieces {
            if self.seen_pieces.insert(piece.clone()) {
                self.pieces.push(piece.clone());
            }
        }
    }

    /// Whether any of the texts or pieces may name this file.
    pub(super) fn may_name(&mut self, file: &str) -> bool {
        let mut known = self.files.get(file).copied().unwrap_or_default();
        let is_new = known.texts < self.texts.len() || known.pieces < self.pieces.len();
        if known.is_named || !is_new {
            return known.is_named;
        }
        let parts = self.split(file);
        let mut texts = self.texts[known.texts..].iter();
        let mut pieces = self.pieces[known.pieces..].iter();
        known.is_named =
            texts.any(|text| names(text, &parts)) || pieces.any(|piece| completes(piece, file));
        known.texts = self.texts.len();
        known.pieces = self.pieces.len();
        self.files.insert(file.to_owned(), known);
        known.is_named
    }

    fn split(&mut self, text: &str) -> Vec<Part> {
        let parts = text.split('/');
        let parts = parts.filter(|part| !part.is_empty() && *part != ".");
        let mut split = Vec::new();
        for part in parts {
            let next = self.parts.len();
            let known = self.parts.get(part).copied();
            split.push(known.unwrap_or_else(|| {
                self.parts.insert(part.to_owned(), next);
                next
            }));
        }
        split
    }
}

/// Whether a text may name a file, or a folder that it is in or that is in it.
fn names(text: &[Part], file: &[Part]) -> bool {
    let (short, long) = if text.len() < file.len() {
        (text, file)
    } else {
        (file, text)
    };
    !short.is_empty() && long.windows(short.len()).any(|window| window == short)
}

/// Whether a piece of a text may be part of a file's name.
fn completes(piece: &str, file: &str) -> bool {
    let piece = piece.trim_matches('/');
    piece.len() > 1
        && piece.chars().any(char::is_alphanumeric)
        && (file.contains(piece)
            || piece.contains(file)
            || piece
                .split('/')
                .any(|part| part.len() > 1 && file.contains(part)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Named;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn what_is_added_later_counts_for_a_file_that_was_asked_for() {
        let mut named = Named::default();
        named.add(&set(&["other/a.csv"]), &set(&["/"]));
        assert!(!named.may_name("out/a.csv"));
        named.add(&set(&["./out//"]), &set(&[]));
        assert!(named.may_name("out/a.csv"));
        assert!(!named.may_name("b.csv"));
        named.add(&set(&[]), &set(&["b."]));
        assert!(named.may_name("b.csv"));
    }
}
