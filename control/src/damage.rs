//! What follows where a check finds damage: it is recorded for everything that has part of it, put aside, and told with whom it concerns.

use std::collections::BTreeMap;

use storage::{
    datasets,
    fsck::{self, Fault, Holder, Integrity, Mode, Report, Verdict},
    objects::Hash,
    scrub::{Damage, DamagedFile},
};

use crate::{Control, Result};

/// The most files, and the most that have to do with it, that are told of one manifest.
const TOLD: usize = 100;

impl Control {
    /// Records damage that a check found for every manifest that has part of it, and puts it aside, so that whoever has the content can send it
    /// again. Gives these manifests, and which of them were worse than was known.
    pub(crate) async fn settle(&self, report: &Report) -> Result<Vec<(Holder, bool)>> {
        let holders = fsck::holders(self.store(), report.faulty.clone()).await?;
        let mut settled = Vec::with_capacity(holders.len());
        for holder in holders {
            let digest = &holder.manifest_digest;
            let before = fsck::verdict(self.db(), digest).await?;
            let Some(before) = before else { continue };
            self.keep_verdict(digest, (holder.integrity, Mode::Full), before)
                .await?;
            let is_worse = holder.integrity > before.integrity;
            settled.push((holder, is_worse));
        }
        fsck::set_aside(self.store(), report).await?;
        Ok(settled)
    }

    /// Records what a check found of a manifest, see [`fsck::record`].
    pub(crate) async fn keep_verdict(
        &self,
        digest: &Hash,
        found: (Integrity, Mode),
        before: Verdict,
    ) -> Result<()> {
        let kept = self
            .db()
            .write(move |mut tx| async move { fsck::record(&mut tx, digest, found, before).await });
        Ok(kept.await?)
    }

    /// What is to be told of damage that was settled: what was not known before. A file that is missing was known where all that has it was known to be
    /// damaged.
    pub(crate) async fn news(
        &self,
        report: &Report,
        settled: Vec<(Holder, bool)>,
    ) -> Result<Vec<Damage>> {
        let faults: BTreeMap<Hash, Fault> = report
            .findings
            .iter()
            .map(|found| (found.hash, found.fault))
            .collect();
        let fault = |hash: &Hash| faults.get(hash).copied().unwrap_or(Fault::Damaged);
        let mut lost = report.faulty.clone();
        let mut news = Vec::new();
        for (holder, is_worse) in settled {
            for (_, hash) in &holder.files {
                lost.remove(hash);
            }
            let is_news = |(_, hash): &(String, Hash)| fault(hash) == Fault::Damaged;
            if !is_worse && !holder.files.iter().any(is_news) {
                continue;
            }
            let digest = holder.manifest_digest;
            let mut uses = datasets::uses(self.db(), &[digest]).await?;
            uses.truncate(TOLD);
            let more = holder.more + holder.files.len().saturating_sub(TOLD) as u64;
            let files = holder.files.into_iter().take(TOLD);
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
