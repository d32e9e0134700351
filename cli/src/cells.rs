//! `cairn cells`: which cells of a notebook a selection needs to run by itself, and the notebook that they make. Asks no server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use kernels::notebook::{Document, Kind};
use kernels::promote::{self, Needed, Proposal, Reason};
use serde_json::json;

use crate::exit;
use crate::output::{self, Table};

/// Arguments of `cairn cells`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The notebook.
    #[arg(value_name = "NOTEBOOK")]
    notebook: PathBuf,
    /// The selection: numbers of code cells, counted from 1, such as 3,5-7. Without it the cells are listed.
    #[arg(value_name = "CELLS", value_parser = numbers)]
    selection: Option<Numbers>,
    /// Cells to take besides those that are proposed.
    #[arg(long, value_name = "CELLS", value_parser = numbers, requires = "selection")]
    with: Option<Numbers>,
    /// Cells to leave out although they are proposed.
    #[arg(long, value_name = "CELLS", value_parser = numbers, requires = "selection")]
    without: Option<Numbers>,
    /// Write them as a notebook, which `cairn run --notebook` runs.
    #[arg(long, short, value_name = "F", requires = "selection")]
    output: Option<PathBuf>,
}

/// Numbers from 1 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers(BTreeSet<usize>);

/// More cells than this no notebook has.
const MOST: usize = 100_000;

fn numbers(text: &str) -> Result<Numbers, String> {
    let number = |text: &str| {
        let number = text.trim().parse().ok();
        let sane = number.filter(|number| (1..=MOST).contains(number));
        sane.ok_or_else(|| format!("`{text}` is no number of a cell: they begin with 1"))
    };
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("`{part}` runs backwards"));
        }
        all.extend(first..=last);
    }
    Ok(Numbers(all))
}

/// Carries it out.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let document = Document::read(&args.notebook)?;
    let code: Vec<usize> = document.code_cells().collect();
    let Some(selection) = &args.selection else {
        list(&document, &code, json)?;
        return Ok(exit::code(0));
    };
    let positions = |numbers: &Option<Numbers>| {
        let numbers = numbers.iter().flat_map(|numbers| &numbers.0);
        numbers
            .map(|number| {
                let found = code.get(number - 1).copied();
                found.with_context(|| {
                    format!(
                        "there is no code cell {number}: the notebook has {}",
                        code.len()
                    )
                })
            })
            .collect::<anyhow::Result<BTreeSet<usize>>>()
    };
    let mut wanted = positions(&Some(selection.clone()))?;
    wanted.extend(positions(&args.with)?);
    let without = positions(&args.without)?;
    ensure!(
        wanted.is_disjoint(&without),
        "a cell cannot be taken and left out"
    );
    let mut proposal = promote::propose(&document, &wanted);
    proposal
        .cells
        .retain(|needed| !without.contains(&needed.cell));
    show(&document, &code, &proposal, json)?;
    if let Some(path) = &args.output {
        write(&document, &proposal, path)?;
    }
    Ok(exit::code(0))
}

/// The number that people say.
fn number(code: &[usize], cell: usize) -> usize {
    code.iter()
        .position(|at| *at == cell)
        .map_or(0, |at| at + 1)
}

fn list(document: &Document, code: &[usize], json: bool) -> anyhow::Result<()> {
    let cells = code
        .iter()
        .zip(1..)
        .map(|(&at, number)| (number, &document.cells()[at]));
    if json {
        let items: Vec<_> = cells
            .map(|(number, cell)| json!({"cell": number, "execution_count": cell.execution_count(), "title": cell.title()}))
            .collect();
        return output::json(&json!({"items": items, "next": null}));
    }
    let mut table = Table::new(&["CELL", "RAN", "SOURCE"]);
    for (number, cell) in cells {
        table.row([
            number.to_string(),
            ran(cell.execution_count()),
            cell.title(),
        ]);
    }
    table.print("This notebook has no code.")?;
    Ok(())
}

fn show(
    document: &Document,
    code: &[usize],
    proposal: &Proposal,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let cells: Vec<_> = proposal
            .cells
            .iter()
            .map(|needed| {
                json!({
                    "cell": number(code, needed.cell),
                    "reasons": needed.reasons,
                    "doubt": is_doubtful(needed),
                })
            })
            .collect();
        return output::json(&json!({"cells": cells, "doubts": proposal.doubts}));
    }
    let mut table = Table::new(&["CELL", "RAN", "WHY", "SOURCE"]);
    for needed in &proposal.cells {
        let cell = &document.cells()[needed.cell];
        let why: Vec<String> = needed.reasons.iter().map(ToString::to_string).collect();
        let mark = if is_doubtful(needed) { "? " } else { "" };
        let why = format!("{mark}{}", output::shorten(&why.join("; "), 60));
        table.row([
            number(code, needed.cell).to_string(),
            ran(cell.execution_count()),
            why,
            output::shorten(&cell.title(), 50),
        ]);
    }
    table.print("")?;
    for doubt in &proposal.doubts {
        output::note(format!("Doubt: {doubt}."));
    }
    Ok(())
}

/// Whether it may not be needed after all.
fn is_doubtful(needed: &Needed) -> bool {
    needed.reasons.iter().all(Reason::is_doubt)
}

fn ran(count: Option<u64>) -> String {
    count.map_or_else(String::new, |count| format!("[{count}]"))
}

fn write(document: &Document, proposal: &Proposal, path: &Path) -> anyhow::Result<()> {
    let order: Vec<usize> = proposal.cells.iter().map(|needed| needed.cell).collect();
    debug_assert!(
        order
            .iter()
            .all(|&at| document.cells()[at].kind() == Kind::Code)
    );
    let text = document.excerpt(&order).render();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already: choose another name", path.display())
        }
        file => file.with_context(|| format!("{} cannot be written", path.display()))?,
    };
    std::io::Write::write_all(&mut file, text.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let shown = path.display();
    output::note(format!(
        "Wrote {shown}. `cairn run --notebook {shown}` runs it as a job."
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_numbers_and_ranges() {
        assert_eq!(
            numbers("3,5-7").expect("numbers").0,
            BTreeSet::from([3, 5, 6, 7])
        );
        for bad in ["", "0", "a", "5-3", "1,,2", "1-", "-1", "99999999999"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }
}
