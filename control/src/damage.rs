//! What follows where a check finds damage: it is recorded for everything that has part of it, put aside, and told with whom it concerns.

use std::collections::BTreeMap;

use storage::{
    Tx, datasets,
    fsck::{self, Fault, Holder, Integrity, Mode, Report, Verdict},
    objects::Hash,
    scrub::{Damage, DamagedFile},
};

use crate::{Control, Result};

/// The most files, and the most that have to do with it, that are told of one manifest.
const TOLD: usize = 100;

/// A manifest that has part of what is damaged, and what was on record of it before.
pub(crate) type Known = (Holder, Verdict);

/// Records what became of these, in the transaction that tells of it.
pub(crate) async fn keep(tx: &mut Tx, hit: &[Known]) -> storage::Result<()> {
    for (holder, before) in hit {
        let found = (holder.integrity, Mode::Full);
        fsck::record(tx, &holder.manifest_digest, found, *before).await?;
    }
    Ok(())
}

impl Control {
    /// Puts what a check found damaged aside, so that whoever has the content can send it again, and gives every manifest that has part of it. That is
    /// then to be recorded, see [`keep`]: a crash before leaves files that are missing, which the next check finds.
    pub(crate) async fn hit_by(&self, report: &Report) -> Result<Vec<Known>> {
        let holders = fsck::holders(self.store(), report.faulty.clone()).await?;
        let mut hit = Vec::with_capacity(holders.len());
        for holder in holders {
            let before = fsck::verdict(self.db(), &holder.manifest_digest).await?;
            hit.extend(before.map(|before| (holder, before)));
        }
        fsck::set_aside(self.store(), report).await?;
        Ok(hit)
    }

    /// What is to be told of damage: what was not known before. A file that is missing was known where all that has it was known to be
    /// damaged.
    pub(crate) async fn news(&self, report: &Report, hit: &[Known]) -> Result<Vec<Damage>> {
        let faults: BTreeMap<Hash, Fault> = report
            .findings
            .iter()
            .map(|found| (found.hash, found.fault))
            .collect();
        let fault = |hash: &Hash| faults.get(hash).copied().unwrap_or(Fault::Damaged);
        let mut lost = report.faulty.clone();
        let mut news = Vec::new();
        for (holder, before) in hit {
            for (_, hash) in &holder.files {
                lost.remove(hash);
            }
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
        // What is in no manifest has no verdict: it is news each time that it is met.
        for hash in lost {
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
