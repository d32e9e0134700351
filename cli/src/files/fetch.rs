//! Fetches many files at once, and says at the end which could not be.

use std::io::ErrorKind;

use futures_util::{StreamExt as _, stream};

use super::batch::{self, Contents};
use super::download::{self, Source};
use super::tree::{self, Present, Tree};
use super::{Listing, Wanted};
use crate::api::Client;
use crate::api::types::File;
use crate::output;
use crate::progress::Bytes;
use crate::small::parted;

/// How many files are on their way at the same time.
const AT_ONCE: usize = 8;

/// What was fetched.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Got {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files that were there already, with the same content.
    pub(super) unchanged: u64,
}

enum One {
    Fetched(u64),
    Unchanged,
}

/// Fetches the files into the folder.
///
/// Every path is checked before the first byte is asked for. A failure does not keep the other files from being fetched; running it again goes
/// on where it ended.
pub(super) async fn all(
    client: &Client,
    listing: &Listing,
    files: Vec<File>,
    wanted: Wanted,
    digest: &str,
) -> anyhow::Result<Got> {
    for file in &files {
        tree::check(&file.path)?;
    }
    let tree = Tree::open(&wanted.folder, digest)?;
    let total = files.iter().map(|file| file.bytes).sum();
    let bar = Bytes::new("fetching", total);
    let source = Source {
        client,
        listing,
        tree: &tree,
        bar: &bar,
    };
    let mut results = stream::iter(parted(files, |file| file.bytes))
        .map(|files| some(&source, files, wanted.force))
        .buffer_unordered(AT_ONCE);
    let mut got = Got::default();
    let mut failures = Vec::new();
    while let Some(some) = results.next().await {
        for (file, result) in some {
            match result {
                Ok(One::Fetched(bytes)) => {
                    got.files += 1;
                    got.bytes += bytes;
                }
                Ok(One::Unchanged) => got.unchanged += 1,
                Err(error) => failures.push(format!("{}: {error:#}", output::clean(&file.path))),
            }
        }
    }
    drop(results);
    drop(bar);
    if failures.is_empty() {
        tree.finish();
        return Ok(got);
    }
    let shown = failures
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n  ");
    anyhow::bail!(
        "{} of the files could not be fetched (run it again to go on):\n  {shown}",
        failures.len()
    )
}

/// Fetches files that go together. Contents that did not come with the others are asked for one by one, so that the error is about the file.
async fn some(
    source: &Source<'_>,
    files: Vec<File>,
    force: bool,
) -> Vec<(File, anyhow::Result<One>)> {
    let mut results = Vec::with_capacity(files.len());
    let mut needed = Vec::new();
    for file in files {
        match is_needed(source, &file, force) {
            Ok(true) => needed.push(file),
            Ok(false) => results.push((file, Ok(One::Unchanged))),
            Err(error) => results.push((file, Err(error))),
        }
    }
    let contents = match needed.len() {
        0 | 1 => Ok(Contents::new()),
        _ => batch::contents(source, &needed).await,
    };
    let contents = match contents {
        Ok(contents) => contents,
        Err(error) => {
            let failed = |file| (file, Err(anyhow::anyhow!("{error:#}")));
            results.extend(needed.into_iter().map(failed));
            return results;
        }
    };
    for file in needed {
        let content = file.hash.as_ref().and_then(|hash| contents.get(hash));
        let result = match content {
            Some(content) => download::write(source, &file, content),
            None => download::part(source, &file).await,
        };
        let result = result.and_then(|part| place(source, &part, &file, force));
        results.push((file, result));
    }
    results
}

/// Is a file to be fetched? Not when it is there with the same content.
fn is_needed(source: &Source<'_>, file: &File, force: bool) -> anyhow::Result<bool> {
    if file.kind != "file" {
        anyhow::bail!(
            "it is a {}, and only files are fetched",
            output::clean(&file.kind)
        );
    }
    match source.tree.look(&file.path)? {
        Present::Nothing => {}
        Present::File(mut present) => {
            if present.metadata()?.len() == file.bytes {
                let (hasher, _) = tree::hash(&mut present)?;
                if file.hash.as_deref() == Some(hasher.finalize().to_hex().as_str()) {
                    source.bar.add(file.bytes);
                    return Ok(false);
                }
            }
            anyhow::ensure!(force, "a different file is there: `--force` replaces it");
        }
        Present::Other => anyhow::ensure!(
            force,
            "something that is not a file is there: `--force` replaces a link"
        ),
    }
    Ok(true)
}

fn place(source: &Source<'_>, part: &str, file: &File, force: bool) -> anyhow::Result<One> {
    source
        .tree
        .place(part, &file.path, file.executable, force)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                anyhow::anyhow!("a file came to be there meanwhile: `--force` replaces it")
            }
            _ => error.into(),
        })?;
    Ok(One::Fetched(file.bytes))
}
