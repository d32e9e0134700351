//! The parameters a notebook declares in its cell tagged `parameters`, and checking given values against them.
//! Reads plain `name = literal` lines only; it runs nothing.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::literal::{Literal, special_number};

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `boolean`, `integer`, `number`, `text`, `list`, `map`, `none`, or `code` for a default that must be computed.
    pub kind: &'static str,
    /// The default as JSON; null for `none` and `code`. NaN and the infinities are texts.
    pub default: Value,
    /// The default as the notebook writes it.
    pub code: String,
    /// The comment behind it.
    pub help: String,
}

/// Reads the assignments of a cell of parameters; a later one of the same name wins.
pub(crate) fn declared(source: &str) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (code, comment) in statements(source) {
        let Some(parameter) = assignment(&code, &comment) else {
            continue;
        };
        found.retain(|other| other.name != parameter.name);
        found.push(parameter);
    }
    found
}

/// Gives the values that are to be injected, of the types the notebook declares.
///
/// A text becomes the number, boolean, list or map that the default is (`"nan"` a number too); a value of a type that does
/// not fit is refused. Parameters that are not declared are taken as they are.
///
/// # Errors
/// `Invalid`, naming the parameter.
pub fn coerce(
    declared: &[Parameter],
    given: &Map<String, Value>,
) -> Result<Vec<(String, Literal)>> {
    let value = |(name, value): (&String, &Value)| {
        let kind = declared.iter().find(|parameter| parameter.name == *name);
        let value = fit(kind.map_or("code", |parameter| parameter.kind), value);
        let value = value
            .map_err(|expected| Error::Invalid(format!("parameter `{name}` must be {expected}")))?;
        Ok((name.clone(), value))
    };
    given.iter().map(value).collect()
}

fn fit(kind: &str, value: &Value) -> std::result::Result<Literal, &'static str> {
    let given = Literal::from(value);
    let fitted = match (kind, &given) {
        ("code" | "none", _)
        | (_, Literal::Null)
        | ("integer" | "number", Literal::Integer(_) | Literal::Number(_)) => Some(given),
        ("integer" | "number", Literal::Text(text)) => number(text.trim()),
        ("boolean", Literal::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            _ => None,
        },
        ("text", Literal::Bool(_) | Literal::Integer(_) | Literal::Number(_)) => {
            Some(Literal::Text(value.to_string()))
        }
        ("list" | "map", Literal::Text(text)) => {
            Literal::parse(text).filter(|value| value.kind() == kind)
        }
        _ => (given.kind() == kind).then_some(given),
    };
    fitted.ok_or(match kind {
        "integer" | "number" => "a number",
        "boolean" => "true or false",
        "text" => "a text",
        "list" => "a list",
        _ => "a map of names to values",
    })
}

fn number(text: &str) -> Option<Literal> {
    let parsed = special_number(text).map(Literal::Number);
    parsed.or_else(|| {
        Literal::parse(text).filter(|value| matches!(value.kind(), "integer" | "number"))
    })
}

fn assignment(code: &str, comment: &str) -> Option<Parameter> {
    let end = code
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(code.len());
    let (name, mut rest) = code.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
        return None;
    }
    rest = rest.trim_start();
    if rest.starts_with(':') && !rest.starts_with(":=") {
        // An annotation; the last `=` outside of brackets would be better, but annotations hold none.
        rest = &rest[rest.find('=')?..];
    }
    let value = rest
        .strip_prefix("<-")
        .or_else(|| rest.strip_prefix('=').filter(|rest| !rest.starts_with('=')))?;
    let value = value.trim().trim_end_matches(';').trim_end();
    if value.is_empty() {
        return None;
    }
    let literal = Literal::parse(value);
    Some(Parameter {
        name: name.to_owned(),
        kind: literal.as_ref().map_or("code", Literal::kind),
        default: literal.map_or(Value::Null, |literal| literal.to_json()),
        code: value.to_owned(),
        help: comment.to_owned(),
    })
}

/// Splits a source into statements at the margin, each with the comment that ends it: brackets and texts go on over lines.
fn statements(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut scan = Scan::default();
    for line in source.lines() {
        if scan.is_fresh() && line.starts_with(char::is_whitespace) {
            continue;
        }
        scan.line(line);
        if scan.is_complete() {
            let Scan { code, comment, .. } = std::mem::take(&mut scan);
            if !code.trim().is_empty() {
                found.push((code.trim().to_owned(), comment));
            }
        }
    }
    found
}

#[derive(Default)]
struct Scan {
    code: String,
    comment: String,
    brackets: usize,
    quote: Option<String>,
}

impl Scan {
    fn is_fresh(&self) -> bool {
        self.code.is_empty()
    }

    fn is_complete(&self) -> bool {
        self.brackets == 0 && self.quote.is_none()
    }

    fn line(&mut self, line: &str) {
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            let taken = match &self.quote {
                Some(quote) if rest.starts_with(quote.as_str()) => {
                    let taken = quote.len();
                    self.quote = None;
                    taken
                }
                Some(_) if character == '\\' => escape_length(rest),
                Some(_) => character.len_utf8(),
                None if character == '#' => {
                    rest[1..].trim().clone_into(&mut self.comment);
                    break;
                }
                None => self.plain(rest, character),
            };
            self.code.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        // A text in single quotes ends with its line.
        self.quote.take_if(|quote| quote.len() == 1);
        if !self.is_complete() {
            self.code.push('\n');
        }
    }

    fn plain(&mut self, rest: &str, character: char) -> usize {
        match character {
            '"' | '\'' => {
                let triple = character.to_string().repeat(3);
                let quote = if rest.starts_with(&triple) {
                    triple
                } else {
                    character.to_string()
                };
                let taken = quote.len();
                self.quote = Some(quote);
                return taken;
            }
            '[' | '(' | '{' => self.brackets += 1,
            ']' | ')' | '}' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        character.len_utf8()
    }
}

fn escape_length(rest: &str) -> usize {
    rest.chars().take(2).map(char::len_utf8).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{coerce, declared};
    use crate::literal::Literal;

    fn kinds(source: &str) -> Vec<(String, &'static str, Value)> {
        let found = declared(source).into_iter();
        found.map(|one| (one.name, one.kind, one.default)).collect()
    }

    #[test]
    fn plain_assignments_are_parameters() {
        let source = "# Settings\nlr: float = 0.1  # learning rate\nepochs = 3;\nname = 'a # b'\nlayers = [\n  1, # one\n  2,\n]\n\
                      path = os.getcwd()\nif x == 1:\n    inner = 2\nlr == 2\nx += 1\nbest = float('-inf')\nempty = None\nn <- 5L\n";
        assert_eq!(
            kinds(source),
            [
                ("lr".into(), "number", json!(0.1)),
                ("epochs".into(), "integer", json!(3)),
                ("name".into(), "text", json!("a # b")),
                ("layers".into(), "list", json!([1, 2])),
                ("path".into(), "code", json!(null)),
                ("best".into(), "number", json!("-Infinity")),
                ("empty".into(), "none", json!(null)),
                ("n".into(), "integer", json!(5)),
            ]
        );
        assert_eq!(declared(source)[0].help, "learning rate");
    }

    #[test]
    fn broken_sources_give_no_parameters() {
        for source in ["", "a = ", "= 3", "a = '''", "a = [1,\n", "3 = 4", "\u{0}"] {
            assert_eq!(kinds(source), [], "{source:?}");
        }
    }

    #[test]
    fn texts_become_what_the_notebook_declares() {
        let declared = declared("lr = 0.1\nn = 1\nflag = False\nname = 'x'\nlist = []\nopen = f()");
        let given = json!({"lr": "nan", "n": "5", "flag": "TRUE", "name": 7, "list": "[1]", "open": "5", "new": [1.5]});
        let values = coerce(&declared, given.as_object().unwrap()).unwrap();
        assert!(matches!(values[0].1, Literal::Number(value) if value.is_nan()));
        let rest: Vec<_> = values[1..]
            .iter()
            .map(|(_, value)| value.to_json())
            .collect();
        assert_eq!(
            rest,
            [
                json!(5),
                json!(true),
                json!("7"),
                json!([1]),
                json!("5"),
                json!([1.5])
            ]
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_by_name() {
        let declared = declared("lr = 0.1\nflag = False\nlist = []\nname = 'x'");
        for given in [
            json!({"lr": "fast"}),
            json!({"lr": [1]}),
            json!({"flag": 1}),
            json!({"list": "x"}),
            json!({"name": {}}),
        ] {
            let given = given.as_object().unwrap();
            let error = coerce(&declared, given).unwrap_err().to_string();
            let name = given.keys().next().unwrap();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
