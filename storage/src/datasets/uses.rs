//! Who has to do with a manifest or an object: the versions that are it, the jobs that left, read or ran it, the workspaces that show or saved it.

use serde::{Deserialize, Serialize};

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
        /// It is the code of a job, or the notebook that one was resumed with; `#12`.
        Code = "code",
        /// It is a job's log; `#12`.
        Log = "log",
        /// A workspace's home was saved as it; the workspace's name.
        Home = "home",
    }
}

/// One that has to do with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Use {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// That project's name.
    pub project: String,
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
            project: row.text("project")?,
            user: row.parsed("kind")?,
            name: row.text("name")?,
            workspace: row
                .maybe_parsed("workspace_id")?
                .zip(row.maybe_parsed("user_id")?),
        })
    }
}

const VERSIONS: &str = "SELECT d.project_id, p.name AS project, 'version' AS kind, d.name || ':' || CAST(v.number AS TEXT) AS name, \
     NULL AS workspace_id, NULL AS user_id FROM dataset_versions v \
     JOIN datasets d ON d.id = v.dataset_id JOIN projects p ON p.id = d.project_id WHERE d.deleted_ms IS NULL AND v.manifest_digest IN";
const WORKSPACES: &str = "SELECT DISTINCT w.project_id, p.name AS project, 'workspace' AS kind, w.name, w.id AS workspace_id, w.user_id \
     FROM workspace_inputs i JOIN workspaces w ON w.id = i.workspace_id JOIN projects p ON p.id = w.project_id \
     WHERE w.deleted_ms IS NULL AND i.manifest_digest IN";

/// Jobs of a kind.
macro_rules! jobs {
    ($kind:literal, $from:literal) => {
        concat!(
            "SELECT DISTINCT j.project_id, p.name AS project, '",
            $kind,
            "' AS kind, '#' || CAST(j.number AS TEXT) AS name, NULL AS workspace_id, NULL AS user_id FROM ",
            $from
        )
    };
}

/// Workspaces whose saved homes have something in this column.
macro_rules! homes {
    ($column:literal) => {
        concat!(
            "SELECT DISTINCT w.project_id, p.name AS project, 'home' AS kind, w.name, w.id AS workspace_id, w.user_id FROM home_snapshots h \
             JOIN workspaces w ON w.id = h.workspace_id JOIN projects p ON p.id = w.project_id WHERE w.deleted_ms IS NULL AND h.",
            $column,
            " IN"
        )
    };
}

const OF_MANIFESTS: [&str; 6] = [
    VERSIONS,
    jobs!(
        "left",
        "job_outputs o JOIN jobs j ON j.id = o.job_id JOIN projects p ON p.id = j.project_id WHERE o.manifest_digest IN"
    ),
    jobs!(
        "read",
        "job_inputs i JOIN jobs j ON j.id = i.job_id JOIN projects p ON p.id = j.project_id WHERE i.manifest_digest IN"
    ),
    WORKSPACES,
    jobs!(
        "code",
        "snapshots s JOIN jobs j ON j.snapshot_id = s.id JOIN projects p ON p.id = j.project_id WHERE s.manifest_digest IN"
    ),
    homes!("manifest_digest"),
];

const OF_OBJECTS: [&str; 3] = [
    jobs!(
        "log",
        "attempts a JOIN jobs j ON j.id = a.job_id JOIN projects p ON p.id = j.project_id WHERE a.log_hash IN"
    ),
    jobs!(
        "code",
        "job_holds h JOIN jobs j ON j.id = h.job_id JOIN projects p ON p.id = j.project_id WHERE h.notebook_hash IN"
    ),
    homes!("attributes_hash"),
];

/// Everybody who has to do with one of these manifests, at most 1000 of each kind for each hundred manifests; sorted.
pub async fn uses(db: &Db, manifests: &[Hash]) -> Result<Vec<Use>> {
    found(db, &OF_MANIFESTS, manifests).await
}

/// The same of objects that are in no manifest: logs, notebooks, and what a saved home is beside its files.
pub async fn object_uses(db: &Db, objects: &[Hash]) -> Result<Vec<Use>> {
    found(db, &OF_OBJECTS, objects).await
}

async fn found(db: &Db, texts: &[&'static str], hashes: &[Hash]) -> Result<Vec<Use>> {
    let mut found = Vec::new();
    for chunk in hashes.chunks(ASKED) {
        for text in texts {
            let query = select_in(text, chunk.len(), "LIMIT 1000");
            let query = chunk.iter().map(Hash::to_hex).fold(query, Query::bind);
            found.extend(all::<Use>(db, query).await?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
