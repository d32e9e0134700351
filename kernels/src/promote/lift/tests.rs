use super::*;
use serde_json::{Value, json};

/// A notebook of code cells; a source that begins with `#tag` is tagged so.
fn notebook(sources: &[&str]) -> Document {
    let cells: Vec<Value> = sources
        .iter()
        .zip(1..)
        .map(|(source, count)| {
            let tagged = source.split_once('\n').filter(|(first, _)| first.starts_with("#tag "));
            let (tags, source) = tagged.map_or((vec![], *source), |(first, rest)| (vec![&first[5..]], rest));
            json!({"cell_type": "code", "id": format!("c{count}"), "metadata": {"tags": tags}, "source": source,
                   "execution_count": count, "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}]})
        })
        .collect();
    let text = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    Document::parse(&text.to_string()).expect("a notebook")
}

fn names(sources: &[&str]) -> Vec<String> {
    let all: Vec<usize> = (0..sources.len()).collect();
    let found = parameters(&notebook(sources), &all).into_iter();
    found.map(|one| one.parameter.name).collect()
}

fn assembled(sources: &[&str], lift: &[&str], prelude: Option<&str>) -> Vec<String> {
    let all: Vec<usize> = (0..sources.len()).collect();
    let lift: Vec<String> = lift.iter().map(ToString::to_string).collect();
    let text = assemble(&notebook(sources), &all, &lift, prelude).render();
    assert!(!text.contains("\"old\""), "{text}");
    let made = Document::parse(&text).expect("a notebook");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let ids: BTreeSet<&str> = json["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .filter_map(|cell| cell["id"].as_str())
        .collect();
    assert_eq!(
        ids.len(),
        made.cells().len(),
        "each cell has an id of its own"
    );
    let cells = made.cells().iter();
    cells.map(|cell| cell.source().to_owned()).collect()
}

#[test]
fn plain_assignments_are_found_with_where_they_stand() {
    let document = notebook(&["lr = 0.1  # rate", "#tag parameters\nepochs: int = 3"]);
    let found = serde_json::to_value(parameters(&document, &[0, 1])).expect("JSON");
    let lr = json!({"name": "lr", "kind": "number", "default": 0.1, "code": "0.1", "help": "rate", "cell": 0, "source": "assignment"});
    let epochs = json!({"name": "epochs", "kind": "integer", "default": 3, "code": "3", "help": "", "cell": 1, "source": "parameters"});
    assert_eq!(found, json!([epochs, lr]));
    assert_eq!(parameters(&document, &[1, 7]).len(), 1);
}

#[test]
fn only_what_is_bound_once_and_may_move_is_found() {
    assert_eq!(
        names(&["a = 1\nb = [1, {'x': -2}]\nc: str = 'x'\nd = None"]),
        ["a", "b", "c", "d"]
    );
    for cells in [
        &["a = 1", "a = 2"][..],
        &["a = 1\na = 2"],
        &["a = 1", "for a in b: pass"],
        &["a = 1", "del a"],
        &["a = 1", "import a"],
        &["a = 1", "def f():\n    global a\n    a = 2"],
        &["a = 1", "[b := a, (a := 2)]"],
        &["a = 1\na += 1"],
        &["a = 1", "exec('a = 2')"],
        &["from x import *", "a = 1"],
        &["a = b = 1"],
        &["a, b = 1, 2"],
        &["a = f()"],
        &["a = -b"],
        &["if x:\n    a = 1"],
        &["def f():\n    a = 1"],
        &["len = 1"],
        &["%%time\na = 1"],
        &["_ = 1"],
        &["x\na = 1"],
        &["a = 1; \\\n  print(1)"],
        &["a ="],
    ] {
        assert_eq!(names(cells), Vec::<String>::new(), "{cells:?}");
    }
    assert_eq!(
        names(&["x\na = 1\nb = 2"]),
        ["b"],
        "x is not shown now, and must not be"
    );
    assert_eq!(names(&["print(1)\na = 1\nf(a)"]), ["a"]);
}

#[test]
fn lifted_assignments_come_first_and_the_rest_stays_as_it_is() {
    let cells = [
        "import os\nlr = 0.1  # rate\nprint( lr )\n",
        "names = [\n  'a',\n]; n = 2; m = 3\nprint(n)",
        "g(names)",
    ];
    assert_eq!(
        assembled(&cells, &["lr", "names", "n", "no"], Some("import sys")),
        [
            "import sys",
            "lr = 0.1  # rate\nnames = [\n  'a',\n]\nn = 2",
            "import os\n  # rate\nprint( lr )\n",
            "m = 3\nprint(n)",
            "g(names)",
        ]
    );
    assert_eq!(assembled(&cells, &[], None), cells);
    let all: Vec<usize> = (0..3).collect();
    let made = assemble(&notebook(&cells), &all, &["lr".to_owned()], None);
    assert_eq!(made.parameters()[0].help, "rate");
}

#[test]
fn a_cell_of_parameters_takes_them_and_goes_before_their_use() {
    let tagged = "#tag parameters\nepochs = 3\n";
    assert_eq!(
        assembled(
            &["lr = 0.1\nf(lr)", tagged, "g(epochs)"],
            &["lr", "epochs"],
            None
        ),
        ["epochs = 3\nlr = 0.1", "\nf(lr)", "g(epochs)"]
    );
    assert_eq!(
        assembled(&["lr = 0.1", tagged, "g(lr)"], &["lr"], None),
        ["", "epochs = 3\nlr = 0.1", "g(lr)"]
    );
    // It cannot go before what it needs.
    let bound = "#tag parameters\nhome = os.getcwd()";
    let cells = ["import os\nlr = 0.1\nf(lr)", bound];
    assert_eq!(names(&cells), ["home"]);
    assert_eq!(
        assembled(&cells, &["lr"], None),
        [cells[0], "home = os.getcwd()"]
    );
}
