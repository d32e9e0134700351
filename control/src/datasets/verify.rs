//! Whether a version's files are all there and what they were, and whom it concerns where they are not.

use std::collections::BTreeSet;

use storage::{
    datasets::{self, Integrity, Use, Version},
    fsck::{self, Mode, Report},
    objects::Hash,
};

use crate::{Control, Error, Result};

/// What a check of a version found.
#[derive(Debug)]
pub struct Verified {
    /// What follows for the version.
    pub integrity: Integrity,
    /// What was looked at, and what is wrong.
    pub report: Report,
    /// Who has to do with anything that is wrong, in any project.
    pub uses: Vec<Use>,
}

impl Control {
    /// Checks a version: that every file is there with its size, and with `full` that its content has its hash. Records what was found, also for
    /// other versions that hold a damaged file.
    ///
    /// At most one full check runs at a time, for it reads everything. Dropping the future lets it run to its end unrecorded.
    ///
    /// # Errors
    /// `Unavailable` while another full check runs.
    pub async fn verify(&self, version: &Version, full: bool) -> Result<Verified> {
        let _turn = if full {
            let turn = self
                .full_check()
                .try_acquire()
                .map_err(|_| Error::Unavailable {
                    message: "another full check is running: try again when it is done".to_owned(),
                    source: None,
                })?;
            Some(turn)
        } else {
            None
        };
        let digest: Hash = version.manifest_digest.parse()?;
        let mode = if full { Mode::Full } else { Mode::Quick };
        let report = fsck::verify(self.store(), digest, mode).await?;
        let integrity = integrity(&report);
        let others = self.others(digest, &report).await?;
        let mut all = others.clone();
        all.extend((integrity != Integrity::Ok).then_some(digest));
        let uses = datasets::uses(self.db(), &all).await?;
        let others = &others;
        let recorded = self.db().write(move |mut tx| async move {
            for other in others {
                datasets::checked(&mut tx, other, Integrity::Partial).await?;
            }
            datasets::checked(&mut tx, &digest, integrity).await
        });
        recorded.await?;
        Ok(Verified {
            integrity,
            report,
            uses,
        })
    }

    /// The other manifests that hold a damaged file.
    async fn others(&self, digest: Hash, report: &Report) -> Result<Vec<Hash>> {
        let damaged = report.findings.iter().filter(|one| one.path.is_some());
        let damaged: BTreeSet<Hash> = damaged.map(|one| one.hash).collect();
        if damaged.is_empty() {
            return Ok(Vec::new());
        }
        let mut holders = fsck::holders(self.store(), damaged).await?;
        holders.retain(|holder| *holder != digest);
        Ok(holders)
    }
}

fn integrity(report: &Report) -> Integrity {
    if report.is_sound() {
        Integrity::Ok
    } else if report.findings.iter().any(|one| one.path.is_none()) {
        Integrity::Broken
    } else {
        Integrity::Partial
    }
}
