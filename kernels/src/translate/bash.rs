//! bash: every value is text; a list is an array, a map an associative array, and what nests in them is JSON text.

use super::finite;
use crate::literal::Literal;

pub(super) fn assign(name: &str, value: &Literal) -> Result<String, &'static str> {
    if !name.is_ascii() {
        return Err("a variable's name in bash is ASCII letters, digits and underscores");
    }
    Ok(match value {
        Literal::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(write).collect();
            format!("{name}=({})", items?.join(" "))
        }
        Literal::Map(entries) => {
            let entry = |(key, value): &(String, Literal)| {
                if key.is_empty() {
                    return Err("an array of bash has no empty keys");
                }
                Ok(format!("[{}]={}", text(key)?, write(value)?))
            };
            let entries: Result<Vec<_>, _> = entries.iter().map(entry).collect();
            format!("declare -A {name}=({})", entries?.join(" "))
        }
        value => format!("{name}={}", write(value)?),
    })
}

fn write(value: &Literal) -> Result<String, &'static str> {
    Ok(match value {
        Literal::Null => "''".into(),
        Literal::Bool(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Number(value) if value.is_finite() => finite(*value),
        Literal::Number(value) => value.to_string().to_lowercase(),
        Literal::Text(value) => text(value)?,
        Literal::List(_) | Literal::Map(_) => text(&value.to_json().to_string())?,
    })
}

fn text(value: &str) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("a text of bash cannot hold a NUL character");
    }
    Ok(format!("'{}'", value.replace('\'', "'\\''")))
}
