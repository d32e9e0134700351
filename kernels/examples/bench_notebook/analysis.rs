//! How long it takes to propose cells, for notebooks of several shapes.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use kernels::notebook::Document;
use kernels::promote;
use serde_json::{Map, Value, json};

use crate::report::{Figure, Report, median};

const CELLS: usize = 500;
const TURNS: usize = 5;
const LIMIT_MS: f64 = 100.0;

/// What the first cells are, and what each later one is; `<i>` is its number, `<h>` that of the one before.
struct Shape {
    name: &'static str,
    first: &'static str,
    each: &'static str,
}

/// One whose cells have nothing to do with each other; the others hang together, each in another way.
const SHAPES: [Shape; 10] = [
    Shape {
        name: "independent",
        first: "import math",
        each: "a<i> = [<i>, 2, 3]\nb<i> = {'k': a<i>}\nprint(math.sqrt(len(b<i>)), sum(a<i>))",
    },
    Shape {
        name: "values",
        first: "x0 = [1]\ndata = []",
        each: "x<i> = x<h> + [len(data)]\ndata.append(x<i>)",
    },
    Shape {
        name: "containers",
        first: "x0 = [1]\nstate = {}",
        each: "x<i> = {'last': x<h>, 'rest': [state]}\nstate['<i>'] = x<i>",
    },
    Shape {
        name: "calls",
        first: "import lib\nx0 = lib.load()\ndata = lib.load()",
        each: "x<i> = lib.fit(x<h>, data)\nx<i>.train(data)",
    },
    Shape {
        name: "frames",
        first: "import pandas as pd\nx0 = pd.read_csv('a.csv')",
        each: "x<i> = x<h>[x<h>['a'] > <i>].copy()\nx<i>['b'] = x<h>['a'] + x0['a']\nprint(x<i>.describe())",
    },
    Shape {
        name: "functions",
        first: "x0 = [1]\ndef f0(v):\n    return [v]",
        each: "def f<i>(v):\n    return f<h>(v) + [v]\nx<i> = f<i>(x<h>)",
    },
    Shape {
        name: "classes",
        first: "x0 = [1]\nclass C0:\n    def __init__(self, v):\n        self.v = v\n    def step(self, w):\n        self.v.append(w)",
        each: "class C<i>(C0):\n    def step(self, w):\n        super().step(w)\n        self.w = w\nx<i> = C<i>(x<h>)\nx<i>.step(x0)",
    },
    Shape {
        name: "class_chain",
        first: "x0 = [1]\nclass C0:\n    def __init__(self, v):\n        self.v = v\n    def step(self, w):\n        self.v.append(w)",
        each: "class C<i>(C<h>):\n    def step(self, w):\n        super().step(w)\n        self.w = w\nx<i> = C<i>(x<h>)\nx<i>.step(x0)",
    },
    Shape {
        name: "loops",
        first: "x0 = [1]\ntotal = {}",
        each: "x<i> = []\nfor one in x<h>:\n    x<i>.append(one)\n    total[one] = [x<i>]",
    },
    Shape {
        name: "files",
        first: "import json",
        each: "with open('out/<i>.json', 'w') as f:\n    json.dump(json.load(open('out/<h>.json')), f)",
    },
];

/// The worst of all shapes, in the middle of several turns.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let mut detail = Map::new();
    let mut worst = 0.0_f64;
    for shape in &SHAPES {
        let notebook = shape.notebook()?;
        let selected = BTreeSet::from([CELLS - 1]);
        let mut needed = 0;
        let mut times: Vec<f64> = (0..TURNS)
            .map(|_| {
                let began = Instant::now();
                needed = promote::propose(&notebook, &selected).cells.len();
                began.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        let ms = median(&mut times);
        worst = worst.max(ms);
        detail.insert(
            shape.name.to_owned(),
            json!({"ms": rounded(ms), "cells": needed}),
        );
    }
    report.add(&Figure {
        name: "notebook.analysis_500",
        ours: worst,
        peer: LIMIT_MS,
        goal: "<1",
        met: worst < LIMIT_MS,
        detail: Value::Object(detail),
    })
}

fn rounded(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

impl Shape {
    fn notebook(&self) -> Result<Document> {
        let cell = |at: usize| {
            let source = if at == 0 {
                self.first.to_owned()
            } else {
                let (own, before) = (at.to_string(), (at - 1).to_string());
                self.each.replace("<i>", &own).replace("<h>", &before)
            };
            json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": at + 1, "outputs": []})
        };
        let cells: Vec<Value> = (0..CELLS).map(cell).collect();
        let text = json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells});
        Ok(Document::parse(&text.to_string())?)
    }
}
