//! What lies below a prefix, and the paths that its keys become.

use std::fmt::Write as _;

use crate::bucket::{Bucket, Listed};
use crate::manifest::{Order, check_path};
use crate::{Error, Result};

/// The most files of one adoption, as many as an upload may have.
const MOST_FILES: usize = 1_000_000;
/// The most bytes that their keys may have, all together: they are in memory.
const MOST_KEY_BYTES: usize = 256 << 20;
/// How many keys that are refused are named.
const NAMED: usize = 10;

/// A key that becomes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The path: the key without the prefix.
    pub(super) path: String,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) etag: String,
}

/// Lists the keys that begin with `within`, which is empty or ends with `/`, in the order of their paths. Empty keys that stand for folders are
/// passed over.
///
/// # Errors
/// `Invalid` where a key cannot be a path, which the error names, or there are none, or too many; `Unavailable` where the bucket does not answer.
pub(super) async fn list(bucket: &Bucket, within: &str) -> Result<Vec<Key>> {
    let (mut keys, mut key_bytes, mut refused) = (Vec::new(), 0, Refused::default());
    let mut listing = bucket.list(within);
    while let Some(page) = listing.next().await? {
        for listed in page {
            if listed.key.ends_with('/') && listed.head.bytes == 0 {
                continue;
            }
            key_bytes += listed.key.len();
            match key(within, listed) {
                Ok(key) => keys.push(key),
                Err(error) => refused.add(&error),
            }
        }
        if keys.len() > MOST_FILES || key_bytes > MOST_KEY_BYTES {
            return Err(Error::invalid(format!(
                "there are more than {MOST_FILES} files, or their names are too long: adopt folders of it as datasets of their own"
            )));
        }
    }
    keys.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    keys.dedup_by(|one, other| one.name == other.name);
    let mut order = Order::default();
    for key in &keys {
        if let Err(error) = order.next(&key.path) {
            refused.add(&error);
        }
    }
    refused.check()?;
    if keys.is_empty() {
        return Err(Error::invalid("there are no files below this prefix"));
    }
    Ok(keys)
}

pub(super) fn key(within: &str, listed: Listed) -> Result<Key> {
    let path = listed
        .key
        .strip_prefix(within)
        .unwrap_or_default()
        .to_owned();
    check_path(&path)?;
    if listed.head.pin.etag.is_empty() {
        return Err(Error::invalid(format!(
            "{path:?} has no ETag, without which a change would not be noticed"
        )));
    }
    Ok(Key {
        path,
        name: listed.key,
        bytes: listed.head.bytes,
        etag: listed.head.pin.etag,
    })
}

/// What cannot be adopted.
#[derive(Default)]
struct Refused {
    named: String,
    count: usize,
}

impl Refused {
    fn add(&mut self, why: &Error) {
        self.count += 1;
        if self.count <= NAMED {
            let between = if self.count == 1 { "" } else { "; " };
            write!(self.named, "{between}{why}").expect("writing to a string does not fail");
        }
    }

    fn check(self) -> Result<()> {
        let more = match self.count {
            0 => return Ok(()),
            count if count > NAMED => format!("; and {} more", count - NAMED),
            _ => String::new(),
        };
        Err(Error::invalid(format!(
            "keys here cannot be paths of files: {}{more}",
            self.named
        )))
    }
}
