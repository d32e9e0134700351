"""Runs in a notebook's kernel: says what values are, saves them for a job, throws them away again.

Runs as `exec(source, {"REQUEST": ..., "VALUES": ..., "SOURCES": ...})`, so that it leaves no name in the notebook, and answers with one line of JSON
on stdout. How values are kept is the `cairn` package's affair; its source comes along, because a kernel need not have it. It has to run on any
Python from 3.8 on.
"""

import json
import sys
from pathlib import Path
from types import ModuleType

PACKAGE = "_cairn_from_lab"
MARK = "cairn-carry:"


def load(sources):
    """Runs the modules that came along, under a name of their own; returns the last."""
    sys.modules[PACKAGE] = ModuleType(PACKAGE)
    for name, source in sources.items():
        module = ModuleType(f"{PACKAGE}.{name}")
        module.__package__ = PACKAGE
        sys.modules[module.__name__] = module
        exec(compile(source, f"<cairn/{name}.py>", "exec"), module.__dict__)
    return module


def unload():
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def kind_of(carry, name, value):
    """How a value is kept. `pickle` runs code when it is loaded, so that one is asked about."""
    try:
        return carry._writer(name, value, may_pickle=False)[0]
    except carry.CairnError:
        return "pickle"


def describe(value):
    """The type and the size as one says them, and about how many bytes; null where nobody knows."""
    name, shape = type(value).__name__, getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        size = " × ".join(f"{each:,}" for each in shape)
    elif isinstance(value, (str, list, dict, tuple, set)):
        size = f"of {len(value):,}"
    else:
        size = ""
    count = getattr(value, "nbytes", None)
    if count is None and name == "DataFrame":
        count = value.memory_usage().sum()
    return {"type": name, "size": size, "bytes": int(count) if isinstance(count, int) or count else None}


def probe(carry, name):
    if name not in VALUES:
        return {"missing": True}
    value = VALUES[name]
    try:
        return {"kind": kind_of(carry, name, value), **describe(value)}
    except Exception:  # what an object does when it is looked at is its own affair
        return {"kind": "pickle", "type": type(value).__name__, "size": "", "bytes": None}


def save(carry, request):
    try:
        project = Path(request["project"]).expanduser()
        carried = carry.save(request["names"], VALUES, project, may_pickle=request["pickles"])
    except carry.CairnError as error:
        # The way out is a box in the dialog here, and an option of `%%job` there.
        return {"failed": str(error).replace("add --pickle", "allow pickle")}
    return {"folder": str(carried.folder), "prelude": carried.loader(request["names"])}


def answer(carry, request):
    if request["do"] == "probe":
        return {name: probe(carry, name) for name in request["names"]}
    if request["do"] == "save":
        return save(carry, request)
    carry.Carried(Path(request["folder"]), {}, []).discard()
    return {}


try:
    print(MARK + json.dumps(answer(load(SOURCES), REQUEST)), flush=True)
finally:
    unload()
