//! A machine says what it is: at the start of its `serve`, or when its worker has dialled in.

use super::{Device, Kind, Machine, changed, check_labels, json};
use crate::db::{Record, Row, Tx, all, execute, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, LeaseId, MachineId, WorkspaceId};
use crate::names;

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id, kept on the machine itself.
    pub id: MachineId,
    /// What to call it. A worker's machine keeps the name it was given; where a local one's is taken, a part of its id is added.
    pub name: String,
    /// How it is reached.
    pub kind: Kind,
    /// What can be asked of it.
    pub labels: Vec<String>,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// See [`Machine::cpu_millicores`].
    pub cpu_millicores: Option<i64>,
    /// See [`Machine::memory_bytes`].
    pub memory_bytes: Option<i64>,
    /// See [`Machine::slots`].
    pub slots: Option<i64>,
    /// See [`Machine::address`].
    pub address: Option<String>,
    /// All its devices.
    pub devices: Vec<Device>,
}

/// Records what a machine says of itself, and that it is there now. A local machine that is new becomes known; a worker's has to be.
///
/// What is leased stays leased, also where there is less than that now.
///
/// # Errors
/// `Invalid` for labels or devices against the rules; `NotFound` for a worker's machine that is unknown or removed.
pub async fn register(tx: &mut Tx, new: &Registration) -> Result<Machine> {
    check_labels(&new.labels)?;
    check_devices(&new.devices)?;
    let id = new.id;
    let known =
        "UPDATE machines SET id = id WHERE id = $1 AND ($2 = 'local' OR state <> 'removed')";
    let known = execute(tx, sql(known).bind(id).bind(new.kind.as_str())).await? > 0;
    match new.kind {
        Kind::Worker if !known => return Err(super::missing()),
        Kind::Local if !known => insert(tx, new).await?,
        _ => {}
    }
    // A local machine that was removed and starts again is a machine again, under its id where another has its name now.
    let text = "UPDATE machines SET own_labels = $2, runtimes = $3, cpu_millicores = $4, memory_bytes = $5, slots = $6, address = $7, \
         seen_ms = $8, state = CASE WHEN state = 'removed' THEN 'active' ELSE state END, \
         name = CASE WHEN state = 'removed' AND EXISTS (SELECT 1 FROM machines o WHERE o.name = machines.name AND o.state <> 'removed') \
         THEN id ELSE name END WHERE id = $1";
    let query = sql(text)
        .bind(id)
        .bind(json(&new.labels)?)
        .bind(json(&new.runtimes)?)
        .bind(new.cpu_millicores)
        .bind(new.memory_bytes);
    let query = query
        .bind(new.slots)
        .bind(new.address.clone())
        .bind(tx.now_ms());
    execute(tx, query).await?;
    let text = "DELETE FROM machine_devices WHERE machine_id = $1";
    execute(tx, sql(text).bind(id)).await?;
    for device in &new.devices {
        let text = "INSERT INTO machine_devices (machine_id, device, model, minor) VALUES ($1, $2, $3, $4)";
        let query = sql(text).bind(id).bind(device.id.as_str());
        execute(tx, query.bind(device.model.as_str()).bind(device.minor)).await?;
    }
    changed(tx, id).await
}

/// The name of a local machine is what its host is called, so it may be taken: by another data directory on the same host.
async fn insert(tx: &mut Tx, new: &Registration) -> Result<()> {
    names::check("machine", &new.name)?;
    let text = "INSERT INTO machines (id, name, kind, state, labels, own_labels, runtimes, created_ms) \
         VALUES ($1, $2, 'local', 'active', '[]', '[]', '[]', $3) ON CONFLICT (name) WHERE state <> 'removed' DO NOTHING";
    let id = new.id.to_string();
    let tail = &id[id.len() - 6..];
    let longer = format!("{}-{tail}", new.name.get(..56).unwrap_or(&new.name));
    for name in [&new.name, &longer, &id] {
        let query = sql(text).bind(new.id).bind(name.as_str());
        if execute(tx, query.bind(tx.now_ms())).await? > 0 {
            return Ok(());
        }
    }
    Err(Error::conflict("the name of this machine is taken"))
}

fn check_devices(devices: &[Device]) -> Result<()> {
    for (place, device) in devices.iter().enumerate() {
        if device.id.is_empty() || device.id.contains(',') {
            return Err(Error::invalid(
                "the id of a device is not empty and holds no comma",
            ));
        }
        names::check_text("id of a device", &device.id, 100)?;
        names::check_text("model of a device", &device.model, 200)?;
        if devices[..place].iter().any(|other| other.id == device.id) {
            return Err(Error::invalid(format!(
                "two devices have the id {}",
                device.id
            )));
        }
    }
    Ok(())
}

/// Puts what ran before machines were recorded onto this one, with leases that take no room.
pub async fn adopt(tx: &mut Tx, id: MachineId) -> Result<()> {
    let text = "UPDATE workspaces SET machine_id = $1 WHERE machine_id IS NULL AND fence > 0";
    execute(tx, sql(text).bind(id)).await?;
    let text = "UPDATE attempts SET machine_id = $1 WHERE machine_id IS NULL AND state = 'live'";
    execute(tx, sql(text).bind(id)).await?;
    let text = "SELECT w.id AS workspace_id, NULL AS job_id, w.fence AS fence, w.machine AS machine FROM workspaces w \
         WHERE w.run_id IS NOT NULL AND w.machine_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.workspace_id = w.id AND l.released_ms IS NULL)";
    let mut found: Vec<Unleased> = all(&mut *tx, sql(text).bind(id)).await?;
    let text = "SELECT NULL AS workspace_id, a.job_id AS job_id, a.number AS fence, j.machine AS machine FROM attempts a \
         JOIN jobs j ON j.id = a.job_id WHERE a.state = 'live' AND a.machine_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.job_id = a.job_id AND l.released_ms IS NULL)";
    found.extend(all::<Unleased>(&mut *tx, sql(text).bind(id)).await?);
    for run in found {
        let text = "INSERT INTO leases (id, machine_id, workspace_id, job_id, fence, machine, cpu_millicores, memory_bytes, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7)";
        let query = sql(text)
            .bind(LeaseId::new(tx.clock()))
            .bind(id)
            .bind(run.workspace_id)
            .bind(run.job_id);
        execute(
            tx,
            query.bind(run.fence).bind(run.machine).bind(tx.now_ms()),
        )
        .await?;
    }
    Ok(())
}

/// A run without a lease.
struct Unleased {
    workspace_id: Option<WorkspaceId>,
    job_id: Option<JobId>,
    fence: i64,
    machine: String,
}

impl Record for Unleased {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.maybe_parsed("workspace_id")?,
            job_id: row.maybe_parsed("job_id")?,
            fence: row.int("fence")?,
            machine: row.text("machine")?,
        })
    }
}
