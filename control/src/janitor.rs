//! Removes what a crash left on this machine between two steps: runs and folders that no record names any more.

use std::{path::Path, str::FromStr};

use storage::{
    attempts,
    ids::{AttemptId, WorkspaceId},
    workspaces,
};

use crate::{Control, Result, workspaces::remove_tree};

impl Control {
    /// Ends and removes every run that belongs to no workspace and no live attempt, and the folders of attempts that are over.
    ///
    /// Call it before [`Control::run`]; what is younger is not its concern.
    pub async fn clean_up(&self) -> Result<()> {
        for handle in self.runtime().list().await? {
            if !self.is_known(&handle.id).await? {
                tracing::info!(run.id = handle.id, "removing a run that no record names");
                self.runtime()
                    .stop(&handle, std::time::Duration::from_secs(5))
                    .await?;
                self.runtime().remove(&handle).await?;
            }
        }
        self.remove_folders().await
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

    async fn remove_folders(&self) -> Result<()> {
        let attempts = self.settings().layout.root().join("attempts");
        for (name, path) in folders(&attempts) {
            if let Ok(id) = AttemptId::from_str(&name)
                && !self.is_live(id).await?
            {
                remove_tree(path).await?;
            }
        }
        Ok(())
    }
}

/// The folders in `parent` by name; none where it does not exist.
fn folders(parent: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect()
}
