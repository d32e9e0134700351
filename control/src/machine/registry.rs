//! Which machines can be reached now.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage::ids::MachineId;
use tokio::sync::watch;

use super::Machine;
use crate::{Error, Result};

/// The machines that this program holds: its own, always, and those whose workers are connected to it.
///
/// A program drives only what is on machines that it holds.
pub struct Machines {
    local: Arc<dyn Machine>,
    connected: Mutex<BTreeMap<MachineId, Arc<dyn Machine>>>,
    changes: watch::Sender<u64>,
}

impl Machines {
    /// Only the machine that this program is on.
    pub fn new(local: Arc<dyn Machine>) -> Self {
        Self {
            local,
            connected: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The machine that this program is on.
    pub fn local(&self) -> &Arc<dyn Machine> {
        &self.local
    }

    /// The machine with this id.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be reached now.
    pub fn get(&self, id: MachineId) -> Result<Arc<dyn Machine>> {
        if id == self.local.id() {
            return Ok(Arc::clone(&self.local));
        }
        let found = self.connected().get(&id).map(Arc::clone);
        found.ok_or_else(|| Error::Unavailable {
            message: "the machine cannot be reached now".to_owned(),
            source: None,
        })
    }

    /// Whether the machine with this id can be reached now.
    pub fn holds(&self, id: MachineId) -> bool {
        self.get(id).is_ok()
    }

    /// Every machine that can be reached now.
    pub fn all(&self) -> Vec<Arc<dyn Machine>> {
        let connected = self.connected();
        let all = std::iter::once(&self.local).chain(connected.values());
        all.map(Arc::clone).collect()
    }

    /// Adds a machine, in place of an older connection to the same one.
    pub fn connect(&self, machine: Arc<dyn Machine>) {
        self.connected().insert(machine.id(), machine);
        self.changes.send_modify(|number| *number += 1);
    }

    /// Takes a machine away, unless a newer connection has taken its place.
    pub fn disconnect(&self, machine: &Arc<dyn Machine>) {
        let mut connected = self.connected();
        let present = connected.get(&machine.id());
        if present.is_some_and(|present| Arc::ptr_eq(present, machine)) {
            connected.remove(&machine.id());
            drop(connected);
            self.changes.send_modify(|number| *number += 1);
        }
    }

    /// A number that moves whenever a machine came or went.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn connected(&self) -> MutexGuard<'_, BTreeMap<MachineId, Arc<dyn Machine>>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
