//! Writes parameters as source code of the kernel's language, so that every value arrives exactly as it was given.
//!
//! Source: papermill 2.7 `translators.py`, whose text is kept for Python; where its quoting loses or runs something, ours differs.

mod bash;
mod julia;
mod python;
mod r;

use crate::error::{Error, Result};
use crate::literal::Literal;

/// Writes one assignment; `Err` says what the language cannot express.
type Assign = fn(&str, &Literal) -> std::result::Result<String, &'static str>;

/// Source code that sets `parameters`, for a kernel of this name or else this language.
///
/// # Errors
/// `Invalid` for a language without a translator, a name that is no variable's name there, or a value it cannot express.
pub(crate) fn source(
    kernel: &str,
    language: &str,
    parameters: &[(String, Literal)],
) -> Result<String> {
    let assign = translator(kernel)
        .or_else(|| translator(language))
        .ok_or_else(|| {
            Error::Invalid(format!(
                "parameters cannot be given to a notebook in `{language}` (kernel `{kernel}`): Python, R, Julia and bash take them"
            ))
        })?;
    let mut source = String::from("# Parameters\n");
    for (name, value) in parameters {
        check_name(name)?;
        let line = assign(name, value)
            .map_err(|why| Error::Invalid(format!("parameter `{name}` cannot be given: {why}")))?;
        source.push_str(&line);
        source.push('\n');
    }
    Ok(source)
}

fn translator(name: &str) -> Option<Assign> {
    match name.to_lowercase().as_str() {
        "python" | "python2" | "python3" | "ipython" | "xpython" => Some(python::assign),
        "r" | "ir" | "xr" => Some(r::assign),
        "bash" | "sh" | "zsh" => Some(bash::assign),
        name if name.starts_with("julia") => Some(julia::assign),
        _ => None,
    }
}

/// A name must be a plain word: it is written into source code.
fn check_name(name: &str) -> Result<()> {
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "`{name}` cannot be a parameter: a name is letters, digits and underscores, and begins with no digit"
    )))
}

/// Writes a text in double quotes with backslash escapes; `escape` gives what stands for a character outside of ASCII
/// or a control character.
fn quoted(text: &str, special: &str, escape: fn(char) -> String) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            character if special.contains(character) => {
                out.push('\\');
                out.push(character);
            }
            ' '..='~' => out.push(character),
            character => out.push_str(&escape(character)),
        }
    }
    out.push('"');
    out
}

/// The code of a character in as many digits as Python and R write.
fn unicode(character: char) -> String {
    match u32::from(character) {
        code @ 0..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// A finite number as Python's `repr` writes it, which R and Julia read too.
fn finite(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("`{:e}` always writes an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    if value == 0.0 || (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Joins the parts of a list or the like with commas.
fn joined<T>(
    items: &[T],
    write: impl Fn(&T) -> std::result::Result<String, &'static str>,
) -> std::result::Result<String, &'static str> {
    let parts: std::result::Result<Vec<_>, _> = items.iter().map(write).collect();
    Ok(parts?.join(", "))
}

#[cfg(test)]
mod tests;
