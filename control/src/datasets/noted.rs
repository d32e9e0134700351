//! Versions that a job asks for beside its outputs, as Valohai has it: `valohai.metadata.jsonl` with lines
//! `{"file": PATH, "metadata": {"valohai.dataset-versions": [URI | {"uri", "from", "exclude", "targeting_aliases"}]}}`, or `PATH.metadata.json` with the
//! inner object. What a job writes is not trusted: it is read within limits, and what cannot be done becomes a remark, never a failed job.

mod read;

use std::collections::{BTreeMap, HashSet};

use serde_json::Map;
use storage::{
    Tx,
    datasets::{self, NewDataset, Origin, Source, Target, Visibility},
    jobs::Job,
    manifest::{Clash, Part, compose},
    objects::Hash,
    outputs::Pending,
};

use self::read::{Asked, Remarks};
use crate::{Control, Result, inputs::Of, reference::Reference};

/// The versions that a job asks for, made and not yet recorded.
pub(crate) struct Noted {
    versions: Vec<Ready>,
    remarks: Remarks,
}

struct Ready {
    dataset: String,
    aliases: Vec<String>,
    sources: Vec<Source>,
    pending: Pending,
}

/// Makes what a job asks for of the manifest of its outputs, which are durable and not yet recorded.
pub(crate) async fn noted(control: &Control, job: &Job, outputs: Hash) -> Result<Noted> {
    let mut remarks = Remarks::default();
    let asked = read::asked(control.store(), outputs, &mut remarks).await?;
    let mut versions = Vec::new();
    for (asked, files) in asked {
        match ready(control, job, outputs, (asked, files)).await {
            Ok(ready) => versions.push(ready),
            Err(error) if error.retryable() => return Err(error),
            Err(error) => remarks.add(error.to_string()),
        }
    }
    Ok(Noted { versions, remarks })
}

async fn ready(
    control: &Control,
    job: &Job,
    outputs: Hash,
    (asked, files): (Asked, HashSet<String>),
) -> Result<Ready> {
    let outputs_part = Part {
        only: Some(files),
        ..Part::whole(outputs)
    };
    let own = Source {
        reference: format!("#{}", job.number),
        manifest_digest: outputs.to_string(),
        version_id: None,
        job_id: Some(job.id),
    };
    let (mut parts, mut sources) = (Vec::new(), Vec::new());
    if let Some(base) = &asked.from {
        let reference: Reference = base.parse()?;
        let found = control.find(job.project_id, &reference).await?;
        parts.push(Part {
            drop: asked.exclude,
            is_foreign: found.project_id != job.project_id,
            ..Part::whole(found.manifest_digest)
        });
        sources.push(Source {
            reference: found.reference.to_string(),
            manifest_digest: found.manifest_digest.to_string(),
            version_id: match found.of {
                Of::Version(id) => Some(id),
                Of::Job(_) => None,
            },
            job_id: None,
        });
    }
    parts.push(outputs_part);
    sources.push(own);
    let pending = compose(control.store(), job.project_id, parts, Clash::Last).await?;
    Ok(Ready {
        dataset: asked.dataset,
        aliases: asked.aliases,
        sources,
        pending,
    })
}

impl Noted {
    /// What could not be done, in words; nothing where all was.
    pub(crate) fn remark(&self) -> Option<String> {
        self.remarks.text()
    }

    /// Records the versions, in the transaction that ends the job. A dataset that is not there yet is made.
    pub(crate) async fn record(&self, tx: &mut Tx, job: &Job) -> storage::Result<()> {
        for ready in &self.versions {
            record(tx, job, ready).await?;
        }
        Ok(())
    }

    /// Says that the transaction was kept.
    pub(crate) fn recorded(self) {
        for ready in self.versions {
            ready.pending.recorded();
        }
    }
}

async fn record(tx: &mut Tx, job: &Job, ready: &Ready) -> storage::Result<()> {
    ready.pending.record(tx).await?;
    let found = datasets::by_name(&mut *tx, job.project_id, &ready.dataset).await?;
    let dataset = if let Some(dataset) = found {
        dataset
    } else {
        let new = NewDataset {
            project_id: job.project_id,
            user_id: job.user_id,
            name: ready.dataset.clone(),
            description: String::new(),
            tags: Vec::new(),
            visibility: Visibility::Project,
        };
        datasets::create(tx, &new).await?
    };
    let new = datasets::NewVersion {
        user_id: job.user_id,
        summary: ready.pending.captured().summary,
        message: format!("From job #{}: {}", job.number, job.name),
        metadata: Map::new(),
        origin: Origin::Job,
        job_id: Some(job.id),
        sources: ready.sources.clone(),
    };
    let made = datasets::add(tx, dataset.id, &new).await?;
    for alias in &ready.aliases {
        let target = Target::version(made.version.number);
        datasets::move_alias(tx, dataset.id, alias, target, job.user_id).await?;
    }
    Ok(())
}

/// The versions that are asked for, each with the files that go into it.
type AskedFor = BTreeMap<Asked, HashSet<String>>;
