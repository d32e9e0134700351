//! `cairn gc`: takes away what nothing in the store uses any more, or says what would go.

use std::{process::ExitCode, time::Duration};

use serde::Deserialize;
use serde_json::json;

use crate::api::Call;
use crate::exit;
use crate::output::{self, Table};
use crate::session::{Session, block_on};

/// How often it is asked whether it is done.
const ASK: Duration = Duration::from_millis(200);

/// Arguments of `cairn gc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say what would go, and what used it last.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct Collection {
    state: String,
    report: Option<Report>,
}

#[derive(Deserialize)]
struct Report {
    condemned: Tally,
    waiting: Tally,
    swept: Tally,
    unrecorded: Tally,
    age: Ages,
    faded: Vec<Faded>,
    faded_count: usize,
    damaged_removed: Tally,
    leftovers: Tally,
    unreadable: Vec<String>,
    shared: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct Tally {
    count: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Ages {
    day: Tally,
    week: Tally,
    month: Tally,
    older: Tally,
    unknown: Tally,
}

#[derive(Deserialize)]
struct Faded {
    files: u64,
    bytes: u64,
    held_by: Option<String>,
    goes: bool,
}

/// Carries it out.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        let ended = collected(&session, args.dry_run).await?;
        if json {
            output::json(&ended)?;
        }
        let ended: Collection = serde_json::from_value(ended)?;
        if !json && let Some(report) = &ended.report {
            show(report, args.dry_run)?;
        }
        Ok(exit::code(u8::from(ended.state != "done")))
    })
}

/// Begins a collection and waits for its end.
async fn collected(session: &Session, dry_run: bool) -> anyhow::Result<serde_json::Value> {
    let call = Call::post(&["collections"]).body(json!({"dry_run": dry_run}))?;
    let mut found = session.client.call(call).await?;
    while found["state"] == "running" {
        tokio::time::sleep(ASK).await;
        let number = found["number"].to_string();
        found = session
            .client
            .call(Call::get(&["collections", &number]))
            .await?;
    }
    Ok(found)
}

fn show(report: &Report, dry_run: bool) -> anyhow::Result<()> {
    if !report.unreadable.is_empty() {
        output::note(format!(
            "nothing is removed: {} of the manifests in use cannot be read, so that it is not known what they need; `cairn data verify` tells more",
            report.unreadable.len()
        ));
        return Ok(());
    }
    let words = if dry_run {
        ["would go now", "would go a day later", "waits"]
    } else {
        ["gone", "goes a day later", "waits"]
    };
    let mut table = Table::new(&["", "THINGS", "SIZE"]);
    let rows = [report.swept, report.condemned, report.waiting];
    for (word, tally) in words.into_iter().zip(rows) {
        row(&mut table, word, tally);
    }
    let ages = [
        ("  in since a day", report.age.day),
        ("  a week", report.age.week),
        ("  30 days", report.age.month),
        ("  longer", report.age.older),
        ("  not on record", report.age.unknown),
        ("logs, crashes", report.unrecorded),
        ("damaged, old", report.damaged_removed),
        ("images and trees", report.leftovers),
    ];
    for (word, tally) in ages.into_iter().filter(|(_, tally)| tally.count > 0) {
        row(&mut table, word, tally);
    }
    table.print("")?;
    if report.shared {
        output::note("another process works on the store: nothing was removed");
    }
    if report.faded.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["LAST USED BY", "FILES", "SIZE", ""]);
    for one in &report.faded {
        table.row([
            one.held_by
                .clone()
                .unwrap_or_else(|| "not known".to_owned()),
            one.files.to_string(),
            output::bytes(one.bytes),
            if one.goes { "goes" } else { "later" }.to_owned(),
        ]);
    }
    table.print("")?;
    let more = report.faded_count.saturating_sub(report.faded.len());
    if more > 0 {
        output::note(format!("and {more} more"));
    }
    Ok(())
}

fn row(table: &mut Table, word: &str, tally: Tally) {
    table.row([
        word.to_owned(),
        tally.count.to_string(),
        output::bytes(tally.bytes),
    ]);
}
