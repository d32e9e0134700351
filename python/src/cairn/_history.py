"""What this kernel was told, as a notebook document: the sources that IPython ran, in the order in which it ran them.

The page in the browser may say something else by now; the kernel's own record cannot. Knows nothing of the service.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

from ._errors import CairnError

_OWN_CELL = re.compile(r"\s*%%job\b")
# A job's kernel may not have this extension. A line of ours in a cell of the person's is taken out of it, the rest stays.
_OWN_LINE = re.compile(
    r"(?P<indent>[ \t]*)(?:\w+[ \t]*=[ \t]*)?"
    r"(?:%?(?:load|reload|unload)_ext[ \t]+cairn|%jobs?(?:[ \t].*)?|job[ \t]+#?[0-9]+)[ \t]*"
)
_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)


class Ran(NamedTuple):
    """One execution: its number, its source, and whether it raised."""

    number: int
    source: str
    raised: bool = False


class Document(NamedTuple):
    """A notebook of the session.

    `cells` are of nbformat 4.5; `carry` and `body` are positions in it, `carry` None where nothing is carried. `left_out` are the
    executions that raised, by their numbers, with the names that they say.
    """

    cells: list[dict[str, Any]]
    carry: int | None
    body: int
    left_out: dict[int, set[str]]

    def notebook(self) -> dict[str, Any]:
        """The whole document, as JSON."""
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
        return {"cells": self.cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}

    def with_source(self, position: int, source: str) -> Document:
        """The same with another source in one cell."""
        cells = list(self.cells)
        cells[position] = {**cells[position], "source": source}
        return self._replace(cells=cells)

    def label(self, position: int) -> str:
        """What people call a cell: the number that JupyterLab shows."""
        if position == self.body:
            return "this cell"
        if position == self.carry:
            return "what is carried"
        return str(self.cells[position]["execution_count"])


class Watch:
    """Knows which cell runs now, and which ones raised, from when it is put on IPython's events on."""

    def __init__(self) -> None:
        self._raised: dict[int, str] = {}
        self._running: str | None = None

    def before(self, info: Any) -> None:
        """Notes a cell that begins: `pre_run_cell`."""
        self._running = info.raw_cell.rstrip("\n") if info.store_history else None

    def after(self, result: Any) -> None:
        """Notes a cell that ended: `post_run_cell`."""
        self._running = None
        if not result.success and result.execution_count is not None and result.info is not None:
            self._raised[result.execution_count] = result.info.raw_cell.rstrip("\n")

    def raised(self, ran: Ran) -> bool:
        """Whether this execution is known to have raised."""
        return self._raised.get(ran.number) == ran.source.rstrip("\n")

    def is_running(self, ran: Ran) -> bool:
        """Whether the last execution of the history is the one that runs now."""
        return self._running == ran.source.rstrip("\n")


def executed(shell: Any, watch: Watch) -> list[Ran]:
    """What the kernel was told before the cell that runs now, in order; with `store_history` only, as JupyterLab sends cells."""
    history = shell.history_manager
    # Newer versions of IPython keep what was raised, also from before this extension was loaded.
    known = getattr(history, "exceptions", None) or {}
    ran = [Ran(number, source) for _, number, source in history.get_range(0, raw=True)]
    if ran and watch.is_running(ran[-1]):
        ran.pop()
    return [one._replace(raised=one.number in known or watch.raised(one)) for one in ran]


def document(shell: Any, ran: Iterable[Ran], body: str, *, carries: bool) -> Document:
    """The notebook in which the cell that runs now is the last one.

    Cells of this extension and cells that raised keep their place with nothing in them, so that the numbers have no gaps: an
    execution that cannot be accounted for is something that the service doubts.
    """
    cells: list[dict[str, Any]] = []
    left_out: dict[int, set[str]] = {}
    for one in ran:
        source = without_own(one.source)
        tree = parse(shell, source)
        if tree is None:
            source = ""  # it cannot have done anything
        elif source and one.raised:
            left_out[one.number] = names(tree)
            source = ""
        cells.append(_cell(f"ran-{one.number}", one.number, source))
    carry = None
    if carries:
        carry = len(cells)
        count = cells[-1]["execution_count"] + 1 if cells else 1
        cells.append(_cell("carried", count, ""))
    cells.append(_cell("job", None, body))
    return Document(cells, carry, len(cells) - 1, left_out)


def without_own(source: str) -> str:
    """A cell's source without what is for this extension; empty where nothing else is in it."""
    if _OWN_CELL.match(source):
        return ""
    lines = source.split("\n")
    kept = []
    for line in lines:
        own = _OWN_LINE.fullmatch(line)
        if own is None:
            kept.append(line)
        elif own["indent"]:
            kept.append(f"{own['indent']}pass")
    if len(kept) == len(lines) and kept == lines:
        return source
    return "\n".join(kept) if any(line.strip() for line in kept) else ""


def parse(shell: Any, source: str) -> ast.Module | None:
    """The syntax tree of a cell as IPython reads it, magics included; None where it is none."""
    try:
        return _tree(shell, source)
    except _ERRORS:
        return None


def check(shell: Any, body: str) -> None:
    """Sees that a cell can be run at all, before anything is sent.

    Raises:
        CairnError: It is empty, runs a job itself, or is no Python; the line is that of the cell, whose first is `%%job`.
    """
    if not body.strip():
        raise CairnError("There is no code below %%job.")
    if _OWN_CELL.match(body):
        raise CairnError("A job's cell cannot hold another %%job.")
    try:
        _tree(shell, body)
    except SyntaxError as error:
        # IPython drops empty lines above the code before it counts.
        above = 1 + body[: len(body) - len(body.lstrip())].count("\n")
        where = f"line {error.lineno + above}" if error.lineno else "the cell"
        raise CairnError(f"Nothing was sent: {where} is not Python: {error.msg}.") from None
    except _ERRORS as error:
        raise CairnError(f"Nothing was sent: the cell is not Python: {error}.") from None


def binds(tree: ast.Module, name: str) -> bool:
    """Whether a cell assigns a name, anywhere but in functions and classes, or imports or defines it."""
    return any(name in _bound(node) for node in _outer(tree))


def names(tree: ast.Module) -> set[str]:
    """Every name that a cell says."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _tree(shell: Any, source: str) -> ast.Module:
    python = shell.input_transformer_manager.transform_cell(source)
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said already, when the cell ran
        tree = compile(python, "<cell>", "exec", flags, dont_inherit=True)
    assert isinstance(tree, ast.Module)  # noqa: S101 -- what the flags say
    return tree


def _cell(name: str, count: int | None, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "execution_count": count,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def _outer(tree: ast.AST) -> Iterable[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _outer(node)


def _bound(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.alias):
        return {node.asname or node.name.partition(".")[0]}
    return set()
