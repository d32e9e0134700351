//! Inputs: what a reference means now. An input is always a folder `inputs/NAME`.

use serde::Deserialize;
use storage::{
    ids::ProjectId,
    jobs,
    manifest::{self, FileKind},
    objects::Hash,
    projects,
    workspaces::Input,
};

use crate::{
    Control, Error, Result,
    reference::{Reference, check_input_name},
};

/// An input that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInput {
    /// The name of its folder; made from the reference where none is given.
    #[serde(default)]
    pub name: Option<String>,
    /// What is wanted, in the grammar of [`crate::reference`].
    #[serde(rename = "ref")]
    pub reference: String,
}

/// What an input amounts to.
struct Found {
    manifest_digest: Hash,
    files: i64,
    bytes: i64,
}

impl Control {
    /// Finds what a reference of a project means now.
    ///
    /// # Errors
    /// `Invalid` where the text is no reference or nothing is there; the text names it.
    pub(crate) async fn resolve_input(
        &self,
        project_id: ProjectId,
        new: &NewInput,
    ) -> Result<Input> {
        let reference: Reference = new.reference.parse()?;
        let name = new.name.clone().unwrap_or_else(|| default_name(&reference));
        check_input_name(&name)?;
        let Found {
            manifest_digest,
            files,
            bytes,
        } = self.find(project_id, &reference).await?;
        Ok(Input {
            name,
            reference: reference.to_string(),
            manifest_digest: manifest_digest.to_string(),
            files,
            bytes,
        })
    }

    /// Finds what several references mean; no two may have one name.
    pub(crate) async fn resolve_inputs(
        &self,
        project_id: ProjectId,
        new: &[NewInput],
    ) -> Result<Vec<Input>> {
        let mut inputs = Vec::with_capacity(new.len());
        for one in new {
            inputs.push(self.resolve_input(project_id, one).await?);
        }
        Input::check_names(&inputs)?;
        Ok(inputs)
    }

    async fn find(&self, project_id: ProjectId, reference: &Reference) -> Result<Found> {
        let Reference::Outputs {
            project,
            number,
            path,
        } = reference;
        let nothing =
            |why: &str| Error::invalid(format!("`{reference}` cannot be an input: {why}"));
        let project_id = match project {
            None => project_id,
            Some(name) => {
                projects::by_name(self.db(), name)
                    .await?
                    .ok_or_else(|| nothing("there is no such job"))?
                    .id
            }
        };
        let job = jobs::by_number(self.db(), project_id, *number)
            .await?
            .ok_or_else(|| nothing("there is no such job"))?;
        let Some(outputs) = job.outputs else {
            return Err(nothing(if job.state.is_final() {
                "the job left no outputs"
            } else {
                "the job has not ended yet"
            }));
        };
        let whole = Found {
            manifest_digest: outputs.manifest_digest.parse()?,
            files: outputs.files,
            bytes: outputs.bytes,
        };
        match path {
            None => Ok(whole),
            Some(path) => self
                .part(whole.manifest_digest, path)
                .await?
                .ok_or_else(|| nothing("the job's outputs have no such file or folder")),
        }
    }

    /// What lies at `path` of a manifest: a file, or all that is in a folder.
    async fn part(&self, manifest_digest: Hash, path: &str) -> Result<Option<Found>> {
        let Some(top) = manifest::file(self.store(), manifest_digest, path).await? else {
            return Ok(None);
        };
        let (mut files, mut bytes, mut folders) = (0, 0, Vec::new());
        let mut count = |file: manifest::File, folders: &mut Vec<String>| match file.kind {
            FileKind::File => {
                files += 1;
                bytes += i64::try_from(file.bytes).unwrap_or(i64::MAX);
            }
            FileKind::Directory => folders.push(file.path),
            FileKind::Symlink => {}
        };
        count(top, &mut folders);
        while let Some(folder) = folders.pop() {
            let mut after = None;
            while let Some(page) = manifest::list(
                self.store(),
                manifest_digest,
                &folder,
                after.as_deref(),
                1000,
            )
            .await?
            {
                page.items
                    .into_iter()
                    .for_each(|file| count(file, &mut folders));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(Some(Found {
            manifest_digest,
            files,
            bytes,
        }))
    }
}

/// `vision-12` for `vision#12`, `job-12` for `#12`.
fn default_name(reference: &Reference) -> String {
    let Reference::Outputs {
        project, number, ..
    } = reference;
    format!("{}-{number}", project.as_deref().unwrap_or("job"))
}
