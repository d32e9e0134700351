//! Making a record ready for running a cell once more, as it was or with other sources from there on.

use std::collections::HashMap;

use serde_json::Value;

use super::record::{Injected, Record};
use crate::error::{Error, Result};
use crate::notebook::Document;

impl Record {
    /// Forgets what the cell has given so far; what still comes for it stays its own.
    pub(super) fn clear(&mut self, index: usize) {
        self.forget(index, index + 1);
    }

    /// Takes the cells of the notebook `text` in from the failed one on, and gives the position of the first of them. Outputs of earlier
    /// cells stay. Where this fails nothing has changed.
    ///
    /// # Errors
    /// `Invalid` where `text` is no notebook, or a cell that has run is not the same in it.
    pub(super) fn correct(&mut self, text: &str, failed: usize) -> Result<usize> {
        let mut corrected = Document::parse(text)?;
        if let Some(injected) = &self.injected {
            injected.check(&corrected)?;
            corrected.inject(&injected.source);
        }
        let end = self.document.cells().len();
        let from = self.document.graft(corrected, failed)?;
        self.forget(from, end.max(self.document.cells().len()));
        let (kept, replaced) = std::mem::take(&mut self.requests)
            .into_iter()
            .partition(|(_, index)| *index < from);
        self.requests = kept;
        self.replaced.extend(HashMap::into_keys(replaced));
        Ok(from)
    }

    /// Adds to what the notebook tells of its run.
    pub(super) fn note_resumed(&mut self, facts: Value) {
        self.resumed.push(facts);
        self.describe(None);
    }
}

impl Injected {
    /// Sees that a corrected notebook does not ask for other parameters: those of the run have been set already.
    fn check(&self, corrected: &Document) -> Result<()> {
        let is_known = |found: &str| {
            let known = [Some(self.source.as_str()), self.replaced.as_deref()];
            known
                .into_iter()
                .flatten()
                .any(|known| known.trim_end() == found.trim_end())
        };
        match corrected.injected() {
            Some(found) if !is_known(found) => Err(Error::Invalid(
                "the cell of parameters has run already and is not the same in this notebook: what it set is still in the kernel".into(),
            )),
            _ => Ok(()),
        }
    }
}
