//! Leases: what each run holds of a machine, from the moment it is placed to its end; afterwards the record of when, where and at what
//! price it ran. Unique indexes see to it that a device has one holder and a workspace or job one live lease; every ending releases.

mod place;

use std::collections::HashMap;

use serde::Serialize;

use crate::db::{Db, Query, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::error::Result;
use crate::ids::{JobId, LeaseId, MachineId, WorkspaceId};
use crate::machines;

pub use place::{Claim, place_job, place_workspace};

const HOUR_MS: i128 = 3_600_000;

/// What a lease is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The server of a workspace.
    Workspace(WorkspaceId),
    /// An attempt at a job.
    Job(JobId),
}

/// A device that is or was leased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leased {
    /// Its id on its machine.
    pub id: String,
    /// What it is.
    pub model: String,
}

/// What a run holds or held of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// The machine.
    pub machine_id: MachineId,
    /// Who holds it.
    pub subject: Subject,
    /// The fencing number of the run: of the workspace's run, or the number of the attempt.
    pub fence: i64,
    /// The name of the machine type.
    pub machine: String,
    /// Thousandths of a core.
    pub cpu_millicores: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
    /// Its devices, in the order of their ids.
    pub devices: Vec<Leased>,
    /// What an hour cost when it began, in millionths.
    pub price: Option<i64>,
    /// When it began, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ended; none while it lasts.
    pub released_ms: Option<i64>,
}

impl Lease {
    /// What it has cost until `now_ms`, in millionths; none where it has no price.
    pub fn cost(&self, now_ms: i64) -> Option<i64> {
        let ms = self.released_ms.unwrap_or(now_ms) - self.created_ms;
        let cost = i128::from(self.price?) * i128::from(ms.max(0)) / HOUR_MS;
        Some(i64::try_from(cost).unwrap_or(i64::MAX))
    }
}

impl Record for Lease {
    fn read(row: &Row) -> Result<Self> {
        let workspace: Option<WorkspaceId> = row.maybe_parsed("workspace_id")?;
        let subject = match workspace {
            Some(id) => Subject::Workspace(id),
            None => Subject::Job(row.parsed("job_id")?),
        };
        Ok(Self {
            id: row.parsed("id")?,
            machine_id: row.parsed("machine_id")?,
            subject,
            fence: row.int("fence")?,
            machine: row.text("machine")?,
            cpu_millicores: row.int("cpu_millicores")?,
            memory_bytes: row.int("memory_bytes")?,
            devices: Vec::new(),
            price: row.maybe_int("price")?,
            created_ms: row.int("created_ms")?,
            released_ms: row.maybe_int("released_ms")?,
        })
    }
}

/// A device and the lease that has it.
struct Held(LeaseId, Leased);

impl Record for Held {
    fn read(row: &Row) -> Result<Self> {
        let leased = Leased {
            id: row.text("device")?,
            model: row.text("model")?,
        };
        Ok(Self(row.parsed("lease_id")?, leased))
    }
}

macro_rules! devices {
    ($rest:literal) => {
        concat!(
            "SELECT d.lease_id, d.device, d.model FROM device_leases d JOIN leases l ON l.id = d.lease_id ",
            $rest,
            " ORDER BY LENGTH(d.device), d.device"
        )
    };
}

/// Records that the server on the machine `origin` accepted this: its store has the files, so it alone places it.
pub async fn accepted(tx: &mut Tx, subject: Subject, origin: MachineId) -> Result<()> {
    let query = match subject {
        Subject::Workspace(id) => {
            sql("UPDATE workspaces SET origin_id = $2 WHERE id = $1").bind(id)
        }
        Subject::Job(id) => sql("UPDATE jobs SET origin_id = $2 WHERE id = $1").bind(id),
    };
    execute(tx, query.bind(origin)).await?;
    Ok(())
}

/// Every lease that lasts, oldest first.
pub async fn live(db: &Db) -> Result<Vec<Lease>> {
    let leases = all(
        db,
        sql("SELECT * FROM leases WHERE released_ms IS NULL ORDER BY id"),
    )
    .await?;
    let devices = sql(devices!("WHERE l.released_ms IS NULL"));
    Ok(joined(leases, all(db, devices).await?))
}

/// The leases of a workspace, newest first, at most `limit`: when and where it ran and what that cost.
pub async fn of_workspace(db: &Db, id: WorkspaceId, limit: u32) -> Result<Vec<Lease>> {
    let text = "SELECT * FROM leases WHERE workspace_id = $1 ORDER BY fence DESC LIMIT $2";
    let leases = all(db, sql(text).bind(id).bind(i64::from(limit))).await?;
    let devices = sql(devices!("WHERE l.workspace_id = $1")).bind(id);
    Ok(joined(leases, all(db, devices).await?))
}

/// The leases of a job, newest first: one for each attempt.
pub async fn of_job(db: &Db, id: JobId) -> Result<Vec<Lease>> {
    let text = "SELECT * FROM leases WHERE job_id = $1 ORDER BY fence DESC";
    let leases = all(db, sql(text).bind(id)).await?;
    let devices = sql(devices!("WHERE l.job_id = $1")).bind(id);
    Ok(joined(leases, all(db, devices).await?))
}

/// The lease of the run of a workspace with this fencing number, while it lasts.
pub async fn of_run(db: &Db, subject: Subject, fence: i64) -> Result<Option<Lease>> {
    let leases = match subject {
        Subject::Workspace(id) => of_workspace(db, id, 1).await?,
        Subject::Job(id) => of_job(db, id).await?,
    };
    let lasts = |lease: &Lease| lease.fence == fence && lease.released_ms.is_none();
    Ok(leases.into_iter().find(lasts))
}

fn joined(mut leases: Vec<Lease>, devices: Vec<Held>) -> Vec<Lease> {
    let mut held: HashMap<LeaseId, Vec<Leased>> = HashMap::new();
    for Held(id, device) in devices {
        held.entry(id).or_default().push(device);
    }
    for lease in &mut leases {
        lease.devices = held.remove(&lease.id).unwrap_or_default();
    }
    leases
}

/// Releases what a workspace or job holds. Part of each of their endings; nothing held is fine.
pub(crate) async fn release(tx: &mut Tx, subject: Subject) -> Result<()> {
    let now_ms = tx.now_ms();
    let query = match subject {
        Subject::Workspace(id) => sql(
            "UPDATE leases SET released_ms = $2 WHERE workspace_id = $1 AND released_ms IS NULL RETURNING *",
        )
        .bind(id),
        Subject::Job(id) => sql(
            "UPDATE leases SET released_ms = $2 WHERE job_id = $1 AND released_ms IS NULL RETURNING *",
        )
        .bind(id),
    };
    if let Some(lease) = optional::<Lease>(&mut *tx, query.bind(now_ms)).await? {
        let text = "UPDATE device_leases SET released_ms = $2 WHERE lease_id = $1";
        execute(tx, sql(text).bind(lease.id).bind(now_ms)).await?;
        machines::notice(tx, &lease.machine_id.to_string());
    }
    Ok(())
}

/// The leases of these, newest first: of a workspace the present one only, of a job those of all its attempts.
pub async fn of_each(db: &Db, subjects: &[Subject]) -> Result<HashMap<Subject, Vec<Lease>>> {
    let (mut workspaces, mut jobs) = (Vec::new(), Vec::new());
    for subject in subjects {
        match subject {
            Subject::Workspace(id) => workspaces.push(id.to_string()),
            Subject::Job(id) => jobs.push(id.to_string()),
        }
    }
    let texts = [
        "SELECT * FROM leases WHERE released_ms IS NULL AND workspace_id IN",
        "SELECT * FROM leases WHERE job_id IN",
    ];
    let mut found: Vec<Lease> = Vec::new();
    for (text, ids) in texts.into_iter().zip([workspaces, jobs]) {
        if !ids.is_empty() {
            found.extend(all(db, among(text, &ids, "ORDER BY fence DESC")).await?);
        }
    }
    let ids: Vec<String> = found.iter().map(|lease| lease.id.to_string()).collect();
    let mut devices = Vec::new();
    if !ids.is_empty() {
        let text = "SELECT lease_id, device, model FROM device_leases WHERE lease_id IN";
        let query = among(text, &ids, "ORDER BY LENGTH(device), device");
        devices = all(db, query).await?;
    }
    let mut each: HashMap<Subject, Vec<Lease>> = HashMap::new();
    for lease in joined(found, devices) {
        each.entry(lease.subject).or_default().push(lease);
    }
    Ok(each)
}

fn among(text: &'static str, ids: &[String], after: &'static str) -> Query {
    let query = select_in(text, ids.len(), after);
    ids.iter().fold(query, |query, id| query.bind(id.clone()))
}

/// What several leases have cost until `now_ms`, in millionths; none where none of them has a price.
pub fn cost<'a>(leases: impl IntoIterator<Item = &'a Lease>, now_ms: i64) -> Option<i64> {
    leases
        .into_iter()
        .filter_map(|lease| lease.cost(now_ms))
        .reduce(i64::saturating_add)
}
