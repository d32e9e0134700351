//! Takes the bytes of one object, from where the last request left off, and checks them against hash and size.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::Serialize;

use super::entries::{held, sizes};
use super::spool::hash_of;
use super::{Spool, open, touch};
use crate::ids::UploadId;
use crate::objects::{Hash, Store, blocking, io_error};
use crate::{Error, Result};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1024 * 1024;

/// How far an object has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The bytes that are here; the next request goes on from there.
    pub offset: u64,
    /// Whether the object is whole and its content proven.
    pub complete: bool,
}

/// Says how far an object has come. One that the project holds is complete.
///
/// `complete: false` with `offset` equal to the size means that the content is here but not proven: send an empty body at that offset.
///
/// # Errors
/// `NotFound` when there is no such upload or it did not declare the hash, `Conflict` when it is not open.
pub async fn received(store: &Store, id: UploadId, hash: Hash) -> Result<Received> {
    let upload = open(store, id).await?;
    size_of(store, id, &hash).await?;
    if let Some((_, size)) = held(store, upload.project_id, &[hash]).await?.first() {
        return Ok(Received {
            offset: *size,
            complete: true,
        });
    }
    let spool = Spool::of(store, id);
    blocking(move || {
        Ok(Received {
            offset: spool.offset(&hash)?,
            complete: spool.done(&hash).is_some(),
        })
    })
    .await
}

/// Appends `body` to an object at `offset`, which may not lie beyond what is here. Sending a whole object again is fine.
///
/// What arrived before a broken `body` or a dropped future is kept: ask [`received`] and go on. Content that turns out not to be `hash` is dropped.
///
/// # Errors
/// `NotFound` when there is no such upload or it did not declare the hash; `Conflict` when it is not open, another request sends the same
/// object, or `offset` is beyond what is here; `Invalid` when there are more bytes than declared or the content is not `hash`; `Unavailable`
/// when the body broke or the disk is full.
pub async fn put<S, E>(
    store: &Store,
    id: UploadId,
    hash: Hash,
    offset: u64,
    body: S,
) -> Result<Received>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let upload = open(store, id).await?;
    let size = size_of(store, id, &hash).await?;
    touch(store, &upload).await?;
    let spool = Spool::of(store, id);
    if spool.done(&hash).is_some() {
        return Ok(Received {
            offset: size,
            complete: true,
        });
    }
    let file = {
        let spool = spool.clone();
        blocking(move || open_at(&spool, &hash, offset)).await?
    };
    let Written {
        file,
        offset,
        proven,
    } = write(file, offset, size, body).await?;
    if offset < size {
        return Ok(Received {
            offset,
            complete: false,
        });
    }
    blocking(move || {
        let mut file = file;
        let found = match proven {
            Some(found) => found,
            None => hash_of(&mut file)?.0,
        };
        if found != hash {
            spool.drop_part(&hash)?;
            return Err(Error::invalid("the content is not what its hash says"));
        }
        spool.finish(&hash)?;
        Ok(Received {
            offset,
            complete: true,
        })
    })
    .await
}

async fn size_of(store: &Store, id: UploadId, hash: &Hash) -> Result<u64> {
    match sizes(store, id, hash).await?[..] {
        [size] => Ok(size),
        [] => Err(Error::not_found("the upload has not declared this hash")),
        _ => Err(Error::invalid(
            "the upload has declared several sizes for this hash",
        )),
    }
}

fn open_at(spool: &Spool, hash: &Hash, offset: u64) -> Result<File> {
    let mut file = spool.part(hash)?;
    let failed = |error| io_error("cannot write an upload", error);
    let here = file.metadata().map_err(failed)?.len();
    if offset > here {
        return Err(Error::conflict(format!(
            "only {here} bytes of the object are here"
        )));
    }
    file.set_len(offset).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    Ok(file)
}

/// A file as far as its body came.
struct Written {
    file: File,
    offset: u64,
    /// The hash of the whole, when all of it went by in this request.
    proven: Option<Hash>,
}

async fn write<S, E>(mut file: File, start: u64, size: u64, body: S) -> Result<Written>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut body = std::pin::pin!(body);
    let mut hasher = (start == 0).then(blake3::Hasher::new);
    let mut offset = start;
    loop {
        let mut chunk = Vec::new();
        let mut broken = None;
        while chunk.len() < WRITE_BYTES {
            match body.next().await {
                Some(Ok(bytes)) => chunk.extend_from_slice(&bytes),
                Some(Err(error)) => {
                    broken = Some(error.into());
                    break;
                }
                None => break,
            }
            if offset + chunk.len() as u64 > size {
                return Err(Error::invalid(
                    "the object has more bytes than were declared",
                ));
            }
        }
        let ended = chunk.len() < WRITE_BYTES;
        offset += chunk.len() as u64;
        (file, hasher) = blocking(move || append(file, hasher, &chunk)).await?;
        if let Some(error) = broken {
            return Err(Error::unavailable("the body of an upload broke off", error));
        }
        if ended {
            return Ok(Written {
                file,
                offset,
                proven: hasher.map(|hasher| hasher.finalize().into()),
            });
        }
    }
}

type Hasher = Option<blake3::Hasher>;

fn append(mut file: File, mut hasher: Hasher, chunk: &[u8]) -> Result<(File, Hasher)> {
    if let Some(hasher) = &mut hasher {
        hasher.update(chunk);
    }
    file.write_all(chunk)
        .map_err(|error| io_error("cannot write an upload", error))?;
    Ok((file, hasher))
}
