//! A workspace's home as the API shows it.

use std::collections::HashMap;

use control::Level;
use serde::Serialize;
use storage::{
    homes::{self, HomeView},
    ids::{MachineId, WorkspaceId},
    machines,
};
use utoipa::ToSchema;

use crate::{app::App, error::ApiError};

/// A home directory: what it takes, and how it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Home {
    /// Bytes on disk, as measured last.
    bytes: Option<i64>,
    /// Files and folders in it.
    files: Option<i64>,
    /// What it may take; no limit where missing.
    quota_bytes: Option<u64>,
    /// What to tell people of its size, from nine tenths of the quota on. Over it, the server is not started again.
    warning: Option<String>,
    /// When it was measured, in milliseconds since 1970, UTC.
    measured_ms: Option<i64>,
    /// When its newest snapshot was taken. None are taken where there is only one machine.
    snapshot_ms: Option<i64>,
    /// Files that were not saved when their machine was given up, and were found later: folders in the home.
    conflicts: Vec<HomeConflict>,
}

/// What was found on a machine that had been given up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HomeConflict {
    /// The folder in the home.
    name: String,
    /// The machine it comes from.
    machine_name: String,
    /// When it was put there, in milliseconds since 1970, UTC.
    created_ms: i64,
}

/// The homes of these workspaces, of those that have one.
pub(crate) async fn of(
    app: &App,
    ids: &[WorkspaceId],
) -> Result<HashMap<WorkspaceId, Home>, ApiError> {
    let views = homes::views(app.db(), ids).await?;
    let names = if views.iter().any(|view| !view.record.conflicts.is_empty()) {
        machines::all_names(app.db()).await?
    } else {
        HashMap::new()
    };
    let quota = app.control().settings().homes.quota_bytes;
    let shown = |view: HomeView| (view.workspace_id, home(view, quota, &names));
    Ok(views.into_iter().map(shown).collect())
}

fn home(view: HomeView, quota: Option<u64>, names: &HashMap<MachineId, String>) -> Home {
    let record = view.record;
    let bytes = record.bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let name = |id| names.get(&id).cloned().unwrap_or_default();
    let conflicts = record.conflicts.into_iter().map(|found| HomeConflict {
        name: found.name,
        machine_name: name(found.machine_id),
        created_ms: found.created_ms,
    });
    Home {
        bytes: record.bytes,
        files: record.files,
        quota_bytes: quota,
        warning: bytes
            .zip(quota)
            .and_then(|(bytes, quota)| warning(bytes, quota)),
        measured_ms: record.measured_ms,
        snapshot_ms: view.snapshot_ms,
        conflicts: conflicts.collect(),
    }
}

fn warning(bytes: u64, quota: u64) -> Option<String> {
    let (now, most) = (bytes / 1_000_000, quota / 1_000_000);
    match Level::of(bytes, quota) {
        Level::Fine => None,
        Level::Near => Some(format!(
            "The home takes {now} MB of the {most} MB that it may take."
        )),
        Level::Over => Some(format!(
            "The home takes {now} MB and may take {most} MB: the server is not started again until something is removed."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_home_is_told_in_time() {
        assert_eq!(warning(1, 1_000_000_000), None);
        let near = warning(950_000_000, 1_000_000_000).unwrap();
        assert_eq!(
            near,
            "The home takes 950 MB of the 1000 MB that it may take."
        );
        let over = warning(1_100_000_000, 1_000_000_000).unwrap();
        assert!(over.contains("not started again"));
    }
}
