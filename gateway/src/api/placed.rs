//! Where servers and jobs are, where they stand in the queue, and what they have cost: what pages of them are filled up with.

use std::collections::HashMap;

use control::{Place, Queue};
use serde::Serialize;
use storage::{
    holds,
    ids::{JobId, LeaseId, MachineId, WorkspaceId},
    jobs,
    leases::{self, Lease, Subject},
    machines, workspaces,
};
use utoipa::ToSchema;

use crate::{api::holds::Hold, app::App, error::ApiError};

/// Where something stands among all that wait for a machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueuePlace {
    /// 1 for who asked first.
    position: usize,
    /// How many wait.
    length: usize,
    /// What it waits for.
    reason: String,
}

impl From<&Place> for QueuePlace {
    fn from(place: &Place) -> Self {
        Self {
            position: place.position,
            length: place.length,
            reason: place.reason.clone(),
        }
    }
}

/// What was found of the things on one page.
pub(crate) struct Placed {
    names: HashMap<MachineId, String>,
    queue: Queue,
    leases: HashMap<Subject, Vec<Lease>>,
    held: HashMap<JobId, holds::Hold>,
    now_ms: i64,
}

impl Placed {
    pub(crate) async fn workspaces(
        app: &App,
        page: &[workspaces::Workspace],
    ) -> Result<Self, ApiError> {
        let subjects: Vec<Subject> = page.iter().map(|one| Subject::Workspace(one.id)).collect();
        let waits = page.iter().any(|one| one.queued_ms.is_some());
        Self::of(app, &subjects, waits).await
    }

    pub(crate) async fn jobs(app: &App, page: &[jobs::Job]) -> Result<Self, ApiError> {
        let subjects: Vec<Subject> = page.iter().map(|one| Subject::Job(one.id)).collect();
        let waits = page.iter().any(|one| one.state == jobs::State::Queued);
        let mut placed = Self::of(app, &subjects, waits).await?;
        let may_be_held = page.iter().filter(|one| one.hold_ms.is_some());
        let ids: Vec<JobId> = may_be_held.map(|one| one.id).collect();
        let open = holds::open_of(app.db(), &ids).await?.into_iter();
        placed.held = open.map(|hold| (hold.job_id, hold)).collect();
        Ok(placed)
    }

    /// Only for what things cost.
    pub(crate) async fn costs(app: &App, subjects: &[Subject]) -> Result<Self, ApiError> {
        Self::of(app, subjects, false).await
    }

    async fn of(app: &App, subjects: &[Subject], waits: bool) -> Result<Self, ApiError> {
        let queue = if waits {
            app.control().queue().await?
        } else {
            Queue::default()
        };
        Ok(Self {
            names: machines::all_names(app.db()).await?,
            queue,
            leases: leases::of_each(app.db(), subjects).await?,
            held: HashMap::new(),
            now_ms: app.db().now_ms(),
        })
    }

    /// The hold of a job that is open.
    pub(crate) fn hold(&self, id: JobId) -> Option<Hold> {
        self.held.get(&id).map(Hold::from)
    }

    /// The name of a machine.
    pub(crate) fn name(&self, id: Option<MachineId>) -> Option<String> {
        self.names.get(&id?).cloned()
    }

    pub(crate) fn place(&self, subject: Subject) -> Option<QueuePlace> {
        let place = match subject {
            Subject::Workspace(id) => self.queue.workspace(id),
            Subject::Job(id) => self.queue.job(id),
        };
        place.map(QueuePlace::from)
    }

    /// The ids of the devices that it has or had last.
    pub(crate) fn devices(&self, subject: Subject) -> Vec<String> {
        let lease = self.leases(subject).first();
        lease.map(devices).unwrap_or_default()
    }

    /// What an hour costs it, or did last.
    pub(crate) fn price(&self, subject: Subject) -> Option<String> {
        self.leases(subject).first()?.price.map(decimal)
    }

    pub(crate) fn cost(&self, subject: Subject) -> Option<String> {
        leases::cost(self.leases(subject), self.now_ms).map(decimal)
    }

    fn leases(&self, subject: Subject) -> &[Lease] {
        self.leases.get(&subject).map_or(&[], Vec::as_slice)
    }
}

/// One run of a workspace: when, where, and what it cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkspaceRun {
    /// Never changes.
    #[schema(value_type = String)]
    id: LeaseId,
    /// The name of its machine type.
    machine: String,
    /// Its machine.
    #[schema(value_type = String)]
    machine_id: MachineId,
    /// That machine's name.
    machine_name: String,
    /// The ids of its devices.
    devices: Vec<String>,
    /// When it began, in milliseconds since 1970, UTC.
    started_ms: i64,
    /// When it ended; null while it lasts.
    ended_ms: Option<i64>,
    /// What an hour cost when it began, as a decimal number.
    price_per_hour: Option<String>,
    /// What it has cost so far.
    cost: Option<String>,
}

impl WorkspaceRun {
    /// The runs of a workspace, newest first.
    pub(crate) async fn of(app: &App, id: WorkspaceId, most: u32) -> Result<Vec<Self>, ApiError> {
        let names = machines::all_names(app.db()).await?;
        let leases = leases::of_workspace(app.db(), id, most).await?;
        let now_ms = app.db().now_ms();
        let run = |lease: Lease| Self {
            id: lease.id,
            machine_id: lease.machine_id,
            machine_name: names.get(&lease.machine_id).cloned().unwrap_or_default(),
            devices: devices(&lease),
            started_ms: lease.created_ms,
            ended_ms: lease.released_ms,
            price_per_hour: lease.price.map(decimal),
            cost: lease.cost(now_ms).map(decimal),
            machine: lease.machine,
        };
        Ok(leases.into_iter().map(run).collect())
    }
}

fn devices(lease: &Lease) -> Vec<String> {
    let ids = lease.devices.iter().map(|device| device.id.clone());
    ids.collect()
}

/// Millionths as a decimal number, with at least two decimals.
pub(crate) fn decimal(millionths: i64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let kept = text.trim_end_matches('0').len().max(text.len() - 4);
    text[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn money_has_two_decimals_or_as_many_as_it_needs() {
        for (millionths, text) in [
            (0, "0.00"),
            (1_290_000, "1.29"),
            (2_000_000, "2.00"),
            (400, "0.0004"),
            (12_345_678, "12.345678"),
        ] {
            assert_eq!(decimal(millionths), text);
        }
    }
}
