//! Notebook documents: reading and checking them, their cells, and writing them back with every part that was not touched
//! exactly as it stood. Knows nothing of kernels.

mod cell;
mod graft;
mod parameters;
pub(crate) mod raw;

use std::path::Path;

use serde_json::value::RawValue;

pub use self::cell::{Cell, Kind};
pub(crate) use self::cell::{Progress, seconds};
pub(crate) use self::parameters::declared;
pub use self::parameters::{Parameter, coerce};
use self::raw::Object;
use crate::error::{Error, Result};

/// A notebook of format 4.
///
/// What it does not understand it keeps, byte for byte: unknown metadata, attachments, big numbers, key order.
#[derive(Debug, Clone)]
pub struct Document {
    fields: Object,
    metadata: Object,
    cells: Vec<Cell>,
    minor: u32,
    tail: String,
}

impl Document {
    /// Reads and checks a notebook.
    ///
    /// # Errors
    /// `Invalid` when `text` is not JSON, not a notebook, or not of format 4; the message says what to do.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let fields: Object = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
        let minor = check_format(&fields)?;
        let raw: Vec<Box<RawValue>> = fields
            .read("cells")
            .ok_or_else(|| Error::Invalid("this notebook has no list of cells".into()))?;
        let cells = raw
            .into_iter()
            .enumerate()
            .map(|(index, cell)| Cell::parse(cell.into(), index))
            .collect::<Result<Vec<_>>>()?;
        let metadata = match fields.get("metadata") {
            None => Object::default(),
            Some(text) => Object::parse(text).map_err(|_| {
                Error::Invalid("this notebook's metadata is not a JSON object".into())
            })?,
        };
        let tail = text[text.trim_end().len()..].to_owned();
        Ok(Self {
            fields,
            metadata,
            cells,
            minor,
            tail,
        })
    }

    /// Reads the notebook at `path`.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `Invalid` as [`Document::parse`] or when it is not text.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        // A pipe or a device would keep us waiting for ever.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::Invalid(format!(
                "{shown} is not a notebook: it is not a file"
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::NotFound(format!("there is no notebook {shown}"))
            }
            _ => Error::Invalid(format!("the notebook {shown} cannot be read: {error}")),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::Invalid(format!("{shown} is not a notebook: it is not UTF-8 text"))
        })?;
        Self::parse(&text).map_err(|error| match error {
            Error::Invalid(message) => Error::Invalid(format!("{shown}: {message}")),
            other => other,
        })
    }

    /// The document as it is saved.
    pub fn render(&mut self) -> String {
        let cells = self.cells.iter_mut().map(|cell| cell.text().to_owned());
        let cells = raw::bracket(('[', ']'), cells, 1);
        self.fields.set("cells", cells);
        let mut text = self.fields.render(0);
        // The text of all cells would otherwise be held twice.
        self.fields.set("cells", "[]");
        text.push_str(&self.tail);
        text
    }

    /// All cells, in order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells at these positions, in this order, as a notebook of their own: without what running them gave, with all else.
    #[must_use]
    pub fn excerpt(&self, order: &[usize]) -> Self {
        let cells = order.iter().filter_map(|&at| self.cells.get(at));
        let mut cells: Vec<Cell> = cells.cloned().collect();
        for cell in cells.iter_mut().filter(|cell| cell.kind() == Kind::Code) {
            cell.set_results(None, "[]".to_owned());
        }
        Self {
            cells,
            ..self.clone()
        }
    }

    /// The positions of the code cells.
    pub fn code_cells(&self) -> impl Iterator<Item = usize> + '_ {
        let cells = self.cells.iter().enumerate();
        cells.filter_map(|(index, cell)| (cell.kind() == Kind::Code).then_some(index))
    }

    /// The name of the kernel the notebook was saved with.
    pub fn kernel_name(&self) -> Option<String> {
        let spec: Object = self.metadata.read("kernelspec")?;
        spec.read("name")
    }

    /// The notebook's programming language, in lower case.
    pub fn language(&self) -> Option<String> {
        let info: Option<Object> = self.metadata.read("language_info");
        let named = info.and_then(|info| info.read::<String>("name"));
        let spec = || self.metadata.read::<Object>("kernelspec")?.read("language");
        named.or_else(spec).map(|name: String| name.to_lowercase())
    }

    /// The parameters that the first cell tagged `parameters` declares, with their defaults; empty without such a cell.
    pub fn parameters(&self) -> Vec<Parameter> {
        let cell = self.tagged("parameters").map(|index| &self.cells[index]);
        cell.map(|cell| parameters::declared(cell.source()))
            .unwrap_or_default()
    }

    pub(crate) fn cell_mut(&mut self, index: usize) -> &mut Cell {
        &mut self.cells[index]
    }

    pub(crate) fn metadata(&self) -> &Object {
        &self.metadata
    }

    /// Sets one key of the notebook's metadata to JSON text.
    pub(crate) fn set_metadata(&mut self, key: &str, text: String) {
        self.metadata.set(key, text);
        self.fields.set("metadata", self.metadata.render(1));
    }

    /// Puts a cell of parameters in by papermill's rule and gives its position: the first cell tagged
    /// `injected-parameters` is replaced, else it goes after the first tagged `parameters`, else to the top.
    pub(crate) fn inject(&mut self, source: &str) -> usize {
        let replaced = self.tagged("injected-parameters");
        let old_id = replaced.and_then(|index| self.cells[index].id());
        let id = (self.minor >= 5).then(|| old_id.unwrap_or_else(|| self.new_id()));
        let cell = Cell::made(source, Some("injected-parameters"), id.as_deref());
        if let Some(index) = replaced {
            self.cells[index] = cell;
            return index;
        }
        let index = self.tagged("parameters").map_or(0, |index| index + 1);
        self.cells.insert(index, cell);
        index
    }

    /// The source of the cell tagged `injected-parameters`.
    pub(crate) fn injected(&self) -> Option<&str> {
        self.tagged("injected-parameters")
            .map(|index| self.cells[index].source())
    }

    /// Puts a new code cell before the one at `at`.
    pub(crate) fn insert(&mut self, at: usize, source: &str, tag: Option<&str>) {
        let id = (self.minor >= 5).then(|| self.new_id());
        let cell = Cell::made(source, tag, id.as_deref());
        self.cells.insert(at, cell);
    }

    /// Moves a cell to before the one at `to`, which is not behind it.
    pub(crate) fn move_up(&mut self, from: usize, to: usize) {
        self.cells[to..=from].rotate_right(1);
    }

    fn tagged(&self, tag: &str) -> Option<usize> {
        self.cells.iter().position(|cell| cell.has_tag(tag))
    }

    fn new_id(&self) -> String {
        loop {
            let mut id = uuid::Uuid::new_v4().simple().to_string();
            id.truncate(8);
            if !self
                .cells
                .iter()
                .any(|cell| cell.id().as_ref() == Some(&id))
            {
                return id;
            }
        }
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> Error {
    if error.is_data() && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Error::Invalid("this is JSON, but not a notebook: it is not an object".into());
    }
    Error::Invalid(format!("this is not a notebook: not valid JSON ({error})"))
}

fn check_format(fields: &Object) -> Result<u32> {
    let Some(major) = fields.read::<u32>("nbformat") else {
        return Err(Error::Invalid(
            "this is JSON, but not a notebook: it has no `nbformat` number".into(),
        ));
    };
    match major {
        4 => Ok(fields.read("nbformat_minor").unwrap_or(0)),
        0..4 => Err(Error::Invalid(format!(
            "this notebook has format {major}, and format 4 is needed: open and save it in JupyterLab, or run \
             `jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK`"
        ))),
        _ => Err(Error::Invalid(format!(
            "this notebook has format {major}, and this version of Cairn reads format 4"
        ))),
    }
}

#[cfg(test)]
mod tests;
