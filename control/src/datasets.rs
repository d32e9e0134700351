//! Versions of datasets: made of what was sent, of what jobs left and of other versions, without copying a byte.

mod noted;
mod verify;

use serde_json::{Map, Value};
use storage::{
    datasets::{self, Dataset, Made, Origin, Source, Target},
    ids::{ProjectId, UploadId, UserId},
    manifest::{Clash, Part, compose},
    outputs::Pending,
    uploads,
};

use crate::{Control, Error, Result, reference::Reference};

pub(crate) use noted::noted;
pub(crate) use verify::Checks;
pub use verify::Verified;

/// A version to make.
#[derive(Debug)]
pub struct NewVersion {
    /// What it holds.
    pub content: Content,
    /// What is new in it.
    pub message: String,
    /// What its maker says of it.
    pub metadata: Map<String, Value>,
    /// Aliases that are moved to it.
    pub aliases: Vec<String>,
}

/// What a version holds.
#[derive(Debug)]
pub enum Content {
    /// What an upload brought, which is sealed if it is not yet.
    Upload(UploadId),
    /// Parts of other versions and of what jobs left.
    Parts(Vec<NewPart>, Clash),
}

/// Some files of what a reference names.
#[derive(Debug)]
pub struct NewPart {
    /// Where they are; with a path: that folder or file.
    pub reference: Reference,
    /// See [`Part::to`].
    pub to: Option<String>,
    /// See [`Part::keep`].
    pub keep: Vec<String>,
    /// See [`Part::drop`].
    pub drop: Vec<String>,
}

impl Control {
    /// Makes a version of a dataset, moves aliases to it, and says whether it is new: the newest version is given back where it holds the very same
    /// files. Safe to repeat. References are those of the dataset's project.
    ///
    /// # Errors
    /// `Invalid` for references, paths and patterns that mean nothing; `Conflict` where parts hold different files at one path, or an upload
    /// lacks content; `NotFound` for an unknown dataset or upload; `Unavailable` when the disk is full.
    pub async fn make_version(
        &self,
        dataset: &Dataset,
        by: UserId,
        new: NewVersion,
    ) -> Result<Made> {
        let (record, pending) = match new.content {
            Content::Upload(id) => (self.uploaded(by, id).await?, None),
            Content::Parts(parts, clash) => {
                let (record, pending) = self.composed(dataset, by, parts, clash).await?;
                (record, Some(pending))
            }
        };
        let record = datasets::NewVersion {
            message: new.message,
            metadata: new.metadata,
            ..record
        };
        let (record, pending_ref, aliases, id) =
            (&record, pending.as_ref(), &new.aliases, dataset.id);
        let made = self.db().write(move |mut tx| async move {
            if let Some(pending) = pending_ref {
                pending.record(&mut tx).await?;
            }
            let made = datasets::add(&mut tx, id, record).await?;
            for alias in aliases {
                let target = Target::version(made.version.number);
                datasets::move_alias(&mut tx, id, alias, target, by).await?;
            }
            Ok(made)
        });
        let made = made.await?;
        pending.map(Pending::recorded);
        Ok(made)
    }

    async fn uploaded(&self, by: UserId, id: UploadId) -> Result<datasets::NewVersion> {
        let sealed = uploads::seal(self.store(), id).await?;
        if sealed.captured.summary.symlinks > 0 {
            return Err(Error::invalid(
                "the upload holds symbolic links, which a dataset does not",
            ));
        }
        Ok(datasets::NewVersion {
            user_id: by,
            summary: sealed.captured.summary,
            message: String::new(),
            metadata: Map::new(),
            origin: Origin::Upload,
            job_id: None,
            sources: Vec::new(),
        })
    }

    async fn composed(
        &self,
        dataset: &Dataset,
        by: UserId,
        new: Vec<NewPart>,
        clash: Clash,
    ) -> Result<(datasets::NewVersion, Pending)> {
        let project_id = dataset.project_id;
        let (mut parts, mut sources) = (Vec::new(), Vec::new());
        for one in new {
            let (part, source) = self.part_of(project_id, one).await?;
            parts.push(part);
            sources.push(source);
        }
        // A version that is what one job left, or a part of it, is that job's; one made of several is nobody's.
        let job_id = match &sources[..] {
            [only] => only.job_id,
            _ => None,
        };
        let pending = compose(self.store(), project_id, parts, clash).await?;
        let record = datasets::NewVersion {
            user_id: by,
            summary: pending.captured().summary,
            message: String::new(),
            metadata: Map::new(),
            origin: job_id.map_or(Origin::Derived, |_| Origin::Job),
            job_id,
            sources,
        };
        Ok((record, pending))
    }

    /// The part of a manifest that a reference of a project names, and how that is remembered.
    async fn part_of(&self, project_id: ProjectId, new: NewPart) -> Result<(Part, Source)> {
        let found = self.find(project_id, &new.reference).await?;
        self.check_whole(&found.reference, &found.manifest_digest)
            .await?;
        let (version_id, job_id) = found.of.ids();
        let part = Part {
            from: new.reference.path().map(str::to_owned),
            to: new.to,
            keep: new.keep,
            drop: new.drop,
            is_foreign: found.project_id != project_id,
            ..Part::whole(found.manifest_digest)
        };
        let source = Source {
            reference: found.reference.to_string(),
            manifest_digest: found.manifest_digest.to_string(),
            version_id,
            job_id,
        };
        Ok((part, source))
    }
}
