//! Python.

use super::{finite, joined, quoted};
use crate::literal::Literal;

#[expect(
    clippy::unnecessary_wraps,
    reason = "other languages cannot express every value"
)]
pub(super) fn assign(name: &str, value: &Literal) -> Result<String, &'static str> {
    Ok(format!("{name} = {}", write(value)))
}

fn write(value: &Literal) -> String {
    match value {
        Literal::Null => "None".into(),
        Literal::Bool(true) => "True".into(),
        Literal::Bool(false) => "False".into(),
        Literal::Integer(value) => value.to_string(),
        Literal::Number(value) if value.is_nan() => "float('nan')".into(),
        Literal::Number(value) if value.is_infinite() => {
            format!("float('{}inf')", if *value < 0.0 { "-" } else { "" })
        }
        Literal::Number(value) => finite(*value),
        Literal::Text(value) => text(value),
        Literal::List(items) => {
            let items = joined(items, |item| Ok(write(item))).unwrap_or_default();
            format!("[{items}]")
        }
        Literal::Map(entries) => {
            let entry =
                |(key, value): &(String, Literal)| Ok(format!("{}: {}", text(key), write(value)));
            format!("{{{}}}", joined(entries, entry).unwrap_or_default())
        }
    }
}

fn text(value: &str) -> String {
    quoted(value, "\"\\", |character| match u32::from(character) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        _ => super::unicode(character),
    })
}
