//! Machine types, with what is free of each, and the machines that provide them.

use axum::extract::State;
use control::machines::{Holder, Offer, Seen};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{
    ids::{MachineId, WorkspaceId},
    leases::Subject,
    machines as records,
};
use utoipa::ToSchema;

use super::{placed::decimal, types::Listing};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action, Decision, Resource},
    error::{ApiError, Envelope},
    extract::{Json, Path},
};

/// A named size of machine, and what is free of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineType {
    /// Its name in the configuration.
    name: String,
    /// Thousandths of a core; null: no limit.
    cpu_millicores: Option<u64>,
    /// Memory; null: no limit.
    memory_bytes: Option<u64>,
    /// How many GPUs.
    gpus: u32,
    /// Words in the name of their model; null: any.
    gpu_model: Option<String>,
    /// What an hour costs, as a decimal number; null: it has no price.
    price_per_hour: Option<String>,
    /// The runtime that it needs; null: any.
    runtime: Option<String>,
    /// Labels that a machine must have to provide it.
    labels: Vec<String>,
    /// A job is stopped after running this long.
    time_limit_ms: Option<i64>,
    /// How many jobs of it could run at the same time if nothing else ran; null: more than can be counted.
    capacity: Option<usize>,
    /// How many more could start now; null: more than can be counted.
    free: Option<usize>,
    /// How many servers and jobs wait for it.
    queued: usize,
    /// Why no machine that is known can ever provide it; null where one can.
    misfit: Option<String>,
    /// Whether it is the one that is used where none is named.
    is_default: bool,
}

impl From<Offer> for MachineType {
    fn from(offer: Offer) -> Self {
        let kind = offer.kind;
        Self {
            name: offer.name,
            cpu_millicores: kind.cpu_millicores,
            memory_bytes: kind.memory_bytes,
            gpus: kind.gpus,
            gpu_model: kind.gpu_model,
            price_per_hour: kind.price.map(decimal),
            runtime: kind.runtime,
            labels: kind.labels,
            time_limit_ms: kind.time_limit_ms,
            capacity: offer.capacity,
            free: offer.free,
            queued: offer.queued,
            misfit: offer.misfit,
            is_default: offer.is_usual,
        }
    }
}

/// How a machine is reached.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MachineKind {
    /// A server of Cairn runs on it.
    Local,
    /// It runs a worker, which dials in.
    Worker,
}

/// Whether a machine takes work.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MachineState {
    /// It takes work.
    Online,
    /// It cannot be reached now.
    Offline,
    /// What runs on it goes on, and nothing new begins.
    Draining,
}

/// What kind of work something is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WorkKind {
    /// The server of a workspace.
    Workspace,
    /// An attempt at a job.
    Job,
}

/// What runs on a machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MachineRun {
    /// What it is.
    kind: WorkKind,
    /// The project's name.
    project: String,
    /// What people call it; may be empty for a job.
    name: String,
    /// The number of a job.
    number: Option<i64>,
    /// The workspace, where it is one.
    #[schema(value_type = Option<String>)]
    workspace_id: Option<WorkspaceId>,
    /// Whose it is.
    user: String,
    /// The name of its machine type.
    machine: String,
    /// Since when it holds its part of the machine, in milliseconds since 1970, UTC.
    started_ms: i64,
}

impl From<&Holder> for MachineRun {
    fn from(held: &Holder) -> Self {
        let (kind, workspace_id) = match held.lease.subject {
            Subject::Workspace(id) => (WorkKind::Workspace, Some(id)),
            Subject::Job(_) => (WorkKind::Job, None),
        };
        Self {
            kind,
            project: held.project.clone(),
            name: held.name.clone(),
            number: held.number,
            workspace_id,
            user: held.user.clone(),
            machine: held.lease.machine.clone(),
            started_ms: held.lease.created_ms,
        }
    }
}

/// A device of a machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineDevice {
    /// Its id on the machine.
    id: String,
    /// What it is.
    model: String,
    /// Whether something holds it now.
    held: bool,
    /// What holds it; for administrators, null for others.
    run: Option<MachineRun>,
}

/// A host that runs work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Machine {
    /// Never changes.
    #[schema(value_type = String)]
    id: MachineId,
    /// What people call it.
    name: String,
    /// How it is reached.
    kind: MachineKind,
    /// Whether it takes work.
    state: MachineState,
    /// What machine types can ask for: labels given by people.
    labels: Vec<String>,
    /// The same, as the machine says of itself.
    own_labels: Vec<String>,
    /// The runtimes that it has.
    runtimes: Vec<String>,
    /// Thousandths of a core; null: no limit.
    cpu_millicores: Option<i64>,
    /// Thousandths of a core that are promised to what runs.
    cpu_used_millicores: i64,
    /// Memory; null: no limit.
    memory_bytes: Option<i64>,
    /// Memory that is promised to what runs.
    memory_used_bytes: i64,
    /// How many jobs may run at the same time; null: no limit.
    slots: Option<i64>,
    /// How many jobs run.
    slots_used: usize,
    /// Its devices.
    devices: Vec<MachineDevice>,
    /// What runs on it; for administrators, empty for others.
    runs: Vec<MachineRun>,
    /// When it was last heard of by those who share the records, in milliseconds since 1970, UTC.
    seen_ms: Option<i64>,
    /// When it was made known, in milliseconds since 1970, UTC.
    created_ms: i64,
}

impl Machine {
    fn of(seen: Seen, is_admin: bool) -> Self {
        let Seen {
            machine,
            online,
            holders,
        } = seen;
        let leases = || holders.iter().map(|holder| &holder.lease);
        let is_job = |subject: &Subject| matches!(subject, Subject::Job(_));
        let holds =
            |holder: &&Holder, id: &str| holder.lease.devices.iter().any(|one| one.id == id);
        let devices = machine.devices.iter().map(|device| {
            let holder = holders.iter().find(|holder| holds(holder, &device.id));
            MachineDevice {
                id: device.id.clone(),
                model: device.model.clone(),
                held: holder.is_some(),
                run: holder.filter(|_| is_admin).map(MachineRun::from),
            }
        });
        Self {
            id: machine.id,
            name: machine.name,
            kind: match machine.kind {
                records::Kind::Local => MachineKind::Local,
                records::Kind::Worker => MachineKind::Worker,
            },
            state: match (machine.state, online) {
                (records::State::Active, true) => MachineState::Online,
                (records::State::Draining, _) => MachineState::Draining,
                (records::State::Active | records::State::Removed, _) => MachineState::Offline,
            },
            labels: machine.labels,
            own_labels: machine.own_labels,
            runtimes: machine.runtimes,
            cpu_millicores: machine.cpu_millicores,
            cpu_used_millicores: leases().map(|lease| lease.cpu_millicores).sum(),
            memory_bytes: machine.memory_bytes,
            memory_used_bytes: leases().map(|lease| lease.memory_bytes).sum(),
            slots: machine.slots,
            slots_used: leases().filter(|lease| is_job(&lease.subject)).count(),
            devices: devices.collect(),
            runs: holders
                .iter()
                .filter(|_| is_admin)
                .map(MachineRun::from)
                .collect(),
            seen_ms: machine.seen_ms,
            created_ms: machine.created_ms,
        }
    }
}

/// A machine to make known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMachine {
    /// Lower-case letters, digits, dots, underscores, hyphens.
    name: String,
    /// What machine types can ask for, beside what its worker says.
    #[serde(default)]
    labels: Vec<String>,
}

/// A machine that was made known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedMachine {
    /// The machine.
    machine: Machine,
    /// What its worker signs in with. Shown once.
    token: String,
}

/// What to change of a machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineUpdate {
    /// Whether nothing new may begin on it; stays where left out.
    draining: Option<bool>,
    /// Labels in place of those that people gave it; they stay where left out.
    labels: Option<Vec<String>>,
}

/// Lists the machine types by name, with what is free of each.
#[utoipa::path(get, path = "/machine-types", operation_id = "list_machine_types", tag = "machines",
    responses((status = 200, body = Listing<MachineType>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_machine_types(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Listing<MachineType>>, ApiError> {
    authz::require_general(&principal, Action::ReadCatalog)?;
    Ok(Json(Listing::whole(app.control().machine_types().await?)))
}

/// Lists the machines by name, with their devices. Administrators see what runs on each.
#[utoipa::path(get, path = "/machines", operation_id = "list_machines", tag = "machines",
    responses((status = 200, body = Listing<Machine>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_machines(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Listing<Machine>>, ApiError> {
    authz::require_general(&principal, Action::ReadCatalog)?;
    let administer = authz::decide(&principal, Action::Administer, &Resource::default());
    let is_admin = administer == Decision::Allow;
    let all = app.control().machines().await?.into_iter();
    Ok(Json(Listing {
        items: all.map(|seen| Machine::of(seen, is_admin)).collect(),
        next: None,
    }))
}

/// Makes a machine known, and the token of its worker.
#[utoipa::path(post, path = "/machines", operation_id = "create_machine", tag = "machines", request_body = NewMachine,
    responses((status = 201, body = CreatedMachine), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_machine(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewMachine>,
) -> Result<(StatusCode, Json<CreatedMachine>), ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let control = app.control();
    let (machine, token) = control.create_machine(&new.name, &new.labels).await?;
    let seen = Seen {
        machine,
        online: false,
        holders: Vec::new(),
    };
    let (machine, token) = (Machine::of(seen, true), token.expose().to_owned());
    Ok((StatusCode::CREATED, Json(CreatedMachine { machine, token })))
}

/// A new token of a machine's worker.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineToken {
    /// What its worker signs in with. Shown once.
    token: String,
}

/// Makes a new token for a machine's worker; the old one ends.
#[utoipa::path(post, path = "/machines/{machine}/token", operation_id = "create_machine_token", tag = "machines",
    params(("machine" = String, Path, description = "Id or name")),
    responses((status = 201, body = MachineToken), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_machine_token(
    State(app): State<App>,
    principal: Principal,
    Path(machine): Path<String>,
) -> Result<(StatusCode, Json<MachineToken>), ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let id = named(&app, &machine).await?.machine.id;
    let token = app.control().new_machine_token(id).await?;
    let token = token.expose().to_owned();
    Ok((StatusCode::CREATED, Json(MachineToken { token })))
}

/// Drains a machine, so that nothing new begins on it, or lets it take work again; gives it labels.
#[utoipa::path(patch, path = "/machines/{machine}", operation_id = "update_machine", tag = "machines",
    request_body = MachineUpdate, params(("machine" = String, Path, description = "Id or name")),
    responses((status = 200, body = Machine), (status = "4XX", body = Envelope)))]
pub(crate) async fn update_machine(
    State(app): State<App>,
    principal: Principal,
    Path(machine): Path<String>,
    Json(update): Json<MachineUpdate>,
) -> Result<Json<Machine>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let id = named(&app, &machine).await?.machine.id;
    let labels = update.labels.as_deref();
    app.control()
        .update_machine(id, update.draining, labels)
        .await?;
    let seen = named(&app, &id.to_string()).await?;
    Ok(Json(Machine::of(seen, true)))
}

/// Removes a machine; its worker's token ends. Refused while something runs on it; what ran on a drained machine that cannot be reached is
/// given up.
#[utoipa::path(delete, path = "/machines/{machine}", operation_id = "delete_machine", tag = "machines",
    params(("machine" = String, Path, description = "Id or name")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_machine(
    State(app): State<App>,
    principal: Principal,
    Path(machine): Path<String>,
) -> Result<StatusCode, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let seen = named(&app, &machine).await?;
    match app.control().remove_machine(seen.machine.id).await {
        Err(control::Error::Conflict(why)) => {
            Err(ApiError::new(StatusCode::CONFLICT, "machine_busy", why))
        }
        done => Ok(done.map(|()| StatusCode::NO_CONTENT)?),
    }
}

async fn named(app: &App, machine: &str) -> Result<Seen, ApiError> {
    let found = app.control().machine(machine).await?;
    found.ok_or_else(|| ApiError::not_found("machine"))
}
