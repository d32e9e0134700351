//! What people see of homes, for many workspaces with one statement.

use super::HomeRecord;
use crate::Result;
use crate::db::{Db, Record, Row, all, select_in};
use crate::ids::WorkspaceId;

/// What people see of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeView {
    /// Whose home.
    pub workspace_id: WorkspaceId,
    /// What was measured and found.
    pub record: HomeRecord,
    /// When its newest snapshot was taken.
    pub snapshot_ms: Option<i64>,
}

impl Record for HomeView {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.parsed("workspace_id")?,
            record: HomeRecord::read(row)?,
            snapshot_ms: row.maybe_int("snapshot_ms")?,
        })
    }
}

/// What people see of the homes of these workspaces; nothing of those that were never in use.
pub async fn views(db: &Db, ids: &[WorkspaceId]) -> Result<Vec<HomeView>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let text = "SELECT h.*, (SELECT MAX(s.created_ms) FROM home_snapshots s WHERE s.workspace_id = h.workspace_id) AS snapshot_ms \
         FROM homes h WHERE h.workspace_id IN";
    let query = select_in(text, ids.len(), "");
    all(db, ids.iter().fold(query, |query, id| query.bind(*id))).await
}
