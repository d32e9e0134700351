//! Scrubbing: everything in the store is read again over time, a little after the other, and compared with its hash.
//!
//! A *pass* goes through the manifests, then through the objects, each in the order of their digests. Where it stands is on record, so that it goes on
//! there after a restart; a file that was being read is read again from its start. What follows from damage is for the caller to bring about.

use serde::{Deserialize, Serialize};

use crate::datasets::Use;
use crate::error::Result;
use crate::fsck::{self, Fault, Integrity, Mode, Pace, Report, Verdict};
use crate::objects::{Hash, Store};

mod lock;
mod records;

#[cfg(test)]
mod tests;

pub use lock::{Lock, lock};
pub use records::{Part, Pass, State, advance, begin, list, next_ms, running, standing};

/// The most objects and bytes of one step.
const STEP_OBJECTS: i64 = 64;
const STEP_BYTES: u64 = 16 << 20;

/// What was found damaged at one time, of one manifest; or an object that is in none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The manifest; none for an object that no manifest names, such as a log.
    pub manifest_digest: Option<Hash>,
    /// What that makes of it.
    pub integrity: Integrity,
    /// The files, at most 100. None where it is only the list of files itself.
    pub files: Vec<DamagedFile>,
    /// How many more there are.
    pub more: u64,
    /// Whom it concerns, at most 100.
    pub uses: Vec<Use>,
    /// How many more there are, at least.
    #[serde(default)]
    pub more_uses: u64,
}

/// What was found damaged at one time and was not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// What is told of it.
    pub told: Vec<Damage>,
    /// How many more manifests and objects there are, of which it is only on record that they are damaged.
    pub more: u64,
}

/// A file that is missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFile {
    /// Its path; empty for what is in no manifest.
    pub path: String,
    /// The hash of the content that should be there.
    pub hash: Hash,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What a step of a pass came to.
pub struct Step {
    /// What was read, and what is wrong with it.
    pub report: Report,
    /// What is now known of a manifest that a check had found damaged before, and what was on record when it was looked at again.
    pub again: Option<(Hash, Integrity, Verdict)>,
    /// The last that was looked at; none where there was nothing left.
    after: Option<Hash>,
}

/// Reads a little more of a pass: one manifest, or some objects. Changes nothing; see [`advance`].
///
/// Once anything was found damaged, every manifest is also asked whether all its files are there: one that nobody knew to hold what is lost.
///
/// Dropping the future lets it run to its end; [`Pace::stop`] ends it soon.
///
/// # Errors
/// `Conflict` where it was stopped; `Unavailable` where the store cannot be read now.
pub async fn step(store: &Store, pass: &Pass, pace: &Pace) -> Result<Step> {
    match pass.part {
        Part::Manifests => manifest(store, pass, pace).await,
        Part::Objects => {
            let within = (STEP_OBJECTS, STEP_BYTES);
            let (report, after) = fsck::check_objects(store, &pass.after, within, pace).await?;
            Ok(Step {
                report,
                again: None,
                after,
            })
        }
    }
}

/// The next manifest: whether it can be read, and one that was found damaged before, whether it is whole again.
async fn manifest(store: &Store, pass: &Pass, pace: &Pace) -> Result<Step> {
    let Some((digest, before)) = fsck::verdict_after(store.db(), &pass.after).await? else {
        return Ok(Step {
            report: Report::default(),
            again: None,
            after: None,
        });
    };
    let is_known = before.integrity != Integrity::Ok;
    let mode = if is_known || records::is_suspect(store.db()).await? {
        Mode::Quick
    } else {
        Mode::Lists
    };
    let mut report = match look(store, digest, (is_known, mode), pace).await {
        Ok(report) => report,
        Err(error) => {
            // A bucket of somebody's that does not answer must not hold up the rest.
            let may_be_away = error.retryable() && store.adopted().is_some();
            let report = Report {
                unread: if may_be_away {
                    1
                } else {
                    fsck::unread(error, &digest)?
                },
                ..Report::default()
            };
            return Ok(Step {
                report,
                again: None,
                after: Some(digest),
            });
        }
    };
    if !report.is_sound() && fsck::verdict(store.db(), &digest).await?.is_none() {
        // It was collected meanwhile.
        report = Report::default();
    }
    let again = is_known.then(|| (digest, report.integrity(), before));
    Ok(Step {
        report,
        again,
        after: Some(digest),
    })
}

/// What is wrong with a manifest. All of it is read only where it was damaged and nothing is missing any more.
async fn look(
    store: &Store,
    digest: Hash,
    (is_known, mode): (bool, Mode),
    pace: &Pace,
) -> Result<Report> {
    let report = fsck::verify_at(store, digest, mode, pace).await?;
    match report {
        Some(report) if is_known && report.is_sound() => {
            let report = fsck::verify_at(store, digest, Mode::Full, pace).await?;
            Ok(report.unwrap_or_default())
        }
        report => Ok(report.unwrap_or_default()),
    }
}
