//! What is not needed and cannot be removed, because a record that should be gone refers to it.

use crate::Result;
use crate::error::Error;
use crate::objects::Hash;

/// Removes some at once or, where one of them cannot be, one by one: that one stays, and is told. Blocks.
pub(super) fn pass_over<T, R>(
    chunk: &[T],
    name: fn(&T) -> Hash,
    remove: &dyn Fn(&[T]) -> Result<R>,
) -> Result<Vec<R>> {
    match (remove(chunk), chunk) {
        // The database says so of a reference that would lead nowhere.
        (Err(Error::NotFound(_)), [one]) => {
            tracing::error!(hash = %name(one), "nothing needs this, but a record that should be gone refers to it: it stays");
            Ok(Vec::new())
        }
        (Err(Error::NotFound(_)), _) => {
            let mut done = Vec::new();
            for one in chunk.chunks(1) {
                done.extend(pass_over(one, name, remove)?);
            }
            Ok(done)
        }
        (done, _) => Ok(vec![done?]),
    }
}
