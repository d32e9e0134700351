//! What functions, methods and classes of the notebook do counts where they are called.

use super::*;

#[test]
fn a_function_that_is_called_where_it_is_made_needs_what_its_body_does() {
    check(&[
        ("k = 1;; z = 1;; def f():\n    return k\nf()", &[0, 2]),
        ("k = 1;; z = 1;; (lambda: k)()", &[0, 2]),
        (
            "k = 1;; z = 1;; class A:\n    def go(self):\n        return k\nA().go()",
            &[0, 2],
        ),
        (
            "xs = [];; def f():\n    xs.append(1)\nf();; print(xs)",
            &[0, 1, 2],
        ),
        (
            "n = 0;; def f():\n    global n\n    n = 1\nf();; print(n)",
            &[0, 1, 2],
        ),
        (
            "k = 1;; z = 2;; def f():\n    k = 2\n    return k\nf()",
            &[2],
        ),
    ]);
}

#[test]
fn functions_that_call_others_are_followed() {
    check(&[
        (
            "k = 1;; z = 2;; def g():\n    return k;; def f():\n    return g();; f()",
            &[0, 2, 3, 4],
        ),
        (
            "def f():\n    return g();; z = 2;; k = 1;; def g():\n    return k;; f()",
            &[0, 2, 3, 4],
        ),
        (
            "xs = [];; def g():\n    xs.append(1);; def f():\n    g();; f();; z = 1;; xs",
            &[0, 1, 2, 3, 5],
        ),
        (
            "def f(n):\n    return n and f(n - 1) + k;; k = 1;; z = 1;; f(3)",
            &[0, 1, 3],
        ),
        (
            "k = 1;; z = 1;; def f(a=k):\n    return a;; f()",
            &[0, 2, 3],
        ),
        (
            "def f(a, seen=[]):\n    seen.append(a)\n    return seen;; z = 1;; f(1);; f(2)",
            &[0, 2, 3],
        ),
        (
            "def make():\n    n = [0]\n    def inc():\n        n[0] += 1\n        return n[0]\n    return inc;; a = make();; b = make();; a();; b();; a()",
            &[0, 1, 3, 5],
        ),
    ]);
}

#[test]
fn decorators_scopes_and_callbacks_are_followed() {
    check(&[
        (
            "log = [];; def deco(g):\n    def w(*a):\n        log.append(a)\n        return g(*a)\n    return w;; z = 1;; @deco\ndef f(x):\n    return x;; f(1);; print(log)",
            &[0, 1, 3, 4, 5],
        ),
        ("k = 2;; z = 1;; ys = [x * k for x in [1]]", &[0, 2]),
        (
            "seen = [];; def f(x):\n    seen.append(x)\n    return x;; ys = list(map(f, [1]));; z = 1;; print(seen)",
            &[0, 1, 2, 4],
        ),
        (
            "seen = [];; ys = sorted([1], key=lambda x: seen.append(x) or x);; print(seen)",
            &[0, 1, 2],
        ),
        (
            "k = 1;; def f():\n    return k;; fs = {'f': f};; z = 1;; k = 2;; fs['f']()",
            &[1, 2, 4, 5],
        ),
        (
            "import functools;; @functools.lru_cache\ndef f(x):\n    return k;; z = 1;; k = 1;; f(1)",
            &[0, 1, 3, 4],
        ),
    ]);
}

#[test]
fn what_only_computes_changes_nothing() {
    check(&[
        (
            "xs = [1];; def f(v):\n    return [w + 1 for w in v];; ys = f(xs);; print(xs)",
            &[0, 3],
        ),
        (
            "xs = [1];; def f(v):\n    out = []\n    for w in v:\n        out.append(w)\n    return out;; ys = f(xs);; print(xs)",
            &[0, 3],
        ),
        (
            "import numpy as np\na = np.ones(3);; def f(v):\n    return np.sqrt(v) + v.mean();; b = f(a);; a",
            &[0, 3],
        ),
        (
            "xs = [1];; def f(v):\n    v.append(2);; f(xs);; print(xs)",
            &[0, 1, 2, 3],
        ),
        (
            "xs = [1];; def f(v):\n    return v;; ys = f(xs);; ys.append(1);; print(xs)",
            &[0, 1, 2, 3, 4],
        ),
    ]);
}

#[test]
fn methods_change_what_they_are_called_on() {
    let class = "class A:\n    n = 0\n    def __init__(self, v):\n        self.v = v\n    def add(self, x):\n        self.v.append(x)\n    def total(self):\n        return sum(self.v) + k\n    @property\n    def one(self):\n        return k\n    def __repr__(self):\n        return str(k)";
    for (rest, expected) in [
        (
            "k = 1;; a = A([]);; a.add(1);; a.total()",
            &[0, 1, 2, 3, 4][..],
        ),
        (
            "a = A([]);; b = A([]);; b.add(1);; k = 1;; a.total()",
            &[0, 1, 4, 5],
        ),
        (
            "xs = [];; a = A(xs);; a.add(1);; print(xs)",
            &[0, 1, 2, 3, 4],
        ),
        ("k = 1;; a = A([]);; a.one", &[0, 1, 2, 3]),
        ("k = 1;; a = A([]);; a", &[0, 1, 2, 3]),
        (
            "k = 1;; a = A([]);; A.total = lambda self: 5;; a.total()",
            &[0, 1, 2, 3, 4],
        ),
        (
            "a = A([]);; a.v = [1];; k = 1;; z = 1;; a.total()",
            &[0, 1, 2, 3, 5],
        ),
        ("k = 1;; a = A([]);; go = a.total;; go()", &[0, 1, 2, 3, 4]),
        (
            "class B(A):\n    pass;; k = 1;; z = 1;; B([1]).total()",
            &[0, 1, 2, 4],
        ),
    ] {
        let sources: Vec<&str> = std::iter::once(class)
            .chain(rest.split(";;").map(str::trim))
            .collect();
        assert_eq!(needed(&sources, &[sources.len() - 1]), expected, "{rest}");
    }
    check(&[
        (
            "class A:\n    made = 0\n    def __init__(self):\n        A.made += 1;; a = A();; z = 1;; print(A.made)",
            &[0, 1, 3],
        ),
        (
            "class A:\n    all = []\n    def put(self):\n        self.all.append(1);; a = A();; b = A();; a.put();; print(b.all)",
            &[0, 1, 2, 3, 4],
        ),
        (
            "import torch;; class M(torch.nn.Module):\n    def forward(self, x):\n        return x * k;; k = 2;; m = M();; z = 1;; m(1)",
            &[0, 1, 2, 3, 5],
        ),
    ]);
}
