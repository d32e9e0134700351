//! Where things lie under the data directory. Knows names of folders only; makes none.

use std::path::{Path, PathBuf};

use storage::ids::{AttemptId, WorkspaceId};

/// The folders of one data directory (`docs/architecture.md`, "On disk").
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// `root` is the absolute path of the data directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The object store's folder.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Where the spawner keeps one folder per run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Where virtual environments lie, one folder per content.
    pub fn environments(&self) -> PathBuf {
        self.root.join("environments")
    }

    /// A workspace's home, which lasts as long as the workspace.
    pub fn home(&self, workspace: &WorkspaceId) -> PathBuf {
        self.root.join("homes").join(workspace.to_string())
    }

    /// The folder of a workspace that snapshots are taken of.
    pub fn work(&self, workspace: &WorkspaceId) -> PathBuf {
        self.home(workspace).join("work")
    }

    /// What a workspace's server sees below `inputs`.
    pub fn shelf(&self, workspace: &WorkspaceId) -> PathBuf {
        self.root.join("shelves").join(workspace.to_string())
    }

    /// Which runs see which manifests.
    pub fn mounted(&self) -> PathBuf {
        self.root.join("mounted")
    }

    /// Where attempts have their folders.
    pub fn attempts(&self) -> PathBuf {
        self.root.join("attempts")
    }

    /// An attempt's own folders; they go once its outputs are in the store.
    pub fn attempt(&self, attempt: &AttemptId) -> PathBuf {
        self.attempts().join(attempt.to_string())
    }
}
