//! What is mounted into a workspace.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Workspace, changed, missing};
use crate::db::{Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, VersionId, WorkspaceId};
use crate::{names, objects};

/// An input, resolved: a name for its folder, the reference as it was written, and the manifest that it meant then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The name of its folder under `inputs`.
    pub name: String,
    /// The reference as it was written.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The digest of the manifest it meant then.
    pub manifest_digest: String,
    /// How many files.
    pub files: i64,
    /// How many bytes.
    pub bytes: i64,
    /// The version of a dataset that the reference named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// The job that the reference named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_job_id: Option<JobId>,
    /// What is not in it, where checks had found damage, and whoever asked for it took it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
}

/// The files that an input lacks because they were missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How many; 0 where all were there again and no check had said yet that they are whole.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Their paths, at most 100.
    pub paths: Vec<String>,
}

impl Record for Input {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.text("name")?,
            reference: row.text("ref")?,
            manifest_digest: row.text("manifest_digest")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            version_id: row.maybe_parsed("version_id")?,
            source_job_id: row.maybe_parsed("source_job_id")?,
            left_out: row.maybe_json("left_out")?,
        })
    }
}

struct Owned {
    owner: WorkspaceId,
    input: Input,
}

impl Record for Owned {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            owner: row.parsed("workspace_id")?,
            input: Input::read(row)?,
        })
    }
}

/// Attaches an input, in place of one of the same name. Seen by servers that start afterwards.
///
/// # Errors
/// `Invalid` for a name against the rule; `NotFound` for an unknown or deleted workspace.
pub async fn attach_input(tx: &mut Tx, id: WorkspaceId, input: &Input) -> Result<Workspace> {
    hold(tx, id).await?;
    insert(tx, id, input).await?;
    changed(tx, id).await
}

/// Detaches an input. Returns whether there was one of this name.
///
/// # Errors
/// `NotFound` for an unknown or deleted workspace.
pub async fn detach_input(tx: &mut Tx, id: WorkspaceId, name: &str) -> Result<bool> {
    hold(tx, id).await?;
    let query = sql("DELETE FROM workspace_inputs WHERE workspace_id = $1 AND name = $2")
        .bind(id)
        .bind(name);
    let was = execute(tx, query).await? > 0;
    if was {
        changed(tx, id).await?;
    }
    Ok(was)
}

pub(super) async fn insert(tx: &mut Tx, id: WorkspaceId, input: &Input) -> Result<()> {
    names::check("input", &input.name)?;
    objects::hold(tx, &input.manifest_digest).await?;
    let text = "INSERT INTO workspace_inputs (workspace_id, name, ref, manifest_digest, files, bytes, version_id, source_job_id, left_out) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (workspace_id, name) DO UPDATE SET ref = excluded.ref, manifest_digest = excluded.manifest_digest, \
         files = excluded.files, bytes = excluded.bytes, version_id = excluded.version_id, source_job_id = excluded.source_job_id, \
         left_out = excluded.left_out";
    let left_out = input.left_out.as_ref().map(serde_json::to_string);
    let left_out = left_out.transpose();
    let left_out = left_out.map_err(|error| Error::internal("a record is not JSON", error))?;
    let query = sql(text)
        .bind(id)
        .bind(input.name.as_str())
        .bind(input.reference.as_str());
    execute(
        tx,
        query
            .bind(input.manifest_digest.as_str())
            .bind(input.files)
            .bind(input.bytes)
            .bind(input.version_id)
            .bind(input.source_job_id)
            .bind(left_out),
    )
    .await?;
    Ok(())
}

/// Reads the inputs of all these workspaces with one statement.
pub(super) async fn fill<'c>(from: impl Read<'c>, workspaces: &mut [Workspace]) -> Result<()> {
    if workspaces.is_empty() {
        return Ok(());
    }
    let text = "SELECT workspace_id, name, ref, manifest_digest, files, bytes, version_id, source_job_id, left_out FROM workspace_inputs WHERE workspace_id IN";
    let mut query = select_in(text, workspaces.len(), "ORDER BY name");
    for workspace in &*workspaces {
        query = query.bind(workspace.id);
    }
    let mut found: HashMap<WorkspaceId, Vec<Input>> = HashMap::new();
    for Owned { owner, input } in all(from, query).await? {
        found.entry(owner).or_default().push(input);
    }
    for workspace in workspaces {
        workspace.inputs = found.remove(&workspace.id).unwrap_or_default();
    }
    Ok(())
}

/// Holds the workspace until the transaction ends.
async fn hold(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text = "UPDATE workspaces SET id = id WHERE id = $1 AND deleted_ms IS NULL AND desired <> 'deleted' RETURNING id";
    let held: Option<String> = optional(tx, sql(text).bind(id)).await?;
    held.map(|_| ()).ok_or_else(missing)
}

impl Input {
    /// Checks that no two of `inputs` have one name.
    ///
    /// # Errors
    /// `Invalid`, which names it.
    pub fn check_names(inputs: &[Self]) -> Result<()> {
        for (place, input) in inputs.iter().enumerate() {
            names::check("input", &input.name)?;
            if inputs[..place].iter().any(|other| other.name == input.name) {
                return Err(Error::invalid(format!(
                    "two inputs are named {}",
                    input.name
                )));
            }
        }
        Ok(())
    }
}
