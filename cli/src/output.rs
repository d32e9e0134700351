//! What commands print: JSON as the API gives it, or tables for people. Results go to stdout, everything else to stderr.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::Value;

/// Prints one value as JSON, as the API gave it.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Prints one value as JSON on one line, for streams of them.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Prints a line to stdout.
pub(crate) fn line(text: impl AsRef<str>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", text.as_ref())
}

/// Prints a remark to stderr. A stderr that is gone is no reason to fail.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Prints a part of a text of several lines to stderr, cleaned.
pub(crate) fn note_part(text: &str) {
    let cleaned: Vec<String> = text.split('\n').map(clean).collect();
    let _ = write!(io::stderr().lock(), "{}", cleaned.join("\n"));
}

/// Is there a person at both ends, so that a browser may be opened and a question asked?
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered by yes or no; no is what silence means.
pub(crate) fn confirm(question: &str) -> io::Result<bool> {
    write!(io::stderr().lock(), "{} [y/N] ", clean(question))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Rows under headings, aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table under these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| (*heading).to_owned())
                    .collect(),
            ],
        }
    }

    /// Adds a row. Cells are cleaned of control characters: names and messages come from other people's work.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    /// Prints the table, or `empty` when it has no rows.
    pub(crate) fn print(&self, empty: &str) -> io::Result<()> {
        if self.rows.len() == 1 {
            note(empty);
            return Ok(());
        }
        io::stdout().lock().write_all(self.text().as_bytes())
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell: &String| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The text without control characters and without the marks that reorder text, so that it cannot move the cursor or hide itself.
pub(crate) fn clean(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if hides(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The text that a JSON value shows in a table: strings without their quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `{"lr":0.1,"depth":3}` as `lr=0.1 depth=3`, at most `limit` characters.
pub(crate) fn pairs(value: &Value, limit: usize) -> String {
    let Value::Object(map) = value else {
        return plain(value);
    };
    let text = map
        .iter()
        .map(|(key, value)| format!("{key}={}", plain(value)))
        .collect::<Vec<_>>()
        .join(" ");
    shorten(&text, limit)
}

/// The text, cut to `limit` characters with a mark where it was cut.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars()
        .take(limit.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Bytes for people: `1.5 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut tenths = u128::from(count) * 10;
    while tenths >= 9_995 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ if tenths < 100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", (tenths + 5) / 10, UNITS[unit]),
    }
}

/// A span of time for people: `3 min 20 s`.
pub(crate) fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago a time was: `5 min ago`.
pub(crate) fn ago(then_ms: i64, now_ms: i64) -> String {
    let seconds = (now_ms - then_ms).max(0) / 1000;
    match seconds {
        0..5 => "now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_space() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["a-long-name".to_owned(), "running".to_owned()]);
        table.row(["é".to_owned(), String::new()]);
        assert_eq!(
            table.text(),
            "NAME         STATE\na-long-name  running\né\n"
        );
    }

    #[test]
    fn cells_cannot_move_the_cursor_or_reorder_text() {
        assert_eq!(
            clean("a\u{1b}[2Jb\nc\u{202e}d"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"
        );
    }

    #[test]
    fn sizes_read_well() {
        let shown: Vec<String> = [0, 999, 1000, 1500, 99_949, 999_600, 12_345_678, u64::MAX]
            .into_iter()
            .map(bytes)
            .collect();
        assert_eq!(
            shown,
            [
                "0 B", "999 B", "1.0 kB", "1.5 kB", "100 kB", "1.0 MB", "12 MB", "18447 PB"
            ]
        );
    }

    #[test]
    fn times_read_well() {
        assert_eq!(duration(200_000), "3 min 20 s");
        assert_eq!(duration(-5), "0 s");
        assert_eq!(ago(0, 7_200_000), "2 h ago");
        assert_eq!(ago(10, 0), "now");
    }

    #[test]
    fn parameters_are_shown_short() {
        assert_eq!(
            pairs(&serde_json::json!({"lr": 0.1, "name": "a b"}), 80),
            "lr=0.1 name=a b"
        );
        assert_eq!(pairs(&serde_json::json!({"k": "abcdef"}), 5), "k=ab…");
    }
}
