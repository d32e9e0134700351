//! What held a manifest last, as far as records tell.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::db::{Db, optional, sql};
use crate::objects::Hash;

/// A manifest that nothing holds any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faded {
    /// Which.
    pub manifest_digest: Hash,
    /// How many files.
    pub files: u64,
    /// Their bytes, of which others may hold some.
    pub bytes: u64,
    /// What held it last, such as `vision/digits:3`; none where that is not known.
    pub held_by: Option<String>,
    /// Whether it goes now; else it is condemned, or waits.
    pub goes: bool,
}

/// What held a manifest last.
pub(super) async fn held_by(db: &Db, digest: &Hash) -> Result<Option<String>> {
    let text = "SELECT COALESCE(\
         (SELECT p.name || '/' || d.name || ':' || CAST(v.number AS TEXT) FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id \
          JOIN projects p ON p.id = d.project_id WHERE v.manifest_digest = $1 ORDER BY v.id DESC LIMIT 1), \
         (SELECT p.name || '#' || CAST(j.number AS TEXT) FROM job_outputs o JOIN jobs j ON j.id = o.job_id \
          JOIN projects p ON p.id = j.project_id WHERE o.manifest_digest = $1 ORDER BY j.id DESC LIMIT 1), \
         (SELECT 'an input of ' || p.name || '#' || CAST(j.number AS TEXT) FROM job_inputs i JOIN jobs j ON j.id = i.job_id \
          JOIN projects p ON p.id = j.project_id WHERE i.manifest_digest = $1 ORDER BY j.id DESC LIMIT 1), \
         (SELECT 'an input of the workspace ' || w.name FROM workspace_inputs i JOIN workspaces w ON w.id = i.workspace_id \
          WHERE i.manifest_digest = $1 ORDER BY w.id DESC LIMIT 1), \
         (SELECT 'a snapshot of ' || p.name FROM snapshots s JOIN projects p ON p.id = s.project_id \
          WHERE s.manifest_digest = $1 ORDER BY s.id DESC LIMIT 1), \
         (SELECT 'an upload to ' || p.name FROM uploads u JOIN projects p ON p.id = u.project_id \
          WHERE u.manifest_digest = $1 ORDER BY u.id DESC LIMIT 1), '') AS held_by";
    let found: Option<String> = optional(db, sql(text).bind(digest.to_hex())).await?;
    Ok(found.filter(|text| !text.is_empty()))
}
