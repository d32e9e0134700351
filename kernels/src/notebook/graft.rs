//! Replacing the rest of a notebook, from a cell on, by that of a corrected one.

use super::{Cell, Document};
use crate::error::{Error, Result};

impl Document {
    /// Replaces the code cell at `failed`, and everything between the code cell before it and the end, by what `other` has there. Gives the
    /// position of the first cell that was replaced. Where it fails nothing has changed.
    ///
    /// # Errors
    /// `Invalid`, naming the cell, where one of the code cells before is not the same in `other`. Only sources are compared.
    pub(crate) fn graft(&mut self, other: Self, failed: usize) -> Result<usize> {
        let own: Vec<usize> = self.code_cells().take_while(|at| *at < failed).collect();
        let theirs: Vec<usize> = other.code_cells().take(own.len()).collect();
        for (count, at) in own.iter().enumerate() {
            let cell = &self.cells[*at];
            let found = theirs.get(count).map(|at| &other.cells[*at]);
            if found.is_none_or(|found| !is_same(cell, found)) {
                return Err(changed(count + 1, &cell.title()));
            }
        }
        let from = own.last().map_or(0, |at| at + 1);
        let rest = theirs.last().map_or(0, |at| at + 1);
        self.cells.truncate(from);
        for mut cell in other.cells.into_iter().skip(rest) {
            // Ids are unique in a notebook, and formats before 4.5 have none.
            let is_taken = |id: &String| self.cells.iter().any(|own| own.id().as_ref() == Some(id));
            let id = (self.minor >= 5).then(|| {
                let own = cell.id().filter(|id| !is_taken(id));
                own.unwrap_or_else(|| self.new_id())
            });
            cell.set_id(id.as_deref());
            self.cells.push(cell);
        }
        Ok(from)
    }
}

/// Editors disagree about the end of the last line, which means nothing. Whether a cell was to be passed over does: it was, or was not.
fn is_same(left: &Cell, right: &Cell) -> bool {
    const SKIP: &str = "skip-execution";
    left.source().trim_end() == right.source().trim_end()
        && left.has_tag(SKIP) == right.has_tag(SKIP)
}

fn changed(number: usize, title: &str) -> Error {
    Error::Invalid(format!(
        "code cell {number} (`{title}`) has run already and is not the same in this notebook: cells before the failed one must stay as they \
         are, for what they made is still in the kernel"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notebook(minor: u32, cells: &[(&str, &str, &str)]) -> Document {
        let cells: Vec<_> = (cells.iter())
            .map(|(id, kind, source)| {
                let mut cell = json!({"cell_type": kind, "metadata": {}, "source": source});
                if minor >= 5 {
                    cell["id"] = json!(id);
                }
                if *kind == "code" {
                    cell["outputs"] = json!([]);
                    cell["execution_count"] = json!(null);
                }
                cell
            })
            .collect();
        let text = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor});
        Document::parse(&text.to_string()).unwrap()
    }

    fn sources(document: &Document) -> Vec<&str> {
        let cells = document.cells().iter();
        cells.map(super::super::Cell::source).collect()
    }

    #[test]
    fn the_rest_is_replaced_and_what_ran_stays() {
        let mut own = notebook(
            5,
            &[
                ("a", "markdown", "# Title"),
                ("b", "code", "x = 1"),
                ("c", "markdown", "then"),
                ("d", "code", "x +"),
                ("e", "code", "x"),
            ],
        );
        let other = notebook(
            5,
            &[
                ("b", "code", "x = 1\n"),
                ("n", "markdown", "now"),
                ("b", "code", "x + 1"),
                ("o", "code", "print(x)"),
                ("p", "markdown", "end"),
            ],
        );
        assert_eq!(own.graft(other, 3).unwrap(), 2);
        let expected = ["# Title", "x = 1", "now", "x + 1", "print(x)", "end"];
        assert_eq!(sources(&own), expected);
        let mut ids: Vec<_> = own.cells().iter().map(|cell| cell.id().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6, "an id that was taken is another now");
    }

    #[test]
    fn a_cell_that_ran_may_not_change() {
        let cells = [
            ("a", "code", "x = 1"),
            ("b", "code", "y = 2"),
            ("c", "code", "1/0"),
        ];
        let mut own = notebook(5, &cells);
        for other in [
            vec![("a", "code", "x = 1"), ("b", "code", "y = 3")],
            vec![("a", "code", "x = 1")],
        ] {
            let error = own.graft(notebook(5, &other), 2).unwrap_err().to_string();
            assert!(error.contains("code cell 2 (`y = 2`)"), "{error}");
            assert_eq!(own.cells().len(), 3);
        }
    }

    #[test]
    fn ids_are_as_the_format_has_them() {
        let mut own = notebook(4, &[("", "code", "1/0")]);
        own.graft(notebook(5, &[("z", "code", "1")]), 0).unwrap();
        assert_eq!(own.cells()[0].id(), None);
        let mut own = notebook(5, &[("z", "code", "1/0")]);
        own.graft(notebook(4, &[("", "code", "1")]), 0).unwrap();
        assert!(own.cells()[0].id().is_some());
    }
}
