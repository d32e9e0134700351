//! One process at a time scrubs a store.

use std::fs::File;

use crate::error::Result;
use crate::objects::{Store, blocking};

/// Held while a process scrubs a store; the system lets go of it with the process.
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Takes it; none where another process has it.
///
/// # Errors
/// `Unavailable` when the store cannot be written.
pub async fn lock(store: &Store) -> Result<Option<Lock>> {
    let files = store.files().clone();
    blocking(move || Ok(files.scrubbing()?.map(Lock))).await
}
