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
/// For one of how many notebooks the smallest part is looked for that would do.
const REDUCED: usize = 10;

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

/// What a test can be told, to look for more than it does each time: `KERNELS_TEST_SEEDS=1000 KERNELS_TEST_REDUCE=0`.
fn told(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn what_is_proposed_gives_the_same_alone() {
    let Some(bed) = Bed::new() else { return };
    let first = told("KERNELS_TEST_SEED", 0);
    let count = told("KERNELS_TEST_SEEDS", GENERATED);
    let reduce = told("KERNELS_TEST_REDUCE", 1) > 0;
    let mut cases = written();
    cases.extend((first..first + count).map(generated));
    let jobs: Vec<Value> = cases
        .iter()
        .map(|case| json!({"cells": case.cells}))
        .collect();
    let full = ask(&bed, "full", &json!(jobs));
    let jobs: Vec<Value> = cases
        .iter()
        .zip(&full)
        .enumerate()
        .map(|(at, (case, outputs))| json!({"cells": case.cells, "selected": case.selected, "full": outputs, "proposed": proposed(case, outputs), "reduce": reduce && at % REDUCED == 0}))
        .collect();
    let answers = ask(&bed, "alone", &json!(jobs));
    let (mut before, mut proposed, mut wrong) = (0, 0, 0);
    let (mut reduced, mut least) = (0, 0);
    for ((case, job), answer) in cases.iter().zip(&jobs).zip(&answers) {
        if job["reduce"] == true {
            reduced += job["proposed"].as_array().map_or(0, Vec::len);
            least += usize::try_from(answer["least"].as_u64().unwrap()).unwrap();
        }
        before += case.selected.last().map_or(0, |at| at + 1);
        proposed += job["proposed"].as_array().map_or(0, Vec::len);
        if answer["same"] == false {
            wrong += 1;
            eprintln!(
                "--- {}: {} of {:?}",
                case.name, job["proposed"], case.selected
            );
            eprintln!("found {}\nexpected {}", answer["found"], answer["expected"]);
            for (at, cell) in case.cells.iter().enumerate() {
                eprintln!("[{at}] {}", cell.replace('\n', "\n    "));
            }
        }
    }
    let notebooks = cases.len();
    eprintln!(
        "{notebooks} notebooks, {before} cells up to the selections: {proposed} proposed; where it was tried, {least} of {reduced} were needed"
    );
    assert_eq!(wrong, 0, "selections that need more than was proposed");
    assert!(
        proposed * 10 < before * 8,
        "{proposed} of {before} are nearly all"
    );
    assert!(
        !reduce || reduced * 10 < least * 20,
        "{reduced} for {least}"
    );
}

/// What is proposed, in the order of execution.
fn proposed(case: &Case, outputs: &Value) -> Vec<usize> {
    let selected = case.selected.iter().map(|&at| case.page[at]).collect();
    let proposal = kernels::promote::propose(&document(case, outputs), &selected);
    let order = |cell: usize| case.page.iter().position(|&at| at == cell).unwrap();
    let cells = proposal.cells.iter();
    cells.map(|needed| order(needed.cell)).collect()
}
