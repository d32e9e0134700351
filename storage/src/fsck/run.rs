//! One check under way: what was found of each object, and the report so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::pace::Pace;
use super::{Fault, Finding, Mode, Report, Root};
use crate::Result;
use crate::error::Error;
use crate::manifest::{Check, Entry, Manifest, Node};
use crate::objects::{
    Adopted, Files, Hash, Objects, Place, Space, State, Store, is_lost, read_whole,
};

/// What content goes by.
type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Files whose keys are looked at together, where they lie in somebody's bucket.
const TOGETHER: usize = 512;
/// About what an entry of a manifest takes in the store.
pub(super) const ENTRY_BYTES: u64 = 40;

pub(super) struct Run {
    objects: Arc<dyn Objects>,
    /// Copies on this host, where the store is kept elsewhere.
    copies: Option<Files>,
    /// What lies in other buckets.
    adopted: Option<Adopted>,
    mode: Mode,
    pace: Pace,
    /// What was found of each object.
    states: BTreeMap<Hash, Option<Fault>>,
    /// What was looked at together and is yet to be judged.
    ahead: BTreeMap<Hash, State>,
    /// Where what was adopted and is not there any more was.
    places: BTreeMap<Hash, String>,
    pub(super) report: Report,
}

impl Run {
    pub(super) fn new(store: &Store, mode: Mode, pace: Pace) -> Self {
        Self {
            objects: store.kept(),
            copies: store.remote().map(|_| store.files().clone()),
            adopted: store.adopted().cloned(),
            mode,
            pace,
            states: BTreeMap::new(),
            ahead: BTreeMap::new(),
            places: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Checks one manifest: its nodes, its totals, its content digest, its files.
    pub(super) fn manifest(&mut self, root: &Root) -> Result<()> {
        self.report.manifests += 1;
        let finding = |fault| Finding {
            hash: root.digest,
            fault,
            manifest_digest: Some(root.digest),
            path: None,
            place: None,
        };
        let manifest = match Manifest::open(Arc::clone(&self.objects), &root.digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                self.report.nodes.insert(root.digest);
                self.report.add(finding(Fault::Missing));
                return Ok(());
            }
            Err(error) => {
                self.report.nodes.insert(root.digest);
                self.report.add(finding(damage(error)?));
                return Ok(());
            }
        };
        let mut check = Check::default();
        let mut entries = manifest.entries();
        loop {
            let some: Vec<Result<Entry>> = entries.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                break;
            }
            self.look_ahead(&some)?;
            for entry in some {
                match entry {
                    Ok(entry) => {
                        check.add(&entry);
                        self.entry(&root.digest, entry)?;
                    }
                    Err(error) => {
                        self.report.add(finding(damage(error)?));
                        return self.leaves(&manifest);
                    }
                }
            }
        }
        let summary = manifest.summary();
        let recorded = (
            root.content_digest,
            u64::try_from(root.files),
            u64::try_from(root.bytes),
        );
        let said = (summary.content_digest, Ok(summary.files), Ok(summary.bytes));
        if !check.agrees(summary) || recorded != said {
            self.report.add(finding(Fault::Damaged));
        }
        Ok(())
    }

    /// Asks for the state of several adopted keys at once: one after the other takes as long as the way there.
    fn look_ahead(&mut self, entries: &[Result<Entry>]) -> Result<()> {
        let (Some(adopted), Mode::Quick) = (&self.adopted, self.mode) else {
            return Ok(());
        };
        let files = entries
            .iter()
            .flatten()
            .filter_map(|entry| match entry.node {
                Node::File { hash, .. } => Some(hash),
                Node::Symlink { .. } => None,
            });
        let mut hashes: Vec<Hash> = files
            .filter(|hash| !self.states.contains_key(hash))
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        self.ahead = adopted.look_at(&hashes)?.into_iter().collect();
        Ok(())
    }

    /// Finds every leaf that cannot be read.
    fn leaves(&mut self, manifest: &Manifest) -> Result<()> {
        for number in 0..manifest.leaves() {
            if let Err(error) = manifest.leaf(number) {
                damage(error)?;
                self.report.nodes.extend(manifest.leaf_digest(number));
            }
        }
        Ok(())
    }

    fn entry(&mut self, manifest_digest: &Hash, entry: Entry) -> Result<()> {
        let Node::File { hash, size, .. } = entry.node else {
            return Ok(());
        };
        self.report.entries += 1;
        self.pace.spend(ENTRY_BYTES)?;
        if self.mode == Mode::Lists {
            return Ok(());
        }
        if let Some(fault) = self.object(&hash, size)? {
            let (manifest_digest, path) = (Some(*manifest_digest), Some(entry.path));
            let place = self.places.get(&hash).cloned();
            self.report.add(Finding {
                hash,
                fault,
                manifest_digest,
                path,
                place,
            });
        }
        Ok(())
    }

    /// Checks an object, once.
    pub(super) fn object(&mut self, hash: &Hash, size: u64) -> Result<Option<Fault>> {
        if let Some(state) = self.states.get(hash) {
            return Ok(*state);
        }
        let mut state = self.look(&*self.objects, (hash, size))?;
        if let (None, Some(copies)) = (state, &self.copies) {
            // That there is no copy is no fault.
            state = self.look(copies, (hash, size))?;
            state = state.filter(|fault| *fault != Fault::Missing);
        } else if let Some(adopted) = self.adopted.clone()
            && (self.copies.is_none() || state == Some(Fault::Missing))
            && let Some(place) = adopted.find(hash)?
        {
            state = self.adopted(&adopted, &place, state)?;
        }
        if self.mode == Mode::Full && state.is_none() {
            self.report.bytes += size;
        }
        self.states.insert(*hash, state);
        self.report.objects = self.states.len() as u64;
        Ok(state)
    }

    /// Checks something that lies in somebody's bucket, where the store has no place of its own for it. What this host has of it is a copy: `state` is
    /// that of the copy, unless copies are looked at by themselves.
    fn adopted(
        &mut self,
        adopted: &Adopted,
        place: &Place,
        mut state: Option<Fault>,
    ) -> Result<Option<Fault>> {
        let spend = &mut |piece: &[u8]| self.pace.spend(piece.len() as u64);
        let sink = (self.mode == Mode::Full).then_some(spend as &mut Sink<'_>);
        let known = self.ahead.remove(&place.hash);
        let fault = match known.map_or_else(|| adopted.look(place, sink), Ok)? {
            State::Same => None,
            State::Changed => Some(Fault::Changed),
            State::Gone => Some(Fault::Missing),
        };
        if fault.is_some() {
            self.places.insert(place.hash, adopted.uri(place));
            return Ok(fault);
        }
        if let Some(copies) = &self.copies {
            state = self.look(copies, (&place.hash, place.bytes))?;
        }
        Ok(state.filter(|fault| *fault != Fault::Missing))
    }

    fn look(&self, objects: &dyn Objects, (hash, size): (&Hash, u64)) -> Result<Option<Fault>> {
        match objects.size(Space::Objects, hash)? {
            None => return Ok(Some(Fault::Missing)),
            Some(found) if found != size => return Ok(Some(Fault::Damaged)),
            Some(_) if self.mode != Mode::Full => return Ok(None),
            Some(_) => {}
        }
        let pace = &mut |piece: &[u8]| self.pace.spend(piece.len() as u64);
        match read_whole(objects, hash, pace) {
            Ok(_) => Ok(None),
            Err(error) => damage(error).map(Some),
        }
    }

    /// Checks the objects that are recorded but in no manifest that could be read.
    pub(super) fn recorded(&mut self, recorded: &BTreeMap<Hash, u64>) -> Result<()> {
        for (hash, size) in recorded {
            let met = self.states.contains_key(hash);
            if let (Some(fault), false) = (self.object(hash, *size)?, met) {
                self.report.add(Finding {
                    hash: *hash,
                    fault,
                    manifest_digest: None,
                    path: None,
                    place: self.places.get(hash).cloned(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn orphans(&mut self, recorded: &BTreeMap<Hash, u64>) -> Result<()> {
        let mut orphans = BTreeSet::new();
        let visit = &mut |hash, _| {
            if !recorded.contains_key(&hash) {
                orphans.insert(hash);
            }
            Ok(())
        };
        for prefix in 0..=u8::MAX {
            self.objects.list(Space::Objects, prefix, visit)?;
        }
        self.report.orphaned_objects = orphans.len() as u64;
        Ok(())
    }
}

/// What an error of reading says of the store; where it says nothing, because the system could not read, it ends the check instead.
fn damage(error: Error) -> Result<Fault> {
    if !is_lost(&error) {
        return Err(error);
    }
    tracing::warn!(%error, "the store is damaged");
    Ok(Fault::Damaged)
}
