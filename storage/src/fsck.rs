//! Checks what the store promises: every recorded manifest can be read, every file in it is there with the right content, every recorded object
//! exists. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::db::{Record, Row, all, optional, sql};
use crate::manifest::{Check, Entry, Manifest, Node};
use crate::objects::{Hash, Objects, Space, Store, blocking, read_whole};
use crate::{Error, Result};

mod aside;
mod verdict;

#[cfg(test)]
mod tests;

pub use aside::set_aside;
pub use verdict::{Integrity, Verdict, record, verdict};

/// The most damaged things that one report names.
const MAX_FINDINGS: usize = 1000;
/// Rows read at a time.
const PAGE: i64 = 10_000;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Manifests are read and checked; of objects only presence and size.
    Quick,
    /// Every object is read and hashed, once.
    Full,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is recorded but not in the store.
    Missing,
    /// It is in the store with other content, or a part of a manifest is.
    Damaged,
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
    /// Objects that nothing records: garbage of crashes, not a fault.
    pub orphaned_objects: u64,
    /// Every object that is missing or damaged, also beyond those named.
    #[serde(skip)]
    pub faulty: BTreeSet<Hash>,
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
    let roots = roots(store).await?;
    let recorded = objects(store).await?;
    let objects = store.objects().clone();
    let report = blocking(move || {
        let mut run = Run::new(objects, mode);
        for root in &roots {
            run.manifest(root)?;
        }
        run.recorded(&recorded)?;
        run.orphans(&recorded)?;
        run.report.objects = run.states.len() as u64;
        Ok(run.report)
    })
    .await?;
    confirmed(store, report).await
}

/// Drops what is said of things that are recorded no more: they were collected while the check went on.
async fn confirmed(store: &Store, report: Report) -> Result<Report> {
    let findings = report.findings;
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
    let text = "SELECT digest, content_digest, files, bytes FROM manifest_roots WHERE digest = $1";
    let query = sql(text).bind(manifest_digest.to_hex());
    let root: Root = optional(store.db(), query)
        .await?
        .ok_or_else(|| Error::not_found("there is no such manifest"))?;
    let objects = store.objects().clone();
    blocking(move || {
        let mut run = Run::new(objects, mode);
        run.manifest(&root)?;
        run.report.objects = run.states.len() as u64;
        Ok(run.report)
    })
    .await
}

/// The recorded manifests that hold one of these objects, or that cannot be read to their end, with what that makes of them.
pub async fn holders(store: &Store, objects: BTreeSet<Hash>) -> Result<Vec<(Hash, Integrity)>> {
    let roots = roots(store).await?;
    let store = store.objects().clone();
    blocking(move || {
        let mut holders = Vec::new();
        for Root { digest, .. } in roots {
            match holds(&store, &digest, &objects) {
                Ok(true) => holders.push((digest, Integrity::Partial)),
                Ok(false) => {}
                Err(error) => {
                    damage(error)?;
                    holders.push((digest, Integrity::Broken));
                }
            }
        }
        Ok(holders)
    })
    .await
}

fn holds(store: &Arc<dyn Objects>, digest: &Hash, objects: &BTreeSet<Hash>) -> Result<bool> {
    let manifest = Manifest::open(Arc::clone(store), digest)?
        .ok_or_else(|| Error::fault("a recorded manifest is missing"))?;
    let mut found = false;
    for entry in manifest.entries() {
        found |= matches!(entry?.node, Node::File { hash, .. } if objects.contains(&hash));
    }
    Ok(found)
}

async fn roots(store: &Store) -> Result<Vec<Root>> {
    let text = "SELECT digest, content_digest, files, bytes FROM manifest_roots WHERE digest > $1 ORDER BY digest LIMIT $2";
    let mut roots: Vec<Root> = Vec::new();
    loop {
        let after = roots
            .last()
            .map(|root| root.digest.to_hex())
            .unwrap_or_default();
        let page: Vec<Root> = all(store.db(), sql(text).bind(after).bind(PAGE)).await?;
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

struct Run {
    objects: Arc<dyn Objects>,
    mode: Mode,
    /// What was found of each object.
    states: BTreeMap<Hash, Option<Fault>>,
    report: Report,
}

impl Run {
    fn new(objects: Arc<dyn Objects>, mode: Mode) -> Self {
        Self {
            objects,
            mode,
            states: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Checks one manifest: its nodes, its totals, its content digest, its files.
    fn manifest(&mut self, root: &Root) -> Result<()> {
        self.report.manifests += 1;
        let finding = |fault| Finding {
            hash: root.digest,
            fault,
            manifest_digest: Some(root.digest),
            path: None,
        };
        let manifest = match Manifest::open(Arc::clone(&self.objects), &root.digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                self.report.add(finding(Fault::Missing));
                return Ok(());
            }
            Err(error) => {
                self.report.add(finding(damage(error)?));
                return Ok(());
            }
        };
        let mut check = Check::default();
        for entry in manifest.entries() {
            match entry {
                Ok(entry) => {
                    check.add(&entry);
                    self.entry(&root.digest, entry)?;
                }
                Err(error) => {
                    self.report.add(finding(damage(error)?));
                    return Ok(());
                }
            }
        }
        let summary = manifest.summary();
        let recorded = (
            root.content_digest,
            u64::try_from(root.files),
            u64::try_from(root.bytes),
        );
        let said = (summary.content_digest, Ok(summary.files), Ok(summary.bytes));
        if !check.agrees(summary) || recorded != said {
            self.report.add(finding(Fault::Damaged));
        }
        Ok(())
    }

    fn entry(&mut self, manifest_digest: &Hash, entry: Entry) -> Result<()> {
        let Node::File { hash, size, .. } = entry.node else {
            return Ok(());
        };
        self.report.entries += 1;
        if let Some(fault) = self.object(&hash, size)? {
            let (manifest_digest, path) = (Some(*manifest_digest), Some(entry.path));
            self.report.add(Finding {
                hash,
                fault,
                manifest_digest,
                path,
            });
        }
        Ok(())
    }

    /// Checks an object, once.
    fn object(&mut self, hash: &Hash, size: u64) -> Result<Option<Fault>> {
        if let Some(state) = self.states.get(hash) {
            return Ok(*state);
        }
        let state = match self.objects.size(Space::Objects, hash)? {
            None => Some(Fault::Missing),
            Some(found) if found != size => Some(Fault::Damaged),
            Some(_) if self.mode == Mode::Quick => None,
            Some(_) => match read_whole(&*self.objects, hash, &mut |_| Ok(())) {
                Ok(read) => {
                    self.report.bytes += read;
                    None
                }
                Err(error) => Some(damage(error)?),
            },
        };
        self.states.insert(*hash, state);
        Ok(state)
    }

    /// Checks the objects that are recorded but in no manifest that could be read.
    fn recorded(&mut self, recorded: &BTreeMap<Hash, u64>) -> Result<()> {
        for (hash, size) in recorded {
            let met = self.states.contains_key(hash);
            if let (Some(fault), false) = (self.object(hash, *size)?, met) {
                self.report.add(Finding {
                    hash: *hash,
                    fault,
                    manifest_digest: None,
                    path: None,
                });
            }
        }
        Ok(())
    }

    fn orphans(&mut self, recorded: &BTreeMap<Hash, u64>) -> Result<()> {
        let mut orphans = BTreeSet::new();
        let visit = &mut |hash, _| {
            if !recorded.contains_key(&hash) {
                orphans.insert(hash);
            }
            Ok(())
        };
        for prefix in 0..=u8::MAX {
            self.objects.list(Space::Objects, prefix, visit)?;
        }
        self.report.orphaned_objects = orphans.len() as u64;
        Ok(())
    }
}

/// What an error of reading says of the store; one that can pass ends the check instead.
fn damage(error: Error) -> Result<Fault> {
    if error.retryable() {
        return Err(error);
    }
    tracing::warn!(%error, "the store is damaged");
    Ok(Fault::Damaged)
}
