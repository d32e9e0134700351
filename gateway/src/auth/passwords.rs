//! Passwords: argon2id, off the async threads, a bounded number at once. It knows no users.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// The fewest characters of a new password.
pub(crate) const SHORTEST_CHARS: usize = 10;

/// The most bytes of any password; a longer one is refused before it is hashed.
pub(crate) const LONGEST_BYTES: usize = 1024;

/// How long a check waits for its turn before the client is told to come back.
const TURN: Duration = Duration::from_secs(5);

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once.max(1))),
        }
    }

    /// Whether `password` belongs to `hash`. Without a hash it takes as long and answers no, so that time tells nothing about
    /// which names exist.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        if password.len() > LONGEST_BYTES {
            return Ok(false);
        }
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| nobodys_hash().to_owned());
            let parsed = PasswordHash::new(&hash).map_err(ApiError::internal)?;
            let matches = Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok();
            Ok(matches && known)
        })
        .await
    }

    /// The text to store for a new password.
    ///
    /// # Errors
    /// 400 where it is too short or too long; 503 where too many are being hashed.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        if password.chars().count() < SHORTEST_CHARS {
            return Err(ApiError::invalid("A password has at least 10 characters."));
        }
        if password.len() > LONGEST_BYTES {
            return Err(ApiError::invalid("A password has at most 1024 bytes."));
        }
        self.in_turn(move || hash(&password)).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(ApiError::unavailable(
                "too many passwords are being checked",
            ));
        };
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        })
        .await
        .map_err(ApiError::internal)?
    }
}

fn hash(password: &str) -> Result<String, ApiError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| ApiError::internal(error.to_string()))
}

/// A hash that no password is kept for, with the cost of a real one.
fn nobodys_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody's password").expect("the default parameters are valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(1);
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"));
        let verify =
            |word: &str, hash: Option<&String>| passwords.verify(word.to_owned(), hash.cloned());
        assert!(verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!verify("nobody's password", None).await.unwrap());
        assert!(!verify(&"x".repeat(10 << 20), Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let passwords = Passwords::new(1);
        for word in ["", "123456789", &"x".repeat(1025)] {
            let error = passwords.hash(word.to_owned()).await.unwrap_err();
            assert_eq!(error.status(), 400);
        }
    }
}
