//! Sends a folder, as a snapshot or as data: says what it holds, sends what the project does not have yet, goes on where a connection broke.

mod batch;
mod send;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::outputs;
use storage::snapshot::{self, Reason, Scan};
use storage::uploads::Declared;

use crate::api::{Call, Client};
use crate::output;
use crate::progress::{Bytes, Spinner};

/// Entries that one call declares.
const DECLARED_AT_ONCE: usize = 2_000;
/// How often a folder is read anew because it changed while it was sent.
const TRIES: usize = 3;
/// How many lines of what was left out are shown.
const SHOWN: usize = 10;

/// A folder that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The snapshot's id.
    pub(crate) id: String,
    entries: Vec<Declared>,
}

impl Sent {
    /// Is there a file at this path?
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.path == path && entry.target.is_none())
    }
}

#[derive(Deserialize)]
struct Opened {
    id: String,
}

#[derive(Deserialize)]
struct Missing {
    missing: Vec<String>,
}

/// What a folder is sent as.
#[derive(Debug, Clone, Copy)]
enum As {
    /// Code: ignore files count, and large files stay.
    Snapshot,
    /// Data: every regular file.
    Data,
}

/// Sends the folder and returns the snapshot that it became. Says on stderr what was left out.
///
/// # Errors
/// When the folder cannot be read, goes on changing while it is sent, or the server refuses.
pub(crate) async fn folder(client: &Client, project: &str, folder: &Path) -> anyhow::Result<Sent> {
    let (upload, entries) = filled(client, project, folder, As::Snapshot).await?;
    let path = ["uploads", &upload, "seal"];
    let call = Call::post(&path);
    let sealed = client.call(call.body(json!({}))?.repeats()).await?;
    let id = sealed
        .pointer("/snapshot/id")
        .or_else(|| sealed.get("snapshot_id"))
        .and_then(Value::as_str);
    let id = id
        .map(str::to_owned)
        .context("the server gave no snapshot")?;
    Ok(Sent { id, entries })
}

/// Sends every regular file of the folder and returns the id of the upload, which has everything and is not sealed. Says on stderr what was left out.
///
/// # Errors
/// As [`folder`].
pub(crate) async fn data(client: &Client, project: &str, folder: &Path) -> anyhow::Result<String> {
    let (upload, _) = filled(client, project, folder, As::Data).await?;
    Ok(upload)
}

async fn filled(
    client: &Client,
    project: &str,
    folder: &Path,
    kind: As,
) -> anyhow::Result<(String, Vec<Declared>)> {
    let name = match kind {
        As::Snapshot => "snapshot",
        As::Data => "outputs",
    };
    for attempt in 1..=TRIES {
        let scan = scan(folder, kind).await?;
        let path = ["projects", project, "uploads"];
        let call = Call::post(&path);
        let opened: Opened = client.fetch(call.body(json!({ "kind": name }))?).await?;
        match fill(client, &opened.id, folder, &scan.entries).await {
            Ok(()) => {
                note_skipped(&scan);
                return Ok((opened.id, scan.entries));
            }
            Err(error) => {
                // What was sent of it is of no use to anyone; if this fails too, the server drops it after a day.
                let _ = client.call(Call::delete(&["uploads", &opened.id])).await;
                if attempt == TRIES || !error.is::<send::Changed>() {
                    return Err(error);
                }
            }
        }
    }
    unreachable!("the last try returns")
}

async fn scan(folder: &Path, kind: As) -> anyhow::Result<Scan> {
    let spinner = Spinner::new();
    spinner.say("reading the folder".to_owned());
    let path = folder.to_owned();
    let scan = tokio::task::spawn_blocking(move || match kind {
        As::Snapshot => snapshot::scan(&path, snapshot::MAX_FILE_BYTES),
        As::Data => outputs::scan(&path),
    });
    scan.await?
        .with_context(|| format!("cannot read {}", folder.display()))
}

async fn fill(
    client: &Client,
    upload: &str,
    folder: &Path,
    entries: &[Declared],
) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for some in entries.chunks(DECLARED_AT_ONCE) {
        missing.extend(declare(client, upload, some).await?);
    }
    missing.sort_unstable();
    missing.dedup();
    let by_hash: HashMap<String, &Declared> = entries
        .iter()
        .filter_map(|entry| entry.hash.as_ref().map(|hash| (hash.to_string(), entry)))
        .collect();
    let wanted = missing.iter().map(|hash| {
        by_hash
            .get(hash)
            .copied()
            .context("the server asks for content that was not declared")
    });
    let wanted: Vec<&Declared> = wanted.collect::<anyhow::Result<_>>()?;
    let bar = Bytes::new("sending", wanted.iter().map(|entry| entry.size).sum());
    let target = send::Target {
        client,
        upload,
        folder,
        bar: &bar,
    };
    send::all(&target, wanted).await
}

/// Declares entries and returns the hashes of those whose content must be sent. Declaring them again is fine.
async fn declare(
    client: &Client,
    upload: &str,
    entries: &(impl serde::Serialize + ?Sized),
) -> anyhow::Result<Vec<String>> {
    let path = ["uploads", upload, "entries"];
    let call = Call::post(&path).body(entries)?.repeats();
    Ok(client.fetch::<Missing>(call).await?.missing)
}

fn note_skipped(scan: &Scan) {
    for skipped in scan.skipped.iter().take(SHOWN) {
        let what = if skipped.reason == Reason::More {
            format!("{} more paths", skipped.path)
        } else {
            skipped.path.clone()
        };
        output::note(format!(
            "cairn: left out: {} ({})",
            output::clean(&what),
            skipped.reason
        ));
    }
    if scan.skipped.len() > SHOWN {
        output::note(format!(
            "cairn: left out: {} more",
            scan.skipped.len() - SHOWN
        ));
    }
}
