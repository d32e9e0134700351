//! One cell of a notebook: its source and tags to read, its results to set, its other parts kept as they stand.

use serde_json::json;
use serde_json::value::RawValue;

use super::raw::{self, Object};
use crate::error::{Error, Result};

/// How deep a cell's closing brace is indented in a saved notebook.
const DEPTH: usize = 2;

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs.
    Code,
    /// Markdown, raw, or a kind of a later format.
    Other,
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    fields: Object,
    metadata: Object,
    kind: Kind,
    source: String,
    tags: Vec<String>,
    /// What is saved; `None` after a change until it is asked for.
    text: Option<Box<str>>,
}

impl Cell {
    pub(super) fn parse(text: Box<str>, index: usize) -> Result<Self> {
        let invalid = |what: &str| Error::Invalid(format!("cell {} {what}", index + 1));
        let fields = Object::parse(&text).map_err(|_| invalid("is not a JSON object"))?;
        let kind: String = fields
            .read("cell_type")
            .ok_or_else(|| invalid("has no `cell_type`"))?;
        let source = match fields.get("source") {
            None => String::new(),
            Some(text) => source(text).ok_or_else(|| invalid("has a `source` that is not text"))?,
        };
        let metadata = match fields.get("metadata") {
            None => Object::default(),
            Some(text) => {
                Object::parse(text).map_err(|_| invalid("has `metadata` that is not an object"))?
            }
        };
        let kind = if kind == "code" {
            Kind::Code
        } else {
            Kind::Other
        };
        Ok(Self {
            tags: metadata.read("tags").unwrap_or_default(),
            fields,
            metadata,
            kind,
            source,
            text: Some(text),
        })
    }

    /// A new code cell, with one tag or none.
    pub(super) fn made(source: &str, tag: Option<&str>, id: Option<&str>) -> Self {
        let tags: Vec<String> = tag.into_iter().map(str::to_owned).collect();
        let mut metadata = Object::default();
        if !tags.is_empty() {
            metadata.set("tags", raw::pretty(&tags, DEPTH + 2));
        }
        let mut fields = Object::default();
        fields.set("cell_type", "\"code\"");
        fields.set("execution_count", "null");
        if let Some(id) = id {
            fields.set("id", raw::quote(id));
        }
        fields.set("metadata", metadata.render(DEPTH + 1));
        fields.set("outputs", "[]");
        fields.set("source", raw::lines(source, DEPTH + 1));
        Self {
            fields,
            metadata,
            kind: Kind::Code,
            source: source.to_owned(),
            tags,
            text: None,
        }
    }

    /// Whether it is code.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its source, as one text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first line of its source that says something, shortened, to name the cell in messages.
    pub fn title(&self) -> String {
        let mut lines = self.source.lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty()).unwrap_or("(empty)");
        let mut title: String = line.chars().filter(|c| !c.is_control()).take(72).collect();
        if line.chars().count() > 72 {
            title.push('…');
        }
        title
    }

    /// The number of its last execution; none where it never ran.
    pub fn execution_count(&self) -> Option<u64> {
        self.fields.read("execution_count")
    }

    /// All of it as it stands, for parts that have no reader of their own.
    pub(crate) fn fields(&self) -> &Object {
        &self.fields
    }

    pub(crate) fn metadata(&self) -> &Object {
        &self.metadata
    }

    /// Whether an error is among its outputs.
    pub(crate) fn failed(&self) -> bool {
        let outputs: Vec<Object> = self.fields.read("outputs").unwrap_or_default();
        let kinds = outputs
            .iter()
            .map(|output| output.read::<String>("output_type"));
        kinds.flatten().any(|kind| kind == "error")
    }

    /// Whether it carries `tag`.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// Its id; formats before 4.5 have none.
    pub fn id(&self) -> Option<String> {
        self.fields.read("id")
    }

    /// Gives it another id, or none.
    pub(super) fn set_id(&mut self, id: Option<&str>) {
        if self.id().as_deref() == id {
            return;
        }
        match id {
            Some(id) => self.fields.set("id", raw::quote(id)),
            None => self.fields.remove("id"),
        }
        self.text = None;
    }

    /// Sets what running the cell gave: the prompt number and the JSON text of the list of outputs.
    pub(crate) fn set_results(&mut self, execution_count: Option<u64>, outputs: String) {
        let count = execution_count.map_or_else(|| "null".to_owned(), |count| count.to_string());
        self.fields.set("execution_count", count);
        self.fields.set("outputs", outputs);
        self.text = None;
    }

    pub(crate) fn set_source(&mut self, source: String) {
        self.fields.set("source", raw::lines(&source, DEPTH + 1));
        self.source = source;
        self.text = None;
    }

    /// Sets the cell's status and times, in papermill's words and units (seconds).
    pub(crate) fn set_progress(&mut self, progress: &Progress) {
        let papermill = json!({
            "duration": progress.duration_ms().map(seconds),
            "end_time": progress.ended_ms.map(crate::clock::iso),
            "exception": progress.exception,
            "start_time": progress.started_ms.map(crate::clock::iso),
            "status": progress.status,
        });
        let papermill = raw::pretty(&papermill, DEPTH + 2);
        self.metadata.set("papermill", papermill);
        self.fields.set("metadata", self.metadata.render(DEPTH + 1));
        self.text = None;
    }

    pub(super) fn text(&mut self) -> &str {
        let fields = &self.fields;
        self.text
            .get_or_insert_with(|| fields.render(DEPTH).into_boxed_str())
    }
}

/// How far a cell has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) status: &'static str,
    pub(crate) exception: Option<bool>,
    pub(crate) started_ms: Option<u64>,
    pub(crate) ended_ms: Option<u64>,
}

impl Progress {
    pub(crate) const PENDING: Self = Self {
        status: "pending",
        exception: None,
        started_ms: None,
        ended_ms: None,
    };

    pub(crate) fn running(started_ms: u64) -> Self {
        Self {
            status: "running",
            exception: Some(false),
            started_ms: Some(started_ms),
            ended_ms: None,
        }
    }

    pub(crate) fn ended(self, ended_ms: u64, failed: bool) -> Self {
        Self {
            status: if failed { "failed" } else { "completed" },
            exception: Some(failed),
            ended_ms: Some(ended_ms),
            ..self
        }
    }

    pub(crate) fn duration_ms(&self) -> Option<u64> {
        Some(self.ended_ms?.saturating_sub(self.started_ms?))
    }
}

/// Milliseconds as papermill's seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a duration in milliseconds is far below 2^52"
)]
pub(crate) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A cell's source: text, or a list of texts.
fn source(text: &str) -> Option<String> {
    if let Ok(text) = serde_json::from_str::<String>(text) {
        return Some(text);
    }
    let parts: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
    let mut joined = String::new();
    for part in parts {
        joined.push_str(&serde_json::from_str::<String>(part.get()).ok()?);
    }
    Some(joined)
}
