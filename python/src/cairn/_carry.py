"""Values carried along from the kernel: saved into the project folder, so that the job's snapshot has them, and the code that loads them.

A value is carried exactly or not at all. Knows nothing of the service and of IPython.
"""

from __future__ import annotations

import json
import keyword
import math
import pickle
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from io import BufferedWriter
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, NamedTuple

from ._errors import CairnError
from ._text import printable

# A snapshot leaves out larger files (`MAX_FILE_BYTES` of the service).
LARGEST_BYTES = 100_000_000
LARGEST_TOTAL_BYTES = 400_000_000
MOST_VALUES = 64
_LONGEST_NAME = 100
_ABANDONED_S = 24 * 3600
_PICKLE_WARNING = (
    "is carried as a pickle: it holds no code, so the job needs the same packages, and classes of this notebook "
    "have to be defined in the cells that it runs"
)


class Carried(NamedTuple):
    """Saved values: their folder, the kind of each by its name, and what the person should know."""

    folder: Path
    kinds: dict[str, str]
    warnings: list[str]

    def loader(self, names: list[str]) -> str:
        """Python that defines these names in a job, which begins in the project folder or has it in `CAIRN_REPOSITORY`."""
        kinds = sorted({self.kinds[name] for name in names})
        parts = [_READ.format(where="/".join(self.folder.parts[-3:]))]
        parts += [_LOADS[kind] for kind in kinds]
        for at, (name, kind) in enumerate(self.kinds.items()):
            if name in names:
                parts.append(f'{name} = _cairn_{kind}("{_file(at, kind)}")\n')
        return "".join(parts) + f"del {', '.join(['_cairn_file', *(f'_cairn_{kind}' for kind in kinds)])}"

    def discard(self) -> None:
        """Removes what was saved; the snapshot of an accepted job has it by then."""
        shutil.rmtree(self.folder, ignore_errors=True)


def check_names(names: list[str], values: Mapping[str, Any]) -> None:
    """Sees that these names can be carried, without looking at how.

    Raises:
        CairnError: One is no name, or the kernel has no such value, or there are too many.
    """
    if len(names) > MOST_VALUES:
        raise CairnError(f"At most {MOST_VALUES} values can be carried.")
    for name in names:
        shown = printable(name, 80)
        if not name.isidentifier() or keyword.iskeyword(name) or len(name) > _LONGEST_NAME:
            raise CairnError(f"`{shown}` is not a name that can be carried.")
        if name not in values:
            raise CairnError(f"The kernel has no {shown} to carry.")


def save(names: list[str], values: Mapping[str, Any], project: Path, *, may_pickle: bool) -> Carried:
    """Saves values below `.cairn/carry` of the project folder: all of them whole, or nothing.

    Raises:
        CairnError: A value cannot be carried exactly or is too large, or the folder cannot be written.
    """
    check_names(names, values)
    try:
        parent = _parent(project)
        name = uuid.uuid4().hex
        folder, partial = parent / name, parent / f"{name}.part"
        partial.mkdir()
        try:
            kinds, warnings = _fill(partial, {name: values[name] for name in names}, may_pickle=may_pickle)
            partial.rename(folder)
        except BaseException:  # also when it is interrupted
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as error:
        raise CairnError(f"The values cannot be saved in {project}: {error.strerror or error}.") from None
    return Carried(folder, kinds, warnings)


def _parent(project: Path) -> Path:
    """Where values are saved, without what an earlier session did not live to remove."""
    if not project.is_dir():
        raise CairnError(f"There is no project folder {project}.")
    parent = project / ".cairn" / "carry"
    parent.mkdir(parents=True, exist_ok=True)
    if parent.resolve() != project.resolve() / ".cairn" / "carry":
        raise CairnError(f"{parent} is a link that leads elsewhere: remove it.")
    for old in parent.iterdir():
        if time.time() - old.lstat().st_mtime > _ABANDONED_S:
            shutil.rmtree(old, ignore_errors=True)
    return parent


def _fill(folder: Path, values: dict[str, Any], *, may_pickle: bool) -> tuple[dict[str, str], list[str]]:
    # Ignore files of the project may name `*.npy` and the like; the deepest `.cairnignore` wins over them.
    (folder / ".cairnignore").write_text("!*\n", "utf-8")
    kinds: dict[str, str] = {}
    warnings: list[str] = []
    total = 0
    for at, (name, value) in enumerate(values.items()):
        kind, write = _writer(name, value, may_pickle=may_pickle)
        try:
            _put(folder, at, name, value, (kind, write))
        except _InexactError:
            if kind == "pickle" or not may_pickle:
                raise
            (folder / _file(at, kind)).unlink()
            kind = "pickle"
            _put(folder, at, name, value, (kind, _pickled(value)))
        total += (folder / _file(at, kind)).stat().st_size
        if total > LARGEST_TOTAL_BYTES:
            raise CairnError(f"The values are larger than {LARGEST_TOTAL_BYTES // 1_000_000} MB together.")
        kinds[name] = kind
        if kind == "pickle":
            warnings.append(f"{name} {_PICKLE_WARNING}.")
    return kinds, warnings


class _InexactError(CairnError):
    """This kind of file does not keep the value."""


def _put(folder: Path, at: int, name: str, value: Any, how: tuple[str, Write]) -> None:
    kind, write = how
    path = folder / _file(at, kind)
    with path.open("wb") as file:
        try:
            write(_Bounded(file, name))
        except (CairnError, OSError):
            raise
        except Exception as error:
            why = printable(error, 300)
            raise _InexactError(f"{name} cannot be carried as {kind}: {type(error).__name__}: {why}.") from None
    if kind == "parquet":
        _check_table(name, value, path)


def _file(at: int, kind: str) -> str:
    """The file of the value at that place: names of the person's could be those of credentials, or differ in case only."""
    return f"{at}.{'npy' if kind == 'number' else kind}"


class _Bounded:
    """A file that refuses to grow over the limit, before it fills the disk."""

    def __init__(self, file: BufferedWriter, name: str) -> None:
        self._file = file
        self._name = name
        self._left = LARGEST_BYTES
        self.closed = False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise CairnError(
                f"{self._name} is larger than {LARGEST_BYTES // 1_000_000} MB: save it as a job's output or in the "
                "project folder instead."
            )
        self._file.write(data)
        return size

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


Write = Callable[[_Bounded], object]


def _writer(name: str, value: Any, *, may_pickle: bool) -> tuple[str, Write]:
    """The kind of file that keeps this value exactly, and what writes it."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    why = _why_not_json(value)
    if why is None:
        return "json", lambda file: file.write(json.dumps(value).encode("ascii"))
    if numpy is not None and _is_array(numpy, value):
        kind = "npy" if type(value) is numpy.ndarray else "number"
        return kind, lambda file: numpy.save(file, value, allow_pickle=False)
    if pandas is not None and type(value) is pandas.DataFrame:
        if _has_pyarrow():
            return "parquet", lambda file: value.to_parquet(file, engine="pyarrow")
        why = "a table needs the package pyarrow, which this environment does not have"
    if may_pickle:
        return "pickle", _pickled(value)
    if isinstance(value, ModuleType):
        raise CairnError(f"{name} is the module {printable(value.__name__)}: import it in the cell instead.")
    raise CairnError(
        f"{name} cannot be carried exactly: {why}. Make it in a cell that the job runs, or add --pickle if you trust "
        "what it holds."
    )


def _pickled(value: Any) -> Write:
    return lambda file: pickle.dump(value, file)


def _is_array(numpy: Any, value: Any) -> bool:
    """An array or a number of NumPy itself, without Python objects in it. Subclasses would come back as something else."""
    is_number = isinstance(value, numpy.generic) and type(value).__module__ == "numpy"
    return (type(value) is numpy.ndarray or is_number) and not value.dtype.hasobject


def _has_pyarrow() -> bool:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def _why_not_json(value: Any) -> str | None:
    """Why JSON would not give the same value back, or None where it does."""
    seen: set[int] = set()
    # By hand and not by recursion: how deep a value is, is not ours to limit in a strange way.
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        one, depth = left.pop()
        kind = type(one)
        if kind in (list, dict):
            if id(one) in seen:
                return "it holds the same list or dict in more than one place"
            if depth > 200:
                return "its lists and dicts are too deep"
            seen.add(id(one))
            if kind is dict and any(type(key) is not str for key in one):
                return "it has a dict with keys that are not str"
            left.extend((part, depth + 1) for part in (one.values() if kind is dict else one))
        elif kind is int and one.bit_length() > 10_000:
            return "it holds a very long int"
        elif kind is float and math.isnan(one):
            continue
        elif one is not None and kind not in (bool, int, float, str):
            return f"it is or holds a {printable(f'{kind.__module__}.{kind.__qualname__}', 100)}"
    return None


def _check_table(name: str, value: Any, path: Path) -> None:
    """Parquet has other types than pandas, so the table is read back."""
    import pandas

    try:
        back = pandas.read_parquet(path, engine="pyarrow")
        pandas.testing.assert_frame_equal(value, back, check_exact=True)
        is_same = value.attrs == back.attrs
    except Exception:
        is_same = False
    if not is_same:
        raise _InexactError(
            f"{name} cannot be carried exactly: parquet gives another table back. Save it in a cell that the job runs, or add --pickle."
        )


_READ = """\
# Values carried along from the kernel.
def _cairn_file(name):
    import os, pathlib
    path = pathlib.Path(os.environ.get("CAIRN_REPOSITORY", "."), "{where}", name)
    if not path.is_file():
        raise FileNotFoundError(f"{{path}} is not in the job's code: does an ignore file leave out .cairn?")
    return path


"""

_LOADS = {
    "json": """\
def _cairn_json(name, file=_cairn_file):
    import json
    return json.loads(file(name).read_text("ascii"))


""",
    "npy": """\
def _cairn_npy(name, file=_cairn_file):
    import numpy
    return numpy.load(file(name), allow_pickle=False)


""",
    "number": """\
def _cairn_number(name, file=_cairn_file):
    import numpy
    return numpy.load(file(name), allow_pickle=False)[()]


""",
    "parquet": """\
def _cairn_parquet(name, file=_cairn_file):
    import pandas
    return pandas.read_parquet(file(name), engine="pyarrow")


""",
    "pickle": """\
def _cairn_pickle(name, file=_cairn_file):
    import pickle
    return pickle.loads(file(name).read_bytes())


""",
}
