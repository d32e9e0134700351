//! Making a record ready for running a cell once more, as it was or with other sources from there on.

use serde_json::Value;

use super::record::Record;
use crate::error::Result;
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
        if let Some(source) = &self.injected {
            corrected.inject(source);
        }
        let end = self.document.cells().len();
        let from = self.document.graft(corrected, failed)?;
        self.forget(from, end.max(self.document.cells().len()));
        // A thread that the failed cell started may print on: that goes to the cell in its place.
        let instead = self.code_cell_from(from);
        self.requests
            .retain(|_, index| *index < from || (*index == failed && instead.is_some()));
        for index in self.requests.values_mut().filter(|index| **index >= from) {
            *index = instead.unwrap_or(from);
        }
        Ok(from)
    }

    /// Adds to what the notebook tells of its run.
    pub(super) fn note_resumed(&mut self, facts: Value) {
        self.resumed.push(facts);
        self.describe(None);
    }
}
