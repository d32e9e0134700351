//! New manifests out of parts of others: to choose, add, rename, remove and merge files without reading or copying one.

use std::collections::{BTreeSet, HashSet};
use std::iter::Peekable;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Builder, Entries, Entry, Manifest, Node, check_path};
use crate::capture::Pending;
use crate::ids::ProjectId;
use crate::objects::{Claim, Hash, Store, blocking, is_usable, wait_for};
use crate::{Error, Result};

/// The most parts of one manifest.
const MOST_PARTS: usize = 100;
/// The most patterns of one part.
const MOST_PATTERNS: usize = 1000;
/// The most bytes of a pattern, and the most choices in it: the library reads nested ones by recursion.
const PATTERN_BYTES: usize = 1024;
const MOST_CHOICES: usize = 16;
/// The most files of what is made, as many as an upload may have.
const MOST_FILES: u64 = 1_000_000;
/// How many paths of a clash are named.
const NAMED: usize = 10;

/// Some files of a manifest, and where they are to lie.
#[derive(Debug, Clone)]
pub struct Part {
    /// The manifest.
    pub manifest_digest: Hash,
    /// The folder of it that is taken, or the one file; all of it where there is none.
    pub from: Option<String>,
    /// The folder that it becomes; the file's new path where `from` is a file. Where there is none: the top, and the file's own name.
    pub to: Option<String>,
    /// Takes only what one of these patterns matches; everything where there are none. They are matched against paths below `from`: `*` and `?`
    /// stay within a folder, `**` crosses folders, `{a,b}` and `[a-z]` are choices.
    pub keep: Vec<String>,
    /// Leaves out what one of these matches.
    pub drop: Vec<String>,
    /// Takes only these paths below `from`.
    pub only: Option<HashSet<String>>,
    /// Leaves out files with this content.
    pub without: BTreeSet<Hash>,
    /// Whether the project that the result is for may not be known to hold these files' contents yet.
    pub is_foreign: bool,
    /// What keeps a manifest that is not recorded yet.
    pub claims: Vec<Claim>,
}

impl Part {
    /// All of a manifest as it is.
    pub fn whole(manifest_digest: Hash) -> Self {
        Self {
            manifest_digest,
            from: None,
            to: None,
            keep: Vec::new(),
            drop: Vec::new(),
            only: None,
            without: BTreeSet::new(),
            is_foreign: false,
            claims: Vec::new(),
        }
    }

    /// All of a capture that is not recorded yet.
    pub fn pending(pending: &Pending) -> Self {
        Self {
            claims: pending.claims().to_vec(),
            ..Self::whole(pending.captured().summary.manifest_digest)
        }
    }
}

/// What happens where two parts have different files at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// Nothing is made, and the error names the paths.
    Refuse,
    /// The earlier part wins.
    First,
    /// The later part wins.
    Last,
}

/// Makes a manifest for `project` out of parts of others. Nobody sees it until it is recorded, see [`Pending`].
///
/// One leaf of each part is in memory at a time, and few are made at once: others wait. Dropping the future lets the work run to its end and leaves garbage that no one sees.
///
/// # Errors
/// `NotFound` without such a manifest, or where there is nothing at a part's `from`; `Invalid` for a bad path or pattern, a symbolic link, or a
/// path that would be both a file and a folder; `Conflict` for clashes that are to be refused; `Unavailable` when the disk is full.
pub async fn compose(
    store: &Store,
    project: ProjectId,
    parts: Vec<Part>,
    clash: Clash,
) -> Result<Pending> {
    let turn = store.composing().acquire_owned().await;
    let turn = turn.map_err(|error| Error::internal("nothing is made any more", error))?;
    let store = store.clone();
    blocking(move || {
        // Also whoever has left does not let more be made at once.
        let _turn = turn;
        compose_now(&store, project, &parts, clash)
    })
    .await
}

pub(crate) fn compose_now(
    store: &Store,
    project: ProjectId,
    parts: &[Part],
    clash: Clash,
) -> Result<Pending> {
    if parts.len() > MOST_PARTS {
        return Err(Error::invalid(format!(
            "a version is made of at most {MOST_PARTS} parts"
        )));
    }
    let batch = store.objects().begin()?;
    let open = |part: &Part| {
        if part.claims.is_empty() && !wait_for(is_usable(store.db(), &part.manifest_digest))? {
            return Err(Error::not_found("there is no such manifest"));
        }
        Manifest::open(store.objects().clone(), &part.manifest_digest)?
            .ok_or_else(|| Error::not_found("there is no such manifest"))
    };
    let manifests = parts.iter().map(open).collect::<Result<Vec<_>>>()?;
    let mut lanes = Vec::with_capacity(parts.len());
    for (part, manifest) in parts.iter().zip(&manifests) {
        lanes.push(Lane::open(part, manifest)?.peekable());
    }
    let mut builder = Builder::new(&*batch);
    let (mut objects, mut files, mut clashes) = (Vec::new(), 0, Clashes::default());
    while let Some(taken) = next(&mut lanes, clash)? {
        if taken.clashes && clash == Clash::Refuse {
            clashes.add(taken.entry.path);
            continue;
        }
        files += 1;
        if files > MOST_FILES {
            return Err(Error::invalid(format!(
                "a version made of others has at most {MOST_FILES} files"
            )));
        }
        if let Node::File { hash, size, .. } = &taken.entry.node
            && parts[taken.lane].is_foreign
        {
            objects.push((*hash, *size));
        }
        builder.push(taken.entry)?;
    }
    if clashes.count > 0 {
        return Err(clashes.error());
    }
    let summary = builder.finish()?;
    let claim = batch.commit()?;
    Ok(Pending::plain(project, summary, objects, claim))
}

/// The next entry of the whole.
struct Taken {
    lane: usize,
    entry: Entry,
    clashes: bool,
}

fn next(lanes: &mut [Peekable<Lane<'_>>], clash: Clash) -> Result<Option<Taken>> {
    let mut first: Option<String> = None;
    for lane in &mut *lanes {
        if lane.peek().is_some_and(std::result::Result::is_err) {
            // The error itself is what `next` gives.
            lane.next().transpose()?;
        }
        if let Some(Ok(entry)) = lane.peek()
            && first.as_ref().is_none_or(|first| entry.path < *first)
        {
            first = Some(entry.path.clone());
        }
    }
    let Some(path) = first else { return Ok(None) };
    let mut taken: Option<Taken> = None;
    for (number, lane) in lanes.iter_mut().enumerate() {
        let Some(Ok(entry)) = lane.next_if(|entry| entry.as_ref().is_ok_and(|e| e.path == path))
        else {
            continue;
        };
        match &mut taken {
            None => {
                taken = Some(Taken {
                    lane: number,
                    entry,
                    clashes: false,
                });
            }
            Some(taken) => {
                taken.clashes |= taken.entry.node != entry.node;
                if clash == Clash::Last {
                    (taken.lane, taken.entry) = (number, entry);
                }
            }
        }
    }
    Ok(taken)
}

/// Paths at which parts have different files.
#[derive(Default)]
struct Clashes {
    named: Vec<String>,
    count: usize,
}

impl Clashes {
    fn add(&mut self, path: String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(path);
        }
    }

    fn error(&self) -> Error {
        let named: Vec<String> = self.named.iter().map(|path| format!("{path:?}")).collect();
        let mut text = named.join(", ");
        if self.count > NAMED {
            text = format!("{text} and {} more", self.count - NAMED);
        }
        let what = if self.count == 1 {
            "a path differs"
        } else {
            "paths differ"
        };
        Error::conflict(format!("{what} between the sources: {text}"))
    }
}

/// The entries of one part, with their new paths, in order.
struct Lane<'a> {
    entries: Entries<'a>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    keep: Option<GlobSet>,
    drop: GlobSet,
    only: Option<&'a HashSet<String>>,
    without: &'a BTreeSet<Hash>,
    over: bool,
}

impl<'a> Lane<'a> {
    fn open(part: &'a Part, manifest: &'a Manifest) -> Result<Self> {
        for path in [&part.from, &part.to].into_iter().flatten() {
            check_path(path)?;
        }
        let from = part.from.as_deref();
        if let Some(from) = from {
            let is_there = manifest.get(from)?.is_some() || {
                let inside = format!("{from}/");
                let first = manifest.entries_from(&inside).next().transpose()?;
                first.is_some_and(|entry| entry.path.starts_with(&inside))
            };
            if !is_there {
                return Err(Error::not_found(format!("there is nothing at {from:?}")));
            }
        }
        Ok(Self {
            entries: from.map_or_else(|| manifest.entries(), |from| manifest.entries_from(from)),
            from,
            to: part.to.as_deref(),
            keep: (!part.keep.is_empty())
                .then(|| patterns(&part.keep))
                .transpose()?,
            drop: patterns(&part.drop)?,
            only: part.only.as_ref(),
            without: &part.without,
            over: false,
        })
    }

    /// The entry as it is to be; none where it is not taken.
    fn place(&self, entry: Entry) -> Result<Option<Entry>> {
        let Entry { path, node } = entry;
        let (below, is_file) = match self.from {
            None => (path.as_str(), false),
            Some(from) => match path.strip_prefix(from) {
                Some("") => (path.rsplit('/').next().unwrap_or(&path), true),
                Some(rest) => match rest.strip_prefix('/') {
                    Some(below) => (below, false),
                    // Names such as `a-b` stand between `a` and what is in it.
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        if matches!(node, Node::File { hash, .. } if self.without.contains(&hash)) {
            return Ok(None);
        }
        let is_kept = self.keep.as_ref().is_none_or(|keep| keep.is_match(below))
            && self.only.is_none_or(|only| only.contains(below));
        if !is_kept || self.drop.is_match(below) {
            return Ok(None);
        }
        if matches!(node, Node::Symlink { .. }) {
            return Err(Error::invalid(format!(
                "{path:?} is a symbolic link, which a dataset does not hold"
            )));
        }
        let path = match self.to {
            None => below.to_owned(),
            Some(to) if is_file => to.to_owned(),
            Some(to) => format!("{to}/{below}"),
        };
        Ok(Some(Entry { path, node }))
    }
}

impl Iterator for Lane<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            };
            if self.from.is_some_and(|from| !entry.path.starts_with(from)) {
                self.over = true;
                return None;
            }
            match self.place(entry).transpose() {
                None => {}
                Some(placed) => {
                    self.over = placed.is_err();
                    return Some(placed);
                }
            }
        }
        None
    }
}

fn patterns(texts: &[String]) -> Result<GlobSet> {
    if texts.len() > MOST_PATTERNS {
        return Err(Error::invalid(format!(
            "there are more than {MOST_PATTERNS} patterns"
        )));
    }
    let mut set = GlobSetBuilder::new();
    for text in texts {
        if text.len() > PATTERN_BYTES || text.matches('{').count() > MOST_CHOICES {
            return Err(Error::invalid(format!(
                "a pattern has at most {PATTERN_BYTES} bytes and {MOST_CHOICES} choices"
            )));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        set.add(glob.map_err(|error| {
            Error::invalid(format!(
                "the pattern {text:?} cannot be read: {}",
                error.kind()
            ))
        })?);
    }
    set.build()
        .map_err(|error| Error::invalid(format!("the patterns are too large: {error}")))
}

#[cfg(test)]
mod tests;
