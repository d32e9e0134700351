//! The files that are open for writing, by the objects through which they are written.

use std::collections::{BTreeSet, HashMap};

use super::sites::{Site, Sites};

/// Which object writes which files; none where the name cannot be told.
#[derive(Debug, Default)]
pub(super) struct Opened {
    files: HashMap<Site, BTreeSet<Option<String>>>,
    /// How many objects had turned out to be the same when these were sorted.
    joins: usize,
    /// The objects of which the cell has been told all files.
    told: BTreeSet<Site>,
}

impl Opened {
    /// A new cell begins.
    pub(super) fn begin(&mut self) {
        self.told.clear();
    }

    /// A file is open in `site`.
    pub(super) fn add(&mut self, site: Site, file: Option<String>) {
        if self.files.entry(site).or_default().insert(file) {
            self.told.remove(&site);
        }
    }

    /// The files that a change of `site` writes, but for those that were given in this cell already.
    pub(super) fn written(
        &mut self,
        site: Site,
        sites: &Sites,
    ) -> impl Iterator<Item = &Option<String>> {
        if self.joins != sites.joins {
            self.joins = sites.joins;
            self.told.clear();
            for (site, files) in std::mem::take(&mut self.files) {
                self.files
                    .entry(sites.find(site))
                    .or_default()
                    .extend(files);
            }
        }
        let is_new = !self.files.is_empty() && self.told.insert(site);
        let files = is_new.then(|| self.files.get(&site)).flatten();
        files.into_iter().flatten()
    }
}
