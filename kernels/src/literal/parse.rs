//! A reader for literals as several languages write them; it computes nothing and refuses what it is not sure of.

use super::{Literal, special_number};

/// How deep lists and maps may nest.
const DEPTH_LIMIT: usize = 64;

pub(super) fn literal(text: &str) -> Option<Literal> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Literal> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '"' | '\'' => self.text().map(Literal::Text),
            '[' => self.list(']', depth).map(Literal::List),
            '(' => self.tuple(depth),
            '{' => self.map(depth),
            _ => self.word(),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(token) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn list(&mut self, close: char, depth: usize) -> Option<Vec<Literal>> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        let close = close.to_string();
        while !self.take(&close) {
            items.push(self.value(depth + 1)?);
            if !self.take(",") {
                return self.take(&close).then_some(items);
            }
        }
        Some(items)
    }

    /// A tuple is read as a list; `(x)` is a computed value in parentheses and refused.
    fn tuple(&mut self, depth: usize) -> Option<Literal> {
        let before = self.rest;
        let items = self.list(')', depth)?;
        let text = &before[..before.len() - self.rest.len()];
        let single = items.len() == 1 && !text.trim_end_matches(')').trim_end().ends_with(',');
        (!single).then_some(Literal::List(items))
    }

    fn map(&mut self, depth: usize) -> Option<Literal> {
        self.rest = &self.rest[1..];
        let mut entries = Vec::new();
        while !self.take("}") {
            let Literal::Text(key) = self.value(depth + 1)? else {
                return None;
            };
            if !self.take(":") {
                return None;
            }
            entries.push((key, self.value(depth + 1)?));
            if !self.take(",") {
                return self.take("}").then_some(Literal::Map(entries));
            }
        }
        Some(Literal::Map(entries))
    }

    fn text(&mut self) -> Option<String> {
        let quote = &self.rest[..1];
        let triple = quote.repeat(3);
        let end = if self.rest.starts_with(&triple) {
            triple
        } else {
            quote.to_owned()
        };
        self.rest = &self.rest[end.len()..];
        let mut out = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(end.as_str()) {
                self.rest = rest;
                return Some(out);
            }
            let character = self.next()?;
            match character {
                '\n' if end.len() == 1 => return None,
                '\\' => self.escape(&mut out)?,
                other => out.push(other),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Option<()> {
        let character = self.next()?;
        let plain = match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '0' => '\0',
            '\n' => return Some(()),
            '\\' | '\'' | '"' | '/' | '$' => character,
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            _ => return None,
        };
        out.push(plain);
        Some(())
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let code = self.rest.get(..digits)?;
        self.rest = &self.rest[digits..];
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn word(&mut self) -> Option<Literal> {
        for (text, value) in [("float('", "')"), ("float(\"", "\")")] {
            let Some(rest) = self.rest.strip_prefix(text) else {
                continue;
            };
            let (name, rest) = rest.split_once(value)?;
            self.rest = rest;
            return special_number(name).map(Literal::Number);
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || ",]})(:[{\"'".contains(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        named(word).or_else(|| plain_number(word))
    }
}

fn named(word: &str) -> Option<Literal> {
    match word {
        "None" | "NULL" | "null" | "nothing" => Some(Literal::Null),
        "True" | "TRUE" | "true" => Some(Literal::Bool(true)),
        "False" | "FALSE" | "false" => Some(Literal::Bool(false)),
        "NaN" | "Inf" | "-Inf" | "Infinity" | "-Infinity" => {
            special_number(word).map(Literal::Number)
        }
        _ => None,
    }
}

fn plain_number(word: &str) -> Option<Literal> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // R's `5L` and Python's `1_000`.
    let digits = digits.strip_suffix('L').unwrap_or(digits).replace('_', "");
    let negative = word.starts_with('-');
    if let Ok(value) = digits.parse::<i128>() {
        return Some(Literal::Integer(if negative { -value } else { value }));
    }
    if let Some(value) = digits.strip_prefix("0x") {
        let value = i128::from_str_radix(value, 16).ok()?;
        return Some(Literal::Integer(if negative { -value } else { value }));
    }
    let value: f64 = digits.parse().ok()?;
    Some(Literal::Number(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::{Literal, literal};

    #[test]
    fn literals_of_several_languages_are_read() {
        use Literal::{Bool, Integer, List, Map, Null, Number, Text};
        let cases = [
            ("None", Null),
            ("NULL", Null),
            ("True", Bool(true)),
            ("FALSE", Bool(false)),
            ("-3", Integer(-3)),
            ("5L", Integer(5)),
            ("1_000", Integer(1000)),
            ("0xff", Integer(255)),
            ("1e-3", Number(0.001)),
            (".5", Number(0.5)),
            ("float('inf')", Number(f64::INFINITY)),
            ("'it\\'s \\u00e9'", Text("it's é".into())),
            ("\"\"\"a\nb\"\"\"", Text("a\nb".into())),
            ("[1, 'a', ]", List(vec![Integer(1), Text("a".into())])),
            ("(1, 2)", List(vec![Integer(1), Integer(2)])),
            ("{'a': {}}", Map(vec![("a".into(), Map(vec![]))])),
        ];
        for (text, value) in cases {
            assert_eq!(literal(text), Some(value), "{text}");
        }
        assert!(matches!(literal("float('nan')"), Some(Number(value)) if value.is_nan()));
    }

    #[test]
    fn what_must_be_computed_is_refused() {
        for text in [
            "x", "1 + 2", "f(1)", "[x]", "(1)", "'a' 'b'", "1..2", "{1: 2}", "'a", "f'x'", "", "-",
            "[1",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }
}
