//! What came of versions and of what jobs left: other versions, jobs and workspaces, by their ids.

use crate::db::{Query, Read, Record, Row, all, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, VersionId, WorkspaceId};
use crate::objects::number;

/// The most of each kind that are told of.
const MOST: usize = 500;

/// What something came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A version of a dataset.
    Version(VersionId),
    /// What a job left.
    Job(JobId),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A version that is made of it.
    Version(VersionId),
    /// A job that read it.
    Job(JobId),
    /// A workspace, not deleted, that shows it.
    Workspace(WorkspaceId),
}

struct Id(String);

impl Record for Id {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(row.text("id")?))
    }
}

/// What came of a version or of what a job left, the oldest first, at most 500 of each kind; and whether there is more.
pub async fn effects<'c>(from: impl Read<'c> + Copy, cause: Cause) -> Result<(Vec<Effect>, bool)> {
    let [versions, jobs, workspaces] = match cause {
        Cause::Version(_) => [
            "SELECT DISTINCT version_id AS id FROM dataset_version_sources WHERE source_version_id = $1 ORDER BY id LIMIT $2",
            "SELECT DISTINCT job_id AS id FROM job_inputs WHERE version_id = $1 ORDER BY id LIMIT $2",
            "SELECT DISTINCT i.workspace_id AS id FROM workspace_inputs i JOIN workspaces w ON w.id = i.workspace_id \
             WHERE i.version_id = $1 AND w.deleted_ms IS NULL ORDER BY id LIMIT $2",
        ],
        Cause::Job(_) => [
            "SELECT version_id AS id FROM dataset_version_sources WHERE source_job_id = $1 UNION \
             SELECT id FROM dataset_versions WHERE job_id = $1 ORDER BY id LIMIT $2",
            "SELECT DISTINCT job_id AS id FROM job_inputs WHERE source_job_id = $1 ORDER BY id LIMIT $2",
            "SELECT DISTINCT i.workspace_id AS id FROM workspace_inputs i JOIN workspaces w ON w.id = i.workspace_id \
             WHERE i.source_job_id = $1 AND w.deleted_ms IS NULL ORDER BY id LIMIT $2",
        ],
    };
    let (mut found, mut more) = (Vec::new(), false);
    let mut take = |ids: Vec<Id>, effect: fn(&str) -> Result<Effect>| -> Result<()> {
        more |= ids.len() > MOST;
        for Id(id) in ids.iter().take(MOST) {
            found.push(effect(id)?);
        }
        Ok(())
    };
    take(ids(from, versions, cause).await?, |id| {
        Ok(Effect::Version(parsed(id)?))
    })?;
    take(ids(from, jobs, cause).await?, |id| {
        Ok(Effect::Job(parsed(id)?))
    })?;
    take(ids(from, workspaces, cause).await?, |id| {
        Ok(Effect::Workspace(parsed(id)?))
    })?;
    Ok((found, more))
}

async fn ids<'c>(from: impl Read<'c>, text: &'static str, cause: Cause) -> Result<Vec<Id>> {
    let query: Query = match cause {
        Cause::Version(id) => sql(text).bind(id),
        Cause::Job(id) => sql(text).bind(id),
    };
    all(from, query.bind(number(MOST as u64 + 1))).await
}

fn parsed<T: std::str::FromStr<Err = Error>>(id: &str) -> Result<T> {
    id.parse()
        .map_err(|error| Error::internal("a stored id cannot be read", error))
}
