//! Values of parameters as programming languages have them: JSON's types, whole numbers told from others, NaN and infinities.

use serde_json::{Map, Number, Value};

mod parse;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `None`, `NULL`, `null`.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number, with NaN and the infinities.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Literal>),
    /// Names with values, in order.
    Map(Vec<(String, Literal)>),
}

impl Literal {
    /// Reads a literal as Python, R, Julia, bash or JSON write it; `None` for anything that would have to be computed.
    pub fn parse(text: &str) -> Option<Self> {
        parse::literal(text)
    }

    /// The word for its type: `none`, `boolean`, `integer`, `number`, `text`, `list` or `map`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "none",
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The value as JSON; NaN and the infinities, which JSON lacks, become the texts `NaN`, `Infinity`, `-Infinity`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Integer(value) => integer(*value),
            Self::Number(value) => number(*value),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

impl From<&Value> for Literal {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => from_number(value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                Self::Map(
                    entries
                        .map(|(key, value)| (key.clone(), value.into()))
                        .collect(),
                )
            }
        }
    }
}

/// Reads the names of the numbers that JSON lacks, as Python, R and JSON-like formats write them.
pub(crate) fn special_number(text: &str) -> Option<f64> {
    let (sign, name) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match name.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "inf" | "infinity" => Some(sign * f64::INFINITY),
        _ => None,
    }
}

fn from_number(number: &Number) -> Literal {
    if let Some(value) = number.as_i64() {
        return Literal::Integer(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Literal::Integer(value.into());
    }
    Literal::Number(number.as_f64().unwrap_or(f64::NAN))
}

fn integer(value: i128) -> Value {
    let small = i64::try_from(value).map(Number::from);
    let number = small.or_else(|_| u64::try_from(value).map(Number::from));
    number.map_or_else(|_| Value::String(value.to_string()), Value::Number)
}

fn number(value: f64) -> Value {
    let text = || {
        let name = match (value.is_nan(), value > 0.0) {
            (true, _) => "NaN",
            (false, true) => "Infinity",
            (false, false) => "-Infinity",
        };
        Value::String(name.into())
    };
    Number::from_f64(value).map_or_else(text, Value::Number)
}
