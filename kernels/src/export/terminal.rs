//! What a program printed for a terminal, as HTML: colours as spans, lines as overwriting left them. Knows nothing of notebooks.
//!
//! Source: ECMA-48, "SGR" and "EL"; ITU-T T.416 for the colour forms with colons.

mod style;

use std::io::{self, Write};

use self::style::Style;
use super::escape::Escaped;

/// Where a terminal would wrap: text before this cannot be overwritten any more. Bounds what one line takes in memory.
const WIDTH: usize = 64 * 1024;

/// Writes `text` as HTML; escapes other than of colours and of erasing in the line are dropped.
pub(super) fn write(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = Line::default();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\u{1b}' => rest = line.escape(rest),
            '\n' => {
                line.flush(out)?;
                out.write_all(b"\n")?;
            }
            '\r' => line.at = 0,
            '\u{8}' => line.at = line.at.saturating_sub(1),
            '\t' => line.put(character),
            _ if character.is_control() => {}
            _ => line.put(character),
        }
        if line.cells.len() >= WIDTH {
            line.flush(out)?;
        }
    }
    line.flush(out)
}

#[derive(Debug, Default)]
struct Line {
    cells: Vec<(char, Style)>,
    /// Where the next character goes.
    at: usize,
    /// How many cells from the first on are blank: erasing them again does nothing.
    blank: usize,
    style: Style,
}

impl Line {
    fn put(&mut self, character: char) {
        let cell = (character, self.style);
        self.blank = self.blank.min(self.at);
        match self.cells.get_mut(self.at) {
            Some(old) => *old = cell,
            None => self.cells.push(cell),
        }
        self.at += 1;
    }

    /// Takes one escape sequence and gives what follows it.
    fn escape<'a>(&mut self, text: &'a str) -> &'a str {
        match text.as_bytes().first() {
            Some(b'[') => self.control(&text[1..]),
            // Titles and links: up to a bell or `ESC \`.
            Some(b']' | b'P' | b'X' | b'^' | b'_') => string_end(&text[1..]),
            // Two and three byte sequences, such as the choice of a character set.
            Some(b' '..=b'/') => after_char(after_char(text)),
            Some(b'0'..=b'~') => &text[1..],
            _ => text,
        }
    }

    fn control<'a>(&mut self, text: &'a str) -> &'a str {
        let length = text.bytes().take_while(|byte| matches!(byte, b' '..=b'?'));
        let (parameters, rest) = text.split_at(length.count());
        let Some(last @ b'@'..=b'~') = rest.bytes().next() else {
            return rest;
        };
        match last {
            b'm' => self.style.apply(parameters),
            b'K' => self.erase(parameters),
            _ => {}
        }
        &rest[1..]
    }

    fn erase(&mut self, parameters: &str) {
        let end = self.cells.len().min(self.at);
        match parameters {
            "" | "0" => self.cells.truncate(end),
            "1" => self.clear(end),
            // The cursor stays where it is, so what it passed over is blank.
            "2" => {
                self.cells.truncate(end);
                self.clear(end);
            }
            _ => {}
        }
        self.blank = self.blank.min(self.cells.len());
    }

    fn clear(&mut self, end: usize) {
        if self.blank < end {
            self.cells[self.blank..end].fill((' ', Style::default()));
            self.blank = end;
        }
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for run in self.cells.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|cell| cell.0).collect();
            let text = Escaped(&text);
            match run[0].1.attributes() {
                None => write!(out, "{text}")?,
                Some(attributes) => write!(out, "<span{attributes}>{text}</span>")?,
            }
        }
        self.cells.clear();
        (self.at, self.blank) = (0, 0);
        Ok(())
    }
}

fn string_end(text: &str) -> &str {
    // A string that never ends is not one: the text after it is not to be lost.
    let end = text.find(['\n', '\u{7}', '\u{1b}']);
    let Some(end) = end.filter(|&end| !text[end..].starts_with('\n')) else {
        return text;
    };
    let rest = &text[end..];
    rest.strip_prefix("\u{1b}\\")
        .or_else(|| rest.strip_prefix('\u{7}'))
        .unwrap_or(rest)
}

fn after_char(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}
