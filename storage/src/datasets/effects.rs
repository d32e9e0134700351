//! Who has a manifest as an input.

use crate::db::{Read, Record, Row, all, sql};
use crate::error::Result;
use crate::ids::{JobId, WorkspaceId};
use crate::objects::Hash;

/// The most readers of each kind that are told of.
const MOST: i64 = 500;

/// A job or a workspace with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// A job.
    Job(JobId),
    /// A workspace that is not deleted.
    Workspace(WorkspaceId),
}

/// An input of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whose it is.
    pub reader: Reader,
    /// The reference as it is recorded.
    pub reference: String,
}

impl Record for Reading {
    fn read(row: &Row) -> Result<Self> {
        let reader = match row.maybe_parsed("job_id")? {
            Some(job) => Reader::Job(job),
            None => Reader::Workspace(row.parsed("workspace_id")?),
        };
        Ok(Self {
            reader,
            reference: row.text("ref")?,
        })
    }
}

/// The jobs and workspaces that have exactly this manifest as an input, the oldest first, at most 500 of each.
pub async fn readers<'c>(
    from: impl Read<'c> + Copy,
    manifest_digest: &Hash,
) -> Result<Vec<Reading>> {
    let jobs = "SELECT job_id, NULL AS workspace_id, ref FROM job_inputs WHERE manifest_digest = $1 ORDER BY job_id LIMIT $2";
    let workspaces = "SELECT NULL AS job_id, i.workspace_id, i.ref FROM workspace_inputs i JOIN workspaces w ON w.id = i.workspace_id \
         WHERE i.manifest_digest = $1 AND w.deleted_ms IS NULL ORDER BY i.workspace_id LIMIT $2";
    let mut readers = Vec::new();
    for text in [jobs, workspaces] {
        let query = sql(text).bind(manifest_digest.to_hex()).bind(MOST);
        readers.extend(all::<Reading>(from, query).await?);
    }
    Ok(readers)
}
