//! R.

use super::{finite, joined, quoted, unicode};
use crate::literal::Literal;

pub(super) fn assign(name: &str, value: &Literal) -> Result<String, &'static str> {
    // No variable of R begins with an underscore; papermill drops them too.
    let name = name.trim_start_matches('_');
    if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
        return Err("no variable of R can have this name");
    }
    Ok(format!("{name} = {}", write(value)?))
}

fn write(value: &Literal) -> Result<String, &'static str> {
    Ok(match value {
        Literal::Null => "NULL".into(),
        Literal::Bool(true) => "TRUE".into(),
        Literal::Bool(false) => "FALSE".into(),
        Literal::Integer(value) => value.to_string(),
        Literal::Number(value) if value.is_nan() => "NaN".into(),
        Literal::Number(value) if value.is_infinite() => {
            format!("{}Inf", if *value < 0.0 { "-" } else { "" })
        }
        Literal::Number(value) => finite(*value),
        Literal::Text(value) => text(value)?,
        Literal::List(items) => format!("list({})", joined(items, write)?),
        Literal::Map(entries) => {
            let entry = |(key, value): &(String, Literal)| {
                if key.is_empty() {
                    return Err("a list of R has no empty names");
                }
                Ok(format!("{} = {}", text(key)?, write(value)?))
            };
            format!("list({})", joined(entries, entry)?)
        }
    })
}

fn text(value: &str) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("a text of R cannot hold a NUL character");
    }
    Ok(quoted(value, "\"\\", unicode))
}
