//! What a run has put out so far: it turns the kernel's messages into the executed notebook and saves it.
//! Talks to no kernel.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::At;
use crate::client::Message;
use crate::clock;
use crate::error::{Error, Result};
use crate::lenient;
use crate::notebook::{Document, Progress, raw, seconds};
use crate::outputs::{Bundle, Outputs, Raised, Room};
use crate::save;
use crate::sink::Stream;
use crate::widgets::Widgets;

/// What all cells together may keep.
const TOTAL_BYTES: usize = 512 * 1024 * 1024;
/// How often a running cell's outputs are saved, where saving is quick.
const SAVE_EVERY: Duration = Duration::from_secs(2);

pub(super) struct Record {
    pub(super) document: Document,
    /// The source of the cell of parameters that was put in.
    pub(super) injected: Option<Injected>,
    /// What is to be told of each time the run was held and went on.
    pub(super) resumed: Vec<Value>,
    output: PathBuf,
    cell_bytes: usize,
    facts: Value,
    started_ms: u64,
    cells: HashMap<usize, Cell>,
    changed: BTreeSet<usize>,
    /// Which cell each request was for.
    pub(super) requests: HashMap<String, usize>,
    /// Requests for cells that others have taken the place of: what they still print goes to the log alone.
    pub(super) replaced: HashSet<String>,
    /// Which cells show a display id.
    displays: HashMap<String, BTreeSet<usize>>,
    widgets: Widgets,
    bytes: usize,
    saved: Instant,
    save_cost: Duration,
}

/// The cell of parameters that the run made.
pub(super) struct Injected {
    pub(super) source: String,
    /// What stood in its place: that of an earlier run.
    pub(super) replaced: Option<String>,
}

struct Cell {
    outputs: Outputs,
    execution_count: Option<u64>,
    progress: Progress,
}

impl Record {
    /// Begins a record: old results are taken out of the document.
    pub(super) fn new(
        document: Document,
        injected: Option<Injected>,
        output: PathBuf,
        cell_bytes: usize,
        facts: Value,
    ) -> Self {
        let mut record = Self {
            document,
            injected,
            resumed: Vec::new(),
            output,
            cell_bytes,
            facts,
            started_ms: clock::now_ms(),
            cells: HashMap::new(),
            changed: BTreeSet::new(),
            requests: HashMap::new(),
            replaced: HashSet::new(),
            displays: HashMap::new(),
            widgets: Widgets::default(),
            bytes: 0,
            saved: Instant::now(),
            save_cost: Duration::ZERO,
        };
        for index in record.document.code_cells().collect::<Vec<_>>() {
            record.cell(index);
        }
        record.describe(None);
        record
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// The first code cell at `from` or behind it.
    pub(super) fn code_cell_from(&self, from: usize) -> Option<usize> {
        self.document.code_cells().find(|index| *index >= from)
    }

    /// Names a cell for people.
    pub(super) fn at(&self, index: usize) -> At {
        let cells: Vec<usize> = self.document.code_cells().collect();
        At {
            number: cells.iter().filter(|own| **own <= index).count(),
            total: cells.len(),
            title: self.document.cells()[index].title(),
        }
    }

    /// Remembers that the messages for `request` belong to a cell, which runs from now on.
    pub(super) fn begin(&mut self, index: usize, request: String) {
        self.requests.insert(request, index);
        self.cell(index).progress = Progress::running(clock::now_ms());
    }

    /// Marks a cell as done; `failed` also where it was only interrupted.
    pub(super) fn end(&mut self, index: usize, failed: bool) {
        let cell = self.cell(index);
        if cell.progress.started_ms.is_none() {
            cell.progress = Progress::running(clock::now_ms());
        }
        cell.progress = cell.progress.ended(clock::now_ms(), failed);
    }

    /// How long a cell that is done has run.
    pub(super) fn duration_ms(&mut self, index: usize) -> u64 {
        self.cell(index).progress.duration_ms().unwrap_or(0)
    }

    /// Adds an error that no kernel reported.
    pub(super) fn add_error(&mut self, index: usize, raised: Raised) {
        self.cell(index).outputs.error(raised);
    }

    /// Takes a message of the publishing socket in, and gives the text that is to go to a stream of ours.
    ///
    /// What belongs to an earlier cell goes to that cell. `current` gets what belongs to no request.
    pub(super) fn receive(
        &mut self,
        message: &Message,
        current: Option<usize>,
    ) -> Option<(Stream, String)> {
        if message.kind.starts_with("comm_") {
            self.widgets.receive(&message.content, &message.buffers);
            return None;
        }
        if message.kind == "stream" && self.replaced.contains(&message.parent) {
            let printed: Printed = lenient::from_slice(&message.content).ok()?;
            return Some((stream_of(&printed.name), printed.text));
        }
        let owner = self.requests.get(&message.parent).copied();
        let is_orphan = message.parent.is_empty();
        let index = owner.or(current.filter(|_| is_orphan))?;
        self.apply(index, message).unwrap_or_else(|error| {
            let kind = &message.kind;
            let warning =
                format!("warning: a `{kind}` message of the kernel was left out: {error}\n");
            Some((Stream::Stderr, warning))
        })
    }

    /// Takes what `kernel_info` says about the language in; unchanged facts keep their text.
    pub(super) fn set_language(&mut self, info: &Value) {
        let old: Option<Value> = self.document.metadata().read("language_info");
        if info.is_object() && old.as_ref() != Some(info) {
            self.document
                .set_metadata("language_info", raw::pretty(info, 2));
        }
    }

    /// Whether there is anything that was not saved yet.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Whether there is something new that has waited long enough; saving takes a twentieth of the time at most.
    pub(super) fn is_save_due(&self) -> bool {
        !self.changed.is_empty() && self.saved.elapsed() >= self.pause()
    }

    /// When to look again whether a save is due.
    pub(super) fn next_save(&self) -> Instant {
        self.saved + self.pause()
    }

    /// Saves the notebook as it stands.
    pub(super) fn save(&mut self, durable: bool) -> Result<()> {
        let began = Instant::now();
        for index in std::mem::take(&mut self.changed) {
            let cell = &self.cells[&index];
            let (outputs, count, progress) =
                (cell.outputs.render(), cell.execution_count, cell.progress);
            let target = self.document.cell_mut(index);
            target.set_results(count, outputs);
            target.set_progress(&progress);
        }
        let saved = save::replace(&self.output, &self.document.render(), durable);
        self.saved = Instant::now();
        self.save_cost = began.elapsed();
        saved.map_err(|source| Error::Save {
            path: self.output.clone(),
            source,
        })
    }

    /// Writes what is known of the whole run into the document's metadata.
    pub(super) fn describe(&mut self, ended: Option<bool>) {
        let ended_ms = ended.map(|_| clock::now_ms());
        let mut facts = self.facts.clone();
        facts["start_time"] = json!(clock::iso(self.started_ms));
        facts["end_time"] = json!(ended_ms.map(clock::iso));
        facts["duration"] = json!(ended_ms.map(|ms| seconds(ms.saturating_sub(self.started_ms))));
        facts["exception"] = json!(ended.filter(|failed| *failed));
        self.document
            .set_metadata("papermill", raw::pretty(&facts, 2));
        self.describe_holds();
        if let Some(widgets) = self.widgets.metadata() {
            self.document
                .set_metadata("widgets", raw::pretty(&widgets, 2));
        }
    }

    /// What else stands under `cairn` stays; what an earlier run has told of itself does not.
    fn describe_holds(&mut self) {
        let known = self.document.metadata().read::<Map<String, Value>>("cairn");
        let mut cairn = known.unwrap_or_default();
        if self.resumed.is_empty() && cairn.remove("resumed").is_none() {
            return;
        }
        if !self.resumed.is_empty() {
            cairn.insert("resumed".to_owned(), json!(self.resumed));
        }
        self.document.set_metadata("cairn", raw::pretty(&cairn, 2));
    }

    /// Forgets what the cells from `from` to before `to` have given; those that are still there begin anew.
    pub(super) fn forget(&mut self, from: usize, to: usize) {
        for index in from..to {
            let Some(cell) = self.cells.remove(&index) else {
                continue;
            };
            self.bytes -= cell.outputs.bytes();
            self.changed.remove(&index);
        }
        for shown in self.displays.values_mut() {
            shown.retain(|index| !(from..to).contains(index));
        }
        let cells: Vec<usize> = self.document.code_cells().collect();
        for index in cells.into_iter().filter(|index| (from..to).contains(index)) {
            self.cell(index);
        }
    }

    fn pause(&self) -> Duration {
        SAVE_EVERY.max(self.save_cost * 20)
    }

    /// The cell's results; asking for them counts as a change.
    fn cell(&mut self, index: usize) -> &mut Cell {
        self.changed.insert(index);
        self.cells.entry(index).or_insert_with(|| Cell {
            outputs: Outputs::default(),
            execution_count: None,
            progress: Progress::PENDING,
        })
    }

    /// Changes a cell's outputs and keeps account of the bytes.
    fn within<T>(&mut self, index: usize, change: impl FnOnce(&mut Outputs, Room) -> T) -> T {
        let room = Room {
            cell_bytes: self.cell_bytes,
            left_bytes: TOTAL_BYTES.saturating_sub(self.bytes),
        };
        let outputs = &mut self.cell(index).outputs;
        let before = outputs.bytes();
        let given = change(outputs, room);
        let after = outputs.bytes();
        self.bytes = self.bytes - before + after;
        given
    }

    fn apply(
        &mut self,
        index: usize,
        message: &Message,
    ) -> serde_json::Result<Option<(Stream, String)>> {
        let content = &message.content;
        match message.kind.as_str() {
            "stream" => return Ok(Some(self.stream(index, lenient::from_slice(content)?))),
            "display_data" | "execute_result" => {
                self.bundle(index, lenient::from_slice(content)?);
            }
            "update_display_data" => self.update_displays(&lenient::from_slice(content)?),
            "error" => {
                let raised = lenient::from_slice(content)?;
                self.cell(index).outputs.error(raised);
            }
            "clear_output" => {
                let Clear { wait } = lenient::from_slice(content)?;
                self.within(index, |outputs, _| outputs.clear(wait));
            }
            "execute_input" => {
                let Input { execution_count } = lenient::from_slice(content)?;
                self.cell(index).execution_count = execution_count;
            }
            _ => {}
        }
        Ok(None)
    }

    fn stream(&mut self, index: usize, printed: Printed) -> (Stream, String) {
        let Printed { name, text } = printed;
        self.within(index, |outputs, room| outputs.stream(&name, &text, room));
        (stream_of(&name), text)
    }

    fn bundle(&mut self, index: usize, bundle: Bundle) {
        self.update_displays(&bundle);
        if let Some(id) = bundle.display_id() {
            self.displays
                .entry(id.to_owned())
                .or_default()
                .insert(index);
        }
        if let Some(count) = bundle.execution_count() {
            self.cell(index).execution_count = Some(count);
        }
        self.within(index, |outputs, room| outputs.bundle(bundle, room));
    }

    /// Every display with the same id shows the same, in whichever cell it is.
    fn update_displays(&mut self, bundle: &Bundle) {
        let known = bundle.display_id().and_then(|id| self.displays.get(id));
        for index in known.cloned().unwrap_or_default() {
            self.within(index, |outputs, room| outputs.update(bundle, room));
        }
    }
}

fn stream_of(name: &str) -> Stream {
    if name == "stderr" {
        Stream::Stderr
    } else {
        Stream::Stdout
    }
}

#[derive(Deserialize)]
struct Printed {
    name: String,
    text: String,
}

#[derive(Deserialize)]
struct Clear {
    #[serde(default)]
    wait: bool,
}

#[derive(Deserialize)]
struct Input {
    execution_count: Option<u64>,
}
