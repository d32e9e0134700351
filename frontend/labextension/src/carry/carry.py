"""Runs in a notebook's kernel: says what values are, saves them for a job, throws them away again.

Runs as `exec(source, {"REQUEST": ..., "VALUES": ...})`, so that it leaves no name in the notebook, and answers with one line of JSON on stdout.
It has to run on any Python from 3.8 on, and imports numpy, pandas and pyarrow only where the kernel has them already or needs them.
"""

import json
import os
import pickle
import shutil
import sys
import tempfile

PLAIN = (type(None), bool, int, float, str)
MARK = "cairn-carry:"


def is_plain(value):
    """Whether JSON gives back exactly this: no tuples, no keys but text, no subclasses."""
    if type(value) is list:
        return all(is_plain(each) for each in value)
    if type(value) is dict:
        return all(type(key) is str and is_plain(each) for key, each in value.items())
    return type(value) in PLAIN


def kind_of(value):
    """How a value is kept: the plainest form that loses nothing. `pickle` runs code when it is loaded, so that one is asked about."""
    try:
        if is_plain(value):
            return "json"
    except RecursionError:
        return "pkl"
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, numpy.generic) and not value.dtype.hasobject:
        return "npy"
    if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
        return "npy"
    if pandas is not None and type(value) is pandas.DataFrame and has_parquet():
        return "parquet"
    return "pkl"


def has_parquet():
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


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
    if count is None and type(value).__name__ == "DataFrame":
        count = value.memory_usage().sum()
    return {"type": name, "size": size, "bytes": int(count) if isinstance(count, int) or count else None}


def probe(name):
    if name not in VALUES:
        return {"missing": True}
    value = VALUES[name]
    try:
        return {"kind": kind_of(value), **describe(value)}
    except Exception as error:  # what an object does when it is looked at is its own affair
        return {"kind": "pkl", "type": type(value).__name__, "size": "", "bytes": None, "doubt": str(error)}


def write_json(value, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def write_npy(value, path):
    import numpy

    with open(path, "wb") as file:
        numpy.save(file, value, allow_pickle=False)
    if numpy.load(path, allow_pickle=False).dtype != value.dtype:
        raise TypeError("numpy cannot keep its type of elements")


def write_parquet(value, path):
    import pandas

    value.to_parquet(path)
    back = pandas.read_parquet(path)
    pandas.testing.assert_frame_equal(value, back, check_exact=True, check_freq=False)
    if back.attrs != value.attrs:
        raise TypeError("its attributes would be lost")


def write_pkl(value, path):
    with open(path, "wb") as file:
        pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
    with open(path, "rb") as file:
        pickle.load(file)


WRITERS = {"json": write_json, "npy": write_npy, "parquet": write_parquet, "pkl": write_pkl}


def save(name, folder, pickles):
    """Saves one value in the first form that gives it back as it is."""
    if name not in VALUES:
        raise LookupError("the kernel has no such name any more")
    value = VALUES[name]
    kind, why = kind_of(value), None
    for each in dict.fromkeys((kind, "pkl")):
        if each == "pkl" and not pickles:
            reason = f": {why}" if why else ""
            raise TypeError(f"only pickle can keep a {type(value).__name__}, and that was not allowed{reason}")
        path = os.path.join(folder, f"{name}.{each}")
        try:
            WRITERS[each](value, path)
        except Exception as error:
            why = error
            if os.path.exists(path):
                os.unlink(path)
            continue
        scalar = each == "npy" and getattr(value, "shape", None) == () and type(value).__name__ != "ndarray"
        return {"kind": each, "type": type(value).__name__, "bytes": os.path.getsize(path), "scalar": scalar}
    raise TypeError(f"a {type(value).__name__} cannot be kept: {why}")


def save_all(names, folder, pickles):
    """All or nothing: the folder appears when every value is in it."""
    folder = os.path.expanduser(folder)
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    part = tempfile.mkdtemp(prefix=".part-", dir=parent)
    manifest = {}
    try:
        for name in names:
            try:
                manifest[name] = save(name, part, pickles)
            except Exception as error:
                return {"failed": name, "why": str(error) or type(error).__name__}
        write_json({"version": 1, "values": manifest}, os.path.join(part, "manifest.json"))
        os.rename(part, folder)
        return {"values": manifest}
    finally:
        shutil.rmtree(part, ignore_errors=True)


def forget(folder):
    """Throws a folder away, and those above it where they are empty now."""
    folder = os.path.expanduser(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for each in (os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))):
        try:
            os.rmdir(each)
        except OSError:
            break


def answer(request):
    if request["do"] == "probe":
        return {name: probe(name) for name in request["names"]}
    if request["do"] == "save":
        return save_all(request["names"], request["folder"], request["pickles"])
    forget(request["folder"])
    return {}


print(MARK + json.dumps(answer(REQUEST)), flush=True)
