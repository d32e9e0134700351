//! Machines: the hosts that run work, what they have, and what people decided of them. Who holds what of one is in `leases`.

mod register;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind as News, Notice};
use crate::ids::MachineId;
use crate::names::{self, named};
use crate::secret::{Secret, hash};

pub use register::{Registration, adopt, register};

/// A label is no longer than this.
const LABEL_BYTES: usize = 63;

named! {
    /// How a machine is reached.
    Kind {
        /// It is the one that a `serve` runs on.
        Local = "local",
        /// It runs a worker, which dials in.
        Worker = "worker",
    }
}

named! {
    /// What people decided of a machine.
    State {
        /// It takes work.
        Active = "active",
        /// What runs on it goes on, and nothing new begins.
        Draining = "draining",
        /// It is gone; only its records stay.
        Removed = "removed",
    }
}

/// A device that one run at a time may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id on its machine, as the machine's runtimes take it: an index, a UUID.
    pub id: String,
    /// What it is, such as `NVIDIA H100 80GB HBM3`.
    pub model: String,
    /// The number of its device file, where it has one.
    pub minor: Option<i64>,
}

/// A host that runs work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its id, which never changes.
    pub id: MachineId,
    /// What people call it; unique among those that are not removed.
    pub name: String,
    /// How it is reached.
    pub kind: Kind,
    /// What people decided of it.
    pub state: State,
    /// What can be asked of it: labels given by people.
    pub labels: Vec<String>,
    /// The same, as it says of itself.
    pub own_labels: Vec<String>,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// Thousandths of a core that may be promised to runs; none: no limit.
    pub cpu_millicores: Option<i64>,
    /// Memory that may be promised to runs; none: no limit.
    pub memory_bytes: Option<i64>,
    /// How many jobs may run at the same time; none: no limit.
    pub slots: Option<i64>,
    /// Where its traffic may go directly, where it says so.
    pub address: Option<String>,
    /// Its devices, in the order of their ids.
    pub devices: Vec<Device>,
    /// When whoever holds it last said that it is there, in milliseconds UTC; none: never, or it said goodbye.
    pub seen_ms: Option<i64>,
    /// When it was made known.
    pub created_ms: i64,
}

impl Record for Machine {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            name: row.text("name")?,
            kind: row.parsed("kind")?,
            state: row.parsed("state")?,
            labels: row.json("labels")?,
            own_labels: row.json("own_labels")?,
            runtimes: row.json("runtimes")?,
            cpu_millicores: row.maybe_int("cpu_millicores")?,
            memory_bytes: row.maybe_int("memory_bytes")?,
            slots: row.maybe_int("slots")?,
            address: row.maybe_text("address")?,
            devices: Vec::new(),
            seen_ms: row.maybe_int("seen_ms")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

/// A device and whose it is.
struct Owned(MachineId, Device);

impl Record for Owned {
    fn read(row: &Row) -> Result<Self> {
        let device = Device {
            id: row.text("device")?,
            model: row.text("model")?,
            minor: row.maybe_int("minor")?,
        };
        Ok(Self(row.parsed("machine_id")?, device))
    }
}

/// Makes a machine known that will run a worker. Returns it with the worker's token, which is shown once.
///
/// # Errors
/// `Invalid` for a name or label against the rule; `Conflict` for a name in use.
pub async fn create(tx: &mut Tx, name: &str, labels: &[String]) -> Result<(Machine, Secret)> {
    names::check("machine", name)?;
    check_labels(labels)?;
    let (id, secret) = (MachineId::new(tx.clock()), Secret::mint_token());
    let text = "INSERT INTO machines (id, name, kind, state, labels, own_labels, runtimes, token_hash, created_ms) \
         VALUES ($1, $2, 'worker', 'active', $3, '[]', '[]', $4, $5) ON CONFLICT (name) WHERE state <> 'removed' DO NOTHING";
    let query = sql(text)
        .bind(id)
        .bind(name)
        .bind(json(&labels)?)
        .bind(secret.hash());
    if execute(tx, query.bind(tx.now_ms())).await? == 0 {
        return Err(Error::conflict("there is a machine with this name"));
    }
    Ok((changed(tx, id).await?, secret))
}

/// Gives a worker's machine a new token in place of the old one, which ends.
///
/// # Errors
/// `NotFound` for an unknown machine or one without a worker.
pub async fn new_token(tx: &mut Tx, id: MachineId) -> Result<Secret> {
    let secret = Secret::mint_token();
    let text = "UPDATE machines SET token_hash = $2 WHERE id = $1 AND kind = 'worker' AND state <> 'removed'";
    if execute(tx, sql(text).bind(id).bind(secret.hash())).await? == 0 {
        return Err(missing());
    }
    changed(tx, id).await?;
    Ok(secret)
}

/// The machine whose worker has this token; `None` where it has been removed.
pub async fn authenticate(db: &Db, secret: &str) -> Result<Option<Machine>> {
    let text = "SELECT * FROM machines WHERE token_hash = $1 AND state <> 'removed'";
    let found: Option<Machine> = optional(db, sql(text).bind(hash(secret))).await?;
    match found {
        Some(found) => get(db, found.id).await,
        None => Ok(None),
    }
}

/// The machine with this id, removed or not.
pub async fn get(db: &Db, id: MachineId) -> Result<Option<Machine>> {
    let mut found: Vec<Machine> =
        all(db, sql("SELECT * FROM machines WHERE id = $1").bind(id)).await?;
    fill(db, &mut found).await?;
    Ok(found.pop())
}

/// Every machine that is not removed, by name.
pub async fn list(db: &Db) -> Result<Vec<Machine>> {
    let text = "SELECT * FROM machines WHERE state <> 'removed' ORDER BY name";
    let mut found = all(db, sql(text)).await?;
    fill(db, &mut found).await?;
    Ok(found)
}

/// The names of all machines, removed ones too, for showing where something ran.
pub async fn all_names(db: &Db) -> Result<HashMap<MachineId, String>> {
    struct Named(MachineId, String);
    impl Record for Named {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.parsed("id")?, row.text("name")?))
        }
    }
    let all: Vec<Named> = all(db, sql("SELECT id, name FROM machines")).await?;
    Ok(all.into_iter().map(|Named(id, name)| (id, name)).collect())
}

/// Records that the machine is there now. Makes no event.
pub async fn seen(tx: &mut Tx, id: MachineId) -> Result<()> {
    let text = "UPDATE machines SET seen_ms = $2 WHERE id = $1";
    execute(tx, sql(text).bind(id).bind(tx.now_ms())).await?;
    Ok(())
}

/// Records that the machine said goodbye.
pub async fn left(tx: &mut Tx, id: MachineId) -> Result<()> {
    let text = "UPDATE machines SET seen_ms = NULL WHERE id = $1 AND seen_ms IS NOT NULL";
    if execute(tx, sql(text).bind(id)).await? > 0 {
        changed(tx, id).await?;
    }
    Ok(())
}

/// Gives the machine these labels in place of those that people gave it before.
///
/// # Errors
/// `Invalid` for a label against the rule; `NotFound` for an unknown machine.
pub async fn relabel(tx: &mut Tx, id: MachineId, labels: &[String]) -> Result<Machine> {
    check_labels(labels)?;
    let text = "UPDATE machines SET labels = $2 WHERE id = $1 AND state <> 'removed'";
    if execute(tx, sql(text).bind(id).bind(json(&labels)?)).await? == 0 {
        return Err(missing());
    }
    changed(tx, id).await
}

/// Lets nothing new begin on the machine, or lets it again.
///
/// # Errors
/// `NotFound` for an unknown machine.
pub async fn drain(tx: &mut Tx, id: MachineId, drain: bool) -> Result<Machine> {
    let state = if drain {
        State::Draining
    } else {
        State::Active
    };
    let text = "UPDATE machines SET state = $2 WHERE id = $1 AND state <> 'removed'";
    if execute(tx, sql(text).bind(id).bind(state.as_str())).await? == 0 {
        return Err(missing());
    }
    changed(tx, id).await
}

/// Removes a machine that nothing runs on: its name is free, its token ends, its records stay.
///
/// # Errors
/// `NotFound` for an unknown machine; `Conflict` while something runs on it.
pub async fn remove(tx: &mut Tx, id: MachineId) -> Result<()> {
    let text = "UPDATE machines SET state = 'removed', token_hash = NULL, seen_ms = NULL WHERE id = $1 AND state <> 'removed'";
    // First, so that whoever places something here at the same time waits, and then finds it gone.
    if execute(tx, sql(text).bind(id)).await? == 0 {
        return Err(missing());
    }
    let text = "SELECT id FROM leases WHERE machine_id = $1 AND released_ms IS NULL LIMIT 1";
    if optional::<String>(&mut *tx, sql(text).bind(id))
        .await?
        .is_some()
    {
        return Err(Error::conflict(
            "something runs on this machine: drain it and wait, or stop what runs",
        ));
    }
    changed(tx, id).await.map(|_| ())
}

/// Checks labels: each 1 to 63 of `a-z 0-9 . _ - = /`, and no more than 32 of them.
///
/// # Errors
/// `Invalid`, which says the rule.
pub fn check_labels(labels: &[String]) -> Result<()> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'_' | b'-' | b'=' | b'/')
    };
    let sane =
        |label: &String| (1..=LABEL_BYTES).contains(&label.len()) && label.bytes().all(plain);
    if labels.len() <= 32 && labels.iter().all(sane) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a machine has at most 32 labels, each of 1 to {LABEL_BYTES} lower-case letters, digits and . _ - = /"
    )))
}

async fn fill<'c>(from: impl Read<'c>, machines: &mut [Machine]) -> Result<()> {
    if machines.is_empty() {
        return Ok(());
    }
    let text = "SELECT machine_id, device, model, minor FROM machine_devices ORDER BY machine_id, LENGTH(device), device";
    let mut devices: HashMap<MachineId, Vec<Device>> = HashMap::new();
    for Owned(id, device) in all(from, sql(text)).await? {
        devices.entry(id).or_default().push(device);
    }
    for machine in machines {
        machine.devices = devices.remove(&machine.id).unwrap_or_default();
    }
    Ok(())
}

/// Records that the machine changed; returns it as this transaction sees it.
async fn changed(tx: &mut Tx, id: MachineId) -> Result<Machine> {
    let query = sql("SELECT * FROM machines WHERE id = $1").bind(id);
    let mut found = [optional::<Machine>(&mut *tx, query)
        .await?
        .ok_or_else(missing)?];
    fill(&mut *tx, &mut found).await?;
    notice(tx, &id.to_string());
    let [machine] = found;
    Ok(machine)
}

/// Tells that the machine has changed, or what is free of it.
pub(crate) fn notice(tx: &mut Tx, id: &str) {
    tx.notice(Notice {
        kind: News::MachineChanged,
        project_id: None,
        user_id: None,
        subject: id.to_owned(),
    });
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a record is not JSON", error))
}

fn missing() -> Error {
    Error::not_found("there is no such machine")
}
