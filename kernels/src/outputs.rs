//! What one cell has put out so far, and how a notebook holds it. Knows nothing of kernels or files.
//!
//! Source: nbformat 4.5, "Code cell outputs"; `jupyter_client` messaging.md, "Messages on the `IOPub` channel".

use serde::Deserialize;

use crate::notebook::raw::{Object, Text, bracket, lines, pretty, quote};

/// How deep an output's closing brace is indented in a saved notebook.
const DEPTH: usize = 4;
/// A traceback longer than this is cut.
const TRACEBACK_BYTES: usize = 1024 * 1024;

/// The outputs of one cell.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    items: Vec<Output>,
    bytes: usize,
    clear_at_next: bool,
    is_full: bool,
}

#[derive(Debug)]
enum Output {
    Stream { name: String, text: String },
    Bundle(Bundle),
    Error(Raised),
}

/// A display or a result: the same thing in several mime types.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Bundle {
    #[serde(default)]
    data: Object,
    #[serde(default)]
    metadata: Object,
    #[serde(default)]
    transient: Option<Transient>,
    /// The prompt number; displays have none.
    #[serde(default)]
    execution_count: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Transient {
    #[serde(default)]
    display_id: Option<String>,
}

/// An exception as a kernel reports it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Raised {
    #[serde(default)]
    pub(crate) ename: String,
    #[serde(default)]
    pub(crate) evalue: String,
    #[serde(default)]
    pub(crate) traceback: Vec<String>,
}

/// How many bytes of output a cell may keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// What this cell may hold in all.
    pub(crate) cell_bytes: usize,
    /// What the whole notebook may still take.
    pub(crate) left_bytes: usize,
}

impl Outputs {
    /// The bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds text of a stream, to the last output where that is the same stream.
    pub(crate) fn stream(&mut self, name: &str, text: &str, room: Room) {
        self.clear_if_due();
        let taken = floor_char(text, self.free(room));
        if taken > 0 {
            self.append(name, &text[..taken]);
        }
        if taken < text.len() {
            self.note_full(room);
        }
    }

    /// Adds a display (or a result, which has a prompt number).
    pub(crate) fn bundle(&mut self, bundle: Bundle, room: Room) {
        self.clear_if_due();
        let bytes = bundle.bytes();
        if bytes > self.free(room) {
            return self.note_full(room);
        }
        self.bytes += bytes;
        self.items.push(Output::Bundle(bundle));
    }

    /// Adds an exception; it is kept also when there is no room.
    pub(crate) fn error(&mut self, mut raised: Raised) {
        self.clear_if_due();
        let mut left = TRACEBACK_BYTES;
        for line in &mut raised.traceback {
            line.truncate(floor_char(line, left));
            left -= line.len();
        }
        raised
            .evalue
            .truncate(floor_char(&raised.evalue, TRACEBACK_BYTES));
        self.items.push(Output::Error(raised));
    }

    /// Gives every display with the same id this one's content, and tells whether there was one.
    pub(crate) fn update(&mut self, bundle: &Bundle, room: Room) -> bool {
        let Some(id) = bundle.display_id() else {
            return false;
        };
        let mut is_found = false;
        for item in &mut self.items {
            let Output::Bundle(own) = item else { continue };
            if own.display_id() != Some(id) {
                continue;
            }
            is_found = true;
            let bytes = self.bytes - own.bytes() + bundle.bytes();
            if bytes > room.cell_bytes.min(self.bytes + room.left_bytes) {
                continue;
            }
            self.bytes = bytes;
            own.data.clone_from(&bundle.data);
            own.metadata.clone_from(&bundle.metadata);
        }
        is_found
    }

    /// Removes everything, now or when the next output comes.
    pub(crate) fn clear(&mut self, wait: bool) {
        if wait {
            self.clear_at_next = true;
        } else {
            *self = Self::default();
        }
    }

    /// The JSON text of the list of outputs.
    pub(crate) fn render(&self) -> String {
        bracket(('[', ']'), self.items.iter().map(Output::render), DEPTH - 1)
    }

    fn clear_if_due(&mut self) {
        if self.clear_at_next {
            *self = Self::default();
        }
    }

    fn free(&self, room: Room) -> usize {
        if self.is_full {
            return 0;
        }
        room.left_bytes
            .min(room.cell_bytes.saturating_sub(self.bytes))
    }

    fn append(&mut self, name: &str, text: &str) {
        self.bytes += text.len();
        match self.items.last_mut() {
            Some(Output::Stream {
                name: last,
                text: all,
            }) if last == name => all.push_str(text),
            _ => self.items.push(Output::Stream {
                name: name.to_owned(),
                text: text.to_owned(),
            }),
        }
    }

    fn note_full(&mut self, room: Room) {
        if self.is_full {
            return;
        }
        self.is_full = true;
        let kept = room.cell_bytes.min(self.bytes) / (1024 * 1024);
        let note = format!(
            "\n[cairn] The notebook keeps the first {kept} MiB of this cell's output; what streams printed is in the log in full.\n"
        );
        self.append("stderr", &note);
    }
}

impl Bundle {
    pub(crate) fn display_id(&self) -> Option<&str> {
        self.transient.as_ref()?.display_id.as_deref()
    }

    pub(crate) fn execution_count(&self) -> Option<u64> {
        self.execution_count
    }

    fn bytes(&self) -> usize {
        self.data.bytes() + self.metadata.bytes()
    }

    fn render(&self) -> String {
        let mut data = Object::default();
        for (mime, text) in self.data.iter() {
            data.set(mime, mime_text(mime, text));
        }
        let mut fields = Object::default();
        fields.set("data", data.render(DEPTH + 1));
        if let Some(count) = self.execution_count {
            fields.set("execution_count", count.to_string());
        }
        fields.set("metadata", self.metadata.render(DEPTH + 1));
        let kind = match self.execution_count {
            Some(_) => "\"execute_result\"",
            None => "\"display_data\"",
        };
        fields.set("output_type", kind);
        fields.render(DEPTH)
    }
}

impl Output {
    fn render(&self) -> String {
        let mut fields = Object::default();
        match self {
            Self::Bundle(bundle) => return bundle.render(),
            Self::Stream { name, text } => {
                fields.set("name", quote(name));
                fields.set("output_type", "\"stream\"");
                fields.set("text", lines(text, DEPTH + 1));
            }
            Self::Error(raised) => {
                fields.set("ename", quote(&raised.ename));
                fields.set("evalue", quote(&raised.evalue));
                fields.set("output_type", "\"error\"");
                fields.set("traceback", pretty(&raised.traceback, DEPTH + 1));
            }
        }
        fields.render(DEPTH)
    }
}

/// Text is held as lines, everything else as the kernel sent it.
fn mime_text(mime: &str, text: &str) -> Text {
    let is_text =
        mime.starts_with("text/") || matches!(mime, "application/javascript" | "image/svg+xml");
    let unquoted = is_text.then(|| serde_json::from_str::<String>(text).ok());
    match unquoted.flatten() {
        Some(plain) => lines(&plain, DEPTH + 2).into(),
        None => text.into(),
    }
}

/// The most bytes of `text`, at most `limit`, that end between characters.
fn floor_char(text: &str, limit: usize) -> usize {
    text.floor_char_boundary(limit)
}

#[cfg(test)]
mod tests;
