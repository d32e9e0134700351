//! Inputs: what a reference means now. An input is always a folder `inputs/NAME`.

use serde::Deserialize;
use storage::{
    datasets,
    ids::{JobId, ProjectId, VersionId},
    jobs,
    manifest::{self, FileKind},
    objects::Hash,
    projects,
    workspaces::Input,
};

use crate::{
    Control, Error, Result,
    reference::{Reference, check_input_name},
    whole::{left_out, nothing_left},
};

const TAKEN_BACK: &str = "the version was taken back";
const DELETED: &str = "it was deleted: name what you want as an input of a new job";
const ANOTHER: &str = "the name means something else by now than it did then: name what you want as an input of a new job";

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
    /// Takes it also where files of it are missing or damaged, without these; the record says so.
    #[serde(default)]
    pub allow_damaged: bool,
}

/// What a reference means.
pub(crate) struct Found {
    /// The same reference, with the number of a version in place of its alias: what it means for ever.
    pub(crate) reference: Reference,
    pub(crate) project_id: ProjectId,
    /// The whole that the reference's path lies in.
    pub(crate) manifest_digest: Hash,
    pub(crate) of: Of,
    files: i64,
    bytes: i64,
}

/// The record that has what a reference names.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Job(JobId),
    Version(VersionId),
}

impl Of {
    /// As records keep it.
    pub(crate) fn ids(self) -> (Option<VersionId>, Option<JobId>) {
        match self {
            Self::Version(id) => (Some(id), None),
            Self::Job(id) => (None, Some(id)),
        }
    }
}

impl Control {
    /// Finds what a reference of a project means now.
    ///
    /// # Errors
    /// `Invalid` where the text is no reference, nothing is there, or it is damaged and that is not allowed; the text names it.
    pub(crate) async fn resolve_input(
        &self,
        project_id: ProjectId,
        new: &NewInput,
    ) -> Result<Input> {
        let reference: Reference = new.reference.parse()?;
        let found = self.find(project_id, &reference).await?;
        self.input_of(project_id, new, found).await
    }

    /// The input that is made of what was found.
    async fn input_of(&self, project_id: ProjectId, new: &NewInput, found: Found) -> Result<Input> {
        let reference = found.reference;
        let name = new.name.clone();
        let name = name.unwrap_or_else(|| reference.default_name());
        check_input_name(&name)?;
        let digest = found.manifest_digest;
        let damage = if new.allow_damaged {
            self.damage_of(&digest).await?
        } else {
            self.check_whole(&reference, &digest).await?;
            None
        };
        let (digest, left_out) = match &damage {
            None => (digest, None),
            Some(report) => {
                let rest = self
                    .without(project_id, &reference, (digest, report))
                    .await?;
                let all = self.extent(&reference, digest).await?;
                let left = self.measure(&reference, rest).await?;
                let left = left.ok_or_else(|| nothing_left(&reference))?;
                let less = (all.0 - left.0, all.1 - left.1);
                (rest, left_out(&reference, report, less))
            }
        };
        let (files, bytes) = match (reference.path(), &left_out) {
            (None, None) => (found.files, found.bytes),
            _ => self.extent(&reference, digest).await?,
        };
        let (version_id, source_job_id) = found.of.ids();
        Ok(Input {
            name,
            reference: reference.to_string(),
            manifest_digest: digest.to_string(),
            files,
            bytes,
            version_id,
            source_job_id,
            left_out,
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

    /// Finds the manifest that a reference of a project is about, whatever its path.
    ///
    /// # Errors
    /// `Invalid`, naming the reference, where there is none, or none any more. It may be damaged: see [`Control::check_whole`].
    pub(crate) async fn find(&self, project_id: ProjectId, reference: &Reference) -> Result<Found> {
        let project_id = match reference.project() {
            None => project_id,
            Some(name) => {
                projects::by_name(self.db(), name)
                    .await?
                    .ok_or_else(|| cannot(reference, "there is no such project"))?
                    .id
            }
        };
        match reference {
            Reference::Outputs { number, .. } => {
                self.find_outputs(project_id, reference, *number).await
            }
            Reference::Version { dataset, which, .. } => {
                self.find_version(project_id, reference, (dataset, which))
                    .await
            }
        }
    }

    /// The references of those inputs that would be found anew if they were used again, by the names of now: whoever asks for that has to be allowed
    /// to read them.
    ///
    /// # Errors
    /// `Invalid`, naming one that was deleted.
    pub async fn found_anew(
        &self,
        project_id: ProjectId,
        inputs: &[Input],
    ) -> Result<Vec<Reference>> {
        let mut anew = Vec::new();
        for input in inputs {
            if self.is_found_anew(input).await? {
                anew.push(self.named_now(project_id, input).await?);
            }
        }
        Ok(anew)
    }

    /// What an input of an earlier time was made of, by the names that it has now: datasets and projects may be called something else by then, and
    /// others what they were called.
    async fn named_now(&self, project_id: ProjectId, input: &Input) -> Result<Reference> {
        let reference: Reference = input.reference.parse()?;
        let path = reference.path().map(str::to_owned);
        let deleted = || cannot(&reference, DELETED);
        if let Some(id) = input.version_id {
            let version = datasets::version(self.db(), id).await?;
            let version = version.ok_or_else(deleted)?;
            let dataset = datasets::get(self.db(), version.dataset_id).await?;
            let dataset = dataset.ok_or_else(deleted)?;
            return Ok(Reference::Version {
                project: (dataset.project_id != project_id).then_some(dataset.project),
                dataset: dataset.name,
                which: version.number.to_string(),
                path,
            });
        }
        if let Some(id) = input.source_job_id {
            let job = jobs::get(self.db(), id).await?.ok_or_else(deleted)?;
            let project = projects::get(self.db(), job.project_id).await?;
            let project = project.ok_or_else(deleted)?;
            return Ok(Reference::Outputs {
                project: (project.id != project_id).then_some(project.name),
                number: job.number,
                path,
            });
        }
        Ok(reference)
    }

    /// Whether an input was or is damaged.
    async fn is_found_anew(&self, input: &Input) -> Result<bool> {
        let digest = input.manifest_digest.parse()?;
        Ok(input.left_out.is_some() || self.is_damaged(&digest).await?)
    }

    /// Inputs of an earlier time as they can be used again: the same, but of those that were or are damaged all that is whole by now.
    ///
    /// # Errors
    /// `Invalid`, naming one whose version was taken back or deleted, or that is damaged where that is not allowed.
    pub(crate) async fn again(
        &self,
        project_id: ProjectId,
        inputs: Vec<Input>,
        allow_damaged: bool,
    ) -> Result<Vec<Input>> {
        let mut again = Vec::with_capacity(inputs.len());
        for input in inputs {
            let reference: Reference = input.reference.parse()?;
            if let Some(id) = input.version_id
                && let Some(version) = datasets::version(self.db(), id).await?
                && version.retracted_ms.is_some()
            {
                return Err(cannot(&reference, TAKEN_BACK));
            }
            if !self.is_found_anew(&input).await? {
                again.push(input);
                continue;
            }
            let reference = self.named_now(project_id, &input).await?;
            let found = self.find(project_id, &reference).await?;
            // Names may change at any moment.
            if found.of.ids() != (input.version_id, input.source_job_id) {
                return Err(cannot(&reference, ANOTHER));
            }
            let new = NewInput {
                name: Some(input.name),
                reference: reference.to_string(),
                allow_damaged,
            };
            again.push(self.input_of(project_id, &new, found).await?);
        }
        Ok(again)
    }

    async fn find_outputs(
        &self,
        project_id: ProjectId,
        reference: &Reference,
        number: i64,
    ) -> Result<Found> {
        let job = jobs::by_number(self.db(), project_id, number)
            .await?
            .ok_or_else(|| cannot(reference, "there is no such job"))?;
        let Some(outputs) = job.outputs else {
            let why = if job.state.is_final() {
                "the job left no outputs"
            } else {
                "the job has not ended yet"
            };
            return Err(cannot(reference, why));
        };
        Ok(Found {
            reference: reference.clone(),
            project_id,
            manifest_digest: outputs.manifest_digest.parse()?,
            of: Of::Job(job.id),
            files: outputs.files,
            bytes: outputs.bytes,
        })
    }

    async fn find_version(
        &self,
        project_id: ProjectId,
        reference: &Reference,
        (name, which): (&str, &str),
    ) -> Result<Found> {
        let dataset = datasets::by_name(self.db(), project_id, name)
            .await?
            .ok_or_else(|| cannot(reference, "there is no such dataset"))?;
        let version = datasets::find(self.db(), dataset.id, which)
            .await?
            .ok_or_else(|| cannot(reference, "the dataset has no such version"))?;
        if version.retracted_ms.is_some() {
            return Err(cannot(reference, TAKEN_BACK));
        }
        let reference = Reference::Version {
            project: reference.project().map(str::to_owned),
            dataset: name.to_owned(),
            which: version.number.to_string(),
            path: reference.path().map(str::to_owned),
        };
        Ok(Found {
            reference,
            project_id,
            manifest_digest: version.manifest_digest.parse()?,
            of: Of::Version(version.id),
            files: version.files,
            bytes: version.bytes,
        })
    }

    /// How many files and bytes a manifest has, or what lies at the reference's path in it.
    async fn extent(&self, reference: &Reference, manifest_digest: Hash) -> Result<(i64, i64)> {
        let found = self.measure(reference, manifest_digest).await?;
        found.ok_or_else(|| cannot(reference, "there is no such file or folder in it"))
    }

    /// The same; none where nothing is at the path.
    async fn measure(
        &self,
        reference: &Reference,
        manifest_digest: Hash,
    ) -> Result<Option<(i64, i64)>> {
        if let Some(path) = reference.path() {
            return self.part(manifest_digest, path).await;
        }
        let summary = manifest::summary(self.store(), manifest_digest).await?;
        let summary = summary.ok_or_else(|| cannot(reference, "its files are gone"))?;
        Ok(Some((count(summary.files), count(summary.bytes))))
    }

    /// How many files and bytes lie at `path` of a manifest: a file, or all that is in a folder.
    async fn part(&self, manifest_digest: Hash, path: &str) -> Result<Option<(i64, i64)>> {
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
        Ok(Some((files, bytes)))
    }
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn cannot(reference: &Reference, why: &str) -> Error {
    Error::invalid(format!("`{reference}` cannot be used: {why}"))
}
