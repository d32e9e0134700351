//! What follows where a check finds damage: it is recorded for everything that has part of it, put aside, and told with whom it concerns.

use std::collections::{BTreeMap, BTreeSet};

use storage::{
    Tx, datasets,
    fsck::{self, Fault, Finding, Holder, Integrity, Mode, Pace, Report, Verdict},
    objects::Hash,
    scrub::{Damage, DamagedFile},
};

use crate::{Control, Result};

/// The most files, and the most that have to do with it, that are told of one manifest.
const TOLD: usize = 100;

/// A manifest that has part of what is damaged, and what was on record of it before.
type Known = (Holder, Verdict);

/// What follows from damage.
#[derive(Default)]
pub(crate) struct Hit {
    /// Every manifest that has part of it.
    pub(crate) known: Vec<Known>,
    /// The objects that there is no good copy of.
    gone: BTreeSet<Hash>,
    /// Those of them that a manifest has.
    held: BTreeSet<Hash>,
    /// Those that can come in again.
    let_go: BTreeSet<Hash>,
}

/// Records what follows, in the transaction that tells of it.
pub(crate) async fn keep(tx: &mut Tx, hit: &Hit) -> storage::Result<()> {
    for (holder, before) in &hit.known {
        let found = (holder.integrity, Mode::Full);
        fsck::record(tx, &holder.manifest_digest, found, *before).await?;
    }
    fsck::let_go(tx, &hit.let_go).await
}

impl Control {
    /// Puts what a check found damaged aside, so that whoever has the content can send it again, and finds every manifest that has part of it. That is
    /// then to be recorded, see [`keep`]: a crash before leaves files that are missing, which the next check finds.
    pub(crate) async fn hit_by(&self, report: &Report, pace: &Pace) -> Result<Hit> {
        let aside = fsck::set_aside(self.store(), report, pace).await?;
        let mut holders = Vec::new();
        let mut hit = Hit {
            gone: aside.gone,
            let_go: aside.let_go,
            ..Hit::default()
        };
        if !hit.gone.is_empty() {
            let held = fsck::holders(self.store(), hit.gone.clone(), pace).await?;
            holders = held.holders;
            hit.held = held.objects;
            if !held.is_complete {
                // Met again by the next check, which then looks for all of them again.
                hit.let_go.clear();
            }
        }
        for broken in broken(report) {
            if !holders.iter().any(|one| one.manifest_digest == broken) {
                holders.push(Holder {
                    manifest_digest: broken,
                    integrity: Integrity::Broken,
                    files: Vec::new(),
                    more: 0,
                });
            }
        }
        for holder in holders {
            let before = fsck::verdict(self.db(), &holder.manifest_digest).await?;
            hit.known.extend(before.map(|before| (holder, before)));
        }
        Ok(hit)
    }

    /// The same without what is missing and was let go of before: that is on record already.
    pub(crate) async fn newly_hit_by(&self, report: &Report, pace: &Pace) -> Result<Hit> {
        let mut new = report.clone();
        new.faulty = fsck::counted(self.db(), &report.faulty).await?;
        let damaged = report
            .findings
            .iter()
            .filter(|found| is_damaged_file(found));
        new.faulty.extend(damaged.map(|found| found.hash));
        self.hit_by(&new, pace).await
    }

    /// What is to be told of damage: what was not known before. A file that is missing was known where all that has it was known to be
    /// damaged.
    pub(crate) async fn news(&self, report: &Report, hit: &Hit) -> Result<Vec<Damage>> {
        let faults: BTreeMap<Hash, Fault> = report
            .findings
            .iter()
            .map(|found| (found.hash, found.fault))
            .collect();
        // What is beyond those that a report names is not known to be there.
        let fault = |hash: &Hash| faults.get(hash).copied().unwrap_or(Fault::Missing);
        let mut news = Vec::new();
        for (holder, before) in &hit.known {
            let is_news = |(_, hash): &(String, Hash)| fault(hash) == Fault::Damaged;
            let is_worse = holder.integrity > before.integrity;
            if !is_worse && !holder.files.iter().any(is_news) {
                continue;
            }
            let digest = holder.manifest_digest;
            let mut uses = datasets::uses(self.db(), &[digest]).await?;
            uses.truncate(TOLD);
            let more = holder.more + holder.files.len().saturating_sub(TOLD) as u64;
            let files = holder.files.iter().take(TOLD).cloned();
            let file = |(path, hash)| DamagedFile {
                path,
                hash,
                fault: fault(&hash),
            };
            news.push(Damage {
                manifest_digest: Some(digest),
                integrity: holder.integrity,
                files: files.map(file).collect(),
                more,
                uses,
            });
        }
        // What is in no manifest has no verdict: it is news until it is let go of.
        for hash in hit.gone.difference(&hit.held) {
            let hash = *hash;
            let mut uses = datasets::object_uses(self.db(), &[hash]).await?;
            uses.truncate(TOLD);
            let (path, fault) = (String::new(), fault(&hash));
            news.push(Damage {
                manifest_digest: None,
                integrity: Integrity::Broken,
                files: vec![DamagedFile { path, hash, fault }],
                more: 0,
                uses,
            });
        }
        Ok(news)
    }
}

/// The manifests whose list of files is at fault.
fn broken(report: &Report) -> BTreeSet<Hash> {
    let lists = report.findings.iter().filter(|found| found.path.is_none());
    lists.filter_map(|found| found.manifest_digest).collect()
}

fn is_damaged_file(found: &Finding) -> bool {
    let is_list = found.path.is_none() && found.manifest_digest.is_some();
    found.fault == Fault::Damaged && !is_list
}
