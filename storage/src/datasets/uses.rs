//! Who has to do with a manifest: the versions that are it, the jobs that left or read it, the workspaces that show it.

use serde::Serialize;

use crate::Db;
use crate::db::{Query, Record, Row, all, select_in};
use crate::error::Result;
use crate::ids::{ProjectId, UserId, WorkspaceId};
use crate::names::named;
use crate::objects::Hash;

/// Manifests that one question asks for.
const ASKED: usize = 100;

named! {
    /// What has to do with a manifest, and how.
    User {
        /// A version of a dataset is it; `digits:3`.
        Version = "version",
        /// A job left it; `#12`.
        Left = "left",
        /// A job read it; `#12`.
        Read = "read",
        /// A workspace shows it; the workspace's name.
        Workspace = "workspace",
    }
}

/// One that has to do with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Use {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// What it is.
    #[serde(rename = "kind")]
    pub user: User,
    /// What people call it within its project.
    pub name: String,
    /// A workspace, with whose it is: only they and owners of the project may know of it.
    pub workspace: Option<(WorkspaceId, UserId)>,
}

impl Record for Use {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            project_id: row.parsed("project_id")?,
            user: row.parsed("kind")?,
            name: row.text("name")?,
            workspace: row
                .maybe_parsed("workspace_id")?
                .zip(row.maybe_parsed("user_id")?),
        })
    }
}

const VERSIONS: &str = "SELECT d.project_id, 'version' AS kind, d.name || ':' || CAST(v.number AS TEXT) AS name, \
     NULL AS workspace_id, NULL AS user_id FROM dataset_versions v \
     JOIN datasets d ON d.id = v.dataset_id WHERE d.deleted_ms IS NULL AND v.manifest_digest IN";
const LEFT: &str = "SELECT j.project_id, 'left' AS kind, '#' || CAST(j.number AS TEXT) AS name, NULL AS workspace_id, NULL AS user_id FROM job_outputs o \
     JOIN jobs j ON j.id = o.job_id WHERE o.manifest_digest IN";
const READ: &str = "SELECT DISTINCT j.project_id, 'read' AS kind, '#' || CAST(j.number AS TEXT) AS name, NULL AS workspace_id, NULL AS user_id FROM job_inputs i \
     JOIN jobs j ON j.id = i.job_id WHERE i.manifest_digest IN";
const WORKSPACES: &str = "SELECT DISTINCT w.project_id, 'workspace' AS kind, w.name, w.id AS workspace_id, w.user_id FROM workspace_inputs i \
     JOIN workspaces w ON w.id = i.workspace_id WHERE w.deleted_ms IS NULL AND i.manifest_digest IN";

/// Everybody who has to do with one of these manifests, at most 1000 of each kind for each hundred manifests; sorted.
pub async fn uses(db: &Db, manifests: &[Hash]) -> Result<Vec<Use>> {
    let mut found = Vec::new();
    for chunk in manifests.chunks(ASKED) {
        for text in [VERSIONS, LEFT, READ, WORKSPACES] {
            let query = select_in(text, chunk.len(), "LIMIT 1000");
            let query = chunk.iter().map(Hash::to_hex).fold(query, Query::bind);
            found.extend(all::<Use>(db, query).await?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
