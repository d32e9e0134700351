//! Text that came from outside, made fit for a log line or a message: bounded, and without control characters.

use std::borrow::Cow;
use std::net::IpAddr;

/// `text` with at most `chars` characters and every control character escaped. An ellipsis marks a cut.
pub(crate) fn bounded(text: &str, chars: usize) -> Cow<'_, str> {
    let cut = text.char_indices().nth(chars).map(|(at, _)| at);
    if cut.is_none() && !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::new();
    for (count, character) in text.chars().flat_map(escaped).enumerate() {
        if count == chars {
            clean.push('…');
            break;
        }
        clean.push(character);
    }
    Cow::Owned(clean)
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let (plain, escape) = if is_harmful(character) {
        (None, Some(character.escape_unicode()))
    } else {
        (Some(character), None)
    };
    plain.into_iter().chain(escape.into_iter().flatten())
}

/// An address as text. Every request needs it, and the formatter's way to it is ten times as long.
pub(crate) fn address(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut text = String::with_capacity(15);
    for (at, byte) in address.octets().into_iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        for place in [100, 10, 1] {
            if byte >= place || place == 1 {
                text.push(char::from(b'0' + byte / place % 10));
            }
        }
    }
    text
}

/// Controls, and the invisible characters that reorder what a person reads.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_usual() {
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "255.10.99.100",
            "10.9.200.205",
            "::1",
            "2001:db8::7",
        ] {
            assert_eq!(address(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn a_huge_hostile_name_becomes_a_short_harmless_one() {
        let name = "\u{1b}[2Jroot\r\n".repeat(1 << 20);
        let clean = bounded(&name, 64);
        assert_eq!(clean.chars().count(), 65);
        assert!(!clean.contains(char::is_control));
        assert!(clean.starts_with("\\u{1b}[2Jroot\\u{d}"));
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert!(matches!(bounded("Zoë Ω", 64), Cow::Borrowed("Zoë Ω")));
        assert_eq!(bounded("abcdef", 3), "abc…");
    }
}
