//! Versions that a job asks for beside its outputs, as Valohai has it: `valohai.metadata.jsonl` with lines
//! `{"file": PATH, "metadata": {"valohai.dataset-versions": [URI | {"uri", "from", "exclude", "targeting_aliases"}]}}`, or `PATH.metadata.json` with the
//! inner object. What a job writes is not trusted: it is read within limits and reaches nothing outside of the job's project, and what cannot be done
//! becomes a remark, never a failed job.

mod read;

use serde_json::Map;
use storage::{
    Tx,
    datasets::{self, NewDataset, Origin, Source, Target, Visibility},
    jobs::Job,
    manifest::{Clash, Part, compose},
    outputs::Pending,
};

use self::read::{Asked, Remarks};
use super::NewPart;
use crate::{Control, Error, Result, reference::Reference};

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
///
/// # Errors
/// Only those that pass: the same call may work later.
pub(crate) async fn noted(control: &Control, job: &Job, outputs: &Pending) -> Result<Noted> {
    let (mut remarks, mut versions) = (Remarks::default(), Vec::new());
    let digest = outputs.captured().summary.manifest_digest;
    let asked = read::asked(control.store(), digest, &mut remarks).await;
    for asked in settled(asked, &mut remarks)?.unwrap_or_default() {
        let ready = ready(control, job, outputs, asked).await;
        versions.extend(settled(ready, &mut remarks)?);
    }
    Ok(Noted { versions, remarks })
}

/// Makes a remark of what stays wrong.
fn settled<T>(result: Result<T>, remarks: &mut Remarks) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.retryable() => Err(error),
        Err(error) => {
            remarks.add(error.to_string());
            Ok(None)
        }
    }
}

async fn ready(control: &Control, job: &Job, outputs: &Pending, asked: Asked) -> Result<Ready> {
    let (mut parts, mut sources) = (Vec::new(), Vec::new());
    if let Some(base) = &asked.from {
        let base = NewPart {
            reference: own(job, base)?,
            to: None,
            keep: Vec::new(),
            drop: asked.exclude.into_iter().collect(),
        };
        let (part, source) = control.part_of(job.project_id, base).await?;
        parts.push(part);
        sources.push(source);
    }
    parts.push(Part {
        only: Some(asked.files),
        ..Part::pending(outputs)
    });
    sources.push(Source {
        reference: format!("#{}", job.number),
        manifest_digest: outputs.captured().summary.manifest_digest.to_string(),
        version_id: None,
        job_id: Some(job.id),
    });
    let pending = compose(control.store(), job.project_id, parts, Clash::Last).await?;
    Ok(Ready {
        dataset: asked.dataset,
        aliases: asked.aliases.into_iter().collect(),
        sources,
        pending,
    })
}

/// Reads a reference to something in the job's own project: nobody has asked whether whoever wrote it may read what lies in another.
fn own(job: &Job, text: &str) -> Result<Reference> {
    let reference: Reference = text.parse()?;
    if reference.project().is_some_and(|name| name != job.project) {
        return Err(Error::invalid(format!(
            "`{reference}` is not in the job's own project"
        )));
    }
    Ok(reference)
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
