//! Checks what the store promises: every recorded manifest can be read, every file in it is there with the right content, every recorded object
//! exists. Changes nothing.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::db::{Db, Record, Row, Tx, all, optional, sql};
use crate::objects::{Hash, Store, blocking};
use crate::{Error, Result};

mod aside;
mod holders;
mod pace;
mod run;
mod verdict;

#[cfg(test)]
mod tests;

pub use aside::{Aside, counted, let_go, set_aside};
pub use holders::{Held, Holder};
pub use pace::Pace;
use run::Run;

pub(crate) use verdict::verdict_after;
pub use verdict::{Integrity, Verdict, record, verdict};

/// The most damaged things that one report names.
const MAX_FINDINGS: usize = 1000;
/// Rows read at a time.
const PAGE: i64 = 10_000;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Manifests are read and checked; of objects nothing.
    Lists,
    /// Manifests are read and checked; of objects only presence and size.
    Quick,
    /// Every object is read and hashed, once.
    Full,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is recorded but not in the store.
    Missing,
    /// It is in the store with other content, or a part of a manifest is.
    Damaged,
    /// It was adopted from a bucket, where something else is now.
    Changed,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The hash of the object, or the digest of the manifest.
    pub hash: Hash,
    /// What is wrong with it.
    pub fault: Fault,
    /// The manifest that needs it; none for an object that no manifest names.
    pub manifest_digest: Option<Hash>,
    /// The path in that manifest; none when the manifest itself is at fault.
    pub path: Option<String>,
    /// Where it was adopted from, as `s3://BUCKET/KEY`, when it is not there any more as it was.
    pub place: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Manifests checked.
    pub manifests: u64,
    /// Files in them.
    pub entries: u64,
    /// Different objects checked.
    pub objects: u64,
    /// Bytes of content that were read and hashed.
    pub bytes: u64,
    /// What is wrong: every manifest and path it touches, at most 1000.
    pub findings: Vec<Finding>,
    /// Findings beyond those named.
    pub more: u64,
    /// Objects and manifests that the system could not read, so that nothing is said of them; only where a check goes on all the same.
    #[serde(skip)]
    pub unread: u64,
    /// Objects that nothing records: garbage of crashes, not a fault.
    pub orphaned_objects: u64,
    /// Every object that is missing or damaged, also beyond those named.
    #[serde(skip)]
    pub faulty: BTreeSet<Hash>,
    /// Every node of a manifest that is.
    #[serde(skip)]
    pub nodes: BTreeSet<Hash>,
    /// Whether a manifest itself is missing or damaged.
    #[serde(skip)]
    pub is_broken: bool,
}

impl Report {
    /// Whether all is well.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, finding: Finding) {
        match (&finding.path, &finding.manifest_digest) {
            (None, Some(_)) => self.is_broken = true,
            _ => drop(self.faulty.insert(finding.hash)),
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// A row of `manifest_roots`.
struct Root {
    digest: Hash,
    content_digest: Hash,
    files: i64,
    bytes: i64,
}

impl Record for Root {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            digest: row.parsed("digest")?,
            content_digest: row.parsed("content_digest")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
        })
    }
}

/// A row of `objects`.
struct Object(Hash, u64);

impl Record for Object {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(
            row.parsed("hash")?,
            u64::try_from(row.int("size")?).unwrap_or_default(),
        ))
    }
}

/// Checks the whole store. Captures, readers and collections go on meanwhile.
///
/// # Errors
/// Only when the check itself cannot go on; damage is told in the report.
pub async fn check(store: &Store, mode: Mode) -> Result<Report> {
    // What is in the store now; what the rows name afterwards is durable before its row, so it cannot be missing for being new.
    let roots = roots(store.db()).await?;
    let recorded = objects(store).await?;
    let owned = store.clone();
    let report = blocking(move || {
        let mut run = Run::new(&owned, mode, Pace::default());
        for root in &roots {
            run.manifest(root)?;
        }
        run.recorded(&recorded)?;
        run.orphans(&recorded)?;
        Ok(run.report)
    })
    .await?;
    confirmed(store, report).await
}

/// Drops what is said of things that are recorded no more: they were collected while the check went on.
async fn confirmed(store: &Store, report: Report) -> Result<Report> {
    let findings = report.findings;
    if findings.is_empty() {
        return Ok(Report { findings, ..report });
    }
    let mut confirmed = Report {
        findings: Vec::new(),
        faulty: BTreeSet::new(),
        is_broken: false,
        ..report
    };
    for finding in findings {
        let (text, name) = match finding.manifest_digest {
            Some(digest) => ("SELECT bytes FROM manifest_roots WHERE digest = $1", digest),
            None => ("SELECT size FROM objects WHERE hash = $1", finding.hash),
        };
        let query = sql(text).bind(name.to_hex());
        if optional::<i64>(store.db(), query).await?.is_some() {
            confirmed.add(finding);
        }
    }
    Ok(confirmed)
}

/// Checks one manifest and everything in it. Captures and readers go on meanwhile.
///
/// # Errors
/// `NotFound` where no such manifest is recorded; else as [`check`].
pub async fn verify(store: &Store, manifest_digest: Hash, mode: Mode) -> Result<Report> {
    let report = verify_at(store, manifest_digest, mode, &Pace::default()).await?;
    report.ok_or_else(|| Error::not_found("there is no such manifest"))
}

/// The same at a pace; none where no such manifest is recorded.
pub(crate) async fn verify_at(
    store: &Store,
    manifest_digest: Hash,
    mode: Mode,
    pace: &Pace,
) -> Result<Option<Report>> {
    let text = "SELECT digest, content_digest, files, bytes FROM manifest_roots WHERE digest = $1";
    let query = sql(text).bind(manifest_digest.to_hex());
    let Some(root): Option<Root> = optional(store.db(), query).await? else {
        return Ok(None);
    };
    let (owned, pace) = (store.clone(), pace.clone());
    blocking(move || {
        let mut run = Run::new(&owned, mode, pace);
        run.manifest(&root)?;
        Ok(Some(run.report))
    })
    .await
}

/// Sees of every recorded manifest whether all its files are there, and records of those where they are not what that makes of them. Gives how many
/// these are. Nobody may use the store meanwhile; safe to repeat.
pub(crate) async fn judge(store: &Store) -> Result<u64> {
    let (db, mut damaged) = (store.db(), 0);
    for root in roots(db).await? {
        let (owned, digest) = (store.clone(), root.digest);
        let checked = blocking(move || {
            let mut run = Run::new(&owned, Mode::Quick, Pace::default());
            run.manifest(&root)?;
            Ok(run.report)
        });
        let found = checked.await?.integrity();
        let Some(before) = verdict(db, &digest).await? else {
            continue;
        };
        if found == Integrity::Ok {
            continue;
        }
        damaged += 1;
        let work = |mut tx: Tx| async move {
            record(&mut tx, &digest, (found, Mode::Quick), before).await
        };
        db.write(work).await?;
    }
    Ok(damaged)
}

/// Reads and hashes the next recorded objects in the order of their hashes, at least one and at most so many, or so many bytes. Also gives the hash
/// of the last one; none where there are no more.
pub(crate) async fn check_objects(
    store: &Store,
    after: &str,
    (most, bytes): (i64, u64),
    pace: &Pace,
) -> Result<(Report, Option<Hash>)> {
    let text = "SELECT hash, size FROM objects WHERE hash > $1 ORDER BY hash LIMIT $2";
    let query = sql(text).bind(after.to_owned()).bind(most);
    let next: Vec<Object> = all(store.db(), query).await?;
    let (owned, pace) = (store.clone(), pace.clone());
    let work = blocking(move || {
        let mut run = Run::new(&owned, Mode::Full, pace);
        let (mut last, mut read) = (None, 0);
        for Object(hash, size) in next {
            if last.is_some() && size.saturating_add(read) > bytes {
                break;
            }
            read = size.saturating_add(read);
            if let Err(error) = run.recorded(&BTreeMap::from([(hash, size)]))
                && !is_away(&owned, &error, &hash)?
            {
                run.report.unread += unread(error, &hash)?;
            }
            last = Some(hash);
        }
        Ok((run.report, last))
    });
    let (report, last) = work.await?;
    Ok((confirmed(store, report).await?, last))
}

/// Whether something could not be read now because somebody's bucket does not answer: what is the store's own is checked all the same.
fn is_away(store: &Store, error: &Error, hash: &Hash) -> Result<bool> {
    match store.adopted() {
        Some(adopted) if error.retryable() && adopted.find(hash)?.is_some() => {
            tracing::warn!(%hash, %error, "what was adopted cannot be looked at now");
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Counts what the system could not read: a check of everything goes on without it.
///
/// # Errors
/// The same error where the check cannot go on.
pub(crate) fn unread(error: Error, hash: &Hash) -> Result<u64> {
    if error.retryable() || is_stop(&error) {
        return Err(error);
    }
    // Not damage as far as is known, but a disk that gives errors will not get better.
    tracing::error!(
        %hash,
        error = &error as &dyn std::error::Error,
        "the system could not read what is stored: look at the disk. Nothing is known of it"
    );
    Ok(1)
}

/// Whether a check was told to stop.
fn is_stop(error: &Error) -> bool {
    matches!(error, Error::Conflict(_))
}

async fn roots(db: &Db) -> Result<Vec<Root>> {
    let text = "SELECT digest, content_digest, files, bytes FROM manifest_roots WHERE digest > $1 ORDER BY digest LIMIT $2";
    let mut roots: Vec<Root> = Vec::new();
    loop {
        let after = roots
            .last()
            .map(|root| root.digest.to_hex())
            .unwrap_or_default();
        let page: Vec<Root> = all(db, sql(text).bind(after).bind(PAGE)).await?;
        if page.is_empty() {
            return Ok(roots);
        }
        roots.extend(page);
    }
}

async fn objects(store: &Store) -> Result<BTreeMap<Hash, u64>> {
    let text = "SELECT hash, size FROM objects WHERE hash > $1 ORDER BY hash LIMIT $2";
    let mut objects = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page: Vec<Object> = all(store.db(), sql(text).bind(after).bind(PAGE)).await?;
        let Some(Object(last, _)) = page.last() else {
            return Ok(objects);
        };
        after = last.to_hex();
        objects.extend(page.into_iter().map(|Object(hash, size)| (hash, size)));
    }
}
