//! What `promote` proposes is run: the cells alone must give what they gave in the whole notebook.

mod grammar;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use kernels::notebook::Document;
use serde_json::{Value, json};

use self::grammar::{Dice, notebook};
use super::bed::Bed;

const ORACLE: &str = include_str!("promote/oracle.py");
/// Notebooks that are generated, besides those that are written.
const GENERATED: u64 = 50;

struct Case {
    name: String,
    /// In the order of their execution.
    cells: Vec<String>,
    /// The positions of the cells on the page.
    page: Vec<usize>,
    selected: BTreeSet<usize>,
}

/// Written by hand: the cells between lines of `---`, the selected ones marked by a first line `# selected`.
fn written() -> Vec<Case> {
    let text = include_str!("promote/notebooks.txt");
    let mut cases = Vec::new();
    for part in text.split("\n=== ").skip(1) {
        let (name, rest) = part.split_once('\n').unwrap();
        let cells: Vec<String> = rest
            .split("\n---\n")
            .map(|cell| cell.trim_end().to_owned())
            .collect();
        let marked = (0..cells.len()).filter(|&at| cells[at].contains("# selected"));
        cases.push(Case {
            name: name.to_owned(),
            page: (0..cells.len()).collect(),
            selected: marked.collect(),
            cells,
        });
    }
    cases
}

fn generated(seed: u64) -> Case {
    let mut dice = Dice::new(seed);
    let cells = notebook(&mut dice);
    let mut page: Vec<usize> = (0..cells.len()).collect();
    if dice.below(3) == 0 {
        for _ in 0..4 {
            let (one, other) = (dice.below(cells.len()), dice.below(cells.len()));
            page.swap(one, other);
        }
    }
    let count = 1 + dice.below(2);
    let half = cells.len() / 2;
    let selected = (0..count).map(|_| half + dice.below(cells.len() - half));
    Case {
        name: format!("seed {seed}"),
        page,
        selected: selected.collect(),
        cells,
    }
}

fn ask(bed: &Bed, work: &str, jobs: &Value) -> Vec<Value> {
    let script = bed.write("oracle.py", ORACLE);
    let mut child = Command::new(bed.python())
        .arg(script)
        .arg(work)
        .env("IPYTHONDIR", bed.path("ipython"))
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(jobs.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The notebook as it is after a run.
fn document(case: &Case, outputs: &Value) -> Document {
    let mut cells = vec![Value::Null; case.cells.len()];
    for (at, source) in case.cells.iter().enumerate() {
        let error = outputs[at][2].as_str().unwrap();
        let outputs = if error.is_empty() {
            json!([])
        } else {
            json!([{"output_type": "error", "ename": error, "evalue": "", "traceback": []}])
        };
        cells[case.page[at]] = json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": at + 1, "outputs": outputs});
    }
    let text = json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells});
    Document::parse(&text.to_string()).unwrap()
}

#[test]
fn what_is_proposed_gives_the_same_alone() {
    let Some(bed) = Bed::new() else { return };
    let seeds = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = seeds("KERNELS_TEST_SEED").unwrap_or(0);
    let count = seeds("KERNELS_TEST_SEEDS").unwrap_or(GENERATED);
    let reduce = seeds("KERNELS_TEST_REDUCE").is_none_or(|reduce| reduce > 0);
    let mut cases = written();
    cases.extend((first..first + count).map(generated));
    let jobs: Vec<Value> = cases
        .iter()
        .map(|case| json!({"cells": case.cells}))
        .collect();
    let full = ask(&bed, "full", &json!(jobs));
    let mut doubts = Vec::new();
    let mut jobs = Vec::new();
    for (case, outputs) in cases.iter().zip(&full) {
        let selected = case.selected.iter().map(|&at| case.page[at]).collect();
        let proposal = kernels::promote::propose(&document(case, outputs), &selected);
        let order = |cell: usize| case.page.iter().position(|&at| at == cell).unwrap();
        let proposed: Vec<usize> = proposal
            .cells
            .iter()
            .map(|needed| order(needed.cell))
            .collect();
        jobs.push(json!({"cells": case.cells, "selected": case.selected, "full": outputs, "proposed": proposed, "reduce": reduce}));
        doubts.push(proposal);
    }
    let answers = ask(&bed, "alone", &json!(jobs));
    let (mut proposed, mut least, mut before, mut all, mut wrong, mut doubtful) =
        (0, 0, 0, 0, 0, 0);
    for (((case, job), answer), proposal) in cases.iter().zip(&jobs).zip(&answers).zip(&doubts) {
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        all += case.cells.len();
        before += case.selected.last().map_or(0, |at| at + 1);
        proposed += count(&job["proposed"]);
        least += usize::try_from(answer["least"].as_u64().unwrap()).unwrap();
        doubtful += usize::from(!proposal.doubts.is_empty());
        if answer["same"] == true {
            continue;
        }
        if proposal.doubts.is_empty() || std::env::var_os("KERNELS_TEST_STRICT").is_some() {
            wrong += 1;
            eprintln!("{:?}", proposal.doubts);
            eprintln!(
                "--- {}: {} of {:?}\nfound {}\nexpected {}",
                case.name, job["proposed"], case.selected, answer["found"], answer["expected"]
            );
            for (at, cell) in case.cells.iter().enumerate() {
                eprintln!("[{at}] {}", cell.replace('\n', "\n    "));
            }
        }
    }
    let notebooks = cases.len();
    eprintln!(
        "{notebooks} notebooks of {all} cells, {before} up to the selection: {proposed} proposed, {least} needed; {doubtful} doubtful, {wrong} wrong"
    );
    assert_eq!(wrong, 0, "selections that need more than was proposed");
    assert!(
        proposed * 10 < before * 9,
        "{proposed} of {before} are nearly all"
    );
    assert!(
        doubtful * 4 < notebooks,
        "{doubtful} doubtful notebooks prove little"
    );
}
