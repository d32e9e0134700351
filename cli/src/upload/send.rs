//! Sends the contents of files, several at a time.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use rustix::fs::{Mode, OFlags};
use storage::uploads::Declared;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::batch;
use crate::api::{Client, is_passing, status_of, types};
use crate::progress::Bytes;
use crate::small::parted;

/// How many files are on their way at the same time.
const AT_ONCE: usize = 8;
/// How often a file is tried without a byte of progress.
pub(super) const TRIES: u32 = 5;
/// What is read of a file at a time.
const READ_BYTES: usize = 256 * 1024;

/// A file is not what it was when it was hashed.
#[derive(Debug, thiserror::Error)]
#[error("{0} changes while it is sent: run it again once it is still")]
pub(super) struct Changed(pub(super) String);

/// Where contents come from and go to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) client: &'a Client,
    pub(super) upload: &'a str,
    pub(super) folder: &'a Path,
    pub(super) bar: &'a Bytes,
}

#[derive(serde::Deserialize)]
struct Received {
    offset: u64,
    complete: bool,
}

/// Sends the content of each entry.
///
/// # Errors
/// [`Changed`] when a file is no longer what was declared; else what the server said.
pub(super) async fn all(target: &Target<'_>, entries: Vec<&Declared>) -> anyhow::Result<()> {
    stream::iter(parted(entries, |entry| entry.size))
        .map(|part| batch::send(target, part))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

pub(super) async fn one(target: &Target<'_>, entry: &Declared) -> anyhow::Result<()> {
    let hash = entry
        .hash
        .as_ref()
        .context("a link has no content to send")?
        .to_string();
    let (mut offset, mut fruitless) = (0, 0);
    loop {
        let before = offset;
        let result = put(target, entry, &hash, offset).await;
        offset = match &result {
            Ok(received) if received.complete => {
                target.bar.add(entry.size - offset);
                return Ok(());
            }
            Ok(received) => received.offset,
            Err(error) if status_of(error).is_some_and(|status| status == 400) => {
                return Err(Changed(entry.path.clone()).into());
            }
            Err(error)
                if is_passing(error, true)
                    || status_of(error).is_some_and(|status| status == 409) =>
            {
                tokio::time::sleep(Duration::from_millis(200 << fruitless)).await;
                match reached(target, &hash).await {
                    Ok(received) => received,
                    Err(_) => before,
                }
            }
            Err(_) => return result.map(|_| ()),
        };
        anyhow::ensure!(
            offset <= entry.size,
            "the server has more of {} than was sent",
            entry.path
        );
        fruitless = if offset > before { 0 } else { fruitless + 1 };
        if offset >= before {
            target.bar.add(offset - before);
        } else {
            target.bar.undo(before - offset);
        }
        if fruitless >= TRIES {
            return result.and_then(|_| anyhow::bail!("{} does not get through", entry.path));
        }
    }
}

/// Sends a file from an offset on.
async fn put(
    target: &Target<'_>,
    entry: &Declared,
    hash: &str,
    offset: u64,
) -> anyhow::Result<Received> {
    let mut file = open(target.folder, entry)?;
    file.seek(SeekFrom::Start(offset))?;
    let rest = entry.size - offset;
    let body = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(rest), READ_BYTES);
    let request = target
        .client
        .request(Method::PUT, &["uploads", target.upload, "objects", hash])
        .query(&[("offset", offset)])
        .header("content-type", "application/octet-stream")
        .header("content-length", rest)
        .body(reqwest::Body::wrap_stream(body));
    let answer: serde_json::Value = target
        .client
        .checked(request)
        .await?
        .json()
        .await
        .context("the server's answer broke off")?;
    types::read(&answer)
}

/// Opens a file that is still as large as it was.
pub(super) fn open(folder: &Path, entry: &Declared) -> anyhow::Result<File> {
    let changed = || Changed(entry.path.clone());
    let opened = rustix::fs::open(
        folder.join(&entry.path),
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let file = File::from(opened.map_err(|_| changed())?);
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() != entry.size {
        return Err(changed().into());
    }
    Ok(file)
}

/// How much of a content has arrived.
async fn reached(target: &Target<'_>, hash: &str) -> anyhow::Result<u64> {
    let request = target
        .client
        .request(Method::HEAD, &["uploads", target.upload, "objects", hash])
        .timeout(Duration::from_secs(30));
    let response = target.client.checked(request).await?;
    let offset = response
        .headers()
        .get("upload-offset")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    offset.context("the server does not say how much has arrived")
}
