//! Prints records of a log. Terminals get text that cannot take them over; files get what the job printed.

use std::io::{self, IsTerminal as _, Write as _};

use crate::api::types::LogLine;
use crate::clock;
use crate::output;

/// Prints the records of one log in their order.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    timestamps: bool,
    /// Per stream (stdout, stderr): is a line begun and not ended?
    begun: [bool; 2],
    is_terminal: [bool; 2],
}

impl Printer {
    /// A printer: records as JSON, or lines with or without their time.
    pub(crate) fn new(json: bool, timestamps: bool) -> Self {
        let is_terminal = [io::stdout().is_terminal(), io::stderr().is_terminal()];
        Self {
            json,
            timestamps,
            begun: [false; 2],
            is_terminal,
        }
    }

    /// Prints one record.
    pub(crate) fn print(&mut self, line: &LogLine) -> anyhow::Result<()> {
        if self.json {
            return output::json_line(line);
        }
        let to = usize::from(line.stream != "stdout");
        let text = self.text(line, to);
        if to == 0 {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        } else {
            // A stderr that is gone is no reason to fail.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
        Ok(())
    }

    /// Ends a line that was begun, so that what follows has a line of its own.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.begun[0]) {
            writeln!(io::stdout().lock())?;
        }
        if std::mem::take(&mut self.begun[1]) {
            output::note("");
        }
        Ok(())
    }

    fn text(&mut self, line: &LogLine, to: usize) -> String {
        let mut text = String::new();
        // Cairn's own remarks do not go into the middle of a line that the job has begun.
        if line.stream == "system" && self.begun[to] {
            text.push('\n');
            self.begun[to] = false;
        }
        if self.timestamps && !self.begun[to] {
            text.push_str(&clock::iso(line.ms));
            text.push(' ');
        }
        if line.stream == "system" {
            text.push_str("cairn: ");
        }
        if self.is_terminal[to] {
            text.push_str(&tame(&line.text));
        } else {
            text.push_str(&line.text);
        }
        if !line.partial {
            text.push('\n');
        }
        self.begun[to] = line.partial;
        text
    }
}

/// The text with colours, tabs and carriage returns kept, and without every other control sequence: those can retitle, clear or question a
/// terminal, and the text is a job's.
fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control()) {
        tamed.push_str(&rest[..at]);
        rest = &rest[at..];
        let kept = colour(rest);
        if kept > 0 {
            tamed.push_str(&rest[..kept]);
            rest = &rest[kept..];
            continue;
        }
        let control = rest.chars().next().unwrap_or('\0');
        tamed.push(if matches!(control, '\t' | '\r') {
            control
        } else {
            '\u{fffd}'
        });
        rest = &rest[control.len_utf8()..];
    }
    tamed.push_str(rest);
    tamed
}

/// The length of the colour sequence (`ESC [ 1;31 m`) that the text begins with, else 0.
fn colour(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let length = body
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'))
        .count();
    if body.as_bytes().get(length) == Some(&b'm') {
        2 + length + 1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: &str, text: &str, partial: bool) -> LogLine {
        LogLine {
            offset: 0,
            ms: 0,
            stream: stream.to_owned(),
            text: text.to_owned(),
            partial,
        }
    }

    fn printer(timestamps: bool) -> Printer {
        Printer {
            json: false,
            timestamps,
            begun: [false; 2],
            is_terminal: [true, false],
        }
    }

    #[test]
    fn a_line_in_parts_is_one_line() {
        let mut printer = printer(true);
        let parts = [
            line("stdout", "a", true),
            line("stdout", "b", true),
            line("stdout", "c", false),
            line("stdout", "d", false),
        ];
        let text: String = parts.iter().map(|part| printer.text(part, 0)).collect();
        assert_eq!(
            text,
            "1970-01-01T00:00:00.000Z abc\n1970-01-01T00:00:00.000Z d\n"
        );
    }

    #[test]
    fn a_remark_of_cairns_has_a_line_of_its_own() {
        let mut printer = printer(false);
        let parts = [
            line("stderr", "half", true),
            line("system", "stopped", false),
        ];
        let text: String = parts.iter().map(|part| printer.text(part, 1)).collect();
        assert_eq!(text, "half\ncairn: stopped\n");
    }

    #[test]
    fn terminals_keep_colours_and_lose_the_rest() {
        assert_eq!(
            tame("a\u{1b}[1;31mred\u{1b}[0m\tb\rc"),
            "a\u{1b}[1;31mred\u{1b}[0m\tb\rc"
        );
        assert_eq!(
            tame("\u{1b}]0;title\u{7}x\u{1b}[2Jy\u{1b}[6n\u{1b}"),
            "\u{fffd}]0;title\u{fffd}x\u{fffd}[2Jy\u{fffd}[6n\u{fffd}"
        );
        assert_eq!(tame("é\u{9b}2J"), "é\u{fffd}2J");
    }

    #[test]
    fn files_get_what_the_job_printed() {
        assert_eq!(
            printer(false).text(&line("stderr", "\u{1b}[2J", false), 1),
            "\u{1b}[2J\n"
        );
    }
}
