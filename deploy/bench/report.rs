//! The figures and how they are printed.

use std::io::{Write as _, stdout};

use anyhow::Result;
use serde_json::{Value, json};

/// Collects figures.
pub(crate) struct Report {
    json: bool,
    figures: Vec<Value>,
}

/// One figure beside its peer.
pub(crate) struct Figure<'a> {
    pub(crate) name: &'a str,
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    /// The goal in words, such as `>=0.8`.
    pub(crate) goal: &'a str,
    pub(crate) met: bool,
    /// What else was seen.
    pub(crate) detail: Value,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            figures: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, figure: &Figure<'_>) -> Result<()> {
        let Figure {
            name,
            ours,
            peer,
            goal,
            met,
            detail,
        } = figure;
        let ratio = ours / peer;
        if !self.json {
            let mark = if *met { "" } else { "  MISSED" };
            writeln!(
                stdout(),
                "{name:32} {ours:12.1} {peer:12.1} {ratio:8.3} {goal:>10}{mark}  {detail}"
            )?;
        }
        self.figures.push(json!({"name": name, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal, "met": met, "detail": detail}));
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.json {
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&self.figures)?)?;
        }
        Ok(())
    }
}

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
