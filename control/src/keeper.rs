//! Keeps homes: measures those in use, saves them now and then, and removes what machines still have of workspaces that are gone.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use storage::{
    homes,
    ids::{MachineId, WorkspaceId},
    workspaces::{self, State, Workspace},
};
use tokio::time;

use crate::{Control, Error, Result, workspaces::home};

/// How often homes in use are measured, at most: one is measured after the other.
const PERIOD: Duration = Duration::from_secs(30);

/// What it did last, for those that are in use.
#[derive(Default)]
struct Seen {
    saved: HashMap<WorkspaceId, Instant>,
    cleaned: HashMap<MachineId, Instant>,
}

impl Control {
    /// Looks after the homes on the machines held here, for ever.
    pub(crate) async fn keep_homes(&self) {
        let mut seen = Seen::default();
        loop {
            time::sleep(PERIOD).await;
            if let Err(error) = self.look_after_homes(&mut seen).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "homes cannot be looked after now; trying again"
                );
            }
        }
    }

    async fn look_after_homes(&self, seen: &mut Seen) -> Result<()> {
        let mut running = workspaces::active(self.db()).await?;
        for workspace in running.iter().filter(|found| found.run_id.is_some()) {
            home::give_up(self, workspace).await?;
        }
        running.retain(|found| found.state == State::Running);
        (seen.saved).retain(|id, _| running.iter().any(|found| found.id == *id));
        let travels = home::travels(self).await?;
        for workspace in &running {
            // What is on machines that others hold, others look after.
            let Ok(machine) = self.host_of(workspace) else {
                continue;
            };
            let looked = async {
                let usage = machine.measure_home(workspace.id).await?;
                self.note_usage(workspace, usage).await?;
                let since = *seen.saved.entry(workspace.id).or_insert_with(Instant::now);
                if travels && since.elapsed() >= self.settings().homes.save_every {
                    seen.saved.insert(workspace.id, Instant::now());
                    let run = (workspace.fence, false);
                    home::save(self, &*machine, workspace, run).await?;
                }
                Ok::<_, Error>(())
            };
            if let Err(error) = looked.await {
                tracing::warn!(workspace.id = %workspace.id, error = &error as &dyn std::error::Error, "a home could not be looked after");
            }
        }
        self.remove_leftovers(seen).await
    }

    /// Records what a home takes; people hear of it when it comes near its quota, or away from it.
    async fn note_usage(&self, workspace: &Workspace, usage: homes::Usage) -> Result<()> {
        let id = workspace.id;
        let quota = self.settings().homes.quota_bytes;
        let before = homes::record(self.db(), id).await?.bytes;
        let before = before.and_then(|bytes| u64::try_from(bytes).ok());
        let level = |bytes| quota.map(|quota| Level::of(bytes, quota));
        let notify = before.is_none_or(|before| level(before) != level(usage.bytes));
        let note = self
            .db()
            .write(move |mut tx| async move { homes::measured(&mut tx, id, usage, notify).await });
        Ok(note.await?)
    }

    /// Removes the homes of deleted workspaces from machines that could not be reached at the time.
    async fn remove_leftovers(&self, seen: &mut Seen) -> Result<()> {
        for machine in self.hosts().all() {
            let machine_id = machine.id();
            let due = seen.cleaned.get(&machine_id);
            if due.is_some_and(|last| last.elapsed() < 20 * PERIOD) {
                continue;
            }
            seen.cleaned.insert(machine_id, Instant::now());
            for id in homes::leftover(self.db(), machine_id).await? {
                machine.remove_home(id).await?;
                let forget = self.db().write(move |mut tx| async move {
                    homes::forget_copy(&mut tx, id, machine_id).await
                });
                forget.await?;
            }
        }
        Ok(())
    }
}

/// How near a home is to its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Below nine tenths of it.
    Fine,
    /// At nine tenths of it or more.
    Near,
    /// Over it: no further start.
    Over,
}

impl Level {
    /// `bytes` of a home against its quota.
    pub fn of(bytes: u64, quota: u64) -> Self {
        if bytes > quota {
            Self::Over
        } else if bytes >= quota / 10 * 9 {
            Self::Near
        } else {
            Self::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_tenths_is_near_and_more_than_all_is_over() {
        let levels = [0, 899, 900, 1000, 1001].map(|bytes| Level::of(bytes, 1000));
        assert_eq!(levels[..2], [Level::Fine; 2]);
        assert_eq!(levels[2..4], [Level::Near; 2]);
        assert_eq!(levels[4], Level::Over);
    }
}
