//! One cycle: forgets manifests, marks what is needed, then condemns and sweeps, one first byte of hashes after another.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use super::last::{Faded, held_by};
use super::mark::{self, Found};
use super::marks::{Need, Needs};
use super::records::{self, State};
use super::roots::{self, AT_ONCE, Root, Roots};
use super::sweep::{self, Doomed, Stock};
use super::{Options, Report, Stop, leftovers, stuck};
use crate::Result;
use crate::db::Db;
use crate::objects::{Hash, Store, wait_for};

/// The most manifests that a report names.
const NAMED: usize = 100;
const UNREADABLE: usize = 10;
/// Before every cycle.
const NONE: i64 = 0;

/// What may go: condemned by a cycle that is older than all work under way, and long enough ago.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge {
    pub(super) oldest: i64,
    pub(super) before_ms: i64,
}

impl Judge {
    pub(super) fn is_ripe(&self, (cycle, condemned_ms): (i64, i64)) -> bool {
        cycle <= self.oldest && condemned_ms <= self.before_ms
    }
}

/// A cycle on its way.
pub(super) struct Cycle {
    store: Store,
    number: i64,
    options: Options,
    report: Report,
    /// Found unneeded, and not on record yet.
    fresh: Vec<Doomed>,
    /// The first bytes of hashes that it looks through.
    prefixes: Vec<u8>,
    /// Keeps other processes from collecting.
    _lock: File,
}

impl Cycle {
    pub(super) fn new(store: Store, (number, options): (i64, Options), lock: File) -> Self {
        Self {
            store,
            number,
            options,
            report: Report::default(),
            fresh: Vec::new(),
            prefixes: (0..=u8::MAX).collect(),
            _lock: lock,
        }
    }

    /// Looks through a part only.
    #[cfg(test)]
    pub(super) fn only(&mut self, prefixes: Vec<u8>) {
        self.prefixes = prefixes;
    }

    pub(super) fn number(&self) -> i64 {
        self.number
    }

    /// Carries it out and records the end. Blocks.
    pub(super) fn run(mut self, stop: &Stop) -> Result<Report> {
        let done = self.work(stop);
        let state = match (&done, self.report.unreadable.is_empty()) {
            (Ok(()), true) => State::Done,
            _ => State::Failed,
        };
        let ended = wait_for(records::end(
            self.store.db(),
            (self.number, &self.options),
            (state, &self.report),
        ));
        done.and(ended)?;
        Ok(self.report)
    }

    fn work(&mut self, stop: &Stop) -> Result<()> {
        if !self.options.dry {
            self.store.files().clean()?;
        }
        let db = self.store.db().clone();
        // Before anything is looked at: work that begins later meets only what is needed, or says that it needs it.
        let judge = Judge {
            oldest: self.oldest()?,
            before_ms: db.now_ms().saturating_sub(self.options.interval_ms),
        };
        super::step("judged");
        let gone = self.forget(&judge, stop)?;
        super::step("forgotten");
        let Found {
            marked,
            unheld,
            unreadable,
        } = mark::mark(&self.store, (&gone, self.options.seen.as_ref()), stop)?;
        if !unreadable.is_empty() {
            self.report.unreadable = unreadable.into_iter().take(UNREADABLE).collect();
            return Ok(());
        }
        super::step("marked");
        self.condemn_roots(&unheld, stop)?;
        let stock = &mut Stock::new(&self.store);
        for prefix in self.prefixes.clone() {
            stop.check()?;
            let (needs, there) = (marked.needs(prefix)?, stock.part(prefix)?);
            self.part((prefix, &judge), &needs, there)?;
        }
        self.condemn()?;
        if !self.options.dry {
            wait_for(records::condemned(&db, self.number))?;
            self.store.files().claims().condemned(self.number);
        }
        super::step("condemned");
        leftovers::remove(&self.store, &self.options, &mut self.report)
    }

    /// The last cycle that is older than all work under way; what work of other processes is older than is not known.
    fn oldest(&mut self) -> Result<i64> {
        let (_gate, shared) = self.store.files().shut_out()?;
        self.report.shared = shared;
        Ok(if shared {
            NONE
        } else {
            self.store.files().claims().oldest()
        })
    }

    /// Forgets what was condemned and nothing has come to hold since. Returns what is gone, or, dry, would be.
    fn forget(&mut self, judge: &Judge, stop: &Stop) -> Result<HashSet<Hash>> {
        let db = self.store.db().clone();
        let shown = mark::shown(&self.store, self.options.seen.as_ref())?;
        let mut gone = HashSet::new();
        for page in Roots::new(&db) {
            let mut ripe = page?;
            ripe.retain(|root| roots::ripe(root, judge) && !shown.contains(&root.digest));
            for chunk in ripe.chunks(AT_ONCE) {
                stop.check()?;
                super::step("to forget");
                let done: HashSet<Hash> = if self.options.dry {
                    chunk.iter().map(|root| root.digest).collect()
                } else {
                    let few = |few: &[Root]| forget(&db, few);
                    let done = stuck::pass_over(chunk, |root| root.digest, &few)?;
                    done.into_iter().flatten().collect()
                };
                for root in chunk.iter().filter(|root| done.contains(&root.digest)) {
                    self.name(root, true)?;
                }
                gone.extend(done);
            }
        }
        Ok(gone)
    }

    fn condemn_roots(&mut self, unheld: &[Root], stop: &Stop) -> Result<()> {
        let (db, number) = (self.store.db().clone(), self.number);
        for chunk in unheld.chunks(AT_ONCE) {
            stop.check()?;
            if !self.options.dry {
                wait_for(db.write(|mut tx| async move {
                    for root in chunk {
                        roots::condemn(&mut tx, root, number).await?;
                    }
                    Ok(())
                }))?;
            }
            for root in chunk {
                self.name(root, false)?;
            }
        }
        super::step("roots condemned");
        Ok(())
    }

    fn name(&mut self, root: &Root, goes: bool) -> Result<()> {
        self.report.faded_count += 1;
        if self.report.faded.len() < NAMED {
            self.report.faded.push(Faded {
                manifest_digest: root.digest,
                files: u64::try_from(root.files).unwrap_or_default(),
                bytes: u64::try_from(root.bytes).unwrap_or_default(),
                held_by: wait_for(held_by(self.store.db(), &root.digest))?,
                goes,
            });
        }
        Ok(())
    }

    /// Judges everything whose hash begins with `prefix`.
    fn part(&mut self, (prefix, judge): (u8, &Judge), needs: &Needs, there: There) -> Result<()> {
        let (mut fresh, mut ripe, mut needed) = (Vec::new(), Vec::new(), Vec::new());
        for one in there.into_values() {
            let need = needs.of(&one.key());
            match (need, one.condemned) {
                (Some(Need::Held), None) => {}
                (Some(Need::Held), Some(_)) => needed.push(one),
                (_, None) => fresh.push(one),
                (None, Some(when)) if judge.is_ripe(when) => ripe.push(one),
                _ => self.tell(&one, |report| &mut report.waiting),
            }
        }
        for one in &needed {
            self.report.revived.add(one.bytes);
        }
        for one in &fresh {
            self.tell(one, |report| &mut report.condemned);
        }
        if self.options.dry {
            for one in &ripe {
                self.tell(one, |report| &mut report.swept);
            }
            return Ok(());
        }
        sweep::revive(&self.store, &needed)?;
        let swept = sweep::sweep(&self.store, (prefix, judge), &ripe)?;
        self.report.shared |= swept.shared;
        for one in &ripe {
            if swept.gone.contains(&one.key()) {
                self.tell(one, |report| &mut report.swept);
            } else {
                self.tell(one, |report| &mut report.waiting);
            }
        }
        self.fresh.append(&mut fresh);
        if self.fresh.len() >= sweep::AT_ONCE {
            self.condemn()?;
        }
        Ok(())
    }

    /// Condemns what was found so far.
    fn condemn(&mut self) -> Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        sweep::condemn(&self.store, self.number, &fresh)
    }

    fn tell(&mut self, one: &Doomed, place: impl Fn(&mut Report) -> &mut super::Tally) {
        let age_ms = one.created_ms.map(|then| self.store.db().now_ms() - then);
        place(&mut self.report).add(one.bytes);
        self.report.age.add(age_ms, one.bytes);
        if one.is_unrecorded() {
            self.report.unrecorded.add(one.bytes);
        }
    }
}

/// Forgets those that nothing has come to hold since; says which. Blocks.
fn forget(db: &Db, chunk: &[Root]) -> Result<HashSet<Hash>> {
    wait_for(db.write(|mut tx| async move {
        let mut gone = HashSet::new();
        for root in chunk {
            if roots::forget(&mut tx, root).await? {
                gone.insert(root.digest);
            }
        }
        Ok(gone)
    }))
}

/// Everything of a part of the store, by what names it.
pub(super) type There = BTreeMap<crate::objects::Key, Doomed>;
