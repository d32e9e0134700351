//! Records of homes: their snapshots, and which machine has which copy. A report of an older run than the present one is refused.

use serde::{Deserialize, Serialize};

use super::{Pending, Taken, Usage, retention};
use crate::capture::Skipped;
use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{HomeSnapshotId, MachineId, WorkspaceId};
use crate::objects::{Hash, number};

/// A snapshot of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomeSnapshot {
    /// Its id.
    pub id: HomeSnapshotId,
    /// Whose home.
    pub workspace_id: WorkspaceId,
    /// The machine it was taken on.
    pub machine_id: MachineId,
    /// The fencing number of the run that had written the home.
    pub fence: i64,
    /// Whether that run had ended: then nothing came after it.
    pub whole: bool,
    /// Which content.
    pub manifest_digest: Hash,
    /// Which tree.
    pub attributes_hash: Hash,
    /// How many files.
    pub files: i64,
    /// How many bytes.
    pub bytes: i64,
    /// What is not in it.
    pub skipped: Vec<Skipped>,
    /// When, in milliseconds UTC.
    pub created_ms: i64,
}

impl Record for HomeSnapshot {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            workspace_id: row.parsed("workspace_id")?,
            machine_id: row.parsed("machine_id")?,
            fence: row.int("fence")?,
            whole: row.int("whole")? == 1,
            manifest_digest: row.parsed("manifest_digest")?,
            attributes_hash: row.parsed("attributes_hash")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            skipped: row.json("skipped")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

/// A copy of a home on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeCopy {
    /// The machine it lies on.
    pub machine_id: MachineId,
    /// The last run that could write it. The copy with the highest is the home.
    pub fence: i64,
    /// What it was made from, or was saved as.
    pub snapshot_id: Option<HomeSnapshotId>,
    /// Whether it is as that snapshot.
    pub saved: bool,
    /// When this was recorded last.
    pub changed_ms: i64,
}

impl Record for HomeCopy {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            machine_id: row.parsed("machine_id")?,
            fence: row.int("fence")?,
            snapshot_id: row.maybe_parsed("snapshot_id")?,
            saved: row.int("saved")? == 1,
            changed_ms: row.int("changed_ms")?,
        })
    }
}

/// Something that was found on a machine that had been given up, and was put into the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeConflict {
    /// The folder in the home that it is in.
    pub name: String,
    /// The machine it comes from.
    pub machine_id: MachineId,
    /// When it was found, in milliseconds UTC.
    pub created_ms: i64,
}

/// What is known of a home as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomeRecord {
    /// Files, as measured last.
    pub files: Option<i64>,
    /// Bytes on disk, as measured last.
    pub bytes: Option<i64>,
    /// When it was measured.
    pub measured_ms: Option<i64>,
    /// The snapshot that its owner agreed to go on from.
    pub accepted_id: Option<HomeSnapshotId>,
    /// What was put into it, oldest first.
    pub conflicts: Vec<HomeConflict>,
}

impl Record for HomeRecord {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            files: row.maybe_int("files")?,
            bytes: row.maybe_int("bytes")?,
            measured_ms: row.maybe_int("measured_ms")?,
            accepted_id: row.maybe_parsed("accepted_id")?,
            conflicts: row.json("conflicts")?,
        })
    }
}

/// The run that a home was written by, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeRun {
    /// Whose home.
    pub workspace_id: WorkspaceId,
    /// The machine it runs on.
    pub machine_id: MachineId,
    /// Its fencing number.
    pub fence: i64,
}

/// Records a snapshot that [`super::take`] made. `whole`: the run has ended. The same content as the last one is not recorded again.
///
/// Returns `None`, having recorded nothing, where the home is another copy by now, another run writes this one, or the workspace is deleted.
/// Thins older snapshots out; their objects stay.
pub async fn save(
    tx: &mut Tx,
    pending: &Pending,
    run: HomeRun,
    whole: bool,
) -> Result<Option<HomeSnapshot>> {
    if hold(tx, run.workspace_id).await?.is_none() {
        return Ok(None);
    }
    let home = copies(&mut *tx, run.workspace_id).await?.into_iter().next();
    if home.is_none_or(|home| (home.machine_id, home.fence) != (run.machine_id, run.fence)) {
        return Ok(None);
    }
    ensure(tx, run.workspace_id).await?;
    pending.record(tx).await?;
    let taken = pending.taken();
    let last = newest(&mut *tx, run.workspace_id).await?;
    // A backup that began while the run did may end after what the run left was saved.
    if !whole
        && let Some(last) = last
            .clone()
            .filter(|last| last.whole && last.fence == run.fence)
    {
        return Ok(Some(last));
    }
    let same = last.filter(|last| {
        (
            last.fence,
            last.whole,
            last.manifest_digest,
            last.attributes_hash,
        ) == (
            run.fence,
            whole,
            taken.summary.manifest_digest,
            taken.attributes_hash,
        )
    });
    let snapshot = match same {
        Some(same) => same,
        None => insert(tx, taken, run, whole).await?,
    };
    let text = "UPDATE home_copies SET snapshot_id = $3, saved = $4, changed_ms = $5 WHERE workspace_id = $1 AND machine_id = $2";
    let query = sql(text).bind(run.workspace_id).bind(run.machine_id);
    let query = query.bind(snapshot.id).bind(i64::from(whole));
    execute(tx, query.bind(tx.now_ms())).await?;
    thin(tx, run.workspace_id).await?;
    tell(tx, run.workspace_id).await?;
    Ok(Some(snapshot))
}

async fn insert(tx: &mut Tx, taken: &Taken, run: HomeRun, whole: bool) -> Result<HomeSnapshot> {
    let id = HomeSnapshotId::new(tx.clock());
    let text = "INSERT INTO home_snapshots (id, workspace_id, machine_id, fence, whole, manifest_digest, attributes_hash, files, bytes, \
         skipped, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let query = sql(text)
        .bind(id)
        .bind(run.workspace_id)
        .bind(run.machine_id)
        .bind(run.fence)
        .bind(i64::from(whole));
    let query = query
        .bind(taken.summary.manifest_digest.to_hex())
        .bind(taken.attributes_hash.to_hex())
        .bind(number(taken.summary.files))
        .bind(number(taken.summary.bytes));
    let query = query.bind(json(&taken.skipped)?).bind(tx.now_ms());
    execute(tx, query).await?;
    get(tx, id)
        .await?
        .ok_or_else(|| Error::fault("a snapshot vanished as it was made"))
}

/// Records that `run` may write the home on its machine from now on: call it after the home is there and before the run begins.
///
/// `from`: what the copy was restored from; none where it is used as it lay there. Returns whether `run` is the workspace's present one.
pub async fn begin(tx: &mut Tx, run: HomeRun, from: Option<HomeSnapshotId>) -> Result<bool> {
    if hold(tx, run.workspace_id).await? != Some(run.fence) {
        return Ok(false);
    }
    let text = "INSERT INTO home_copies (workspace_id, machine_id, fence, snapshot_id, saved, changed_ms) VALUES ($1, $2, $3, $4, 0, $5) \
         ON CONFLICT (workspace_id, machine_id) DO UPDATE SET fence = excluded.fence, saved = 0, changed_ms = excluded.changed_ms, \
         snapshot_id = COALESCE(excluded.snapshot_id, home_copies.snapshot_id)";
    let query = sql(text).bind(run.workspace_id).bind(run.machine_id);
    let query = query.bind(run.fence).bind(from.map(|id| id.to_string()));
    execute(tx, query.bind(tx.now_ms())).await?;
    let text = "UPDATE homes SET accepted_id = NULL WHERE workspace_id = $1";
    execute(tx, sql(text).bind(run.workspace_id)).await?;
    Ok(true)
}

/// Records that the home's owner agreed to go on from this snapshot, although something newer may lie where it cannot be reached.
///
/// # Errors
/// `Conflict` where it is not the newest snapshot of the workspace's home.
pub async fn accept(tx: &mut Tx, workspace_id: WorkspaceId, id: HomeSnapshotId) -> Result<()> {
    let last = newest(&mut *tx, workspace_id).await?;
    if last.is_none_or(|last| last.id != id) {
        return Err(Error::conflict("there is a newer snapshot of this home"));
    }
    ensure(tx, workspace_id).await?;
    let text = "UPDATE homes SET accepted_id = $2 WHERE workspace_id = $1";
    execute(tx, sql(text).bind(workspace_id).bind(id)).await?;
    Ok(())
}

/// Records that something was put into the home. Told once by its name.
pub async fn add_conflict(tx: &mut Tx, id: WorkspaceId, conflict: &HomeConflict) -> Result<()> {
    ensure(tx, id).await?;
    let mut conflicts = record(&mut *tx, id).await?.conflicts;
    if conflicts.iter().any(|known| known.name == conflict.name) {
        return Ok(());
    }
    conflicts.push(conflict.clone());
    let text = "UPDATE homes SET conflicts = $2 WHERE workspace_id = $1";
    execute(tx, sql(text).bind(id).bind(json(&conflicts)?)).await?;
    tell(tx, id).await
}

/// Records how large the home is. `notify`: whether people should hear of it.
pub async fn measured(tx: &mut Tx, id: WorkspaceId, usage: Usage, notify: bool) -> Result<()> {
    let (files, bytes) = (number(usage.files), number(usage.bytes));
    ensure(tx, id).await?;
    let text = "UPDATE homes SET files = $2, bytes = $3, measured_ms = $4 WHERE workspace_id = $1";
    let query = sql(text).bind(id).bind(files).bind(bytes);
    execute(tx, query.bind(tx.now_ms())).await?;
    if notify { tell(tx, id).await } else { Ok(()) }
}

/// Records copies for homes that were made before copies were recorded: they lie on `machine_id`, where everything ran.
pub async fn adopt(tx: &mut Tx, machine_id: MachineId) -> Result<()> {
    let text = "INSERT INTO home_copies (workspace_id, machine_id, fence, saved, changed_ms) \
         SELECT w.id, $1, w.fence, 0, $2 FROM workspaces w WHERE w.fence > 0 AND w.deleted_ms IS NULL \
         AND NOT EXISTS (SELECT 1 FROM home_copies c WHERE c.workspace_id = w.id)";
    execute(tx, sql(text).bind(machine_id).bind(tx.now_ms())).await?;
    Ok(())
}

/// Forgets a copy, after it was removed from its machine.
pub async fn forget_copy(tx: &mut Tx, id: WorkspaceId, machine_id: MachineId) -> Result<()> {
    let text = "DELETE FROM home_copies WHERE workspace_id = $1 AND machine_id = $2";
    execute(tx, sql(text).bind(id).bind(machine_id)).await?;
    Ok(())
}

/// Forgets everything about the home of a workspace that is deleted, but for the copies that are still to be removed.
pub async fn forget_all(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text = "UPDATE home_copies SET snapshot_id = NULL, saved = 0 WHERE workspace_id = $1";
    execute(tx, sql(text).bind(id)).await?;
    execute(
        &mut *tx,
        sql("DELETE FROM homes WHERE workspace_id = $1").bind(id),
    )
    .await?;
    let text = "DELETE FROM home_snapshots WHERE workspace_id = $1";
    execute(tx, sql(text).bind(id)).await?;
    let text = "DELETE FROM workspace_phases WHERE workspace_id = $1";
    execute(tx, sql(text).bind(id)).await?;
    Ok(())
}

/// The deleted workspaces of whose homes a copy lies on this machine.
pub async fn leftover(db: &Db, machine_id: MachineId) -> Result<Vec<WorkspaceId>> {
    let text = "SELECT c.workspace_id AS id FROM home_copies c JOIN workspaces w ON w.id = c.workspace_id \
         WHERE c.machine_id = $1 AND w.deleted_ms IS NOT NULL ORDER BY c.workspace_id";
    let found: Vec<Leftover> = all(db, sql(text).bind(machine_id)).await?;
    Ok(found.into_iter().map(|Leftover(id)| id).collect())
}

struct Leftover(WorkspaceId);

impl Record for Leftover {
    fn read(row: &Row) -> Result<Self> {
        row.parsed("id").map(Self)
    }
}

/// The snapshot with this id.
pub async fn get<'c>(from: impl Read<'c>, id: HomeSnapshotId) -> Result<Option<HomeSnapshot>> {
    let text = "SELECT * FROM home_snapshots WHERE id = $1";
    optional(from, sql(text).bind(id)).await
}

/// The newest snapshot of a workspace's home.
pub async fn newest<'c>(from: impl Read<'c>, id: WorkspaceId) -> Result<Option<HomeSnapshot>> {
    let text = "SELECT * FROM home_snapshots WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1";
    optional(from, sql(text).bind(id)).await
}

/// Every snapshot of a workspace's home, newest first. Few: older ones are thinned out.
pub async fn snapshots(db: &Db, id: WorkspaceId) -> Result<Vec<HomeSnapshot>> {
    let text = "SELECT * FROM home_snapshots WHERE workspace_id = $1 ORDER BY id DESC";
    all(db, sql(text).bind(id)).await
}

/// The copies of a workspace's home, the home itself first.
pub async fn copies<'c>(from: impl Read<'c>, id: WorkspaceId) -> Result<Vec<HomeCopy>> {
    let text = "SELECT * FROM home_copies WHERE workspace_id = $1 ORDER BY fence DESC";
    all(from, sql(text).bind(id)).await
}

/// What is known of a home as a whole.
pub async fn record<'c>(from: impl Read<'c>, id: WorkspaceId) -> Result<HomeRecord> {
    let text = "SELECT * FROM homes WHERE workspace_id = $1";
    Ok(optional(from, sql(text).bind(id))
        .await?
        .unwrap_or_default())
}

/// Holds the workspace until the transaction ends. Returns its fencing number; none where it is deleted.
async fn hold(tx: &mut Tx, id: WorkspaceId) -> Result<Option<i64>> {
    let text = "UPDATE workspaces SET id = id WHERE id = $1 AND deleted_ms IS NULL RETURNING fence";
    optional(tx, sql(text).bind(id)).await
}

async fn ensure(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text =
        "INSERT INTO homes (workspace_id, conflicts) VALUES ($1, '[]') ON CONFLICT DO NOTHING";
    execute(tx, sql(text).bind(id)).await?;
    Ok(())
}

/// Forgets the snapshots that need not be kept; what a copy was made from is kept.
async fn thin(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text = "SELECT * FROM home_snapshots WHERE workspace_id = $1 ORDER BY id DESC";
    let found: Vec<HomeSnapshot> = all(&mut *tx, sql(text).bind(id)).await?;
    let copies = copies(&mut *tx, id).await?;
    let times: Vec<i64> = found.iter().map(|snapshot| snapshot.created_ms).collect();
    let keep = retention::keep(&times);
    let needed = |id| copies.iter().any(|copy| copy.snapshot_id == Some(id));
    let accepted = record(&mut *tx, id).await?.accepted_id;
    let gone: Vec<HomeSnapshotId> = (found.iter().zip(keep))
        .filter(|(found, keep)| !keep && !needed(found.id) && accepted != Some(found.id))
        .map(|(found, _)| found.id)
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let query = select_in("DELETE FROM home_snapshots WHERE id IN", gone.len(), "");
    let query = gone.iter().fold(query, |query, id| query.bind(*id));
    execute(tx, query).await?;
    Ok(())
}

/// Tells people that something about the workspace changed.
async fn tell(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let found = crate::workspaces::bare(&mut *tx, id).await?;
    if let Some(found) = found {
        tx.notice(Notice {
            kind: Kind::WorkspaceChanged,
            project_id: Some(found.project_id),
            user_id: Some(found.user_id),
            subject: id.to_string(),
        });
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a list is not JSON", error))
}
