"""The line behind `%%job`, read. The same small grammars as the command line's; knows nothing of kernels and the service."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from typing import Any, NoReturn

from ._errors import CairnError
from ._text import printable

USAGE = """\
%%job [--machine M] [--environment E] [--input [NAME=]REF]... [--param K=V]... [--carry NAME[,NAME]]...
      [--pickle] [--time-limit 2h] [--wait] [--alone] [--dry-run] [NAME]"""
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_INPUT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Options(argparse.Namespace):
    """What was asked for: `name` and `time_limit_ms` are None where they were not given, lists are empty."""

    name: str | None
    machine: str | None
    environment: str | None
    inputs: list[dict[str, str]]
    parameters: dict[str, Any]
    carry: list[str]
    pickle: bool
    time_limit_ms: int | None
    wait: bool
    alone: bool
    dry_run: bool


def read(line: str) -> Options:
    """Reads the words behind `%%job`, quoted as for a shell.

    Raises:
        CairnError: They are not what `%%job` takes.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise CairnError(f"%%job {printable(line)}: {error}.") from None
    options = _parser().parse_args(words, Options())
    options.name = " ".join(options.words) or None
    options.inputs = [_input(text) for text in options.input]
    options.parameters = _parameters(options.param)
    names = [name.strip() for text in options.carry for name in text.split(",")]
    options.carry = list(dict.fromkeys(name for name in names if name))
    both = sorted(set(options.carry) & set(options.parameters))
    if both:
        raise CairnError(f"{both[0]} cannot be carried and be a parameter.")
    return options


def number(text: str, project: str) -> int:
    """The number of a job, `12`, `#12` or `vision#12`, of the project `vision`.

    Raises:
        CairnError: It is none, or one of another project.
    """
    before, _, after = text.strip().rpartition("#")
    if before not in ("", project):
        raise CairnError(f"This workspace sees the jobs of its own project only, which is {printable(project)}.")
    if not re.fullmatch(r"0*[1-9][0-9]{0,17}", after, re.ASCII):
        raise CairnError(f"`{printable(text)}` names no job: say its number, as in `%job 12`.")
    return int(after)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CairnError(f"{printable(message)}\n{USAGE}")


def _parser() -> _Parser:
    parser = _Parser(prog="%%job", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    for name in ("machine", "environment"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--param", action="append", default=[])
    parser.add_argument("--carry", action="append", default=[])
    parser.add_argument("--time-limit", dest="time_limit_ms", type=_duration_ms)
    for name in ("pickle", "wait", "alone", "dry-run"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser


def _duration_ms(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text, re.ASCII)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is not a span of time: say 90s, 15m, 12h or 30d")
    return int(found[1]) * _UNITS_MS[found[2]]


def _input(text: str) -> dict[str, str]:
    name, equals, reference = text.partition("=")
    if not equals or "#" in name:  # a path in the reference may hold a `=`
        return {"ref": text}
    if not _INPUT_NAME.fullmatch(name):
        raise CairnError(f"`{printable(name)}` cannot name an input.")
    return {"name": name, "ref": reference}


def _parameters(texts: list[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise CairnError(f"--param `{printable(text)}` is not K=V.")
        if key in parameters:
            raise CairnError(f"The parameter {printable(key)} is given twice.")
        parameters[key] = _value(value)
    return parameters


def _value(text: str) -> Any:
    """A JSON value where it is one, else the text. NaN is no JSON."""
    try:
        return json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return text


def _no_json(text: str) -> NoReturn:
    raise ValueError(text)
