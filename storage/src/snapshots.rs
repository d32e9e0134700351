//! Records of snapshots: whose, of what, and the digests under which the store has them. Never changed once made.

use serde::{Deserialize, Serialize};

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::{ProjectId, SnapshotId, UserId, WorkspaceId};
use crate::list::{List, Page};

/// A path that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The path, relative to the folder; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Why, in words.
    pub reason: String,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// Who took it.
    pub user_id: UserId,
    /// The workspace it was taken of; none for a folder elsewhere.
    pub workspace_id: Option<WorkspaceId>,
    /// The digest of its manifest: its identity.
    pub manifest_digest: String,
    /// The digest of its content, which anyone can compute.
    pub content_digest: String,
    /// How many files.
    pub files: i64,
    /// How many bytes.
    pub bytes: i64,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// When, in milliseconds UTC.
    pub created_ms: i64,
}

/// A snapshot to record, after the store has it durably.
#[derive(Debug, Clone)]
pub struct NewSnapshot {
    /// See [`Snapshot::project_id`].
    pub project_id: ProjectId,
    /// See [`Snapshot::user_id`].
    pub user_id: UserId,
    /// See [`Snapshot::workspace_id`].
    pub workspace_id: Option<WorkspaceId>,
    /// See [`Snapshot::manifest_digest`].
    pub manifest_digest: String,
    /// See [`Snapshot::content_digest`].
    pub content_digest: String,
    /// See [`Snapshot::files`].
    pub files: i64,
    /// See [`Snapshot::bytes`].
    pub bytes: i64,
    /// See [`Snapshot::skipped`].
    pub skipped: Vec<Skipped>,
}

impl Record for Snapshot {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            project_id: row.parsed("project_id")?,
            user_id: row.parsed("user_id")?,
            workspace_id: row.maybe_parsed("workspace_id")?,
            manifest_digest: row.text("manifest_digest")?,
            content_digest: row.text("content_digest")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            skipped: row.json("skipped")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

/// Records a snapshot.
///
/// # Errors
/// `NotFound` for an unknown project, user or workspace.
pub async fn create(tx: &mut Tx, new: &NewSnapshot) -> Result<Snapshot> {
    let id = SnapshotId::new(tx.clock());
    let skipped = serde_json::to_string(&new.skipped)
        .map_err(|error| Error::internal("a list of paths is not JSON", error))?;
    let text = "INSERT INTO snapshots (id, project_id, user_id, workspace_id, manifest_digest, content_digest, files, bytes, skipped, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let query = sql(text)
        .bind(id)
        .bind(new.project_id)
        .bind(new.user_id)
        .bind(new.workspace_id);
    let query = query
        .bind(new.manifest_digest.as_str())
        .bind(new.content_digest.as_str())
        .bind(new.files)
        .bind(new.bytes);
    execute(tx, query.bind(skipped).bind(tx.now_ms())).await?;
    get(tx, id)
        .await?
        .ok_or_else(|| Error::fault("a snapshot vanished as it was made"))
}

/// The snapshot with this id.
pub async fn get<'c>(from: impl Read<'c>, id: SnapshotId) -> Result<Option<Snapshot>> {
    optional(from, sql("SELECT * FROM snapshots WHERE id = $1").bind(id)).await
}

/// The snapshots of a project, newest first.
pub async fn list(db: &Db, project_id: ProjectId, page: &Page) -> Result<List<Snapshot>> {
    let text = "SELECT * FROM snapshots WHERE project_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    let items = all(
        db,
        sql(text)
            .bind(project_id)
            .bind(page.after::<SnapshotId>()?)
            .bind(page.fetch()),
    )
    .await?;
    Ok(List::cut(items, page, |snapshot: &Snapshot| snapshot.id))
}
