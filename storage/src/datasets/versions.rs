//! Versions of datasets: numbered from 1 without gaps, each a manifest with its origin.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{changed, lock, missing};
use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::error::{Error, Result};
use crate::fsck::{self, Integrity, Mode};
use crate::ids::{DatasetId, JobId, UserId, VersionId};
use crate::list::{List, Page};
use crate::manifest::Summary;
use crate::names::{self, named};
use crate::objects::{self, number as count};

#[cfg(test)]
mod tests;

const MESSAGE_BYTES: usize = 10_000;
const METADATA_BYTES: usize = 16 * 1024;

named! {
    /// Where a version came from.
    Origin {
        /// Somebody sent it.
        Upload = "upload",
        /// A job left it.
        Job = "job",
        /// It was made of other versions and outputs, without copying anything.
        Derived = "derived",
        /// It lies where it lay before, in a store of somebody else's.
        Adopted = "adopted",
        /// It was taken out of a workspace.
        Workspace = "workspace",
    }
}

/// A version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The dataset.
    pub dataset_id: DatasetId,
    /// Its number in the dataset, from 1.
    pub number: i64,
    /// The digest of its manifest: its identity.
    pub manifest_digest: String,
    /// The digest that anybody can compute with `b3sum`.
    pub content_digest: String,
    /// How many files.
    pub files: i64,
    /// How many bytes.
    pub bytes: i64,
    /// What is new in it.
    pub message: String,
    /// What its maker says of it.
    pub metadata: Map<String, Value>,
    /// Where it came from.
    pub origin: Origin,
    /// The job that left it.
    pub job_id: Option<JobId>,
    /// Who made it.
    pub user_id: UserId,
    /// Their name.
    pub user: String,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
    /// When it was taken back: what it was used for stays, nothing new can use it.
    pub retracted_ms: Option<i64>,
    /// What checks have found of its files.
    pub integrity: Integrity,
    /// When a check last said so, in milliseconds UTC.
    pub checked_ms: Option<i64>,
}

impl Record for Version {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            dataset_id: row.parsed("dataset_id")?,
            number: row.int("number")?,
            manifest_digest: row.text("manifest_digest")?,
            content_digest: row.text("content_digest")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            message: row.text("message")?,
            metadata: row.json("metadata")?,
            origin: row.parsed("origin")?,
            job_id: row.maybe_parsed("job_id")?,
            user_id: row.parsed("user_id")?,
            user: row.text("user_name")?,
            created_ms: row.int("created_ms")?,
            retracted_ms: row.maybe_int("retracted_ms")?,
            integrity: row.parsed("integrity")?,
            checked_ms: row.maybe_int("checked_ms")?,
        })
    }
}

/// What a version was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The reference as it was written.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The digest of the manifest that it meant then.
    pub manifest_digest: String,
    /// The version that it named.
    pub version_id: Option<VersionId>,
    /// The job that it named.
    pub job_id: Option<JobId>,
}

impl Record for Source {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            reference: row.text("ref")?,
            manifest_digest: row.text("manifest_digest")?,
            version_id: row.maybe_parsed("source_version_id")?,
            job_id: row.maybe_parsed("source_job_id")?,
        })
    }
}

/// A version to add.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Who makes it.
    pub user_id: UserId,
    /// What it holds.
    pub summary: Summary,
    /// See [`Version::message`].
    pub message: String,
    /// See [`Version::metadata`].
    pub metadata: Map<String, Value>,
    /// See [`Version::origin`].
    pub origin: Origin,
    /// See [`Version::job_id`].
    pub job_id: Option<JobId>,
    /// What it was made of.
    pub sources: Vec<Source>,
}

/// What came of adding a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The version.
    pub version: Version,
    /// Whether it is new. The newest version is given back where it holds the very same files.
    pub is_new: bool,
}

/// Adds a version. Where the newest one holds the very same files, that one is the answer, and only where these came from is added to what is known
/// of it.
///
/// The manifest must be recorded in the same transaction, or before.
///
/// # Errors
/// `NotFound` for an unknown or deleted dataset, `Invalid` for a message or metadata that are too long.
pub async fn add(tx: &mut Tx, dataset_id: DatasetId, new: &NewVersion) -> Result<Made> {
    names::check_text("message", &new.message, MESSAGE_BYTES)?;
    let metadata = serde_json::to_string(&new.metadata)
        .map_err(|error| Error::internal("metadata are not JSON", error))?;
    if metadata.len() > METADATA_BYTES {
        return Err(Error::invalid(format!(
            "the metadata of a version have at most {METADATA_BYTES} bytes"
        )));
    }
    let held = lock(tx, dataset_id).await?;
    let digest = new.summary.manifest_digest.to_hex();
    if let Some(version) = newest(tx, dataset_id).await?
        && version.manifest_digest == digest
        && version.retracted_ms.is_none()
    {
        let is_new = false;
        add_sources(tx, version.id, new).await?;
        return Ok(Made { version, is_new });
    }
    objects::hold(tx, &digest).await?;
    let id = VersionId::new(tx.clock());
    let text = "INSERT INTO dataset_versions (id, dataset_id, number, manifest_digest, content_digest, files, bytes, message, metadata, \
         origin, job_id, user_id, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let query = sql(text)
        .bind(id)
        .bind(dataset_id)
        .bind(held.next_version)
        .bind(digest)
        .bind(new.summary.content_digest.to_hex())
        .bind(count(new.summary.files))
        .bind(count(new.summary.bytes))
        .bind(new.message.as_str())
        .bind(metadata)
        .bind(new.origin.as_str())
        .bind(new.job_id)
        .bind(new.user_id);
    execute(tx, query.bind(tx.now_ms())).await?;
    let text = "UPDATE datasets SET next_version = next_version + 1 WHERE id = $1";
    execute(tx, sql(text).bind(dataset_id)).await?;
    add_sources(tx, id, new).await?;
    doubt(tx, new).await?;
    changed(tx, held.project_id, dataset_id);
    let version = version(tx, id).await?.ok_or_else(missing)?;
    let is_new = true;
    Ok(Made { version, is_new })
}

/// Says of what is made of something that was found damaged meanwhile that it is too, for all that is known: a check finds out.
async fn doubt(tx: &mut Tx, new: &NewVersion) -> Result<()> {
    for source in &new.sources {
        let found = fsck::verdict(&mut *tx, &source.manifest_digest.parse()?).await?;
        if let Some(found) = found.filter(|found| found.integrity != Integrity::Ok) {
            let partial = (Integrity::Partial, Mode::Lists);
            fsck::record(tx, &new.summary.manifest_digest, partial, found).await?;
        }
    }
    Ok(())
}

/// Adds what a version is made of to what is known of that.
async fn add_sources(tx: &mut Tx, id: VersionId, new: &NewVersion) -> Result<()> {
    let mut known = sources(&mut *tx, id).await?;
    for source in &new.sources {
        if known.contains(source) {
            continue;
        }
        let text = "INSERT INTO dataset_version_sources (version_id, position, ref, manifest_digest, source_version_id, source_job_id) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let query = sql(text)
            .bind(id)
            .bind(count(known.len() as u64))
            .bind(source.reference.as_str())
            .bind(source.manifest_digest.as_str())
            .bind(source.version_id)
            .bind(source.job_id);
        execute(tx, query).await?;
        known.push(source.clone());
    }
    Ok(())
}

macro_rules! select_text {
    () => {
        "SELECT v.id, v.dataset_id, v.number, v.manifest_digest, v.content_digest, v.files, v.bytes, v.message, v.metadata, v.origin, v.job_id, \
         v.user_id, u.name AS user_name, v.created_ms, v.retracted_ms, COALESCE(r.integrity, 'ok') AS integrity, r.checked_ms \
         FROM dataset_versions v JOIN users u ON u.id = v.user_id LEFT JOIN manifest_roots r ON r.digest = v.manifest_digest "
    };
}

macro_rules! select {
    ($rest:literal) => {
        sql(concat!(select_text!(), $rest))
    };
}

/// The version with this id.
pub async fn version<'c>(from: impl Read<'c>, id: VersionId) -> Result<Option<Version>> {
    optional(from, select!("WHERE v.id = $1").bind(id)).await
}

/// The version of a dataset with this number, taken back or not.
pub async fn by_number<'c>(
    from: impl Read<'c>,
    dataset_id: DatasetId,
    number: i64,
) -> Result<Option<Version>> {
    let query = select!("WHERE v.dataset_id = $1 AND v.number = $2");
    optional(from, query.bind(dataset_id).bind(number)).await
}

/// The newest version that is not taken back.
pub async fn latest<'c>(from: impl Read<'c>, dataset_id: DatasetId) -> Result<Option<Version>> {
    let query = select!(
        "WHERE v.dataset_id = $1 AND v.retracted_ms IS NULL ORDER BY v.number DESC LIMIT 1"
    );
    optional(from, query.bind(dataset_id)).await
}

/// The newest version that is not taken back of each of these datasets that has one.
pub async fn latest_of<'c>(
    from: impl Read<'c>,
    datasets: &[DatasetId],
) -> Result<HashMap<DatasetId, Version>> {
    if datasets.is_empty() {
        return Ok(HashMap::new());
    }
    let before = concat!(
        select_text!(),
        "JOIN (SELECT dataset_id, MAX(number) AS number FROM dataset_versions WHERE retracted_ms IS NULL GROUP BY dataset_id) n \
         ON n.dataset_id = v.dataset_id AND n.number = v.number WHERE v.dataset_id IN"
    );
    let query = select_in(before, datasets.len(), "");
    let query = datasets.iter().fold(query, |query, id| query.bind(*id));
    let versions: Vec<Version> = all(from, query).await?;
    let by_dataset = versions
        .into_iter()
        .map(|version| (version.dataset_id, version));
    Ok(by_dataset.collect())
}

async fn newest(tx: &mut Tx, dataset_id: DatasetId) -> Result<Option<Version>> {
    let query = select!("WHERE v.dataset_id = $1 ORDER BY v.number DESC LIMIT 1");
    optional(tx, query.bind(dataset_id)).await
}

/// The versions of a dataset, newest first, with those that were taken back.
pub async fn list(db: &Db, dataset_id: DatasetId, page: &Page) -> Result<List<Version>> {
    let query = select!(
        "WHERE v.dataset_id = $1 AND ($2 IS NULL OR v.number < $2) ORDER BY v.number DESC LIMIT $3"
    );
    let query = query
        .bind(dataset_id)
        .bind(page.after::<i64>()?)
        .bind(page.fetch());
    Ok(List::cut(
        all(db, query).await?,
        page,
        |version: &Version| version.number,
    ))
}

/// What a version was made of, in the order it was told.
pub async fn sources<'c>(from: impl Read<'c>, id: VersionId) -> Result<Vec<Source>> {
    let text = "SELECT ref, manifest_digest, source_version_id, source_job_id FROM dataset_version_sources \
         WHERE version_id = $1 ORDER BY position";
    all(from, sql(text).bind(id)).await
}

/// Takes a version back: aliases leave it, and no new job or workspace can use it. Its record and its number stay. Twice is fine.
///
/// # Errors
/// `NotFound` without such a version.
pub async fn retract(tx: &mut Tx, dataset_id: DatasetId, number: i64, by: UserId) -> Result<()> {
    let held = lock(tx, dataset_id).await?;
    let version = by_number(&mut *tx, dataset_id, number)
        .await?
        .ok_or_else(|| Error::not_found(format!("the dataset has no version {number}")))?;
    let text =
        "UPDATE dataset_versions SET retracted_ms = $2 WHERE id = $1 AND retracted_ms IS NULL";
    if execute(tx, sql(text).bind(version.id).bind(tx.now_ms())).await? == 0 {
        return Ok(());
    }
    super::aliases::leave(tx, dataset_id, version.id, by).await?;
    changed(tx, held.project_id, dataset_id);
    Ok(())
}
