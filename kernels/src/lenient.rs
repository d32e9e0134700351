//! Reads JSON of kernels that is nearly right: bytes that are not UTF-8, halves of surrogate pairs, NaN and infinities.
//! Python prints all of these, and no output may be lost for them.

use serde::de::DeserializeOwned;

/// Reads `bytes`, repairing them only where they cannot be read as they are.
///
/// What cannot be kept becomes U+FFFD, and a number that JSON lacks becomes null.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes).or_else(|error| {
        let repaired = repair(&String::from_utf8_lossy(bytes));
        // The first error tells more than one about repaired text would.
        serde_json::from_str(&repaired).map_err(|_| error)
    })
}

fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(character) = rest.chars().next() {
        let (taken, written) = match character {
            '"' => {
                in_string = !in_string;
                (1, None)
            }
            '\\' if in_string => escape(rest),
            _ if in_string => (character.len_utf8(), None),
            _ => number(rest).unwrap_or((character.len_utf8(), None)),
        };
        out.push_str(written.unwrap_or(&rest[..taken]));
        rest = &rest[taken..];
    }
    out
}

/// How long the escape at the start of `text` is, and what stands for it where it is half of a pair.
fn escape(text: &str) -> (usize, Option<&'static str>) {
    let Some(first) = code(text) else {
        return (text.chars().take(2).map(char::len_utf8).sum(), None);
    };
    match first {
        0xd800..0xdc00 if code(&text[6..]).is_some_and(|code| (0xdc00..0xe000).contains(&code)) => {
            (12, None)
        }
        0xd800..0xe000 => (6, Some("\u{fffd}")),
        _ => (6, None),
    }
}

/// The code of `\uXXXX` at the start of `text`.
fn code(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

fn number(text: &str) -> Option<(usize, Option<&'static str>)> {
    let names = ["NaN", "Infinity", "-Infinity"];
    let name = names.iter().find(|name| text.starts_with(**name))?;
    Some((name.len(), Some("null")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::from_slice;

    #[test]
    fn nearly_right_json_is_read() {
        let cases: [(&[u8], Value); 6] = [
            (b"{\"a\": \"x\xffy\"}", json!({"a": "x\u{fffd}y"})),
            (br#"["a\udc80b"]"#, json!(["a\u{fffd}b"])),
            (
                br#"["\ud83d\ude00 \ud83d \\ud83d"]"#,
                json!(["\u{1f600} \u{fffd} \\ud83d"]),
            ),
            (br#"[NaN, -Infinity, "NaN"]"#, json!([null, null, "NaN"])),
            (br#"["\"", Infinity]"#, json!(["\"", null])),
            (br#"["\ud83d"]"#, json!(["\u{fffd}"])),
        ];
        for (bytes, value) in cases {
            assert_eq!(from_slice::<Value>(bytes).unwrap(), value);
        }
    }

    #[test]
    fn broken_json_stays_an_error() {
        for bytes in [
            &b""[..],
            b"{",
            b"[\"\\",
            b"[\"\\u12",
            b"[\"\\ud83d\\u",
            b"\"\\\xff",
            b"nul",
        ] {
            from_slice::<Value>(bytes).unwrap_err();
        }
    }
}
