//! The state of a notebook's widgets, from the comm messages of its kernel, as saved notebooks hold it. It answers nothing.
//!
//! Source: nbclient `client.py` `handle_comm_msg`, `set_widgets_metadata`; the widget-state schema 2.0.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::lenient;

/// Past this much state further changes are left out.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// The widgets a kernel has opened.
#[derive(Debug, Default)]
pub(crate) struct Widgets {
    models: BTreeMap<String, Model>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Model {
    state: Map<String, Value>,
    buffers: BTreeMap<String, Value>,
}

/// The content of `comm_open` and `comm_msg`.
#[derive(Debug, Deserialize)]
struct Message {
    comm_id: String,
    #[serde(default)]
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    #[serde(default)]
    state: Option<Map<String, Value>>,
    #[serde(default)]
    buffer_paths: Vec<Value>,
}

impl Widgets {
    /// Takes a comm message in; anything but a widget's state is let pass.
    pub(crate) fn receive<B: AsRef<[u8]>>(&mut self, content: &[u8], buffers: &[B]) {
        let Ok(Message { comm_id, data }) = lenient::from_slice::<Message>(content) else {
            return;
        };
        let Some(state) = data.state else { return };
        // An upper bound: what a change replaces is not taken off.
        let bytes = content.len()
            + buffers
                .iter()
                .map(|buffer| buffer.as_ref().len())
                .sum::<usize>();
        if self.bytes + bytes > LIMIT_BYTES {
            self.bytes = self.measure();
            if self.bytes + bytes > LIMIT_BYTES {
                return;
            }
        }
        self.bytes += bytes;
        let model = self.models.entry(comm_id).or_default();
        model.state.extend(state);
        for (path, buffer) in data.buffer_paths.into_iter().zip(buffers) {
            let data = STANDARD.encode(buffer);
            let value = json!({"data": data, "encoding": "base64", "path": path});
            model.buffers.insert(path.to_string(), value);
        }
    }

    /// What goes under `widgets` in the notebook's metadata; `None` without widgets.
    pub(crate) fn metadata(&self) -> Option<Value> {
        let known = self
            .models
            .iter()
            .filter(|(_, model)| model.state.contains_key("_model_name"));
        let state: Map<String, Value> = known
            .map(|(id, model)| (id.clone(), model.save()))
            .collect();
        if state.is_empty() {
            return None;
        }
        Some(json!({
            "application/vnd.jupyter.widget-state+json": {
                "state": state,
                "version_major": 2,
                "version_minor": 0,
            }
        }))
    }

    fn measure(&self) -> usize {
        let size = |model: &Model| {
            let state: usize = model
                .state
                .values()
                .map(|value| value.to_string().len())
                .sum();
            let buffers: usize = model
                .buffers
                .values()
                .map(|value| value.to_string().len())
                .sum();
            state + buffers
        };
        self.models.values().map(size).sum()
    }
}

impl Model {
    fn save(&self) -> Value {
        let named = |key: &str| self.state.get(key).cloned().unwrap_or(Value::Null);
        let mut saved = json!({
            "model_module": named("_model_module"),
            "model_module_version": named("_model_module_version"),
            "model_name": named("_model_name"),
            "state": self.state,
        });
        if !self.buffers.is_empty() {
            saved["buffers"] = self.buffers.values().cloned().collect();
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Widgets;

    #[test]
    fn later_state_is_laid_over_earlier_state() {
        let mut widgets = Widgets::default();
        let none: [&[u8]; 0] = [];
        widgets.receive(
            br#"{"comm_id": "a", "data": {"state": {"_model_name": "M", "value": 1}}}"#,
            &none,
        );
        widgets.receive(
            br#"{"comm_id": "a", "data": {"method": "update", "state": {"value": 2}, "buffer_paths": [["x"]]}}"#,
            &[b"hi"],
        );
        let saved = widgets.metadata().unwrap();
        let model = &saved["application/vnd.jupyter.widget-state+json"]["state"]["a"];
        assert_eq!(model["state"]["value"], json!(2));
        assert_eq!(
            model["buffers"],
            json!([{"data": "aGk=", "encoding": "base64", "path": ["x"]}])
        );
    }

    #[test]
    fn other_comm_messages_are_let_pass() {
        let mut widgets = Widgets::default();
        let none: [&[u8]; 0] = [];
        for content in [
            &b"{"[..],
            b"[]",
            b"{\"comm_id\": 3}",
            b"{\"comm_id\": \"a\", \"data\": {}}",
        ] {
            widgets.receive(content, &none);
        }
        assert_eq!(widgets.metadata(), None);
    }
}
