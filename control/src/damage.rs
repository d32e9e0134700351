//! What follows where a check finds damage: it is recorded for everything that has part of it, put aside, and told with whom it concerns.

use std::collections::{BTreeMap, BTreeSet};

use storage::{
    Tx, datasets,
    fsck::{self, Fault, Finding, Held, Holder, Integrity, Mode, Pace, Report, Verdict},
    objects::Hash,
    scrub::{Damage, DamagedFile, News},
};

use crate::{Control, Result};

/// The most files, and the most that have to do with it, that are told of one manifest.
const TOLD: usize = 100;
/// The most manifests and objects that are told of at one time.
const TOLD_AT_ONCE: usize = 100;

/// A manifest that has part of what is damaged, and what was on record of it before.
type Known = (Holder, Verdict);

/// What follows from damage.
#[derive(Default)]
pub(crate) struct Hit {
    /// Every manifest that has part of it.
    pub(crate) known: Vec<Known>,
    /// The one that was checked, as far as its check found it damaged.
    itself: Option<Holder>,
    /// What came of looking through all; none where nothing called for it.
    held: Option<Held>,
    /// The objects that there is no good copy of.
    pub(crate) gone: BTreeSet<Hash>,
    /// Those that can come in again.
    let_go: BTreeSet<Hash>,
}

/// Records what follows, in the transaction that tells of it. False, and nothing, where a manifest was recorded since all were looked through: see
/// [`Control::look_again`].
pub(crate) async fn keep(tx: &mut Tx, hit: &Hit) -> storage::Result<bool> {
    if let Some(held) = &hit.held
        && !held.is_complete(tx).await?
    {
        return Ok(false);
    }
    for (holder, before) in &hit.known {
        let found = (holder.integrity, Mode::Full);
        fsck::record(tx, &holder.manifest_digest, found, *before).await?;
    }
    fsck::let_go(tx, &hit.let_go).await?;
    Ok(true)
}

impl Control {
    /// Puts what a check found damaged aside, so that whoever has the content can send it again, and finds every manifest that has part of it. That is
    /// then to be recorded, see [`keep`]: a crash before leaves files that are missing, which the next check finds.
    pub(crate) async fn hit_by(&self, report: &Report, pace: &Pace) -> Result<Hit> {
        let aside = fsck::set_aside(self.store(), report, pace).await?;
        let itself = itself(report, &aside.gone);
        let mut newly_broken = false;
        if let Some(holder) = &itself
            && holder.integrity == Integrity::Broken
        {
            let before = fsck::verdict(self.db(), &holder.manifest_digest).await?;
            newly_broken = before.is_some_and(|before| before.integrity != Integrity::Broken);
        }
        let mut hit = Hit {
            itself,
            gone: aside.gone,
            let_go: aside.let_go,
            ..Hit::default()
        };
        // Others may have the same files, or the same part of a list.
        if newly_broken || !hit.gone.is_empty() {
            hit.held = Some(Held::default());
        }
        self.look_again(&mut hit, pace).await?;
        Ok(hit)
    }

    /// Looks through the manifests that were recorded since.
    ///
    /// What one holds that the system cannot read now is not known. That keeps nobody from sending again what is damaged: the next passes find what
    /// it lacks, see [`storage::scrub::step`].
    pub(crate) async fn look_again(&self, hit: &mut Hit, pace: &Pace) -> Result<()> {
        if let Some(held) = hit.held.take() {
            hit.held = Some(held.look(self.store(), &hit.gone, pace).await?);
        }
        let mut holders = hit
            .held
            .as_ref()
            .map_or_else(Vec::new, |held| held.holders.clone());
        if let Some(itself) = &hit.itself
            && !holders
                .iter()
                .any(|one| one.manifest_digest == itself.manifest_digest)
        {
            holders.push(itself.clone());
        }
        hit.known.clear();
        for holder in holders {
            let before = fsck::verdict(self.db(), &holder.manifest_digest).await?;
            hit.known.extend(before.map(|before| (holder, before)));
        }
        Ok(())
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

    /// What is to be told of damage: files that were there, or thought whole, until now, and manifests that are worse than was known.
    pub(crate) async fn news(&self, report: &Report, hit: &Hit) -> Result<News> {
        let faults: BTreeMap<Hash, Fault> = report
            .findings
            .iter()
            .map(|found| (found.hash, found.fault))
            .collect();
        let mut news = News::default();
        for (holder, before) in &hit.known {
            let is_new = |(_, hash): &(String, Hash)| hit.gone.contains(hash);
            if holder.integrity <= before.integrity && !holder.files.iter().any(is_new) {
                continue;
            }
            if news.told.len() < TOLD_AT_ONCE {
                news.told.push(self.damage_to(holder, &faults).await?);
            } else {
                news.more += 1;
            }
        }
        // What is in no manifest has no verdict: it is news until it is let go of.
        let is_held = |hash: &&Hash| {
            let held = hit.held.as_ref();
            held.is_some_and(|held| held.objects.contains(*hash))
        };
        for hash in hit.gone.iter().filter(|hash| !is_held(hash)) {
            if news.told.len() < TOLD_AT_ONCE {
                news.told.push(self.damage_to_object(*hash, &faults).await?);
            } else {
                news.more += 1;
            }
        }
        Ok(news)
    }

    async fn damage_to(&self, holder: &Holder, faults: &BTreeMap<Hash, Fault>) -> Result<Damage> {
        let mut uses = datasets::uses(self.db(), &[holder.manifest_digest]).await?;
        let file = |(path, hash): &(String, Hash)| DamagedFile {
            path: path.clone(),
            hash: *hash,
            fault: fault(faults, hash),
        };
        Ok(Damage {
            manifest_digest: Some(holder.manifest_digest),
            integrity: holder.integrity,
            files: holder.files.iter().take(TOLD).map(file).collect(),
            more: holder.more + beyond(holder.files.len()),
            more_uses: cut(&mut uses),
            uses,
        })
    }

    async fn damage_to_object(&self, hash: Hash, faults: &BTreeMap<Hash, Fault>) -> Result<Damage> {
        let mut uses = datasets::object_uses(self.db(), &[hash]).await?;
        let (path, fault) = (String::new(), fault(faults, &hash));
        Ok(Damage {
            manifest_digest: None,
            integrity: Integrity::Broken,
            files: vec![DamagedFile { path, hash, fault }],
            more: 0,
            more_uses: cut(&mut uses),
            uses,
        })
    }
}

/// What is beyond those that a report names is not known to be there.
fn fault(faults: &BTreeMap<Hash, Fault>, hash: &Hash) -> Fault {
    faults.get(hash).copied().unwrap_or(Fault::Missing)
}

/// How many of so many are not told.
fn beyond(count: usize) -> u64 {
    count.saturating_sub(TOLD) as u64
}

/// Leaves no more uses than are told; how many it took away.
fn cut(uses: &mut Vec<datasets::Use>) -> u64 {
    let more = beyond(uses.len());
    uses.truncate(TOLD);
    more
}

/// The manifest that a report is of, as far as it is damaged now: what turned out to be whole is not.
fn itself(report: &Report, gone: &BTreeSet<Hash>) -> Option<Holder> {
    let lacks = |found: &&Finding| found.fault == Fault::Missing || gone.contains(&found.hash);
    let file = |found: &Finding| Some((found.path.clone()?, found.hash));
    let holder = Holder {
        manifest_digest: report
            .findings
            .iter()
            .find_map(|found| found.manifest_digest)?,
        integrity: report.integrity(),
        files: report
            .findings
            .iter()
            .filter(lacks)
            .filter_map(file)
            .collect(),
        more: report.more,
    };
    (holder.integrity == Integrity::Broken || !holder.files.is_empty()).then_some(holder)
}

fn is_damaged_file(found: &Finding) -> bool {
    let is_list = found.path.is_none() && found.manifest_digest.is_some();
    found.fault == Fault::Damaged && !is_list
}
