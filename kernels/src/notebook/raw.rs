//! JSON whose untouched parts stay as they were written: ordered objects of raw values, and Jupyter's indentation.
//! Knows nothing of notebooks.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;

/// An object that keeps the order, the duplicates and the exact text of its values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object(Vec<(String, Text)>);

/// The JSON text of one value.
pub(crate) type Text = Box<str>;

impl Object {
    /// Reads an object; anything else is an error.
    pub(crate) fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The text of the value of `key`; the last one where it stands twice, as JSON readers take it.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut found = self.0.iter().rev().filter(|(name, _)| name == key);
        found.next().map(|(_, text)| &**text)
    }

    /// Reads the value of `key` as `T`; `None` where it is missing or of another shape.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.get(key)
            .and_then(|text| serde_json::from_str(text).ok())
    }

    /// Replaces the value of `key` where it stands, else appends it.
    pub(crate) fn set(&mut self, key: &str, text: impl Into<Text>) {
        let text = text.into();
        match self.0.iter_mut().rev().find(|(name, _)| name == key) {
            Some(entry) => entry.1 = text,
            None => self.0.push((key.to_owned(), text)),
        }
    }

    /// Takes `key` out, wherever it stands.
    pub(crate) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), &**text))
    }

    /// The number of bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum()
    }

    /// Writes the object as Jupyter does, its closing brace at `depth`.
    pub(crate) fn render(&self, depth: usize) -> String {
        let fields = self
            .iter()
            .map(|(name, text)| format!("{}: {text}", quote(name)));
        bracket(('{', '}'), fields, depth)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, Box::<str>::from(value)));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Writes `items` between brackets, one a line, one space deeper than `depth`.
pub(crate) fn bracket(
    (open, close): (char, char),
    items: impl Iterator<Item = String>,
    depth: usize,
) -> String {
    let mut out = String::from(open);
    let mut first = true;
    for item in items {
        if !first {
            out.push(',');
        }
        first = false;
        newline(&mut out, depth + 1);
        out.push_str(&item);
    }
    if !first {
        newline(&mut out, depth);
    }
    out.push(close);
    out
}

/// Writes `value` indented as Jupyter does, its first line where the caller stands and its closing bracket at `depth`.
pub(crate) fn pretty(value: &impl Serialize, depth: usize) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value
        .serialize(&mut serializer)
        .expect("plain values with text keys always serialise");
    let text = String::from_utf8(bytes).expect("serde_json writes UTF-8");
    // A line break inside a JSON string is escaped, so each one here is formatting.
    text.replace('\n', &format!("\n{}", " ".repeat(depth)))
}

/// The JSON text of a string.
pub(crate) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serialises")
}

/// Writes text as notebooks hold it: a list of lines that keep their ends.
pub(crate) fn lines(text: &str, depth: usize) -> String {
    bracket(('[', ']'), split(text).map(quote), depth)
}

/// Splits where Python's `str.splitlines` does, which is where Jupyter splits text when it saves.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, tail) = rest.split_at(line_end(rest));
        rest = tail;
        Some(line)
    })
}

fn line_end(text: &str) -> usize {
    for (at, character) in text.char_indices() {
        let next = at + character.len_utf8();
        match character {
            '\r' if text[next..].starts_with('\n') => return next + 1,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}' | '\u{1d}' | '\u{1e}' | '\u{85}'
            | '\u{2028}' | '\u{2029}' => return next,
            _ => {}
        }
    }
    text.len()
}

fn newline(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', depth));
}

#[cfg(test)]
mod tests {
    use super::{Object, lines, pretty};

    #[test]
    fn untouched_values_keep_their_text() {
        let text = "{\n \"big\": 123456789012345678901234567890,\n \"f\": 1.50,\n \"s\": \"\\u00e9\\ud800\",\n \"f\": 2\n}";
        let object = Object::parse(text).unwrap();
        assert_eq!(object.render(0), text);
        assert_eq!(object.get("f"), Some("2"));
    }

    #[test]
    fn a_set_value_stays_in_its_place() {
        let mut object = Object::parse(r#"{"a": 1, "b": 2}"#).unwrap();
        object.set("a", "[]");
        object.set("c", "null");
        assert_eq!(
            object.render(0),
            "{\n \"a\": [],\n \"b\": 2,\n \"c\": null\n}"
        );
    }

    #[test]
    fn text_is_split_as_python_splits_it() {
        assert_eq!(
            lines("a\r\nb\rc\u{2028}d\n", 0),
            "[\n \"a\\r\\n\",\n \"b\\r\",\n \"c\u{2028}\",\n \"d\\n\"\n]"
        );
        assert_eq!(lines("", 3), "[]");
    }

    #[test]
    fn nested_values_are_indented_from_where_they_stand() {
        let value = serde_json::json!({"a": [1], "b": {}});
        assert_eq!(
            pretty(&value, 2),
            "{\n   \"a\": [\n    1\n   ],\n   \"b\": {}\n  }"
        );
    }
}
