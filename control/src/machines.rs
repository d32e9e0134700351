//! Machines and machine types as people see them, and what administrators do with machines.

use std::collections::HashMap;

use storage::{
    attempts,
    ids::{MachineId, UserId},
    jobs,
    leases::{self, Lease, Subject},
    machines::{self, Kind, Machine, Registration, State},
    secret::Secret,
    workspaces::{self, Note},
};

use crate::{
    Capacity, Control, Error, MachineType, Result,
    placement::{self, Host, Wish},
    reconciler::ALIVE,
};

/// More of a type than this are not counted.
const MOST: usize = 1000;

/// A machine type, and what there is of it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its name in the configuration.
    pub name: String,
    /// What it is.
    pub kind: MachineType,
    /// How many jobs of it could run at the same time if nothing else ran; none for 1000 and more.
    pub capacity: Option<usize>,
    /// How many more could begin now.
    pub free: Option<usize>,
    /// How many servers and jobs wait for it.
    pub queued: usize,
    /// Why no machine could ever provide it; none where one could.
    pub misfit: Option<String>,
    /// Whether it is the one where none is named.
    pub is_usual: bool,
}

/// A machine, and what runs on it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its record.
    pub machine: Machine,
    /// Whether it can be reached now.
    pub online: bool,
    /// What runs on it, oldest first.
    pub holders: Vec<Holder>,
}

/// What holds a part of a machine.
#[derive(Clone, Debug)]
pub struct Holder {
    /// What it holds.
    pub lease: Lease,
    /// Whose it is.
    pub user_id: UserId,
    /// Their name.
    pub user: String,
    /// The project.
    pub project: String,
    /// What people call it there; may be empty for a job.
    pub name: String,
    /// The number of a job.
    pub number: Option<i64>,
}

impl Capacity {
    /// What the machine with this id says of itself.
    pub fn registration(&self, id: MachineId, kind: Kind, address: Option<String>) -> Registration {
        let signed = |amount: Option<u64>| amount.and_then(|amount| i64::try_from(amount).ok());
        Registration {
            id,
            name: self.name.clone(),
            kind,
            labels: self.labels.clone(),
            runtimes: self.runtimes.clone(),
            cpu_millicores: signed(self.cpu_millicores),
            memory_bytes: signed(self.memory_bytes),
            slots: self.slots.map(i64::from),
            address,
            devices: self.devices.clone(),
        }
    }
}

impl Control {
    /// Makes the machine that this program is on known, with what it has now. Call it before [`Control::run`].
    ///
    /// What ran before machines were recorded becomes this machine's.
    pub async fn register(&self) -> Result<Machine> {
        let capacity = &self.settings().capacity;
        let new = &capacity.registration(self.hosts().local().id(), Kind::Local, None);
        let registered = self.db().write(move |mut tx| async move {
            let machine = machines::register(&mut tx, new).await?;
            machines::adopt(&mut tx, machine.id).await?;
            Ok(machine)
        });
        Ok(registered.await?)
    }

    /// Every machine type, by name.
    pub async fn machine_types(&self) -> Result<Vec<Offer>> {
        let hosts = self.placement_hosts().await?;
        let mut empty = hosts.clone();
        empty.iter_mut().for_each(Host::clear);
        let mut queued: HashMap<String, usize> = HashMap::new();
        for (waiting, _) in self.decide().await?.queue {
            *queued.entry(waiting.machine).or_default() += 1;
        }
        let (usual, _) = self.settings().machine(None)?;
        let count = |hosts: &[Host], wish: &Wish<'_>| {
            Some(placement::room_for(hosts, wish, MOST)).filter(|count| *count < MOST)
        };
        let offer = |(name, kind): (&String, &MachineType)| {
            let wish = Wish {
                name,
                kind,
                job: true,
                only: None,
                prefers: None,
            };
            Offer {
                name: name.clone(),
                kind: kind.clone(),
                capacity: count(&empty, &wish),
                free: count(&hosts, &wish),
                queued: queued.get(name).copied().unwrap_or_default(),
                misfit: placement::hopeless(&hosts, &wish),
                is_usual: *name == usual,
            }
        };
        Ok(self.settings().machines.iter().map(offer).collect())
    }

    /// Every machine that is not removed, by name, with what runs on it.
    pub async fn machines(&self) -> Result<Vec<Seen>> {
        let mut holders: HashMap<MachineId, Vec<Holder>> = HashMap::new();
        for lease in leases::live(self.db()).await? {
            let on = lease.machine_id;
            if let Some(holder) = self.holder(lease).await? {
                holders.entry(on).or_default().push(holder);
            }
        }
        let known = machines::list(self.db()).await?;
        let seen = known.into_iter().map(|machine| Seen {
            online: self.is_online(&machine),
            holders: holders.remove(&machine.id).unwrap_or_default(),
            machine,
        });
        Ok(seen.collect())
    }

    /// The machine with this id or name, unless it is removed.
    pub async fn machine(&self, named: &str) -> Result<Option<Seen>> {
        let mut all = self.machines().await?.into_iter();
        Ok(all.find(|seen| seen.machine.name == named || seen.machine.id.to_string() == named))
    }

    async fn holder(&self, lease: Lease) -> Result<Option<Holder>> {
        Ok(match lease.subject {
            Subject::Workspace(id) => {
                let found = workspaces::get(self.db(), id).await?;
                found.map(|found| Holder {
                    lease,
                    user_id: found.user_id,
                    user: found.user,
                    project: found.project,
                    name: found.name,
                    number: None,
                })
            }
            Subject::Job(id) => jobs::get(self.db(), id).await?.map(|found| Holder {
                lease,
                user_id: found.user_id,
                user: found.user,
                project: found.project,
                name: found.name,
                number: Some(found.number),
            }),
        })
    }

    /// Makes a machine known that will run a worker; the secret is its worker's token, shown once.
    ///
    /// # Errors
    /// `Invalid` for a name or label against the rules; `Conflict` for a name in use.
    pub async fn create_machine(&self, name: &str, labels: &[String]) -> Result<(Machine, Secret)> {
        let made = self
            .db()
            .write(move |mut tx| async move { machines::create(&mut tx, name, labels).await });
        Ok(made.await?)
    }

    /// A new token for a machine's worker; the old one ends.
    ///
    /// # Errors
    /// `NotFound` for an unknown machine; `Conflict` for one without a worker.
    pub async fn new_machine_token(&self, id: MachineId) -> Result<Secret> {
        let found = machines::get(self.db(), id).await?;
        if found.is_some_and(|machine| machine.kind == Kind::Local) {
            return Err(Error::conflict("no worker runs on this machine"));
        }
        let made = self
            .db()
            .write(move |mut tx| async move { machines::new_token(&mut tx, id).await });
        Ok(made.await?)
    }

    /// Changes what is given: `draining` lets nothing new begin on the machine while what runs goes on; `labels` take the place of those
    /// that people gave it.
    ///
    /// # Errors
    /// `NotFound` for an unknown machine; `Invalid` for a label against the rule.
    pub async fn update_machine(
        &self,
        id: MachineId,
        draining: Option<bool>,
        labels: Option<&[String]>,
    ) -> Result<()> {
        let updated = self.db().write(move |mut tx| async move {
            if let Some(draining) = draining {
                machines::drain(&mut tx, id, draining).await?;
            }
            if let Some(labels) = labels {
                machines::relabel(&mut tx, id, labels).await?;
            }
            Ok(())
        });
        Ok(updated.await?)
    }

    /// Removes a machine that nothing runs on. Of one that is drained and cannot be reached, what ran there is given up first: its jobs
    /// wait again, its servers have failed.
    ///
    /// # Errors
    /// `NotFound` for an unknown machine; `Conflict` while something runs on it, and for the machine that this program is on.
    pub async fn remove_machine(&self, id: MachineId) -> Result<()> {
        if id == self.hosts().local().id() {
            return Err(Error::conflict(
                "this server itself is on that machine: drain it to keep work away from it",
            ));
        }
        let found = machines::get(self.db(), id).await?;
        let found = found.ok_or_else(|| Error::not_found("there is no such machine"))?;
        if found.state == State::Draining && !self.is_online(&found) {
            self.give_up(id, "The machine was removed.").await?;
        }
        let removed = self
            .db()
            .write(move |mut tx| async move { machines::remove(&mut tx, id).await });
        Ok(removed.await?)
    }

    /// Gives up what ran on machines that could not be reached for longer than the grace, which have ended it themselves by then.
    pub(crate) async fn give_up_silent(&self) -> Result<()> {
        // Whoever holds a machine records so from time to time only.
        let patience = self.settings().offline_grace + 2 * ALIVE;
        let patience_ms = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
        let leases = leases::live(self.db()).await?;
        for machine in machines::list(self.db()).await? {
            let silent = |seen_ms: i64| self.db().now_ms() - seen_ms > patience_ms;
            let has_work = || leases.iter().any(|lease| lease.machine_id == machine.id);
            if machine.kind == Kind::Worker
                && !self.holds(Some(machine.id))
                && machine.seen_ms.is_some_and(silent)
                && has_work()
            {
                let why = format!(
                    "The machine {} could not be reached any more.",
                    machine.name
                );
                tracing::warn!(machine.id = %machine.id, "giving up what ran on a machine that is silent");
                self.give_up(machine.id, &why).await?;
            }
        }
        Ok(())
    }

    /// Ends the records of what ran on a machine that will not come back: its jobs wait again, its servers have failed. The numbers of
    /// those runs are old from then on, so nothing that they still report counts.
    pub async fn give_up(&self, id: MachineId, why: &str) -> Result<()> {
        for attempt in attempts::live(self.db()).await? {
            if attempt.machine_id == Some(id) {
                let attempt = attempt.id;
                let again = self
                    .db()
                    .write(move |mut tx| async move { jobs::requeue(&mut tx, attempt, why).await });
                again.await?;
            }
        }
        let note = &Note {
            message: Some(why.to_owned()),
            phase: None,
        };
        for found in workspaces::active(self.db()).await? {
            if found.machine_id != Some(id) || found.run_id.is_none() {
                continue;
            }
            let (id, fence, step) = (
                found.id,
                found.fence,
                (found.state, workspaces::State::Error),
            );
            let failed = self.db().write(move |mut tx| async move {
                workspaces::transition(&mut tx, id, fence, step, note).await
            });
            failed.await?;
        }
        Ok(())
    }
}
