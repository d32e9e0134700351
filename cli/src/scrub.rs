//! `cairn scrub`: how far reading the store again is, and the damage that it found.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use crate::api::Call;
use crate::clock;
use crate::exit;
use crate::output::{self, Table};
use crate::session::{Session, block_on};

#[derive(Deserialize)]
struct Page {
    items: Vec<Pass>,
}

#[derive(Deserialize)]
struct Pass {
    number: i64,
    percent: i64,
    files: u64,
    bytes: u64,
    damaged: u64,
    unread: u64,
    found: Vec<Damage>,
    started_ms: i64,
    ended_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Damage {
    files: Vec<File>,
    more: u64,
    concerns: Vec<Concern>,
    #[serde(default)]
    more_concerns: u64,
}

#[derive(Deserialize)]
struct File {
    path: String,
    hash: String,
    fault: String,
}

#[derive(Deserialize)]
struct Concern {
    kind: String,
    project: String,
    name: String,
}

/// Prints the last passes, and what they found. Exits with 1 where the newest found damage.
pub(crate) fn run(json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    let value: Value = block_on(
        session
            .client
            .call(Call::get(&["scrubs"]).query("limit", &10)),
    )?;
    if json {
        output::json(&value)?;
    }
    let page: Page = serde_json::from_value(value)?;
    let damaged = page.items.first().is_some_and(|pass| pass.damaged > 0);
    if !json {
        show(&page)?;
    }
    Ok(exit::code(u8::from(damaged)))
}

fn show(page: &Page) -> anyhow::Result<()> {
    let mut table = Table::new(&["PASS", "BEGAN", "ENDED", "DONE", "FILES", "SIZE", "DAMAGED"]);
    for pass in &page.items {
        table.row([
            pass.number.to_string(),
            clock::iso(pass.started_ms),
            pass.ended_ms.map(clock::iso).unwrap_or_default(),
            format!("{} %", pass.percent),
            pass.files.to_string(),
            output::bytes(pass.bytes),
            pass.damaged.to_string(),
        ]);
    }
    table.print("The store was not read again yet.")?;
    if let Some(pass) = page.items.first().filter(|pass| pass.unread > 0) {
        let count = pass.unread;
        output::line(format!(
            "\nPass {} could not read {count} of them, so that nothing is known of these: the log of the service says why.",
            pass.number
        ))?;
    }
    let found = page.items.iter().flat_map(|pass| &pass.found);
    for damage in found {
        output::line("")?;
        lines(damage).iter().try_for_each(output::line)?;
    }
    Ok(())
}

fn lines(damage: &Damage) -> Vec<String> {
    let mut lines: Vec<String> = damage
        .concerns
        .iter()
        .map(|one| {
            let (kind, project) = (output::clean(&one.kind), output::clean(&one.project));
            let name = output::clean(&one.name);
            match &*one.kind {
                "version" | "workspace" | "home" => format!("{kind} {project}/{name}"),
                _ => format!("{kind} {project}{name}"),
            }
        })
        .collect();
    if damage.more_concerns > 0 {
        lines.push(format!("and {} more", damage.more_concerns));
    }
    if lines.is_empty() {
        lines.push("nothing that is on record".to_owned());
    }
    let files = damage.files.iter().map(|file| {
        let path = match &*file.path {
            "" => &file.hash,
            path => path,
        };
        format!("  {} {}", output::clean(&file.fault), output::clean(path))
    });
    lines.extend(files);
    if damage.files.is_empty() {
        lines.push("  the list of files is damaged".to_owned());
    }
    if damage.more > 0 {
        lines.push(format!("  and {} more", damage.more));
    }
    lines
}
