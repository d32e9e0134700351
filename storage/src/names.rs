//! Named values (states, roles, kinds) as text, and the rules for names that people choose.

use crate::error::{Error, Result};

/// Makes an enum whose values have one text each: in the database, in JSON and in print.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$value_doc])* #[serde(rename = $text)] $value,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// Its text, the same everywhere.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> $crate::error::Result<Self> {
                match text {
                    $($text => Ok(Self::$value),)*
                    _ => Err($crate::error::Error::invalid(concat!("this is not a ", stringify!($name)))),
                }
            }
        }
    };
}

pub(crate) use named;

const NAME_LENGTH: usize = 63;

/// Checks the name of a user, project, workspace, input or other thing that stands in paths and host names.
///
/// 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
///
/// # Errors
/// `Invalid`, which says the rule.
pub fn check(what: &str, name: &str) -> Result<()> {
    let first = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    if first && rest && name.len() <= NAME_LENGTH {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the name of a {what} has 1 to {NAME_LENGTH} lower-case letters, digits, dots, underscores and hyphens, and begins with a letter or digit"
    )))
}

/// Checks text that people only read: no control characters but line breaks, at most `limit` bytes.
///
/// # Errors
/// `Invalid`, which says the rule.
pub fn check_text(what: &str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit {
        return Err(Error::invalid(format!(
            "the {what} has more than {limit} bytes"
        )));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(Error::invalid(format!(
            "the {what} holds control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "0", "vision", "v1.2_x-y", &"a".repeat(63)] {
            check("project", good).unwrap();
        }
        for bad in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "A",
            "ä",
            "a b",
            "a/b",
            "a\0",
            &"a".repeat(64),
        ] {
            assert!(check("project", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn text_has_no_control_characters() {
        check_text("description", "two\nlines", 20).unwrap();
        assert!(check_text("description", "\u{1b}[2J", 20).is_err());
        assert!(check_text("description", "too long", 3).is_err());
    }
}
