//! What snapshots and outputs share: a walk that never leaves its folder, hashing into a batch, a manifest, and the rows to record.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::db::Tx;
use crate::ids::{ProjectId, UserId, WorkspaceId};
use crate::index;
use crate::jobs;
use crate::manifest::{Builder, Entry, Node, Summary};
use crate::objects::{Claim, Hash, Store, blocking, number, record};
use crate::snapshots::{self, NewSnapshot};

mod added;
mod beneath;
mod ingest;
mod rules;
mod scan;
mod stat;
#[cfg(test)]
pub(crate) mod testing;
mod walk;

pub(crate) use beneath::{Root, directory};
pub(crate) use ingest::{Kept, Taken, ingest};
pub(crate) use rules::Rules;
pub use scan::Scan;
pub(crate) use scan::scan;
pub(crate) use stat::Stat;
pub(crate) use walk::{Found, FoundKind, Links, Policy, exhausted, special, why};

/// The most lines of what was left out that are kept.
const MAX_SKIPPED: usize = 1000;

/// Why a path was left out, or kept with a remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The file is larger than a snapshot takes.
    TooLarge,
    /// The name is one that credentials go by.
    Credential,
    /// A symbolic link, where only files are kept.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// The name, or where the link points, is not UTF-8.
    NotUtf8,
    /// The path breaks a limit: too long, too deep.
    BadPath,
    /// Reading it was refused or failed.
    Unreadable,
    /// It went away or became something else while it was captured.
    Vanished,
    /// It changed again and again while it was read. It was kept as it was read last.
    Torn,
    /// As many more were left out as `path` says.
    More,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "larger than 100 MB",
            Self::Credential => "looks like a credential",
            Self::Symlink => "a symbolic link",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::NotUtf8 => "a name that is not UTF-8",
            Self::BadPath => "a path that is too long or too deep",
            Self::Unreadable => "cannot be read",
            Self::Vanished => "went away while it was captured",
            Self::Torn => "kept, but it changed while it was read",
            Self::More => "more were left out",
        })
    }
}

/// A path that was left out. JSON: `{"path": "a/b", "reason": "too_large"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The path within the folder; bytes that are not UTF-8 are shown as U+FFFD. With [`Reason::More`], a number.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// What a capture amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// Digests and totals of the manifest.
    #[serde(flatten)]
    pub summary: Summary,
    /// What was left out, by path; at most 1000 lines and one that counts the rest.
    pub skipped: Vec<Skipped>,
}

impl Captured {
    /// The record of a snapshot that this capture is.
    pub fn snapshot(
        &self,
        project_id: ProjectId,
        user_id: UserId,
        workspace_id: Option<WorkspaceId>,
    ) -> NewSnapshot {
        let Summary {
            manifest_digest,
            content_digest,
            files,
            bytes,
            ..
        } = self.summary;
        NewSnapshot {
            project_id,
            user_id,
            workspace_id,
            manifest_digest: manifest_digest.to_hex(),
            content_digest: content_digest.to_hex(),
            files: number(files),
            bytes: number(bytes),
            skipped: self.skipped_in_words(),
        }
    }

    /// The record of a job's outputs that this capture is.
    pub fn outputs(&self) -> jobs::Outputs {
        let Summary {
            manifest_digest,
            content_digest,
            files,
            bytes,
            ..
        } = self.summary;
        jobs::Outputs {
            manifest_digest: manifest_digest.to_hex(),
            content_digest: content_digest.to_hex(),
            files: number(files),
            bytes: number(bytes),
            skipped: self.skipped_in_words(),
        }
    }

    fn skipped_in_words(&self) -> Vec<snapshots::Skipped> {
        let words = |skipped: &Skipped| snapshots::Skipped {
            path: skipped.path.clone(),
            reason: skipped.reason.to_string(),
        };
        self.skipped.iter().map(words).collect()
    }
}

/// A capture whose objects are durable and whose rows are not written yet: nobody sees it.
///
/// Write the rows with [`Pending::record`] in the transaction that refers to the manifest, then call [`Pending::recorded`]. Dropping it instead
/// leaves garbage that no one sees.
#[must_use = "a capture is kept only by recording it"]
#[derive(Debug)]
pub struct Pending {
    project: ProjectId,
    captured: Captured,
    /// Sorted objects that this project may not be known to hold yet.
    objects: Vec<(Hash, u64)>,
    index: Option<index::Fresh>,
    /// Until it is recorded nothing but these keeps it.
    claims: Vec<Claim>,
}

impl Pending {
    /// What the capture amounts to, for the rows that refer to it.
    pub fn captured(&self) -> &Captured {
        &self.captured
    }

    /// Writes the rows of the capture. Safe to repeat.
    pub async fn record(&self, tx: &mut Tx) -> Result<()> {
        let content = (&self.captured.summary, &*self.claims);
        record(tx, self.project, &self.objects, content).await
    }

    /// Says that the transaction was kept: later captures of the folder may rely on it.
    pub fn recorded(mut self) -> Captured {
        if let Some(index) = self.index.take() {
            index.keep(&self.captured.summary.manifest_digest);
        }
        self.captured
    }

    /// Records the capture in a transaction of its own.
    pub async fn commit(self, store: &Store) -> Result<Captured> {
        let this = &self;
        store
            .db()
            .write(|mut tx| async move { this.record(&mut tx).await })
            .await?;
        Ok(self.recorded())
    }

    /// A capture that was made elsewhere.
    pub(crate) fn brought(
        project: ProjectId,
        captured: Captured,
        objects: Vec<(Hash, u64)>,
        claims: Vec<Claim>,
    ) -> Self {
        Self {
            project,
            captured,
            objects,
            index: None,
            claims,
        }
    }

    /// A manifest that did not come from a folder.
    pub(crate) fn plain(
        project: ProjectId,
        summary: Summary,
        mut objects: Vec<(Hash, u64)>,
        claim: Claim,
    ) -> Self {
        objects.sort_unstable();
        objects.dedup();
        Self {
            project,
            captured: Captured {
                summary,
                skipped: Vec::new(),
            },
            objects,
            index: None,
            claims: vec![claim],
        }
    }

    /// What keeps it, for work that goes on from it.
    pub(crate) fn claims(&self) -> &[Claim] {
        &self.claims
    }
}

/// Captures a folder.
pub(crate) async fn capture(
    store: &Store,
    project: ProjectId,
    folder: &Path,
    policy: Policy,
) -> Result<Pending> {
    let (store, folder) = (store.clone(), folder.to_owned());
    blocking(move || capture_now(&store, project, &folder, policy)).await
}

fn capture_now(
    store: &Store,
    project: ProjectId,
    folder: &Path,
    mut policy: Policy,
) -> Result<Pending> {
    let root = Root::open(folder)?;
    let index_name = policy.index.take();
    let batch = store.objects().begin()?;
    let mut index = index_name
        .map(|name| index::open(store, &name, project))
        .transpose()?;
    let walk::Walked { found, mut skipped } = walk::walk(&root, policy)?;
    let known = index
        .as_ref()
        .map(|index| index.known(&found))
        .unwrap_or_default();
    let taken = ingest(&root, &*batch, &found, &known)?;

    let mut builder = Builder::new(&*batch);
    let mut objects = Vec::new();
    for (number, (Found { path, kind, .. }, taken)) in found.into_iter().zip(taken).enumerate() {
        let node = match (kind, taken) {
            (FoundKind::Symlink { target }, _) => Node::Symlink { target },
            (FoundKind::File { .. }, Taken::Left(reason)) => {
                skipped.push(Skipped { path, reason });
                continue;
            }
            (FoundKind::File { .. }, Taken::Kept(kept)) => {
                if kept.torn {
                    skipped.push(Skipped {
                        path: path.clone(),
                        reason: Reason::Torn,
                    });
                }
                if known.get(number).is_none_or(Option::is_none) {
                    objects.push((kept.hash, kept.stat.size));
                }
                if let Some(index) = &mut index {
                    index.add(&path, &kept);
                }
                Node::File {
                    hash: kept.hash,
                    size: kept.size,
                    executable: kept.stat.executable,
                }
            }
        };
        builder.push(Entry { path, node })?;
    }
    let summary = builder.finish()?;
    let claim = batch.commit()?;
    objects.sort_unstable();
    objects.dedup();
    let captured = Captured {
        summary,
        skipped: cut(skipped),
    };
    Ok(Pending {
        project,
        captured,
        objects,
        index: index.map(index::Index::finish),
        claims: vec![claim],
    })
}

pub(crate) fn cut(mut skipped: Vec<Skipped>) -> Vec<Skipped> {
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let more = skipped.len().saturating_sub(MAX_SKIPPED);
    if more > 0 {
        skipped.truncate(MAX_SKIPPED);
        skipped.push(Skipped {
            path: more.to_string(),
            reason: Reason::More,
        });
    }
    skipped
}
