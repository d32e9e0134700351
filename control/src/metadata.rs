//! Finds the metadata that a job prints: every stdout line that is a JSON object.
//!
//! Reading is incremental and exact: `Reader::offset` and `Reader::lines` are saved with the points they led to, so a restart neither
//! loses nor repeats one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use spawner::log::{Record, Stream};
use storage::series::Point;

/// Longer lines are log only.
const LINE_LIMIT: usize = 64 * 1024;
/// More keys than this in one line are not a set of metrics but a mistake; the rest is left out.
const KEYS_LIMIT: usize = 1000;

/// What a piece of log added.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Latest value of each key.
    pub(crate) latest: Map<String, Value>,
    /// New points by key, in the order printed.
    pub(crate) points: BTreeMap<String, Vec<Point>>,
}

impl Found {
    pub(crate) fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }
}

/// Follows one log.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Everything before this offset has been taken account of; a line still in parts begins here.
    pub(crate) offset: u64,
    /// Metadata lines seen before `offset`.
    pub(crate) lines: i64,
    open: Option<Open>,
}

/// A stdout line of which only some parts have come.
#[derive(Debug)]
struct Open {
    text: Vec<u8>,
    long: bool,
}

impl Reader {
    pub(crate) fn new(offset: u64, lines: i64) -> Self {
        Self {
            offset,
            lines,
            open: None,
        }
    }

    /// Takes the next records. `next` is the offset after the last one.
    pub(crate) fn read<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>>,
        next: u64,
    ) -> Found {
        let mut found = Found::default();
        for record in records {
            if record.stream != Stream::Stdout {
                continue;
            }
            if self.open.is_none() {
                self.offset = record.offset;
            }
            let Some(line) = self.join(&record) else {
                continue;
            };
            self.take(&line, record.ms, &mut found);
        }
        if self.open.is_none() {
            self.offset = next;
        }
        found
    }

    /// The whole line, once its last part has come. Lines over the limit are given up as they grow, so memory is bounded.
    fn join(&mut self, record: &Record<'_>) -> Option<Vec<u8>> {
        let open = self.open.get_or_insert_with(|| Open {
            text: Vec::new(),
            long: false,
        });
        if open.text.len() + record.text.len() > LINE_LIMIT {
            open.long = true;
            open.text.clear();
        }
        if !open.long {
            open.text.extend_from_slice(record.text);
        }
        if record.partial {
            return None;
        }
        self.open
            .take()
            .filter(|open| !open.long)
            .map(|open| open.text)
    }

    fn take(&mut self, line: &[u8], ms: i64, found: &mut Found) {
        let Some(object) = parse(line) else { return };
        let x = number(object.get("step"))
            .or_else(|| number(object.get("epoch")))
            .unwrap_or_else(|| float(self.lines));
        self.lines += 1;
        for (key, value) in object.into_iter().take(KEYS_LIMIT) {
            if key.is_empty() || key.len() > 256 {
                continue;
            }
            if let Some(y) = self::value(&value) {
                found
                    .points
                    .entry(key.clone())
                    .or_default()
                    .push(Point { x, y, ms });
            }
            found.latest.insert(key, value);
        }
    }
}

/// Reads a line as a JSON object, also with `NaN`, `Infinity` and `-Infinity` as Python's `json` prints them; these become strings.
fn parse(line: &[u8]) -> Option<Map<String, Value>> {
    let line = line.trim_ascii();
    if !line.starts_with(b"{") || !line.ends_with(b"}") {
        return None;
    }
    serde_json::from_slice(line)
        .ok()
        .or_else(|| serde_json::from_slice(&quote_non_finite(line)).ok())
}

/// Puts quotes around the three words outside strings.
fn quote_non_finite(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len() + 16);
    let (mut at, mut in_string) = (0, false);
    while at < line.len() {
        let rest = &line[at..];
        let word = [&b"-Infinity"[..], b"Infinity", b"NaN"]
            .into_iter()
            .find(|word| !in_string && rest.starts_with(word));
        if let Some(word) = word {
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            at += word.len();
            continue;
        }
        if in_string && rest[0] == b'\\' && rest.len() > 1 {
            out.extend_from_slice(&rest[..2]);
            at += 2;
            continue;
        }
        in_string ^= rest[0] == b'"';
        out.push(rest[0]);
        at += 1;
    }
    out
}

/// A finite number.
fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}

/// A number for a chart, also one that shows where training diverged.
fn value(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => number(Some(value)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "line numbers stay far below 2^53"
)]
fn float(index: i64) -> f64 {
    index as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use spawner::log::records;

    fn point(x: f64, y: f64, ms: i64) -> Point {
        Point { x, y, ms }
    }

    fn read(log: &str) -> (Reader, Found) {
        let mut reader = Reader::default();
        let found = reader.read(records(log.as_bytes(), 0), log.len() as u64);
        (reader, found)
    }

    #[test]
    fn x_is_the_step_else_the_epoch_else_the_index() {
        let (reader, found) = read(
            "1 o {\"step\":5,\"epoch\":1,\"a\":1}\n2 o {\"epoch\":2,\"a\":2}\n3 o {\"a\":3}\n4 o words\n5 e {\"a\":9}\n",
        );
        assert_eq!(
            found.points["a"],
            [point(5.0, 1.0, 1), point(2.0, 2.0, 2), point(2.0, 3.0, 3)]
        );
        assert_eq!(found.latest["a"], json!(3));
        assert_eq!(reader.lines, 3);
    }

    #[test]
    fn non_finite_numbers_as_python_prints_them_are_kept_as_words() {
        let (_, found) = read(
            "1 o {\"loss\": NaN, \"up\": Infinity, \"down\": -Infinity, \"text\": \"NaN \\\" Infinity\"}\n",
        );
        assert_eq!(found.latest["loss"], json!("NaN"));
        assert_eq!(found.latest["down"], json!("-Infinity"));
        assert_eq!(found.latest["text"], json!("NaN \" Infinity"));
        assert!(found.points["loss"][0].y.is_nan());
        assert!(!found.points.contains_key("text"));
    }

    #[test]
    fn a_line_in_parts_is_one_line_and_a_restart_in_its_middle_repeats_nothing() {
        let log = "1 o {\"a\":1}\n2 O {\"a\n3 e noise\n4 o \":2}\n";
        let all = log.as_bytes();
        let middle = log.find("3 e").expect("there");
        let mut first = Reader::default();
        let head = records(&all[..middle], 0);
        assert_eq!(
            first.read(head, middle as u64).points["a"],
            [point(0.0, 1.0, 1)]
        );
        assert_eq!(first.offset, 12, "the open line begins here");

        let mut second = Reader::new(first.offset, first.lines);
        let tail = records(&all[12..], 12);
        assert_eq!(
            second.read(tail, all.len() as u64).points["a"],
            [point(1.0, 2.0, 4)]
        );
        assert_eq!(second.offset, all.len() as u64);
    }

    #[test]
    fn long_lines_and_other_json_are_log_only() {
        let long = format!(
            "1 o {{\"a\":\"{}\"}}\n2 o [1]\n3 o 5\n4 o {{broken\n",
            "x".repeat(LINE_LIMIT)
        );
        let (reader, found) = read(&long);
        assert!(found.is_empty());
        assert_eq!(reader.lines, 0);
    }
}
