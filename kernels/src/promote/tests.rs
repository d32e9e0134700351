use super::*;

mod calls;
mod objects;
mod things;

/// Cells in the order in which they ran.
fn cells(sources: &[&str]) -> Vec<Code> {
    let numbered = sources.iter().zip(1..);
    numbered
        .map(|(source, count)| Code {
            source: (*source).to_owned(),
            execution_count: Some(count),
            failed: false,
        })
        .collect()
}

fn needed(sources: &[&str], selected: &[usize]) -> Vec<usize> {
    let proposal = sliced(&cells(sources), &selected.iter().copied().collect());
    proposal.cells.iter().map(|needed| needed.cell).collect()
}

#[test]
fn what_a_cell_uses_is_found_and_what_it_does_not_is_left_out() {
    let notebook = [
        "import math",
        "a = 1",
        "b = 2",
        "c = a + 1",
        "print(math.sqrt(c))",
    ];
    assert_eq!(needed(&notebook, &[4]), [0, 1, 3, 4]);
    assert_eq!(needed(&notebook, &[2]), [2]);
}

#[test]
fn a_name_bound_again_needs_only_the_last() {
    let notebook = ["x = load()", "x = 1", "print(x)"];
    assert_eq!(needed(&notebook, &[2]), [1, 2]);
    let maybe = ["x = 0", "if True:\n    x = 1", "print(x)"];
    assert_eq!(needed(&maybe, &[2]), [0, 1, 2]);
}

#[test]
fn changes_in_place_count() {
    for change in [
        "x.append(1)",
        "x[0] = 1",
        "x += [1]",
        "x.a.b = 1",
        "del x[0]",
        "unknown(x)",
        "f(y=x)",
        "y = g([x])",
        "x.sort_values(inplace=True)",
        "for i in range(3):\n    x.pop()",
    ] {
        let notebook = ["x = []", change, "print(x)"];
        assert_eq!(needed(&notebook, &[2]), [0, 1, 2], "{change}");
    }
    for reading in [
        "print(x)",
        "len(x)",
        "y = x",
        "x.describe()",
        "y = sorted(x)",
        "x.head()",
        "x",
    ] {
        let notebook = ["x = []", reading, "print(x)"];
        assert_eq!(needed(&notebook, &[2]), [0, 2], "{reading}");
    }
}

#[test]
fn a_builtin_of_the_notebooks_own_is_not_trusted() {
    let notebook = [
        "def print(x):\n    x.clear()",
        "x = [1]",
        "print(x)",
        "len(x)",
    ];
    assert_eq!(needed(&notebook, &[3]), [0, 1, 2, 3]);
    let method = [
        "class A:\n    def head(self):\n        self.n = 1",
        "a = A()",
        "a.head()",
        "a.n",
    ];
    assert_eq!(needed(&method, &[3]), [0, 1, 2, 3]);
}

#[test]
fn a_function_brings_what_its_body_needs_at_the_time_of_the_call() {
    let notebook = ["def f():\n    return x", "x = 1", "x2 = 5", "f()"];
    assert_eq!(needed(&notebook, &[3]), [0, 1, 3]);
    let through = [
        "def g():\n    return x",
        "fs = {'g': g}",
        "x = 1",
        "fs['g']()",
    ];
    assert_eq!(needed(&through, &[3]), [0, 1, 2, 3]);
    let method = [
        "k = 2",
        "class M:\n    def go(self):\n        return k",
        "m = M()",
        "m.go()",
    ];
    assert_eq!(needed(&method, &[3]), [0, 1, 2, 3]);
}

#[test]
fn a_call_that_changes_a_global_counts() {
    let notebook = [
        "n = 0",
        "def inc():\n    global n\n    n += 1",
        "inc()",
        "print(n)",
    ];
    assert_eq!(needed(&notebook, &[3]), [0, 1, 2, 3]);
    let cache = [
        "cache = {}",
        "def put(k):\n    cache[k] = 1",
        "put(3)",
        "print(cache)",
    ];
    assert_eq!(needed(&cache, &[3]), [0, 1, 2, 3]);
}

#[test]
fn what_is_local_needs_nobody() {
    let notebook = [
        "i = 1",
        "x = [1]",
        "def f(i):\n    y = i\n    return y",
        "[i for i in x]",
        "f(2)",
    ];
    assert_eq!(needed(&notebook, &[4]), [2, 4]);
    assert_eq!(needed(&notebook, &[3]), [1, 3]);
}

#[test]
fn effects_on_everything_after_are_taken() {
    for effect in [
        "%pip install x",
        "!ls > out",
        "import numpy as np\nnp.random.seed(0)",
        "import os\nos.environ['A'] = '1'",
        "import os\nos.chdir('/tmp')",
        "from x import *",
        "%%bash\necho 1",
        "%cd data",
        "%load_ext x",
    ] {
        assert_eq!(needed(&[effect, "print(1)"], &[1]), [0, 1], "{effect}");
    }
    for harmless in [
        "x?",
        "%who",
        "# nothing",
        "import os\nos.path.join('a')",
        "%%html\n<b>",
        "%time y = 1",
    ] {
        assert_eq!(needed(&[harmless, "print(1)"], &[1]), [1], "{harmless}");
    }
    assert_eq!(
        needed(&["%time y = 1", "%%time\nz = y", "print(z)"], &[2]),
        [0, 1, 2]
    );
}

#[test]
fn files_that_are_read_later_are_written_first() {
    let notebook = [
        "df = 1",
        "df.to_csv('a.csv')",
        "df.to_csv('b.csv')",
        "import pandas as pd\nx = pd.read_csv('a.csv')",
    ];
    assert_eq!(needed(&notebook, &[3]), [0, 1, 3]);
    let opened = [
        "with open('n.txt', 'w') as f:\n    f.write('1')",
        "open('n.txt').read()",
    ];
    assert_eq!(needed(&opened, &[1]), [0, 1]);
    let path = [
        "from pathlib import Path",
        "Path('d.txt').write_text('x')",
        "open('d.txt')",
        "open('e.txt')",
    ];
    assert_eq!(needed(&path, &[2]), [0, 1, 2]);
    assert_eq!(needed(&path, &[3]), [3]);
    let unknown = ["p = where()", "p.write_text('x')", "print(1)"];
    assert_eq!(needed(&unknown, &[2]), [0, 1, 2]);
}

#[test]
fn the_order_of_execution_counts_not_that_of_the_page() {
    let cell = |source: &str, count| Code {
        source: source.to_owned(),
        execution_count: count,
        failed: false,
    };
    let notebook = [
        cell("print(x)", Some(3)),
        cell("x = 2", Some(2)),
        cell("x = 1", Some(1)),
        cell("x = 9", None),
    ];
    let proposal = sliced(&notebook, &BTreeSet::from([0]));
    let order: Vec<usize> = proposal.cells.iter().map(|one| one.cell).collect();
    assert_eq!(order, [1, 0]);
    assert!(proposal.doubts.is_empty(), "{:?}", proposal.doubts);
    let fresh = [cell("x = 1", None), cell("print(x)", None)];
    let proposal = sliced(&fresh, &BTreeSet::from([1]));
    assert_eq!(proposal.cells.len(), 2);
}

#[test]
fn what_cannot_be_read_is_taken_and_said() {
    let notebook = ["a = 1", "this is no python", "print(2)"];
    let proposal = sliced(&cells(&notebook), &BTreeSet::from([2]));
    let order: Vec<usize> = proposal.cells.iter().map(|one| one.cell).collect();
    assert_eq!(order, [0, 1, 2]);
    assert!(matches!(
        proposal.cells[1].reasons[0],
        Reason::Unreadable(_)
    ));
    assert!(proposal.cells[1].reasons[0].is_doubt());
    assert_eq!(needed(&["a = 1", "b = 2", "eval('a')"], &[2]), [0, 1, 2]);
}

#[test]
fn what_only_the_kernel_has_is_named() {
    let gap = [Code {
        source: "print(x)".to_owned(),
        execution_count: Some(7),
        failed: false,
    }];
    let doubts = sliced(&gap, &BTreeSet::from([0])).doubts;
    assert!(doubts[0].contains("6 executions"), "{doubts:?}");
    assert!(doubts[1].contains("`x`"), "{doubts:?}");
}

#[test]
fn random_numbers_are_drawn_as_often_as_before() {
    let notebook = [
        "import numpy as np\nnp.random.seed(0)",
        "a = np.random.rand(3)",
        "b = np.random.rand(3)",
        "print(b)",
    ];
    assert_eq!(needed(&notebook, &[3]), [0, 1, 2, 3]);
}

#[test]
fn a_language_that_is_not_read_takes_everything_before() {
    let notebook = cells(&["a <- 1", "b <- 2", "print(a)", "c <- 3"]);
    let proposal = preceding(&notebook, &BTreeSet::from([2]), "why");
    assert_eq!(proposal.cells.len(), 3);
}

#[test]
fn positions_are_those_of_the_document_and_its_language_counts() {
    let notebook = |language: &str| {
        let text = serde_json::json!({
            "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"language_info": {"name": language}},
            "cells": [
                {"cell_type": "markdown", "metadata": {}, "source": "# x"},
                {"cell_type": "code", "metadata": {}, "source": "x = 1", "execution_count": 1, "outputs": []},
                {"cell_type": "code", "metadata": {}, "source": "y = 1", "execution_count": 2, "outputs": []},
                {"cell_type": "code", "metadata": {}, "source": "x", "execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]},
            ],
        });
        Document::parse(&text.to_string()).expect("a notebook")
    };
    let order = |language: &str| {
        let proposal = propose(&notebook(language), &BTreeSet::from([0, 3, 9]));
        proposal
            .cells
            .iter()
            .map(|one| one.cell)
            .collect::<Vec<_>>()
    };
    assert_eq!(order("python"), [1, 3]);
    assert_eq!(order("R"), [1, 2, 3]);
    let text = notebook("python").excerpt(&[1, 3]).render();
    let excerpt = Document::parse(&text).expect("a notebook");
    assert_eq!(excerpt.cells().len(), 2);
    assert_eq!(excerpt.cells()[1].execution_count(), None);
    assert!(!text.contains("stdout"), "{text}");
}

/// How long `python` takes for the last cell, and how many cells it proposes.
fn timed(sources: &[String]) -> (std::time::Duration, usize) {
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let cells = cells(&sources);
    let began = std::time::Instant::now();
    let proposal = sliced(&cells, &BTreeSet::from([cells.len() - 1]));
    (began.elapsed(), proposal.cells.len())
}

/// Without optimisation it is much slower, and other tests run beside it.
fn limit_ms(optimised: u128) -> u128 {
    optimised * if cfg!(debug_assertions) { 40 } else { 1 }
}

#[test]
fn five_hundred_cells_are_read_in_no_time() {
    let sources: Vec<String> = (0..500)
        .map(|n| format!("import numpy as np\nx{n} = np.array([{n}])\ny{n} = [i * x{n} for i in range(9)]\nprint(y{n})"))
        .collect();
    let (took, proposed) = timed(&sources);
    assert_eq!(proposed, 1);
    assert!(took.as_millis() < limit_ms(100), "{took:?}");
}

#[test]
fn five_hundred_cells_that_hang_together_are_read_in_a_moment() {
    let mut sources = vec![
        "import numpy as np\nimport pandas as pd\nimport torch\ncache = {}".to_owned(),
        "class Model:\n    def __init__(self, n):\n        self.n = [n]\n    def fit(self, x):\n        self.n.append(step(x))\n        return self".to_owned(),
        "def step(x):\n    for i in range(3):\n        x = clean(x)\n    return x\ndef clean(x):\n    cache[len(cache)] = x\n    return [v for v in x]".to_owned(),
    ];
    sources.extend((0..497).map(|n| {
        let before = n.max(1) - 1;
        format!(
            "x{n} = np.array([{n}])\ny{n} = [i * x{n} for i in range(9)]\nm{n} = Model({n}).fit(x{n})\nfor v in y{before}:\n    y{n}.append(v)\nprint(y{n})"
        )
    }));
    sources[3] = "y0 = []".to_owned();
    let (took, proposed) = timed(&sources);
    assert_eq!(proposed, 500);
    assert!(took.as_millis() < limit_ms(1000), "{took:?}");
}

/// Each: cells between `;;`, the last of which is selected, and the needed ones.
fn check(table: &[(&str, &[usize])]) {
    for (notebook, expected) in table {
        let sources: Vec<&str> = notebook.split(";;").map(str::trim).collect();
        assert_eq!(
            needed(&sources, &[sources.len() - 1]),
            *expected,
            "{notebook}"
        );
    }
}

fn document(sources: &[&str]) -> Document {
    let cells = sources.iter().enumerate().map(|(at, source)| {
        serde_json::json!({"cell_type": "code", "id": at.to_string(), "metadata": {}, "source": source, "outputs": [], "execution_count": at + 1})
    });
    let cells: Vec<_> = cells.collect();
    let whole =
        serde_json::json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    Document::parse(&whole.to_string()).unwrap()
}

/// Sources that nest as deep as is read, one for each way to nest, and deeper ones.
#[test]
fn what_nests_deep_ends_no_process() {
    let deepest = crate::python::DEEPEST;
    let ways: [(&str, &str, &str, usize); 12] = [
        ("-", "1", "", 1),
        ("not ", "1", "", 1),
        ("(", "1", ")", 1),
        ("[", "1", "]", 1),
        ("{1:", "1", "}", 2),
        ("f(", "1", ")", 1),
        ("", "a", ".b", 1),
        ("", "a", "(1)", 1),
        ("", "1", "+1", 1),
        ("2**", "1", "", 2),
        ("lambda:", "1", "", 2),
        ("1 if 1 else ", "1", "", 2),
    ];
    for (before, middle, after, marks) in ways {
        for levels in [(deepest - 4) / marks, deepest * 4] {
            let deep = format!("{}{middle}{}", before.repeat(levels), after.repeat(levels));
            let (before, last) = ("x = 1", "print(x)");
            let document = document(&[before, &deep, last]);
            let proposal = propose(&document, &BTreeSet::from([2]));
            // What is not read may do anything, to `x` too.
            let is_taken = proposal.cells.iter().any(|one| one.cell == 1);
            assert!(is_taken || levels <= deepest, "{before}{after}");
            let names = parameters(&document, &[0, 1, 2]).into_iter();
            let names: Vec<_> = names.map(|one| one.parameter.name).collect();
            assert_eq!(names, ["x"]);
        }
    }
}
