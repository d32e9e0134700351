//! Removes what a crash left on a machine between two steps: runs and folders that no record names any more.

use std::{str::FromStr, time::Duration};

use storage::{
    attempts, homes,
    ids::{AttemptId, WorkspaceId},
    workspaces::{self, State},
};

use crate::{Control, Machine, Result};

/// Time for a run that nobody knows to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// What the records say of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It is to go on.
    Live,
    /// It has ended, or was given up while its machine was out of reach; its log stays.
    Over,
    /// Nobody knows it any more.
    Not,
}

impl Control {
    /// Ends and removes, on every machine that can be reached, what belongs to no workspace and no live attempt.
    ///
    /// Call it before [`Control::run`]; what is younger is not its concern.
    pub async fn clean_up(&self) -> Result<()> {
        let local = self.hosts().local().id();
        let adopt = self
            .db()
            .write(move |mut tx| async move { homes::adopt(&mut tx, local).await });
        adopt.await?;
        for machine in self.hosts().all() {
            self.clean_up_on(&*machine).await?;
        }
        Ok(())
    }

    /// The same for one machine: for one that comes back, before its work is driven again.
    pub async fn clean_up_on(&self, machine: &dyn Machine) -> Result<()> {
        for run_id in machine.runs().await? {
            let known = self.known(&run_id).await?;
            if known != Known::Live {
                machine.stop(&run_id, GRACE).await?;
            }
            if known == Known::Not {
                tracing::info!(run.id = run_id, "removing a run that no record names");
                machine.remove(&run_id).await?;
            }
        }
        machine.tidy().await
    }

    async fn known(&self, run_id: &str) -> Result<Known> {
        if let Some((id, fence)) = crate::workspaces::of_run(run_id) {
            return self.server(id, fence).await;
        }
        match AttemptId::from_str(run_id) {
            Ok(id) if self.is_live(id).await? => Ok(Known::Live),
            Ok(_) => Ok(Known::Not),
            // Not ours: leave it alone.
            Err(_) => Ok(Known::Live),
        }
    }

    async fn server(&self, id: WorkspaceId, fence: i64) -> Result<Known> {
        let found = workspaces::get(self.db(), id).await?;
        Ok(match found.filter(|found| found.fence == fence) {
            None => Known::Not,
            Some(found) if matches!(found.state, State::Stopped | State::Error) => Known::Over,
            Some(_) => Known::Live,
        })
    }

    async fn is_live(&self, id: AttemptId) -> Result<bool> {
        Ok(attempts::get(self.db(), id)
            .await?
            .is_some_and(|found| found.state == attempts::State::Live))
    }
}
