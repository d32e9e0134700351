"""Text that came from elsewhere, made fit to be shown. Knows nothing of where it came from."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"\x1b\[[0-9;:]*m|[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f-\x9f]")
_LONGEST = 200


def printable(text: object, longest: int = _LONGEST) -> str:
    r"""A name or a message on one line: what is not printable is escaped (`\x1b`), what is too long is cut."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)[: longest + 1]
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def tame(text: str) -> str:
    """A line of a log with its colours, tabs and carriage returns, and without any other control sequence.

    Those can retitle, clear or question a terminal, and the text is a job's. The same rule as `cairn logs`.
    """
    return _CONTROL.sub(lambda found: found[0] if len(found[0]) > 1 else "\ufffd", text)
