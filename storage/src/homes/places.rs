//! All homes, where each lies and how it was saved last: for whoever looks after all of them at once.

use super::HomeCopy;
use crate::Result;
use crate::db::{Db, Record, Row, all, optional, sql};
use crate::ids::{ProjectId, WorkspaceId};

/// A home, where it lies and how it was saved last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomePlace {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its project.
    pub project_id: ProjectId,
    /// What people call it: its owner and its name.
    pub name: String,
    /// Whether its server runs, or may still.
    pub in_use: bool,
    /// The copy that is the home.
    pub copy: HomeCopy,
    /// When the newest snapshot was taken, in milliseconds UTC.
    pub saved_ms: Option<i64>,
}

impl Record for HomePlace {
    fn read(row: &Row) -> Result<Self> {
        let (user, name) = (row.text("user_name")?, row.text("workspace_name")?);
        Ok(Self {
            workspace_id: row.parsed("workspace_id")?,
            project_id: row.parsed("project_id")?,
            name: format!("{user}/{name}"),
            in_use: row.flag("in_use")?,
            copy: HomeCopy::read(row)?,
            saved_ms: row.maybe_int("saved_ms")?,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, w.project_id, w.name AS workspace_name, u.name AS user_name, \
             CAST(CASE WHEN w.run_id IS NULL THEN 0 ELSE 1 END AS BIGINT) AS in_use, \
             (SELECT MAX(s.created_ms) FROM home_snapshots s WHERE s.workspace_id = w.id) AS saved_ms \
             FROM workspaces w JOIN users u ON u.id = w.user_id JOIN home_copies c ON c.workspace_id = w.id \
             WHERE w.deleted_ms IS NULL AND c.fence = (SELECT MAX(o.fence) FROM home_copies o WHERE o.workspace_id = w.id) ",
            $rest
        )
    };
}

/// A page of the homes of workspaces that are not deleted, after that of `after`, at most `limit`.
pub async fn places(db: &Db, after: Option<WorkspaceId>, limit: u32) -> Result<Vec<HomePlace>> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let query = sql(select!("AND w.id > $1 ORDER BY w.id LIMIT $2"));
    all(db, query.bind(after).bind(i64::from(limit))).await
}

/// The home of a workspace, if it has one.
pub async fn place(db: &Db, id: WorkspaceId) -> Result<Option<HomePlace>> {
    optional(db, sql(select!("AND w.id = $1")).bind(id)).await
}
