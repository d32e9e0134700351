//! What the records say of homes after their server was restored from a backup, which may be older than what lies on other machines.

use serde::Serialize;

use crate::Result;
use crate::db::{Db, Record, Row, Tx, all, execute, sql};
use crate::ids::MachineId;

/// A home whose newest files did not come with the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbsentHome {
    /// The workspace: its owner and its name.
    pub name: String,
    /// The machine that it lies on; none where it lay on the server's own and was never saved: then it is lost.
    pub machine: Option<String>,
    /// When it was saved last, in milliseconds UTC; none where it never was.
    pub saved_ms: Option<i64>,
}

impl Record for AbsentHome {
    fn read(row: &Row) -> Result<Self> {
        let (user, name) = (row.text("user_name")?, row.text("workspace_name")?);
        Ok(Self {
            name: format!("{user}/{name}"),
            machine: row.maybe_text("machine_name")?,
            saved_ms: row.maybe_int("saved_ms")?,
        })
    }
}

/// Leaves the lowest fencing number to copies that are not on record. Once, with the records.
pub(crate) async fn make_room(tx: &mut Tx) -> Result<()> {
    let text = "UPDATE home_copies SET fence = fence + 1";
    execute(tx, sql(text)).await.map(|_| ())
}

/// Says of the copies on `here`, whose folders are gone, that they are as they were saved last; and of those on other machines that they may be newer
/// than any snapshot. `created_ms`: when the backup was made. Safe to repeat.
///
/// A workspace may also have been since on a worker where the backup knows no copy of its home: there is one from now on, older than the home, so that
/// what lies there is kept when the home comes.
pub(crate) async fn restored(tx: &mut Tx, here: Option<MachineId>, created_ms: i64) -> Result<()> {
    let here = here.map_or_else(String::new, |id| id.to_string());
    let here = || here.clone();
    let text = "DELETE FROM home_copies WHERE machine_id = $1 AND snapshot_id IS NULL";
    execute(&mut *tx, sql(text).bind(here())).await?;
    let text = "UPDATE home_copies SET saved = CASE WHEN machine_id = $1 THEN 1 ELSE 0 END";
    execute(&mut *tx, sql(text).bind(here())).await?;
    // Another time for each machine: what is kept of several must not have one name.
    let text = "INSERT INTO home_copies (workspace_id, machine_id, fence, saved, changed_ms) \
         SELECT w.id, m.id, 1, 0, $2 + 1000 * (SELECT COUNT(*) FROM machines o WHERE o.id < m.id) FROM workspaces w CROSS JOIN machines m \
         WHERE m.kind = 'worker' AND m.state <> 'removed' AND m.id <> $1 AND w.deleted_ms IS NULL \
         AND EXISTS (SELECT 1 FROM home_copies c WHERE c.workspace_id = w.id) ON CONFLICT DO NOTHING";
    execute(tx, sql(text).bind(here()).bind(created_ms)).await?;
    Ok(())
}

/// The homes whose newest files are not on `here`, by name: as [`restored`] left the records.
pub(crate) async fn absent(db: &Db, here: Option<MachineId>) -> Result<Vec<AbsentHome>> {
    let here = here.map_or_else(String::new, |id| id.to_string());
    let text = "SELECT u.name AS user_name, w.name AS workspace_name, m.name AS machine_name, \
         (SELECT MAX(s.created_ms) FROM home_snapshots s WHERE s.workspace_id = w.id) AS saved_ms \
         FROM workspaces w JOIN users u ON u.id = w.user_id \
         LEFT JOIN home_copies c ON c.workspace_id = w.id \
         AND c.fence = (SELECT MAX(o.fence) FROM home_copies o WHERE o.workspace_id = w.id) \
         LEFT JOIN machines m ON m.id = c.machine_id \
         WHERE w.deleted_ms IS NULL AND w.fence > 0 AND (c.machine_id IS NULL OR c.machine_id <> $1) \
         ORDER BY user_name, workspace_name";
    all(db, sql(text).bind(here)).await
}
