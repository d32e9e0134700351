//! The facade: what control is made of. Each resource adds its calls in its own file.

use std::sync::Arc;

use spawner::{Environments, Handle, Runtime};
use storage::{Db, ids::UserId, objects::Store, secret::SealingKey, users};

use crate::{Error, Result, settings::Settings};

/// What should run, where and when: workspaces, jobs, and the reconciler that brings them about. Cheap to clone.
///
/// It authorises nothing: the caller has done so. Every call that changes something is one transaction, whose effect the reconciler
/// ([`Control::run`]) then brings about; dropping a call's future loses at most the answer.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    parts: Parts,
    settings: Settings,
}

/// What control works with.
pub struct Parts {
    /// Records.
    pub db: Db,
    /// Objects, manifests, snapshots and outputs.
    pub store: Store,
    /// What starts servers and attempts on this machine.
    pub runtime: Arc<dyn Runtime>,
    /// What builds environments on this machine.
    pub environments: Environments,
    /// Seals the tokens of servers at rest.
    pub key: SealingKey,
}

impl Control {
    /// Puts the parts together; starts nothing.
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self(Arc::new(Inner { parts, settings }))
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

    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.0.parts.runtime
    }

    pub(crate) fn builder(&self) -> &Environments {
        &self.0.parts.environments
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

    /// The handle of a run with this id; ids are unique for ever, so it needs no look-up.
    pub(crate) fn handle(&self, run_id: impl Into<String>) -> Handle {
        Handle {
            runtime: self.runtime().name().to_owned(),
            id: run_id.into(),
        }
    }
}
