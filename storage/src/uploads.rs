//! Content uploads: the one resumable protocol by which folders come in from elsewhere.
//!
//! Declare the entries, hear which objects are missing, send those (in parts if need be), seal. A hash is no capability: only content that the
//! project already holds counts as there; anything else must be sent, whatever the store has of other projects. Where the project holds nearly the
//! same already, that is the base of the upload, and only what differs is declared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::db::{Record, Row, Tx, all, execute, optional, sql};
use crate::ids::{ProjectId, SnapshotId, UploadId, UserId};
use crate::objects::{Hash, Store, blocking};
use crate::{Error, Result};

mod base;
mod entries;
mod known;
mod receive;
mod seal;
mod several;
mod spool;

pub(crate) use entries::held;
pub use entries::{Declared, MAX_DECLARED, declare, missing};
pub use known::Known;
pub use receive::{Received, put, received};
pub use seal::{Sealed, seal};
pub use several::put_several;

#[cfg(test)]
mod tests;

use spool::Spool;

/// An upload that is not used for this long is aborted: one day.
const LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

/// What an upload becomes when it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A snapshot of the project; may hold symbolic links.
    Snapshot,
    /// A plain manifest of regular files, for whoever refers to it.
    Outputs,
}

/// Where an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Takes entries and objects.
    Open,
    /// Became a manifest.
    Sealed,
    /// Given up or expired.
    Aborted,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The project that what it brings will belong to.
    pub project_id: ProjectId,
    /// Who sends it.
    pub user_id: UserId,
    /// What it becomes.
    pub kind: Kind,
    /// Where it is.
    pub state: State,
    /// What is declared are changes of this manifest.
    pub base_digest: Option<Hash>,
    /// The snapshot that it became.
    pub snapshot_id: Option<SnapshotId>,
    /// The manifest that it became.
    pub manifest_digest: Option<Hash>,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
    /// When it is aborted unless it is used before, in milliseconds UTC.
    pub expires_ms: i64,
}

impl Record for Upload {
    fn read(row: &Row) -> Result<Self> {
        let kind = match row.text("kind")?.as_str() {
            "snapshot" => Kind::Snapshot,
            _ => Kind::Outputs,
        };
        let state = match row.text("state")?.as_str() {
            "open" => State::Open,
            "sealed" => State::Sealed,
            _ => State::Aborted,
        };
        Ok(Self {
            id: row.parsed("id")?,
            project_id: row.parsed("project_id")?,
            user_id: row.parsed("user_id")?,
            kind,
            state,
            base_digest: row.maybe_parsed("base_digest")?,
            snapshot_id: row.maybe_parsed("snapshot_id")?,
            manifest_digest: row.maybe_parsed("manifest_digest")?,
            created_ms: row.int("created_ms")?,
            expires_ms: row.int("expires_ms")?,
        })
    }
}

/// Begins an upload; with a base, what is declared are changes of that, which the upload holds while it is open.
///
/// # Errors
/// `NotFound` for an unknown project or user, and for a base that the project does not hold whole.
pub async fn create(
    store: &Store,
    project: ProjectId,
    user: UserId,
    kind: Kind,
    base: Option<Hash>,
) -> Result<Upload> {
    let insert = "INSERT INTO uploads (id, project_id, user_id, kind, state, created_ms, expires_ms, base_digest) \
                  VALUES ($1, $2, $3, $4, 'open', $5, $6, $7)";
    let name = match kind {
        Kind::Snapshot => "snapshot",
        Kind::Outputs => "outputs",
    };
    let work = |mut tx: Tx| async move {
        let (id, now_ms) = (UploadId::new(tx.clock()), tx.now_ms());
        if let Some(base) = &base {
            base::begin(&mut tx, project, kind, base).await?;
        }
        let query = sql(insert)
            .bind(id)
            .bind(project)
            .bind(user)
            .bind(name)
            .bind(now_ms)
            .bind(now_ms + LIFETIME_MS);
        execute(&mut tx, query.bind(base.map(|base| base.to_hex()))).await?;
        Ok(id)
    };
    let id = store.db().write(work).await?;
    get(store, id)
        .await?
        .ok_or_else(|| Error::fault("an upload vanished as it was made"))
}

/// The upload with this id.
pub async fn get(store: &Store, id: UploadId) -> Result<Option<Upload>> {
    optional(
        store.db(),
        sql("SELECT * FROM uploads WHERE id = $1").bind(id),
    )
    .await
}

/// Gives an upload up and removes what it brought. Doing so twice is fine, and a sealed one stays sealed.
pub async fn abort(store: &Store, id: UploadId) -> Result<()> {
    let text = "UPDATE uploads SET state = 'aborted' WHERE id = $1 AND state = 'open'";
    let aborted = store
        .db()
        .write(|mut tx| async move { execute(&mut tx, sql(text).bind(id)).await })
        .await?;
    if aborted > 0 {
        discard(store, id).await?;
    }
    Ok(())
}

/// Aborts the uploads that were not used for a day; returns how many. For a timer.
pub async fn expire(store: &Store) -> Result<usize> {
    let text = "SELECT * FROM uploads WHERE state = 'open' AND expires_ms <= $1";
    let old: Vec<Upload> = all(store.db(), sql(text).bind(store.db().now_ms())).await?;
    for upload in &old {
        abort(store, upload.id).await?;
    }
    Ok(old.len())
}

/// At the start of a store: removes the spools of uploads that are over, and doubts what another boot wrote.
pub(crate) async fn clean(store: &Store) -> Result<()> {
    let spools: BTreeMap<UploadId, Spool> = {
        let store = store.clone();
        blocking(move || Spool::all(&store)).await?
    };
    for (id, spool) in spools {
        let open = get(store, id)
            .await?
            .is_some_and(|upload| upload.state == State::Open);
        blocking(move || if open { spool.doubt() } else { spool.remove() }).await?;
    }
    Ok(())
}

/// The upload, if it takes anything.
async fn open(store: &Store, id: UploadId) -> Result<Upload> {
    let upload = get(store, id)
        .await?
        .ok_or_else(|| Error::not_found("there is no such upload"))?;
    // Whoever sends one tells the two conflicts apart by these words.
    match upload.state {
        State::Open if upload.expires_ms > store.db().now_ms() => Ok(upload),
        State::Open | State::Aborted => Err(Error::conflict("the upload was aborted or expired")),
        State::Sealed => Err(Error::conflict("the upload is sealed")),
    }
}

/// Moves the end of an upload that is in use.
async fn touch(store: &Store, upload: &Upload) -> Result<()> {
    let now_ms = store.db().now_ms();
    if upload.expires_ms - now_ms > LIFETIME_MS / 2 {
        return Ok(());
    }
    let text = "UPDATE uploads SET expires_ms = $2 WHERE id = $1 AND state = 'open'";
    let id = upload.id;
    let work = |mut tx: Tx| async move {
        execute(&mut tx, sql(text).bind(id).bind(now_ms + LIFETIME_MS)).await
    };
    store.db().write(work).await.map(|_| ())
}

async fn discard(store: &Store, id: UploadId) -> Result<()> {
    let text = "DELETE FROM upload_entries WHERE upload_id = $1";
    store
        .db()
        .write(|mut tx| async move { execute(&mut tx, sql(text).bind(id)).await })
        .await?;
    let spool = Spool::of(store, id);
    blocking(move || spool.remove()).await
}
