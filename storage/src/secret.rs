//! Secrets: making them, hashing them for lookup, and sealing the few that must be read again.
//! Nothing here prints a secret: `Debug` shows only that there is one.

mod sealing;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use sealing::SealingKey;

/// What every token begins with, so that scanners find leaked ones.
pub const TOKEN_PREFIX: &str = "cairn_";
/// No vowels and nothing that looks like something else: no words, no misreading.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A secret as text. Shown to its owner once; only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// 32 random bytes, as 43 characters that need no escaping in URLs, cookies and headers.
    pub fn mint() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random::<32>()))
    }

    /// A token: [`TOKEN_PREFIX`] and 32 random bytes.
    pub fn mint_token() -> Self {
        Self(format!(
            "{TOKEN_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(random::<32>())
        ))
    }

    /// The text itself. Call it only where the secret leaves for its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up instead of it.
    pub fn hash(&self) -> String {
        hash(&self.0)
    }
}

impl From<String> for Secret {
    /// A secret that somebody else made.
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The hash under which a secret is stored: BLAKE3 in hexadecimal.
///
/// A plain hash is enough, because what it covers is 32 random bytes; people's passwords never come here. The lookup by hash leaks nothing
/// useful through its timing: who does not know the secret cannot choose its hash.
pub fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A code that people read from one screen and type on another: `BCDF-GHJK`.
pub(crate) fn user_code() -> String {
    let letters = USER_CODE_LETTERS.len();
    let mut code = String::with_capacity(9);
    while code.len() < 9 {
        if code.len() == 4 {
            code.push('-');
        }
        let [byte] = random::<1>();
        // 240 is the largest multiple of 20: what lies above would favour some letters.
        if byte < 240 {
            code.push(char::from(USER_CODE_LETTERS[usize::from(byte) % letters]));
        }
    }
    code
}

#[expect(
    clippy::expect_used,
    reason = "a process without randomness must not make secrets"
)]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_secrets_differ_and_have_their_form() {
        let token = Secret::mint_token();
        assert_ne!(token, Secret::mint_token());
        assert_eq!(token.expose().len(), TOKEN_PREFIX.len() + 43);
        assert_eq!(Secret::mint().expose().len(), 43);
        assert_eq!(token.hash().len(), 64);
    }

    #[test]
    fn debug_hides_the_secret() {
        let secret = Secret::mint();
        assert!(!format!("{secret:?}").contains(secret.expose()));
    }

    #[test]
    fn user_codes_are_easy_to_type() {
        let code = user_code();
        assert_eq!((code.len(), &code[4..5]), (9, "-"));
        assert!(
            code.bytes()
                .all(|b| b == b'-' || USER_CODE_LETTERS.contains(&b))
        );
    }
}
