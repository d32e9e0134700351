//! The one queue of servers and jobs that wait for a machine: who is where in it, and who begins now.
//!
//! With several servers on one database each has the queue of what it accepted, because its store has the files, and places it on the
//! machines that it holds. Who takes what of a machine is decided by the records, so two never take the same.

use std::{collections::HashMap, sync::Arc};

use spawner::Gpu;
use storage::{
    ids::{JobId, MachineId, WorkspaceId},
    jobs,
    leases::{self, Claim, Lease, Subject},
    machines::{self, Kind, Machine, State},
    workspaces::{self, Workspace},
};

use crate::{
    Control, Error, MachineType, Result,
    placement::{self, Device, Host, Outcome, Room, Takes, Wish},
    workspaces as workspace,
};

/// A machine that said nothing for so long is taken for gone; whoever holds it says so every [`crate::reconciler::ALIVE`].
const SILENCE_MS: i64 = 45_000;

/// Where something stands in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1 for who asked first.
    pub position: usize,
    /// How many wait.
    pub length: usize,
    /// What it waits for.
    pub reason: String,
}

/// The queue as it was at one moment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<HashMap<Subject, Place>>);

impl Queue {
    /// The first `most` of those whose place is another than in `before`.
    pub(crate) fn differs_from(&self, before: &Self, most: usize) -> Vec<Subject> {
        let new = |(subject, place): &(&Subject, &Place)| {
            let told = |old: &Place| old.position == place.position && old.reason == place.reason;
            place.position <= most && !before.0.get(subject).is_some_and(told)
        };
        let moved = self.0.iter().filter(new).map(|(subject, _)| *subject);
        moved.collect()
    }

    /// Where a workspace stands; none where it does not wait.
    pub fn workspace(&self, id: WorkspaceId) -> Option<&Place> {
        self.0.get(&Subject::Workspace(id))
    }

    /// Where a job stands; none where it does not wait.
    pub fn job(&self, id: JobId) -> Option<&Place> {
        self.0.get(&Subject::Job(id))
    }
}

/// Who waits for what.
pub(crate) struct Waiting {
    pub(crate) subject: Subject,
    pub(crate) machine: String,
    since_ms: i64,
    /// The workspace, where it is one.
    workspace: Option<Workspace>,
}

/// Everybody who waits, in order, and what becomes of each now.
pub(crate) struct Decided {
    pub(crate) queue: Vec<(Waiting, Outcome)>,
}

impl Waiting {
    fn wish<'a>(&'a self, kind: &'a MachineType) -> Wish<'a> {
        Wish {
            name: &self.machine,
            kind,
            job: matches!(self.subject, Subject::Job(_)),
            only: None,
            // Its files are there.
            prefers: self.workspace.as_ref().and_then(|one| one.machine_id),
        }
    }
}

impl Decided {
    /// The places of those who wait.
    pub(crate) fn places(&self) -> Queue {
        let length = self.queue.len();
        let places = self
            .queue
            .iter()
            .enumerate()
            .map(|(at, (waiting, outcome))| {
                let reason = match outcome {
                    Outcome::Place(..) => "It begins now.".to_owned(),
                    Outcome::Wait(reason) => reason.clone(),
                };
                let position = at + 1;
                (
                    waiting.subject,
                    Place {
                        position,
                        length,
                        reason,
                    },
                )
            });
        Queue(Arc::new(places.collect()))
    }
}

impl Control {
    /// Who waits for a machine now, and for what.
    pub async fn queue(&self) -> Result<Queue> {
        Ok(self.decide().await?.places())
    }

    /// Decides for everybody who waits. Changes nothing.
    pub(crate) async fn decide(&self) -> Result<Decided> {
        let waiting = self.waiting().await?;
        if waiting.is_empty() {
            return Ok(Decided { queue: Vec::new() });
        }
        let hosts = self.placement_hosts().await?;
        let kinds = &self.settings().machines;
        let known = |waiting: &Waiting| kinds.contains_key(&waiting.machine);
        let wishes: Vec<Wish<'_>> = waiting
            .iter()
            .filter_map(|one| Some(one.wish(kinds.get(&one.machine)?)))
            .collect();
        let mut outcomes = placement::plan(&hosts, &wishes).into_iter();
        let unknown = |name: &str| Outcome::Wait(format!("There is no machine type `{name}`."));
        let decided: Vec<Outcome> = waiting
            .iter()
            .map(|one| {
                let outcome = known(one).then(|| outcomes.next()).flatten();
                outcome.unwrap_or_else(|| unknown(&one.machine))
            })
            .collect();
        Ok(Decided {
            queue: waiting.into_iter().zip(decided).collect(),
        })
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        let here = self.hosts().local().id();
        let servers = workspaces::waiting(self.db(), here).await?;
        let mut all: Vec<Waiting> = servers
            .into_iter()
            .map(|workspace| Waiting {
                subject: Subject::Workspace(workspace.id),
                machine: workspace.machine.clone(),
                since_ms: workspace.queued_ms.unwrap_or_default(),
                workspace: Some(workspace),
            })
            .collect();
        let queued = jobs::queue(self.db(), here).await?;
        all.extend(queued.into_iter().map(|job| Waiting {
            subject: Subject::Job(job.id),
            machine: job.machine,
            since_ms: job.queued_ms,
            workspace: None,
        }));
        // Both lists are in order, and of two that asked at once the server, for which a person waits, comes first.
        all.sort_by_key(|one| one.since_ms);
        Ok(all)
    }

    /// The machines as placement sees them: those of other servers, which place their own work, are not among them.
    pub(crate) async fn placement_hosts(&self) -> Result<Vec<Host>> {
        let here = self.hosts().local().id();
        let mut known = machines::list(self.db()).await?;
        known.retain(|machine| machine.kind == Kind::Worker || machine.id == here);
        self.as_hosts(&known).await
    }

    async fn as_hosts(&self, known: &[Machine]) -> Result<Vec<Host>> {
        let leases = leases::live(self.db()).await?;
        let mut by_machine: HashMap<MachineId, Vec<&Lease>> = HashMap::new();
        for lease in &leases {
            by_machine.entry(lease.machine_id).or_default().push(lease);
        }
        let none = Vec::new();
        let host = |machine: &Machine| {
            let held = by_machine.get(&machine.id).unwrap_or(&none);
            host(machine, held, self.holds(Some(machine.id)))
        };
        Ok(known.iter().map(host).collect())
    }

    /// Whether the machine can be reached now, by this program or by another with the same records.
    pub(crate) fn is_online(&self, machine: &Machine) -> bool {
        let fresh = |seen_ms: i64| self.db().now_ms() - seen_ms < SILENCE_MS;
        self.holds(Some(machine.id)) || self.db().is_shared() && machine.seen_ms.is_some_and(fresh)
    }

    /// Begins what can begin.
    pub(crate) async fn place(&self, decided: &Decided) -> Result<()> {
        for (waiting, outcome) in &decided.queue {
            let Outcome::Place(machine_id, devices) = outcome else {
                continue;
            };
            let Some(kind) = self.settings().machines.get(&waiting.machine) else {
                continue;
            };
            let room = waiting.wish(kind).room();
            let claim = &Claim {
                machine_id: *machine_id,
                machine: waiting.machine.clone(),
                cpu_millicores: room.cpu_millicores,
                memory_bytes: room.memory_bytes,
                devices: devices.clone(),
                price: kind.price,
            };
            // Where somebody was faster, the next look decides again.
            self.begin(waiting, claim).await?;
        }
        Ok(())
    }

    async fn begin(&self, waiting: &Waiting, claim: &Claim) -> Result<bool> {
        match (&waiting.workspace, waiting.subject) {
            (Some(found), _) => workspace::begin(self, found, claim).await,
            (None, Subject::Job(id)) => {
                let placed = self.db().write(move |mut tx| async move {
                    leases::place_job(&mut tx, id, claim).await
                });
                Ok(placed.await?.is_some())
            }
            (None, Subject::Workspace(_)) => Ok(false),
        }
    }

    /// Refuses a machine type that no known machine could ever provide, to a job or to a server.
    ///
    /// # Errors
    /// `Invalid`; the text says what is wanted and what comes nearest.
    pub(crate) async fn check_fits(&self, name: &str, job: bool) -> Result<()> {
        let (name, kind) = self.settings().machine(Some(name))?;
        let wish = Wish {
            name: &name,
            kind,
            job,
            only: None,
            prefers: None,
        };
        // A workspace may be another server's, which places it on its own machine; a job is this one's.
        let hosts = if job {
            self.placement_hosts().await?
        } else {
            self.as_hosts(&machines::list(self.db()).await?).await?
        };
        match placement::hopeless(&hosts, &wish) {
            Some(reason) => Err(Error::invalid(reason)),
            None => Ok(()),
        }
    }

    /// The cards that are leased for a run, as its machine knows them.
    pub(crate) async fn leased(&self, subject: Subject, fence: i64) -> Result<Vec<Gpu>> {
        let Some(lease) = leases::of_run(self.db(), subject, fence).await? else {
            return Err(Error::not_found(
                "the run holds nothing of a machine any more",
            ));
        };
        if lease.devices.is_empty() {
            return Ok(Vec::new());
        }
        let machine = machines::get(self.db(), lease.machine_id).await?;
        let known = machine.map(|machine| machine.devices).unwrap_or_default();
        let minor = |id: &str| {
            let device = known.iter().find(|device| device.id == id)?;
            u32::try_from(device.minor?).ok()
        };
        let gpus = lease.devices.into_iter().map(|leased| Gpu {
            minor: minor(&leased.id),
            id: leased.id,
        });
        Ok(gpus.collect())
    }
}

fn host(machine: &Machine, leases: &[&Lease], online: bool) -> Host {
    let limit = |limit: Option<i64>| limit.unwrap_or(i64::MAX);
    let total = Room {
        cpu_millicores: limit(machine.cpu_millicores),
        memory_bytes: limit(machine.memory_bytes),
        slots: limit(machine.slots),
    };
    let mut free = total;
    for lease in leases {
        free.take(&Room {
            cpu_millicores: lease.cpu_millicores,
            memory_bytes: lease.memory_bytes,
            slots: i64::from(matches!(lease.subject, Subject::Job(_))),
        });
    }
    let taken = |id: &str| {
        let mut held = leases.iter().flat_map(|lease| &lease.devices);
        held.any(|device| device.id == id)
    };
    let devices = machine.devices.iter().map(|device| Device {
        id: device.id.clone(),
        model: device.model.clone(),
        free: !taken(&device.id),
    });
    Host {
        id: machine.id,
        name: machine.name.clone(),
        labels: [&machine.labels[..], &machine.own_labels].concat(),
        runtimes: machine.runtimes.clone(),
        takes: match (machine.state, online) {
            (_, false) => Takes::Nothing,
            (State::Active, true) => Takes::Work,
            (State::Draining | State::Removed, true) => Takes::NothingNew,
        },
        total,
        free,
        devices: devices.collect(),
        runs: leases.len(),
    }
}
