//! Placing: one transaction that takes room and devices of one machine and begins the run that they are for.

use std::collections::HashSet;

#[cfg(doc)]
use super::Lease;
use super::Subject;
use crate::attempts::Attempt;
use crate::db::{Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::Result;
use crate::ids::{JobId, LeaseId, MachineId, WorkspaceId};
use crate::jobs::{self, Job};
use crate::{machines, workspaces};

/// What a run is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// See [`Lease::machine_id`].
    pub machine_id: MachineId,
    /// See [`Lease::machine`].
    pub machine: String,
    /// See [`Lease::cpu_millicores`].
    pub cpu_millicores: i64,
    /// See [`Lease::memory_bytes`].
    pub memory_bytes: i64,
    /// The ids of the devices.
    pub devices: Vec<String>,
    /// See [`Lease::price`].
    pub price: Option<i64>,
}

/// A limit of a machine, none where it has none.
struct Limits {
    cpu_millicores: Option<i64>,
    memory_bytes: Option<i64>,
    slots: Option<i64>,
}

impl Record for Limits {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            cpu_millicores: row.maybe_int("cpu_millicores")?,
            memory_bytes: row.maybe_int("memory_bytes")?,
            slots: row.maybe_int("slots")?,
        })
    }
}

struct Used {
    cpu_millicores: i64,
    memory_bytes: i64,
    jobs: i64,
}

impl Record for Used {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            cpu_millicores: row.int("cpu_millicores")?,
            memory_bytes: row.int("memory_bytes")?,
            jobs: row.int("jobs")?,
        })
    }
}

/// Begins a run of a workspace, as [`workspaces::begin_start`], on what `claim` names. Returns its fencing number; `None`, and nothing has
/// changed, where the machine takes no work or has not that room any more, or the workspace was not as `fence` says.
pub async fn place_workspace(
    tx: &mut Tx,
    id: WorkspaceId,
    (fence, run_id): (i64, &str),
    token_sealed: Option<&str>,
    claim: &Claim,
) -> Result<Option<i64>> {
    if !has_room(tx, claim, false).await? {
        return Ok(None);
    }
    let begun = workspaces::begin_start(tx, id, fence, run_id, token_sealed).await?;
    if let Some(fence) = begun {
        let text = "UPDATE workspaces SET machine_id = $2, queued_ms = NULL WHERE id = $1";
        execute(tx, sql(text).bind(id).bind(claim.machine_id)).await?;
        take(tx, Subject::Workspace(id), fence, claim).await?;
    }
    Ok(begun)
}

/// Takes a job out of the queue and begins an attempt at it on what `claim` names. `None`, and nothing has changed, where the machine takes no
/// work or has not that room any more, or the job does not wait any more.
pub async fn place_job(tx: &mut Tx, id: JobId, claim: &Claim) -> Result<Option<(Job, Attempt)>> {
    if !has_room(tx, claim, true).await? {
        return Ok(None);
    }
    let Some((job, attempt)) = jobs::claim_job(tx, id).await? else {
        return Ok(None);
    };
    let text = "UPDATE attempts SET machine_id = $2 WHERE id = $1";
    execute(tx, sql(text).bind(attempt.id).bind(claim.machine_id)).await?;
    take(tx, Subject::Job(id), attempt.number, claim).await?;
    let machine_id = Some(claim.machine_id);
    Ok(Some((
        Job { machine_id, ..job },
        Attempt {
            machine_id,
            ..attempt
        },
    )))
}

/// Holds the machine until the transaction ends, so that what is free now stays free; says whether the claim fits.
async fn has_room(tx: &mut Tx, claim: &Claim, job: bool) -> Result<bool> {
    let id = claim.machine_id;
    let hold = "UPDATE machines SET id = id WHERE id = $1 AND state = 'active' RETURNING cpu_millicores, memory_bytes, slots";
    let Some(limits) = optional::<Limits>(&mut *tx, sql(hold).bind(id)).await? else {
        return Ok(false);
    };
    let used = "SELECT CAST(COALESCE(SUM(cpu_millicores), 0) AS BIGINT) AS cpu_millicores, \
         CAST(COALESCE(SUM(memory_bytes), 0) AS BIGINT) AS memory_bytes, COUNT(job_id) AS jobs \
         FROM leases WHERE machine_id = $1 AND released_ms IS NULL";
    let used: Used = required(&mut *tx, sql(used).bind(id)).await?;
    // What asks for nothing of a kind fits also where more than there is has been promised: a machine may come back smaller.
    let fits = |wanted: i64, used: i64, limit: Option<i64>| {
        wanted == 0 || limit.is_none_or(|limit| used.saturating_add(wanted) <= limit)
    };
    if !fits(
        claim.cpu_millicores,
        used.cpu_millicores,
        limits.cpu_millicores,
    ) || !fits(claim.memory_bytes, used.memory_bytes, limits.memory_bytes)
        || !fits(i64::from(job), used.jobs, limits.slots)
    {
        return Ok(false);
    }
    if claim.devices.is_empty() {
        return Ok(true);
    }
    let free = "SELECT device FROM machine_devices WHERE machine_id = $1 AND device NOT IN \
         (SELECT device FROM device_leases WHERE machine_id = $1 AND released_ms IS NULL)";
    let free: HashSet<String> = all(&mut *tx, sql(free).bind(id))
        .await?
        .into_iter()
        .collect();
    Ok(claim.devices.iter().all(|device| free.contains(device)))
}

async fn take(tx: &mut Tx, subject: Subject, fence: i64, claim: &Claim) -> Result<()> {
    let id = LeaseId::new(tx.clock());
    let (workspace_id, job_id) = match subject {
        Subject::Workspace(id) => (Some(id), None),
        Subject::Job(id) => (None, Some(id)),
    };
    let text = "INSERT INTO leases (id, machine_id, workspace_id, job_id, fence, machine, cpu_millicores, memory_bytes, price, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let query = sql(text)
        .bind(id)
        .bind(claim.machine_id)
        .bind(workspace_id)
        .bind(job_id)
        .bind(fence);
    let query = query
        .bind(claim.machine.as_str())
        .bind(claim.cpu_millicores)
        .bind(claim.memory_bytes);
    execute(tx, query.bind(claim.price).bind(tx.now_ms())).await?;
    machines::notice(tx, &claim.machine_id.to_string());
    for device in &claim.devices {
        let text = "INSERT INTO device_leases (lease_id, machine_id, device, model) \
             SELECT $1, machine_id, device, model FROM machine_devices WHERE machine_id = $2 AND device = $3";
        let query = sql(text).bind(id).bind(claim.machine_id);
        execute(tx, query.bind(device.as_str())).await?;
    }
    Ok(())
}
