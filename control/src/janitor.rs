//! Removes what a crash left on a machine between two steps: runs and folders that no record names any more.

use std::{str::FromStr, time::Duration};

use storage::{
    attempts,
    ids::{AttemptId, WorkspaceId},
    workspaces,
};

use crate::{Control, Machine, Result};

/// Time for a run that nobody knows to end by itself.
const GRACE: Duration = Duration::from_secs(5);

impl Control {
    /// Ends and removes, on every machine that can be reached, what belongs to no workspace and no live attempt.
    ///
    /// Call it before [`Control::run`]; what is younger is not its concern.
    pub async fn clean_up(&self) -> Result<()> {
        for machine in self.hosts().all() {
            self.clean_up_on(&*machine).await?;
        }
        Ok(())
    }

    /// The same for one machine: for one that comes back, before its work is driven again.
    pub async fn clean_up_on(&self, machine: &dyn Machine) -> Result<()> {
        for run_id in machine.runs().await? {
            if !self.is_known(&run_id).await? {
                tracing::info!(run.id = run_id, "removing a run that no record names");
                machine.stop(&run_id, GRACE).await?;
                machine.remove(&run_id).await?;
            }
        }
        Ok(())
    }

    async fn is_known(&self, run_id: &str) -> Result<bool> {
        if let Some((id, fence)) = crate::workspaces::of_run(run_id) {
            return self.has_run(id, fence).await;
        }
        match AttemptId::from_str(run_id) {
            Ok(id) => self.is_live(id).await,
            // Not ours: leave it alone.
            Err(_) => Ok(true),
        }
    }

    async fn has_run(&self, id: WorkspaceId, fence: i64) -> Result<bool> {
        Ok(workspaces::get(self.db(), id)
            .await?
            .is_some_and(|found| found.fence == fence))
    }

    async fn is_live(&self, id: AttemptId) -> Result<bool> {
        Ok(attempts::get(self.db(), id)
            .await?
            .is_some_and(|found| found.state == attempts::State::Live))
    }
}
