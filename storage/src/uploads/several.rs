//! Takes many small objects in one request: where files are small, a request for each costs more than their bytes.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::entries::{ASKED, declared_sizes};
use super::{Spool, Upload, open, touch};
use crate::ids::UploadId;
use crate::objects::{Hash, Store, blocking};
use crate::several::split;
use crate::{Error, Result};

/// What is gathered before it is written: as many objects as one question asks for, and bytes.
const GROUP: usize = ASKED;
const GROUP_BYTES: usize = 4 << 20;

/// An object as it came.
type Small = (Hash, Bytes);

/// Takes objects one after the other, as [`crate::several`] frames them. Returns how many came. Sending them again is fine.
///
/// Those that came whole before a broken `body`, a dropped future or a bad one are kept, but for the last two hundred at most.
///
/// # Errors
/// `NotFound` when there is no such upload or it did not declare a hash; `Conflict` when it is not open; `Invalid` when an object is too large
/// to come with others, its size is not the declared one, its content is not what its hash says, or the last one is cut short; `Unavailable`
/// when the body broke or the disk is full.
pub async fn put_several<S, E>(store: &Store, id: UploadId, body: S) -> Result<u64>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let upload = open(store, id).await?;
    touch(store, &upload).await?;
    let mut body = std::pin::pin!(body);
    let (mut buffer, mut group, mut count) = (BytesMut::new(), Group::default(), 0);
    loop {
        let mut end = match body.next().await {
            Some(Ok(bytes)) => {
                buffer.extend_from_slice(&bytes);
                None
            }
            Some(Err(error)) => {
                let broken = Error::unavailable("the body of an upload broke off", error.into());
                Some(Err(broken))
            }
            None => Some(Ok(())),
        };
        while let Some(small) = split(&mut buffer)? {
            group.add(small);
            if group.is_full() {
                count += group.keep(store, &upload).await?;
            }
        }
        if matches!(end, Some(Ok(()))) && !buffer.is_empty() {
            end = Some(Err(Error::invalid("the last object is cut short")));
        }
        if let Some(end) = end {
            count += group.keep(store, &upload).await?;
            return end.map(|()| count);
        }
    }
}

/// What is written together.
#[derive(Default)]
struct Group {
    objects: Vec<Small>,
    bytes: usize,
}

impl Group {
    fn add(&mut self, small: Small) {
        self.bytes += small.1.len();
        self.objects.push(small);
    }

    fn is_full(&self) -> bool {
        self.objects.len() >= GROUP || self.bytes >= GROUP_BYTES
    }

    /// Checks and writes what was gathered; returns how many they are.
    async fn keep(&mut self, store: &Store, upload: &Upload) -> Result<u64> {
        let Self { objects, .. } = std::mem::take(self);
        if objects.is_empty() {
            return Ok(0);
        }
        let hashes: Vec<Hash> = objects.iter().map(|(hash, _)| *hash).collect();
        check_sizes(&objects, declared_sizes(store, upload.id, &hashes).await?)?;
        let spool = Spool::of(store, upload.id);
        blocking(move || {
            for (hash, content) in &objects {
                if Hash::of(content) != *hash {
                    return Err(Error::invalid(format!(
                        "the content of {hash} is not what its hash says"
                    )));
                }
                spool.keep(hash, content)?;
            }
            Ok(objects.len() as u64)
        })
        .await
    }
}

fn check_sizes(objects: &[Small], declared: Vec<(Hash, u64)>) -> Result<()> {
    let mut sizes = HashMap::new();
    for (hash, size) in declared {
        if sizes.insert(hash, size).is_some() {
            return Err(Error::invalid(format!(
                "the upload has declared several sizes for {hash}"
            )));
        }
    }
    for (hash, content) in objects {
        let Some(size) = sizes.get(hash) else {
            let message = format!("the upload has not declared {hash}");
            return Err(Error::not_found(message));
        };
        if *size != content.len() as u64 {
            let message = format!("{hash} was declared with {size} bytes");
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
