//! Whether a version's files are all there and what they were, and whom it concerns where they are not.

use std::collections::BTreeSet;

use storage::{
    datasets::{self, Use, Version},
    fsck::{self, Integrity, Mode, Pace, Report},
    objects::Hash,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    Control, Error, Result,
    damage::{self, Hit},
};

/// How many quick checks run at once.
const QUICK_AT_ONCE: usize = 2;

/// Turns for checks: they read a lot, and go on when whoever asked is gone.
pub(crate) struct Checks {
    full: Semaphore,
    quick: Semaphore,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            full: Semaphore::new(1),
            quick: Semaphore::new(QUICK_AT_ONCE),
        }
    }
}

impl Checks {
    /// Waits for its turn to look whether files are there.
    pub(crate) async fn quick(&self) -> Result<SemaphorePermit<'_>> {
        let turn = self.quick.acquire().await;
        turn.map_err(|error| Error::internal("nothing is checked any more", error))
    }
}

/// What a check of a version found.
#[derive(Debug)]
pub struct Verified {
    /// What is on record of the version now.
    pub integrity: Integrity,
    /// What was looked at, and what is wrong.
    pub report: Report,
    /// The objects of it that there is no good copy of.
    pub gone: BTreeSet<Hash>,
    /// Who has to do with anything that is wrong, in any project.
    pub uses: Vec<Use>,
}

impl Control {
    /// Checks a version: that every file is there with its size, and with `full` that its content has its hash.
    ///
    /// Damage is recorded for every manifest that has part of it, and what is damaged is put aside, so that whoever has the content can send it again.
    /// Only a full check finds a version whole again. At most one full check runs at a time. Dropping the future lets it run to its end.
    ///
    /// # Errors
    /// `Unavailable` while another full check runs.
    pub async fn verify(&self, version: &Version, full: bool) -> Result<Verified> {
        let digest: Hash = version.manifest_digest.parse()?;
        let control = self.clone();
        let check = tokio::spawn(async move {
            let checks = control.checks();
            let _turn = if full {
                checks.full.try_acquire().map_err(|_| busy())?
            } else {
                checks.quick().await?
            };
            let mode = if full { Mode::Full } else { Mode::Quick };
            control.check(digest, mode).await
        });
        let ended = check.await;
        ended.unwrap_or_else(|error| Err(Error::internal("a check broke off", error)))
    }

    async fn check(&self, digest: Hash, mode: Mode) -> Result<Verified> {
        let missing = || Error::not_found("the version's manifest is not recorded");
        let before = fsck::verdict(self.db(), &digest)
            .await?
            .ok_or_else(missing)?;
        let report = fsck::verify(self.store(), digest, mode).await?;
        let mut hit = Hit::default();
        if !report.is_sound() {
            hit = self.hit_by(&report, &Pace::default()).await?;
        }
        let found = (report.integrity_without(&hit.gone), mode);
        loop {
            let others = &hit;
            let kept = self.db().write(move |mut tx| async move {
                let is_kept = damage::keep(&mut tx, others).await?;
                if is_kept {
                    fsck::record(&mut tx, &digest, found, before).await?;
                }
                Ok(is_kept)
            });
            if kept.await? {
                break;
            }
            self.look_again(&mut hit, &Pace::default()).await?;
        }
        let mut concerned: Vec<Hash> = hit
            .known
            .iter()
            .map(|(one, _)| one.manifest_digest)
            .collect();
        if !report.is_sound() && !concerned.contains(&digest) {
            concerned.push(digest);
        }
        let uses = datasets::uses(self.db(), &concerned).await?;
        let now = fsck::verdict(self.db(), &digest)
            .await?
            .ok_or_else(missing)?;
        Ok(Verified {
            integrity: now.integrity,
            report,
            gone: hit.gone,
            uses,
        })
    }
}

fn busy() -> Error {
    Error::Unavailable {
        message: "another full check is running: try again when it is done".to_owned(),
        source: None,
    }
}
