//! Other names for the same object, and what is used up.

use super::*;

#[test]
fn a_change_by_another_name_counts() {
    check(&[
        ("a = [];; b = a;; b.append(1);; print(a)", &[0, 1, 2, 3]),
        (
            "a = [];; b = [a];; b[0].append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "a = [[]];; for x in a:\n    x.append(1);; print(a)",
            &[0, 1, 2],
        ),
        (
            "a = {'k': []};; x = a['k'];; x.append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "a = [];; b, c = a, 1;; b.append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "a = [];; b = a or [1];; b.append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "a = [];; d = dict(k=a);; e = {**d};; e['k'].append(1);; a",
            &[0, 1, 2, 3, 4],
        ),
        ("a = [];; (b := a).append(1);; print(a)", &[0, 1, 2]),
        ("a = [];; b = a;; b = [];; b.append(1);; print(a)", &[0, 4]),
        ("a = [];; b = list(a);; b.append(1);; print(a)", &[0, 3]),
        ("a = [];; b = len(a);; b += 1;; print(a)", &[0, 3]),
        (
            "a = [1];; c = None\nfor x in range(3):\n    if c: c.append(x)\n    c = a;; print(a)",
            &[0, 1, 2],
        ),
    ]);
}

#[test]
fn libraries_keep_what_they_are_given() {
    check(&[
        (
            "import matplotlib.pyplot as plt;; fig, ax = plt.subplots();; ax.plot([1]);; z = 1;; fig",
            &[0, 1, 2, 4],
        ),
        (
            "import matplotlib.pyplot as plt;; import pandas as pd\ndf = pd.DataFrame({'a': [1]});; fig, ax = plt.subplots();; df.plot(ax=ax);; fig",
            &[0, 1, 2, 3, 4],
        ),
        (
            "model = build();; layer = model.layers[0];; layer.trainable = False;; print(model)",
            &[0, 1, 2, 3],
        ),
        (
            "import torch;; model = build();; opt = torch.optim.SGD(model.parameters());; opt.step();; print(model)",
            &[0, 1, 2, 3, 4],
        ),
        ("model = build();; y = model(1);; print(model)", &[0, 1, 2]),
        (
            "import numpy as np;; a = np.ones(3);; np.add(a, 1, out=a);; a",
            &[0, 1, 2, 3],
        ),
        (
            "import numpy as np;; a = np.ones(3);; b = a[1:];; b[0] = 5;; a",
            &[0, 1, 2, 3, 4],
        ),
        (
            "import numpy as np;; a = np.ones(3);; np.add.at(a, [0], 1);; a",
            &[0, 1, 2, 3],
        ),
        (
            "import numpy as np;; a = np.ones(3);; np.random.shuffle(a);; a",
            &[0, 1, 2, 3],
        ),
        (
            "import numpy as np;; a = np.ones(3);; b = a * 2;; b[0] = 5;; a",
            &[0, 1, 4],
        ),
        (
            "import pandas as pd;; df = pd.read_csv('x');; m = df.mean();; n = df[df.a > 0].groupby('b').agg('sum').reset_index();; df",
            &[0, 1, 4],
        ),
    ]);
    let by_alias = sliced(
        &cells(&["a = []", "b = a", "b.append(1)", "print(a)"]),
        &BTreeSet::from([3]),
    );
    assert!(by_alias.cells[2].reasons.iter().all(Reason::is_doubt));
}

#[test]
fn what_a_container_gives_may_be_a_part_or_new() {
    check(&[
        ("a = [1];; b = a[:];; b.pop();; print(b)", &[0, 1, 2, 3]),
        ("a = [1];; b = a[k];; b.pop();; print(b)", &[0, 1, 2, 3]),
        (
            "import json;; a = json.loads(t);; a['k'].append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "import copy;; a = copy.deepcopy(t);; a['k'].append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "import collections;; a = collections.defaultdict(list);; a['k'].append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "import collections;; a = collections.defaultdict(list);; print(a['k']);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "a = [];; b = {};; b.get('k', a).append(1);; print(a)",
            &[0, 1, 2, 3],
        ),
        (
            "class A:\n    pass;; a = A();; a.size = [];; a.size.append(1);; a.size",
            &[0, 1, 2, 3, 4],
        ),
    ]);
}

#[test]
fn what_is_taken_is_gone() {
    check(&[
        ("it = iter([1, 2]);; next(it);; print(next(it))", &[0, 1, 2]),
        (
            "it = (x for x in [1, 2]);; for x in it:\n    break;; list(it)",
            &[0, 1, 2],
        ),
        (
            "it = (x * k for x in [1, 2]);; z = 1;; k = 2;; list(it)",
            &[0, 2, 3],
        ),
        (
            "def g():\n    yield k;; it = g();; k = 1;; z = 1;; list(it)",
            &[0, 1, 2, 4],
        ),
        (
            "it = iter([1, 2]);; pairs = zip(it, it);; list(pairs);; list(it)",
            &[0, 1, 2, 3],
        ),
        ("it = iter([1, 2]);; 1 in it;; list(it)", &[0, 1, 2]),
        ("it = iter([1, 2]);; a, *b = it;; list(it)", &[0, 1, 2]),
        ("f = open('a');; f.readline();; f.read()", &[0, 1, 2]),
        (
            "f = open('a');; for line in f:\n    break;; f.read()",
            &[0, 1, 2],
        ),
        ("q = make();; q.get();; q.get()", &[0, 1, 2]),
        ("xs = [1];; xs.pop();; xs", &[0, 1, 2]),
        ("xs = [1];; for x in xs:\n    print(x);; xs", &[0, 2]),
    ]);
}

#[test]
fn bindings_that_are_not_sure_leave_the_old() {
    check(&[
        ("import a;; import a.b;; a.x", &[0, 1, 2]),
        ("x = 1;; with m():\n    x = 2;; x", &[0, 1, 2]),
        (
            "x = 1;; try:\n    x = f()\nexcept E:\n    pass;; x",
            &[0, 1, 2],
        ),
        ("x = 1;; try:\n    pass\nfinally:\n    x = 2;; x", &[1, 2]),
        ("x = 1;; %timeit x = 2;; x", &[0, 1, 2]),
        ("x = 1;; del x;; x", &[0, 1, 2]),
        ("x = 1;; x += 1;; x", &[0, 1, 2]),
        ("x = a();; x.n += 1;; x", &[0, 1, 2]),
        ("x = a();; setattr(x, 'n', 1);; x", &[0, 1, 2]),
        ("x = 1;; [x := 2 for _ in y];; x", &[0, 1, 2]),
    ]);
    let mut notebook = cells(&["x = 1", "x = 2\n1 / 0", "x"]);
    notebook[1].failed = true;
    let proposal = sliced(&notebook, &BTreeSet::from([2]));
    assert_eq!(proposal.cells.len(), 3);
    assert!(
        proposal.doubts[0].contains("error"),
        "{:?}",
        proposal.doubts
    );
}

#[test]
fn what_was_shown_last_is_looked_for() {
    check(&[
        ("5;; z = 1;; print(_)", &[0, 2]),
        ("a = 5;; a;; z = 1;; print(_ + 1)", &[0, 1, 3]),
        ("1;; 2;; z = 1;; print(__)", &[0, 1, 3]),
        ("[1];; x = _;; x.append(1);; z = 1;; x", &[0, 1, 2, 4]),
        ("_ = 1;; 5;; print(_)", &[0, 1, 2]),
    ]);
    let numbered = sliced(
        &cells(&["5", "z = 1", "print(Out[1])"]),
        &BTreeSet::from([2]),
    );
    assert_eq!(numbered.cells.len(), 3, "{numbered:?}");
    assert!(
        numbered.doubts[0].contains("numbers"),
        "{:?}",
        numbered.doubts
    );
}
