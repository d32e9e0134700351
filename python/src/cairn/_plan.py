"""What a job of a cell runs: asks the service what the cell needs, and judges the answer. Sends no job."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

from . import _history
from ._api import Client
from ._errors import CairnError
from ._history import Document
from ._options import Options
from ._text import printable

_PROPOSE_TIMEOUT_S = 60.0


class Plan(NamedTuple):
    """What to run, in order, and why.

    `keep` are positions in the document, `why` the reasons of each in words, `doubtful` those that may not be needed, `lift` the
    parameters that take the place of an assignment, `early` the carried names that cells before the body use, `missing` the names
    that nothing defines.
    """

    document: Document
    keep: list[int]
    why: dict[int, str]
    doubtful: set[int]
    lift: list[str]
    early: list[str]
    missing: list[str]
    doubts: list[str]

    def others(self) -> list[int]:
        """The cells of the session among them."""
        return [at for at in self.keep if at not in (self.document.body, self.document.carry)]

    def cells(self) -> str:
        """Which cells these are, in words."""
        others = self.others()
        if not others:
            return "this cell alone"
        text = f"{len(others) + 1} cells: this one"
        for are_doubtful, one, more in ((False, "defines", "define"), (True, "may change", "may change")):
            group = [self.document.label(at) for at in others if (at in self.doubtful) == are_doubtful]
            if group:
                text += f"; {', '.join(group)} {one if len(group) == 1 else more} what it uses"
        return text

    def table(self) -> str:
        """What would run, why, and how each cell begins."""
        rows = [("CELL", "WHY", "SOURCE")]
        for at in self.keep:
            lines = self.document.cells[at]["source"].strip().splitlines()
            mark = "? " if at in self.doubtful else ""
            rows.append((self.document.label(at), f"{mark}{self.why[at]}", printable(lines[0] if lines else "", 60)))
        widths = [max(len(row[at]) for row in rows) for at in range(2)]
        return "\n".join(f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}".rstrip() for row in rows)


def propose(client: Client, shell: Any, document: Document, options: Options) -> Plan:
    """Asks which cells the body needs. Nothing is run or kept.

    Raises:
        CairnError: The service says no or cannot be reached.
    """
    # The service is told that the carried values are made just before the body, so what made them in the kernel is not needed.
    asked = document
    if document.carry is not None:
        asked = document.with_source(document.carry, "".join(f"{name} = None\n" for name in options.carry))
    body = {"notebook": asked.notebook(), "selected": [document.body]}
    answer = client.ask("POST", ("notebooks", "cells"), body=body, timeout_s=_PROPOSE_TIMEOUT_S, repeat=True)
    needed = {cell["cell"]: cell for cell in answer["cells"] if cell["cell"] not in (document.carry, document.body)}
    keep = [at for at in needed if asked.cells[at]["source"]]
    why = {at: ", ".join(printable(reason["text"]) for reason in needed[at]["reasons"]) for at in keep}
    if document.carry is not None:
        keep.append(document.carry)
        why[document.carry] = f"carries {', '.join(options.carry)}"
    keep.append(document.body)
    why[document.body] = "selected"
    missing = [name for name in answer["missing"] if not hasattr(builtins, name)]
    trees = {at: _history.parse(shell, asked.cells[at]["source"]) for at in keep}
    known = {at: tree for at, tree in trees.items() if tree is not None}
    lift, doubts = _parameters(asked, known, options, answer["parameters"])
    return Plan(
        document=asked,
        keep=keep,
        why=why,
        doubtful={at for at in needed if needed[at]["doubt"]},
        lift=lift,
        early=[name for name in options.carry if name in missing],
        missing=[name for name in missing if name not in options.carry and name not in options.parameters],
        doubts=[*map(_doubt, answer["doubts"]), *_left_out(document, known), *doubts],
    )


def refuse_missing(plan: Plan, values: Mapping[str, Any]) -> None:
    """Sees that everything that the cells use is made or carried.

    Raises:
        CairnError: Something is not; the message says what to do about each.
    """
    if not plan.missing:
        return
    names = [printable(name, 80) for name in plan.missing]
    modules = [name for name in names if isinstance(values.get(name), ModuleType)]
    carried = [name for name in names if name in values and name not in modules]
    unknown = [name for name in names if name not in values]
    text = f"Nothing was sent: no cell of this session that the job could run defines {', '.join(names)}."
    if carried:
        text += f" What the kernel holds can be carried along: --carry {','.join(carried)}"
    if modules:
        text += f" Import {', '.join(modules)} in the cell."
    if unknown:
        text += f" The kernel has no {', '.join(unknown)} either."
    if plan.document.left_out:
        text += f" Cells that raised are left out: {', '.join(map(str, plan.document.left_out))}."
    raise CairnError(text)


def _parameters(
    document: Document, trees: dict[int, ast.Module], options: Options, candidates: list[dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """The names to lift out of their assignments, and what is to be said of parameters that will not do what is meant."""
    assigned = {found["name"] for found in candidates if found["source"] == "assignment"}
    declared = {found["name"] for found in candidates if found["source"] == "parameters"}
    lift, doubts = [], []
    for name in options.parameters:
        binding = [document.label(at) for at, tree in trees.items() if _history.binds(tree, name)]
        if name in assigned:
            lift.append(name)
        elif binding and name not in declared:
            doubts.append(f"{printable(name)} is set in {', '.join(binding)} too, not plainly: that wins over --param.")
        elif not any(name in _history.names(tree) for tree in trees.values()):
            doubts.append(f"No cell of the job uses the parameter {printable(name)}.")
    return lift, doubts


def _left_out(document: Document, trees: dict[int, ast.Module]) -> list[str]:
    """Says which cells that raised may have done something to what the job uses."""
    used = {name for tree in trees.values() for name in _history.names(tree)}
    touched = [str(count) for count, names in document.left_out.items() if names & used]
    if not touched:
        return []
    return [f"Cells that raised are left out, and with them what they did before: {', '.join(touched)}."]


def _doubt(text: object) -> str:
    shown = printable(text, 500)
    return shown[:1].upper() + shown[1:].rstrip(".") + "."
