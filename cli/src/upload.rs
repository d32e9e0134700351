//! Sends a folder, as a snapshot or as data: says what has changed since it was sent last, or all that it holds; sends what the project does not
//! have yet; goes on where a connection broke.

mod batch;
mod index;
mod send;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::objects::Hash;
use storage::outputs;
use storage::snapshot::{self, Reason, Scan};
use storage::uploads::{Declared, Known};

use self::index::Index;
use crate::api::{Call, Client, status_of};
use crate::output;
use crate::progress::{Bytes, Spinner};
use crate::session::Session;

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

impl As {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Data => "outputs",
        }
    }
}

/// Sends the folder and returns the snapshot that it became. Says on stderr what was left out.
///
/// # Errors
/// When the folder cannot be read, goes on changing while it is sent, or the server refuses.
pub(crate) async fn folder(
    session: &Session,
    project: &str,
    folder: &Path,
) -> anyhow::Result<Sent> {
    let source = Source::new(session, project, folder, As::Snapshot);
    let client = &session.client;
    let seal = async |upload: &str| {
        let path = ["uploads", upload, "seal"];
        client
            .call(Call::post(&path).body(json!({}))?.repeats())
            .await
    };
    let (sealed, entries) = source.send(seal).await?;
    let id = sealed
        .pointer("/snapshot/id")
        .or_else(|| sealed.get("snapshot_id"))
        .and_then(Value::as_str);
    let id = id
        .map(str::to_owned)
        .context("the server gave no snapshot")?;
    Ok(Sent { id, entries })
}

/// Sends every regular file of the folder, then has `finish` make something of the upload, which has everything and is not sealed. Returns what
/// that answers: JSON with a `manifest_digest`. Says on stderr what was left out.
///
/// # Errors
/// As [`folder`], and what `finish` says. That may be called again, with another upload.
pub(crate) async fn data(
    session: &Session,
    project: &str,
    folder: &Path,
    finish: impl AsyncFn(&str) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let source = Source::new(session, project, folder, As::Data);
    Ok(source.send(finish).await?.0)
}

/// A folder, and where it goes.
struct Source<'a> {
    session: &'a Session,
    project: &'a str,
    folder: &'a Path,
    kind: As,
}

impl<'a> Source<'a> {
    fn new(session: &'a Session, project: &'a str, folder: &'a Path, kind: As) -> Self {
        Self {
            session,
            project,
            folder,
            kind,
        }
    }

    /// Sends what has changed since the last time, or everything where the server does not have that any more.
    async fn send(
        &self,
        finish: impl AsyncFn(&str) -> anyhow::Result<Value>,
    ) -> anyhow::Result<(Value, Vec<Declared>)> {
        let server = crate::home::key(self.session.client.url());
        let of = [server.as_str(), self.project, self.kind.name()];
        let index = Index::open(&self.session.home, self.folder, &of);
        let known = index.as_ref().and_then(Index::known).map(Arc::new);
        let mut base = known.as_deref();
        loop {
            let (upload, scan) = self.filled(known.clone(), &mut base).await?;
            let made = match finish(&upload).await {
                // It may be that the server cannot read the base any more.
                Err(error) if base.is_some() && is(&error, 409) => {
                    self.give_up(&upload).await;
                    base = None;
                    continue;
                }
                made => made,
            };
            note_skipped(&scan);
            let made = made?;
            let digest = made.get("manifest_digest").and_then(Value::as_str);
            let digest: Option<Hash> = digest.and_then(|text| text.parse().ok());
            if let (Some(index), Some(digest)) = (index, digest) {
                index.keep(&scan, &digest);
            }
            return Ok((made, scan.entries));
        }
    }

    /// An upload that has everything, and what that is. There is no `base` afterwards where the server does not have it.
    async fn filled(
        &self,
        known: Option<Arc<Known>>,
        base: &mut Option<&Known>,
    ) -> anyhow::Result<(String, Scan)> {
        for attempt in 1..=TRIES {
            let scan = scan(self.folder, self.kind, known.clone()).await?;
            let upload = self.open(base).await?;
            let changes = match base {
                Some(base) => Cow::Owned(base.changes(&scan.entries)),
                None => Cow::Borrowed(&scan.entries[..]),
            };
            match fill(&self.session.client, &upload, self.folder, &changes).await {
                Ok(()) => return Ok((upload, scan)),
                Err(error) => {
                    self.give_up(&upload).await;
                    if attempt == TRIES || !error.is::<send::Changed>() {
                        return Err(error);
                    }
                }
            }
        }
        unreachable!("the last try returns")
    }

    /// What was sent of it is of no use to anyone. If this fails too, the server drops it after a day.
    async fn give_up(&self, upload: &str) {
        let path = ["uploads", upload];
        let _ = self.session.client.call(Call::delete(&path)).await;
    }

    /// Begins an upload, on a base where the server has it.
    async fn open(&self, base: &mut Option<&Known>) -> anyhow::Result<String> {
        let path = ["projects", self.project, "uploads"];
        let client = &self.session.client;
        if let Some(known) = base {
            let digest = known.manifest_digest().to_hex();
            let body = json!({ "kind": self.kind.name(), "base": digest });
            match client.fetch::<Opened>(Call::post(&path).body(body)?).await {
                Ok(opened) => return Ok(opened.id),
                // A server that is older than this program does not know the word.
                Err(error) if is(&error, 404) || is(&error, 400) => *base = None,
                Err(error) => return Err(error),
            }
        }
        let body = json!({ "kind": self.kind.name() });
        let opened: Opened = client.fetch(Call::post(&path).body(body)?).await?;
        Ok(opened.id)
    }
}

/// Whether the server answered with this status.
fn is(error: &anyhow::Error, status: u16) -> bool {
    status_of(error).is_some_and(|found| found == status)
}

async fn scan(folder: &Path, kind: As, known: Option<Arc<Known>>) -> anyhow::Result<Scan> {
    let spinner = Spinner::new();
    spinner.say("reading the folder".to_owned());
    let path = folder.to_owned();
    let scan = tokio::task::spawn_blocking(move || match kind {
        As::Snapshot => snapshot::scan(&path, snapshot::MAX_FILE_BYTES, known.as_deref()),
        As::Data => outputs::scan(&path, known.as_deref()),
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
