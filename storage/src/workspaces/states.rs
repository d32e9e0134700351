//! How workspaces move on. Each function compares what it was told with what is stored, and changes nothing where they differ.

use serde_json::Value;

use super::{Desired, State, Workspace, changed, missing};
use crate::db::{Tx, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::WorkspaceId;
use crate::leases::{self, Subject};
use crate::tokens;

/// What to tell people about a state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// See [`Workspace::message`].
    pub message: Option<String>,
    /// See [`Workspace::phase`].
    pub phase: Option<String>,
}

impl State {
    /// Whether a workspace may go from this state to `to`, other than by [`begin_start`].
    pub fn may_become(self, to: Self) -> bool {
        match self {
            Self::Stopped => false,
            Self::Starting => matches!(
                to,
                Self::Running | Self::Stopping | Self::Stopped | Self::Error
            ),
            Self::Running => matches!(to, Self::Stopping | Self::Stopped | Self::Error),
            Self::Stopping => matches!(to, Self::Stopped | Self::Error),
            Self::Error => to == Self::Stopped,
        }
    }
}

/// Asks for `desired`. Asking for `Running` what runs or is on the way changes nothing; after an error it asks for a new start.
///
/// # Errors
/// `NotFound` for an unknown workspace; `Conflict` for one that is being deleted.
pub async fn desire(tx: &mut Tx, id: WorkspaceId, desired: Desired) -> Result<Workspace> {
    let text = "UPDATE workspaces SET desired = $2, \
         generation = generation + CASE WHEN $2 = 'running' AND (desired <> 'running' OR state = 'error') THEN 1 ELSE 0 END, \
         queued_ms = CASE WHEN $2 <> 'running' THEN NULL WHEN desired <> 'running' OR state = 'error' THEN $3 ELSE queued_ms END, \
         last_activity_ms = CASE WHEN $2 = 'running' THEN $3 ELSE last_activity_ms END \
         WHERE id = $1 AND deleted_ms IS NULL AND (desired <> 'deleted' OR $2 = 'deleted')";
    asked(
        tx,
        id,
        sql(text).bind(id).bind(desired.as_str()).bind(tx.now_ms()),
    )
    .await
}

/// Asks for a new server in place of the one that runs, or for a first one; on another machine type where `machine` names one.
///
/// # Errors
/// `NotFound` for an unknown workspace; `Conflict` for one that is being deleted.
pub async fn restart(tx: &mut Tx, id: WorkspaceId, machine: Option<&str>) -> Result<Workspace> {
    let text = "UPDATE workspaces SET desired = 'running', generation = generation + 1, machine = COALESCE($2, machine), queued_ms = $3, \
         last_activity_ms = $3 \
         WHERE id = $1 AND deleted_ms IS NULL AND desired <> 'deleted'";
    asked(
        tx,
        id,
        sql(text)
            .bind(id)
            .bind(machine.map(str::to_owned))
            .bind(tx.now_ms()),
    )
    .await
}

async fn asked(tx: &mut Tx, id: WorkspaceId, query: crate::db::Query) -> Result<Workspace> {
    if execute(tx, query).await? > 0 {
        return changed(tx, id).await;
    }
    match super::bare(tx, id)
        .await?
        .filter(|found| found.deleted_ms.is_none())
    {
        Some(_) => Err(Error::conflict("the workspace is being deleted")),
        None => Err(missing()),
    }
}

/// Begins a run for a workspace that is stopped or failed and is asked to run. Returns the fencing number of the run, or `None` where the
/// workspace was not as `fence` (the number of its last run) says.
///
/// `run_id` is recorded before anything is started, so that after a crash the run is found again or known never to have been.
pub async fn begin_start(
    tx: &mut Tx,
    id: WorkspaceId,
    fence: i64,
    run_id: &str,
    token_sealed: Option<&str>,
) -> Result<Option<i64>> {
    let text = "UPDATE workspaces SET state = 'starting', fence = fence + 1, run_generation = generation, run_id = $3, run_handle = NULL, \
         token_sealed = $4, message = NULL, phase = NULL, started_ms = NULL \
         WHERE id = $1 AND fence = $2 AND state IN ('stopped', 'error') AND desired = 'running' AND deleted_ms IS NULL RETURNING fence";
    let query = sql(text)
        .bind(id)
        .bind(fence)
        .bind(run_id)
        .bind(token_sealed.map(str::to_owned));
    let fence: Option<i64> = optional(&mut *tx, query).await?;
    if fence.is_some() {
        changed(tx, id).await?;
    }
    Ok(fence)
}

/// Moves the run with this fencing number from one state to another. Returns whether it did; not when the workspace was not in `from`, or
/// the number is an old one.
///
/// A workspace that comes to rest loses its run and what it held of a machine, and the tokens made for it die.
///
/// # Errors
/// `Invalid` for a step that [`State::may_become`] does not allow.
pub async fn transition(
    tx: &mut Tx,
    id: WorkspaceId,
    fence: i64,
    (from, to): (State, State),
    note: &Note,
) -> Result<bool> {
    if !from.may_become(to) {
        return Err(Error::invalid(format!(
            "a workspace does not go from {from} to {to}"
        )));
    }
    let text = "UPDATE workspaces SET state = $4, message = $5, phase = $6, \
         run_id = CASE WHEN $4 IN ('stopped', 'error') THEN NULL ELSE run_id END, \
         run_handle = CASE WHEN $4 IN ('stopped', 'error') THEN NULL ELSE run_handle END, \
         token_sealed = CASE WHEN $4 IN ('stopped', 'error') THEN NULL ELSE token_sealed END, \
         started_ms = CASE WHEN $4 = 'running' THEN $7 WHEN $4 IN ('stopped', 'error') THEN NULL ELSE started_ms END, \
         last_activity_ms = CASE WHEN $4 = 'running' THEN $7 ELSE last_activity_ms END \
         WHERE id = $1 AND fence = $2 AND state = $3 AND deleted_ms IS NULL";
    let query = sql(text)
        .bind(id)
        .bind(fence)
        .bind(from.as_str())
        .bind(to.as_str());
    let query = query
        .bind(note.message.clone())
        .bind(note.phase.clone())
        .bind(tx.now_ms());
    if execute(tx, query).await? == 0 {
        return Ok(false);
    }
    if matches!(to, State::Stopped | State::Error) {
        tokens::revoke_of_workspace(tx, id).await?;
        leases::release(tx, Subject::Workspace(id)).await?;
    }
    changed(tx, id).await?;
    Ok(true)
}

/// Records what the spawner needs to find the run again. Returns whether `fence` is still the run's.
pub async fn record_handle(
    tx: &mut Tx,
    id: WorkspaceId,
    fence: i64,
    handle: &Value,
) -> Result<bool> {
    let text =
        "UPDATE workspaces SET run_handle = $3 WHERE id = $1 AND fence = $2 AND run_id IS NOT NULL";
    Ok(execute(tx, sql(text).bind(id).bind(fence).bind(handle.to_string())).await? > 0)
}

/// Tells people how far a start has come. Returns whether the start with this fencing number is still under way.
pub async fn set_phase(tx: &mut Tx, id: WorkspaceId, fence: i64, note: &Note) -> Result<bool> {
    let text = "UPDATE workspaces SET phase = $3, message = $4 WHERE id = $1 AND fence = $2 AND state = 'starting'";
    let query = sql(text)
        .bind(id)
        .bind(fence)
        .bind(note.phase.clone())
        .bind(note.message.clone());
    let current = execute(tx, query).await? > 0;
    if current {
        changed(tx, id).await?;
    }
    Ok(current)
}

/// Records use, at `ms`; an earlier time than the recorded one changes nothing. Makes no event.
pub async fn touch(tx: &mut Tx, id: WorkspaceId, ms: i64) -> Result<()> {
    let text = "UPDATE workspaces SET last_activity_ms = $2 WHERE id = $1 AND (last_activity_ms IS NULL OR last_activity_ms < $2)";
    execute(tx, sql(text).bind(id).bind(ms)).await?;
    Ok(())
}

/// Marks a workspace deleted, after its home is gone. Returns whether it was asked to go and nothing of it runs; its name is free then.
pub async fn deleted(tx: &mut Tx, id: WorkspaceId) -> Result<bool> {
    let text = "UPDATE workspaces SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL AND desired = 'deleted' \
         AND state IN ('stopped', 'error')";
    if execute(tx, sql(text).bind(id).bind(tx.now_ms())).await? == 0 {
        return Ok(false);
    }
    execute(
        tx,
        sql("DELETE FROM workspace_inputs WHERE workspace_id = $1").bind(id),
    )
    .await?;
    execute(
        tx,
        sql("DELETE FROM workspace_sessions WHERE workspace_id = $1").bind(id),
    )
    .await?;
    tokens::revoke_of_workspace(tx, id).await?;
    changed(tx, id).await?;
    Ok(true)
}
