//! The example project: what a new installation begins with. The files are in `example/` and become a snapshot like any other.

use std::fs;

use storage::{
    ids::{ProjectId, UserId},
    projects, snapshot,
    snapshots::{self, NewSnapshot},
};

use crate::{Control, Error, Result, jobs::signed};

/// Name of the example project.
pub const PROJECT: &str = "examples";

const FILES: [(&str, &str); 4] = [
    ("README.md", include_str!("example/README.md")),
    ("digits.ipynb", include_str!("example/digits.ipynb")),
    ("train.py", include_str!("example/train.py")),
    ("use-model.ipynb", include_str!("example/use-model.ipynb")),
];

impl Control {
    /// Makes the example project, owned by `owner`, unless there is a project of that name. New workspaces of it begin with its files.
    pub async fn seed_example(&self, owner: UserId) -> Result<()> {
        if projects::by_name(self.db(), PROJECT).await?.is_some() {
            return Ok(());
        }
        let folder = self.settings().scratch.join("staging-example");
        let written = write(&folder);
        let made = match written {
            Ok(()) => self.make_example(owner, &folder).await,
            Err(error) => Err(Error::internal(
                "the example project cannot be written",
                error,
            )),
        };
        crate::machine::remove_tree(folder).await?;
        made
    }

    async fn make_example(&self, owner: UserId, folder: &std::path::Path) -> Result<()> {
        let about = "A small digits classifier to try Cairn with: run it in a workspace, run it as a job, use its model.";
        let project = self
            .db()
            .write(
                move |mut tx| async move { projects::create(&mut tx, PROJECT, about, owner).await },
            )
            .await?;
        self.set_template(owner, project.id, folder).await
    }

    /// Captures `folder` as what new workspaces of the project begin with.
    async fn set_template(
        &self,
        user_id: UserId,
        project_id: ProjectId,
        folder: &std::path::Path,
    ) -> Result<()> {
        let pending =
            snapshot::take(self.store(), folder, snapshot::Options::new(project_id)).await?;
        let summary = pending.captured().summary;
        let record = NewSnapshot {
            project_id,
            user_id,
            workspace_id: None,
            manifest_digest: summary.manifest_digest.to_string(),
            content_digest: summary.content_digest.to_string(),
            files: signed(summary.files),
            bytes: signed(summary.bytes),
            skipped: Vec::new(),
        };
        let (kept, record) = (&pending, &record);
        let done = self.db().write(move |mut tx| async move {
            kept.record(&mut tx).await?;
            let snapshot = snapshots::create(&mut tx, record).await?;
            projects::set_template(&mut tx, project_id, &snapshot.manifest_digest).await
        });
        done.await?;
        pending.recorded();
        Ok(())
    }
}

fn write(folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    FILES
        .iter()
        .try_for_each(|(name, text)| fs::write(folder.join(name), text))
}
