//! Julia.

use super::{finite, joined, quoted, unicode};
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
        Literal::Null => "nothing".into(),
        Literal::Bool(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Number(value) if value.is_nan() => "NaN".into(),
        Literal::Number(value) if value.is_infinite() => {
            format!("{}Inf", if *value < 0.0 { "-" } else { "" })
        }
        Literal::Number(value) => finite(*value),
        Literal::Text(value) => text(value),
        Literal::List(items) => {
            let items = joined(items, |item| Ok(write(item))).unwrap_or_default();
            format!("[{items}]")
        }
        Literal::Map(entries) => {
            let entry =
                |(key, value): &(String, Literal)| Ok(format!("{} => {}", text(key), write(value)));
            format!("Dict({})", joined(entries, entry).unwrap_or_default())
        }
    }
}

/// A dollar sign in a text of Julia runs code, so it is escaped.
fn text(value: &str) -> String {
    quoted(value, "\"\\$", unicode)
}
