//! Adoptions: how a prefix of somebody's bucket becomes a version of a dataset, without a byte of it being kept here.

use serde::{Deserialize, Serialize};

use crate::audit;
use crate::datasets::{self, Dataset, Made};
use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{AdoptionId, DatasetId, UserId};
use crate::names::{self, named};
use crate::objects::Store;

mod gather;
mod list;
mod seal;

#[cfg(test)]
mod tests;

const MESSAGE_BYTES: usize = 10_000;

named! {
    /// How far an adoption is.
    State {
        /// It goes on, also after a restart.
        Running = "running",
        /// There is a version.
        Done = "done",
        /// There is none, and `error` says why.
        Failed = "failed",
    }
}

/// An adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Its id.
    pub id: AdoptionId,
    /// The dataset that gets a version.
    pub dataset_id: DatasetId,
    /// What is adopted: `s3://BUCKET/PREFIX`.
    pub uri: String,
    /// What is new in the version.
    pub message: String,
    /// Who adopts.
    pub user_id: UserId,
    /// How far it is.
    pub state: State,
    /// How many files there are; 0 until all are listed.
    pub files: i64,
    /// How many bytes they have.
    pub bytes: i64,
    /// How many files are known by their content.
    pub done_files: i64,
    /// How many bytes were read for that, or known before.
    pub done_bytes: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// The number of the version.
    pub version: Option<i64>,
    /// When it was asked for, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

impl Record for Adoption {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            dataset_id: row.parsed("dataset_id")?,
            uri: row.text("uri")?,
            message: row.text("message")?,
            user_id: row.parsed("user_id")?,
            state: row.parsed("state")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            done_files: row.int("done_files")?,
            done_bytes: row.int("done_bytes")?,
            error: row.maybe_text("error")?,
            version: row.maybe_int("version")?,
            created_ms: row.int("created_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
        })
    }
}

/// A part of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The bucket's name in the configuration.
    pub bucket: String,
    /// What the keys begin with: empty, or ending with `/`.
    pub within: String,
}

/// Carries an adoption out: reads every key that is not known yet once, keeps nothing of it here, and makes the version. Dropped, it leaves what it
/// has learnt, and may be begun again.
///
/// # Errors
/// `Invalid` where keys cannot be paths, or are too many; `Conflict` where one is changed meanwhile; `NotFound` for a deleted dataset;
/// `Unavailable` where the bucket does not answer, or is not configured.
pub async fn carry_out(store: &Store, adoption: &Adoption, prefix: &Prefix) -> Result<Made> {
    let missing = || Error::not_found("the dataset was deleted");
    let dataset = datasets::get(store.db(), adoption.dataset_id).await?;
    let dataset = dataset.ok_or_else(missing)?;
    let none = || Error::unavailable("cannot adopt", "no buckets are configured");
    let bucket = store.adopted().ok_or_else(none)?.bucket(&prefix.bucket)?;
    let keys = list::list(bucket, &prefix.within).await?;
    let found = gather::gather((store.db(), bucket), (adoption, prefix), keys).await?;
    seal::seal(store, (adoption, &dataset), found).await
}

/// Records that a prefix is to be adopted, and whether that is new: where the same is under way for the dataset, that is the answer.
///
/// # Errors
/// `Invalid` for a message that is too long.
pub async fn begin(
    tx: &mut Tx,
    dataset: &Dataset,
    by: UserId,
    (uri, message): (&str, &str),
) -> Result<(Adoption, bool)> {
    names::check_text("message", message, MESSAGE_BYTES)?;
    let text = "INSERT INTO adoptions (id, dataset_id, uri, message, user_id, state, created_ms) VALUES ($1, $2, $3, $4, $5, 'running', $6) \
                ON CONFLICT DO NOTHING";
    let id = AdoptionId::new(tx.clock());
    let query = sql(text).bind(id).bind(dataset.id).bind(uri.to_owned());
    let query = query.bind(message.to_owned()).bind(by).bind(tx.now_ms());
    let is_new = execute(tx, query).await? > 0;
    if is_new {
        let detail = serde_json::json!({ "uri": uri, "adoption": id.to_string() });
        let subject = format!("{}/{}", dataset.project, dataset.name);
        audit::record(tx, Some(by), "adopt_prefix", &subject, &detail).await?;
    }
    let text = "SELECT * FROM adoptions WHERE dataset_id = $1 AND uri = $2 AND state = 'running'";
    let query = sql(text).bind(dataset.id).bind(uri.to_owned());
    let found: Option<Adoption> = optional(tx, query).await?;
    let missing = || Error::fault("an adoption vanished as it began");
    found.map(|found| (found, is_new)).ok_or_else(missing)
}

/// The adoption with this id.
pub async fn get<'c>(from: impl Read<'c>, id: AdoptionId) -> Result<Option<Adoption>> {
    optional(from, sql("SELECT * FROM adoptions WHERE id = $1").bind(id)).await
}

/// Those that are under way, or were when the server ended.
pub async fn running(db: &Db) -> Result<Vec<Adoption>> {
    let text = "SELECT * FROM adoptions WHERE state = 'running' ORDER BY created_ms, id";
    all(db, sql(text)).await
}

/// Takes note of how far one is.
async fn advance(
    tx: &mut Tx,
    id: AdoptionId,
    (files, bytes): (u64, u64),
    (done_files, done_bytes): (u64, u64),
) -> Result<()> {
    let text = "UPDATE adoptions SET files = $2, bytes = $3, done_files = $4, done_bytes = $5 WHERE id = $1 AND state = 'running'";
    let count = crate::objects::number;
    let query = sql(text).bind(id).bind(count(files)).bind(count(bytes));
    let query = query.bind(count(done_files)).bind(count(done_bytes));
    execute(tx, query).await?;
    Ok(())
}

/// Records that one came to nothing. Twice is fine.
pub async fn fail(tx: &mut Tx, adoption: &Adoption, why: &str) -> Result<()> {
    let text = "UPDATE adoptions SET state = 'failed', error = $2, ended_ms = $3 WHERE id = $1 AND state = 'running'";
    let query = sql(text).bind(adoption.id).bind(why.to_owned());
    let query = query.bind(tx.now_ms());
    execute(tx, query).await?;
    tell(tx, adoption.dataset_id).await
}

/// Records the version that one became.
async fn done(tx: &mut Tx, adoption: &Adoption, made: &Made) -> Result<()> {
    let text = "UPDATE adoptions SET state = 'done', version = $2, ended_ms = $3 WHERE id = $1 AND state = 'running'";
    let query = sql(text).bind(adoption.id).bind(made.version.number);
    let query = query.bind(tx.now_ms());
    if execute(tx, query).await? == 0 {
        return Err(Error::conflict("the adoption has ended already"));
    }
    tell(tx, adoption.dataset_id).await
}

/// Tells that one has ended.
async fn tell(tx: &mut Tx, id: DatasetId) -> Result<()> {
    if let Some(dataset) = datasets::get(&mut *tx, id).await? {
        tx.notice(Notice {
            kind: Kind::DatasetChanged,
            project_id: Some(dataset.project_id),
            user_id: None,
            subject: id.to_string(),
        });
    }
    Ok(())
}
