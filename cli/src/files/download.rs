//! Fetches one file into a part beside its place: goes on where an earlier try ended, and trusts nothing before the hash is proven.

use std::fs::File as Local;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Method, Response, StatusCode};

use super::Listing;
use super::tree::{self, Tree};
use crate::api::types::File;
use crate::api::{Client, Error, is_passing};
use crate::progress::Bytes;

/// How often a file is tried without a byte of progress.
const TRIES: u32 = 5;

/// Where files come from and go to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) client: &'a Client,
    pub(super) listing: &'a Listing,
    pub(super) tree: &'a Tree,
    pub(super) bar: &'a Bytes,
}

/// A file on its way.
struct Transfer {
    local: Local,
    hasher: blake3::Hasher,
    have: u64,
}

/// Fetches a file and returns the name of its part, complete and proven.
///
/// # Errors
/// When the server refuses, is gone for long, or sends what does not have the hash it promised.
pub(super) async fn part(source: &Source<'_>, file: &File) -> anyhow::Result<String> {
    let wanted = file
        .hash
        .as_deref()
        .context("the server gave no hash to check it by")?;
    let name = name_of(file);
    let mut transfer = begin(source, file, &name)?;
    let mut fruitless = 0;
    let mut restarted = false;
    loop {
        let before = transfer.have;
        let result = receive(source, file, &mut transfer).await;
        fruitless = if transfer.have > before {
            0
        } else {
            fruitless + 1
        };
        match result {
            Ok(())
                if transfer.have == file.bytes
                    && transfer.hasher.finalize().to_hex().as_str() == wanted =>
            {
                return Ok(name);
            }
            Ok(()) if transfer.have < file.bytes && fruitless < TRIES => {}
            Ok(()) => {
                // What was there before may be the part that is wrong: once more, from the start.
                source.tree.discard(&name)?;
                source.bar.undo(transfer.have);
                anyhow::ensure!(
                    !restarted,
                    "what the server sends is not what it promised: its hash differs"
                );
                restarted = true;
                transfer = begin(source, file, &name)?;
            }
            Err(error) if is_passing(&error, true) && fruitless < TRIES => {
                tokio::time::sleep(Duration::from_millis(200 << fruitless.min(5))).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes content that is proven as a part, and returns its name.
pub(super) fn write(source: &Source<'_>, file: &File, content: &[u8]) -> anyhow::Result<String> {
    let name = name_of(file);
    let mut local = source.tree.part(&name)?;
    local.set_len(0)?;
    local.write_all(content)?;
    source.bar.add(content.len() as u64);
    Ok(name)
}

fn name_of(file: &File) -> String {
    blake3::hash(file.path.as_bytes()).to_hex()[..32].to_owned()
}

fn begin(source: &Source<'_>, file: &File, name: &str) -> anyhow::Result<Transfer> {
    let mut local = source.tree.part(name)?;
    if local.metadata()?.len() > file.bytes {
        local.set_len(0)?;
    }
    let (hasher, have) = tree::hash(&mut local)?;
    source.bar.add(have);
    Ok(Transfer {
        local,
        hasher,
        have,
    })
}

/// Receives what is missing, as far as the connection carries.
async fn receive(source: &Source<'_>, file: &File, transfer: &mut Transfer) -> anyhow::Result<()> {
    if transfer.have == file.bytes {
        return Ok(());
    }
    let mut request = source
        .client
        .request(Method::GET, &source.listing.path(&["content"]))
        .query(&[("path", &file.path)]);
    if transfer.have > 0 {
        request = request.header(RANGE, format!("bytes={}-", transfer.have));
    }
    let response = source.client.checked(request).await?;
    if transfer.have > 0 && !goes_on(&response, transfer.have) {
        source.bar.undo(transfer.have);
        transfer.local.set_len(0)?;
        transfer.hasher.reset();
        transfer.have = 0;
    }
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Error::unreachable(source.client.url(), error))?;
        let have = transfer.have + chunk.len() as u64;
        anyhow::ensure!(have <= file.bytes, "the server sends more than it promised");
        transfer.local.write_all(&chunk)?;
        transfer.hasher.update(&chunk);
        transfer.have = have;
        source.bar.add(chunk.len() as u64);
    }
    Ok(())
}

/// Does the answer begin where we asked it to?
fn goes_on(response: &Response, from: u64) -> bool {
    let range = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| {
        range
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse::<u64>()
            .ok()
    });
    response.status() == StatusCode::PARTIAL_CONTENT && start == Some(from)
}
