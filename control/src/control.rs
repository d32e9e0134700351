//! The facade: what control is made of. Each resource adds its calls in its own file.

use std::sync::Arc;

use storage::{
    Db,
    attempts::Attempt,
    ids::{MachineId, UserId, WorkspaceId},
    objects::Store,
    secret::SealingKey,
    users,
    workspaces::Workspace,
};

use crate::{
    Error, Result,
    adoptions::Adoptions,
    collections::Cycles,
    datasets::Checks,
    locks::Locks,
    machine::{Machine, Machines},
    settings::Settings,
    workspaces::Turns,
};

/// What should run, where and when: workspaces, jobs, and the reconciler that brings them about. Cheap to clone.
///
/// It authorises nothing: the caller has done so. Every call that changes something is one transaction, whose effect the reconciler
/// ([`Control::run`]) then brings about; dropping a call's future loses at most the answer.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    parts: Parts,
    settings: Settings,
    turns: Turns,
    /// For what a running server sees of its inputs.
    inputs: Locks<WorkspaceId>,
    checks: Checks,
    cycles: Cycles,
    adoptions: Adoptions,
}

/// What control works with.
pub struct Parts {
    /// Records.
    pub db: Db,
    /// Objects, manifests, snapshots and outputs.
    pub store: Store,
    /// The hosts that work runs on.
    pub machines: Machines,
    /// Seals the tokens of servers at rest.
    pub key: SealingKey,
}

impl Control {
    /// Puts the parts together; starts nothing.
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self(Arc::new(Inner {
            parts,
            settings,
            turns: Turns::default(),
            inputs: Locks::default(),
            checks: Checks::default(),
            cycles: Cycles::default(),
            adoptions: Adoptions::default(),
        }))
    }

    /// The records.
    pub fn db(&self) -> &Db {
        &self.0.parts.db
    }

    /// The object store.
    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// What control was told at start.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The hosts that work runs on, those of them that can be reached now.
    pub fn hosts(&self) -> &Machines {
        &self.0.parts.machines
    }

    /// The host of a workspace's home and runs.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be reached now.
    pub(crate) fn host_of(&self, workspace: &Workspace) -> Result<Arc<dyn Machine>> {
        self.host(workspace.machine_id)
    }

    /// The host of an attempt's run.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be reached now.
    pub(crate) fn host_of_attempt(&self, attempt: &Attempt) -> Result<Arc<dyn Machine>> {
        self.host(attempt.machine_id)
    }

    /// Whether this program drives what is on the machine; what is on none yet, it may.
    pub(crate) fn holds(&self, machine: Option<MachineId>) -> bool {
        self.host(machine).is_ok()
    }

    fn host(&self, machine: Option<MachineId>) -> Result<Arc<dyn Machine>> {
        match machine {
            Some(id) => self.hosts().get(id),
            None => Ok(Arc::clone(self.hosts().local())),
        }
    }

    pub(crate) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    pub(crate) fn cycles(&self) -> &Cycles {
        &self.0.cycles
    }

    pub(crate) fn adoptions(&self) -> &Adoptions {
        &self.0.adoptions
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    pub(crate) fn input_locks(&self) -> &Locks<WorkspaceId> {
        &self.0.inputs
    }

    pub(crate) fn key(&self) -> &SealingKey {
        &self.0.parts.key
    }

    /// Which uid of the configured range this person's work gets.
    pub(crate) async fn uid_slot(&self, user_id: UserId) -> Result<u32> {
        let slot = users::uid_slot(self.db(), user_id)
            .await?
            .ok_or_else(|| Error::not_found("there is no such user"))?;
        u32::try_from(slot).map_err(|error| Error::internal("a uid slot is out of range", error))
    }
}
