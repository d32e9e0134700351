//! Sends the contents of small files in one request.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use storage::several::head;
use storage::uploads::Declared;

use super::send::{self, Changed, TRIES, Target};
use crate::api::is_passing;

/// Sends the contents of some files; of several, all must be small.
///
/// After a broken connection it goes on with what did not arrive. What the server refuses is sent file by file, so that the error is about the
/// file.
///
/// # Errors
/// [`Changed`] when a file is no longer what was declared; else what the server said.
pub(super) async fn send(target: &Target<'_>, mut entries: Vec<&Declared>) -> anyhow::Result<()> {
    let mut fruitless = 0;
    while entries.len() > 1 {
        match put(target, &entries).await {
            Ok(()) => {
                target.bar.add(size(&entries));
                return Ok(());
            }
            Err(error) if is_passing(&error, true) => {
                tokio::time::sleep(Duration::from_millis(200 << fruitless)).await;
                let before = entries.len();
                if let Ok(missing) = super::declare(target.client, target.upload, &entries).await {
                    let all = size(&entries);
                    entries.retain(|entry| missing.contains(&hash(entry)));
                    target.bar.add(all - size(&entries));
                }
                fruitless = if entries.len() < before {
                    0
                } else {
                    fruitless + 1
                };
                if fruitless >= TRIES {
                    return Err(error);
                }
            }
            Err(error) if error.is::<Changed>() => return Err(error),
            Err(_) => break,
        }
    }
    for entry in entries {
        send::one(target, entry).await?;
    }
    Ok(())
}

fn size(entries: &[&Declared]) -> u64 {
    entries.iter().map(|entry| entry.size).sum()
}

fn hash(entry: &Declared) -> String {
    entry.hash.map(|hash| hash.to_hex()).unwrap_or_default()
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

/// The contents as the server reads them.
fn body(folder: &Path, entries: &[Declared]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    for entry in entries {
        let hash = entry
            .hash
            .as_ref()
            .context("a link has no content to send")?;
        body.extend_from_slice(&head(hash, entry.size));
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
