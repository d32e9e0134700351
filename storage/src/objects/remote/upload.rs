//! Writes what lies on this host into the bucket: small things together, long ones by themselves and in parts.

use std::fs::File;
use std::io::Read as _;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::super::{Hash, Key, Objects as _, blocking, corrupt, io_error};
use super::Remote;
use super::places::{self, KeyName};
use crate::db::Tx;
use crate::{Error, Result};

/// What is no longer than this shares a key with others.
pub(super) const SMALL_BYTES: u64 = 128 << 10;
/// How long a shared key grows.
const PACK_BYTES: u64 = 8 << 20;
/// Keys written at a time.
const AT_ONCE: usize = 6;
/// Keys that one transaction stages.
const STAGED: usize = 256;

/// A key to be written, and what goes into it: each with its start and size.
struct Parcel {
    key: KeyName,
    bytes: u64,
    parts: Vec<(Key, u64, u64)>,
}

impl Parcel {
    /// Whether it is one thing by itself.
    fn is_single(&self) -> bool {
        self.parts.len() == 1
    }
}

/// Writes those of these, which are on this host, that have no place in the bucket. In this order they share keys.
///
/// # Errors
/// `Unavailable` where the bucket does not answer; what was written by then has its place.
pub(super) async fn upload(remote: &Remote, keys: &[Key]) -> Result<()> {
    let placed = places::placed(remote.db(), keys).await?;
    let mut wanting = keys.iter().filter(|key| !placed.contains(key)).peekable();
    while wanting.peek().is_some() {
        let parcels = pack(remote, &mut wanting)?;
        let staged: Vec<(KeyName, u64)> = parcels
            .iter()
            .map(|parcel| (parcel.key.clone(), parcel.bytes))
            .collect();
        let staged = &staged;
        let work = |mut tx: Tx| async move { places::stage(&mut tx, staged).await };
        remote.db().write(work).await?;
        crate::objects::step("staged in the bucket");
        futures_util::stream::iter(parcels.into_iter().map(|parcel| send(remote, parcel)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

/// Makes the next parcels.
fn pack<'a>(remote: &Remote, wanting: &mut impl Iterator<Item = &'a Key>) -> Result<Vec<Parcel>> {
    let clock = remote.db().clock().clone();
    let mut parcels = Vec::new();
    let mut open: Option<Parcel> = None;
    while parcels.len() < STAGED {
        let Some(key) = wanting.next() else {
            break;
        };
        let bytes = remote.inner.files.size(key.0, &key.1)?;
        let bytes = bytes.ok_or_else(|| {
            Error::unavailable(
                format!("cannot keep {} in the bucket", key.1),
                "it was collected meanwhile",
            )
        })?;
        if bytes > SMALL_BYTES {
            parcels.push(Parcel {
                key: KeyName::of(*key, &*clock),
                bytes,
                parts: vec![(*key, 0, bytes)],
            });
            continue;
        }
        let pack = open.get_or_insert_with(|| Parcel {
            key: KeyName::pack(&*clock),
            bytes: 0,
            parts: Vec::new(),
        });
        pack.parts.push((*key, pack.bytes, bytes));
        pack.bytes += bytes;
        if pack.bytes >= PACK_BYTES {
            parcels.extend(open.take());
        }
    }
    parcels.extend(open);
    for parcel in parcels.iter_mut().filter(|parcel| parcel.is_single()) {
        parcel.key = KeyName::of(parcel.parts[0].0, &*clock);
    }
    Ok(parcels)
}

async fn send(remote: &Remote, parcel: Parcel) -> Result<()> {
    let bucket = &remote.inner.bucket;
    if parcel.bytes > PACK_BYTES + SMALL_BYTES {
        let (space, hash) = parcel.parts[0].0;
        whole(remote, (space, hash)).await?;
        let (path, parts) = (
            remote.inner.files.place(space, &hash),
            remote.inner.abilities.parts,
        );
        bucket
            .put_file(&parcel.key.name, &path, parcel.bytes, parts)
            .await?;
    } else {
        let body = body(remote, &parcel).await?;
        bucket.put(&parcel.key.name, body).await?;
    }
    if !remote.inner.abilities.checksums {
        prove(remote, &parcel).await?;
    }
    crate::objects::step("one sent");
    let parcel = &parcel;
    let work =
        |mut tx: Tx| async move { places::settle(&mut tx, &parcel.key, &parcel.parts).await };
    remote.db().write(work).await?;
    crate::objects::step("one settled");
    Ok(())
}

fn file(remote: &Remote, (space, hash): &Key) -> Result<File> {
    let failed = |error| io_error(format!("cannot read {hash} to send it"), error);
    File::open(remote.inner.files.place(*space, hash)).map_err(failed)
}

/// Looks at what is about to be sent once more; what is damaged here goes, so that it can come again.
async fn whole(remote: &Remote, (space, hash): Key) -> Result<()> {
    let owned = remote.clone();
    let found = blocking(move || {
        let mut found = blake3::Hasher::new();
        let read = found.update_reader(file(&owned, &(space, hash))?);
        read.map_err(|error| io_error(format!("cannot read {hash} to send it"), error))?;
        Ok(Hash::from(found.finalize()))
    });
    if found.await? == hash {
        return Ok(());
    }
    remote.inner.files.remove(space, &hash)?;
    Err(Error::unavailable(
        format!("cannot keep {hash} in the bucket"),
        "it was damaged on this host: send it again",
    ))
}

/// Everything in a parcel that fits into memory. It is looked at once more on the way: what is damaged here is not sent.
async fn body(remote: &Remote, parcel: &Parcel) -> Result<Bytes> {
    let (remote, parts) = (remote.clone(), parcel.parts.clone());
    blocking(move || {
        let mut body = Vec::new();
        for (key, start, bytes) in parts {
            let failed = |error| io_error(format!("cannot read {} to send it", key.1), error);
            let mut content = file(&remote, &key)?.take(bytes + 1);
            let read = content.read_to_end(&mut body).map_err(failed)?;
            let from = usize::try_from(start).unwrap_or_default();
            let is_it = key.0 != crate::objects::Space::Objects || Hash::of(&body[from..]) == key.1;
            if read as u64 != bytes || !is_it {
                return Err(corrupt(format!("object {} has other content", key.1)));
            }
        }
        Ok(Bytes::from(body))
    })
    .await
}

/// Reads what was sent to a server that does not check it, and compares it with what is here.
async fn prove(remote: &Remote, parcel: &Parcel) -> Result<()> {
    let other = || {
        Error::unavailable(
            format!("cannot keep {:?} in the bucket", parcel.key.name),
            "what the server has is not what was sent",
        )
    };
    let whole = remote
        .inner
        .bucket
        .get(&parcel.key.name, 0..parcel.bytes, None)
        .await?;
    let mut whole = whole.ok_or_else(other)?;
    let mut found = blake3::Hasher::new();
    while let Some(piece) = whole.next().await? {
        found.update(&piece);
    }
    let (owned, parts) = (remote.clone(), parcel.parts.clone());
    let sent = blocking(move || {
        let mut sent = blake3::Hasher::new();
        for (key, _, _) in parts {
            let read = sent.update_reader(file(&owned, &key)?);
            read.map_err(|error| io_error(format!("cannot read {}", key.1), error))?;
        }
        Ok(sent.finalize())
    });
    (found.finalize() == sent.await?)
        .then_some(())
        .ok_or_else(other)
}
