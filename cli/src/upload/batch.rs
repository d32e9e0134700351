//! Sends small files many at a time: a request for each would cost more than their bytes.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use storage::uploads::Declared;

use super::send::{self, Changed, TRIES, Target};
use crate::api::is_passing;

/// The largest file that goes with others, in bytes. The server takes four times that.
const SMALL_BYTES: u64 = 256 * 1024;
/// What one request carries at most: files, and bytes.
const FILES: usize = 512;
const BYTES: u64 = 4 << 20;

/// Parts entries into batches of small ones, and those that go alone.
pub(super) fn parted(entries: Vec<&Declared>) -> (Vec<Vec<&Declared>>, Vec<&Declared>) {
    let (small, large): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| entry.size <= SMALL_BYTES);
    let (mut batches, mut bytes) = (Vec::<Vec<&Declared>>::new(), 0);
    for entry in small {
        match batches.last_mut() {
            Some(batch) if batch.len() < FILES && bytes + entry.size <= BYTES => {
                batch.push(entry);
                bytes += entry.size;
            }
            _ => {
                batches.push(vec![entry]);
                bytes = entry.size;
            }
        }
    }
    (batches, large)
}

/// Sends the contents of some small files.
///
/// What the server refuses is sent file by file, so that the error is about the file: one that changed, or a server that takes no batches.
pub(super) async fn batch(target: &Target<'_>, entries: &[&Declared]) -> anyhow::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match put(target, entries).await {
            Ok(()) => {
                target.bar.add(entries.iter().map(|entry| entry.size).sum());
                return Ok(());
            }
            Err(error) if is_passing(&error, true) && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            }
            Err(error) if is_passing(&error, true) || error.is::<Changed>() => return Err(error),
            Err(_) => break,
        }
    }
    for entry in entries {
        send::one(target, entry).await?;
    }
    Ok(())
}

async fn put(target: &Target<'_>, entries: &[&Declared]) -> anyhow::Result<()> {
    let folder = target.folder.to_owned();
    let owned: Vec<Declared> = entries.iter().copied().cloned().collect();
    let body = tokio::task::spawn_blocking(move || body(&folder, &owned)).await??;
    let request = target
        .client
        .request(Method::POST, &["uploads", target.upload, "objects"])
        .header("content-type", "application/octet-stream")
        .body(body);
    target.client.checked(request).await.map(|_| ())
}

/// The contents one after the other, as the server reads them: hash, length in eight bytes with the lowest first, content.
fn body(folder: &Path, entries: &[Declared]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    for entry in entries {
        let hash = entry
            .hash
            .as_ref()
            .context("a link has no content to send")?;
        body.extend_from_slice(hash.as_bytes());
        body.extend_from_slice(&entry.size.to_le_bytes());
        let start = body.len() as u64;
        // One byte more than there should be shows that there is more.
        let file = send::open(folder, entry)?;
        file.take(entry.size + 1).read_to_end(&mut body)?;
        if body.len() as u64 - start != entry.size {
            return Err(Changed(entry.path.clone()).into());
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(size: u64) -> Declared {
        Declared {
            path: "a".to_owned(),
            hash: None,
            size,
            executable: false,
            target: None,
        }
    }

    #[test]
    fn batches_are_full_and_never_too_large() {
        let sizes = [0, 1, SMALL_BYTES, SMALL_BYTES + 1].map(entry);
        let many: Vec<&Declared> = (0..4_000).map(|at| &sizes[at % 4]).collect();
        let (batches, large) = parted(many);
        assert_eq!(large.len(), 1_000);
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 3_000);
        for batch in &batches {
            let bytes: u64 = batch.iter().map(|entry| entry.size).sum();
            assert!(
                batch.len() <= FILES && bytes <= BYTES,
                "{} {bytes}",
                batch.len()
            );
        }
        assert!(batches.len() <= 1_000 / 15 + 1, "{}", batches.len());
        assert!(parted(Vec::new()).0.is_empty());
    }
}
