"""The outputs of one execution, kept as JupyterLab would keep them. Knows no kernels, no files and no documents.

JupyterLab's `OutputAreaModel` is the contract: what it would save after the same messages is what `as_notebook` gives.
"""

from __future__ import annotations

import re
from typing import Any

_CONTROL = re.compile(r"([\b\r])")
# A line that grows longer than this can no longer be overwritten: copying it for every message would cost too much.
_LONGEST_TAIL = 1 << 16


class Stream:
    """Text of one stream. Whole lines are `closed`; only the `tail`, the line being written, can still change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed: list[str] = []
        self.tail = ""
        self.size = 0
        self._cursor = 0

    def write(self, text: str) -> None:
        """Adds text; backspace and carriage return move back in the line as `processText` of JupyterLab does."""
        *lines, last = text.split("\n")
        if lines:
            self._type(lines[0])
            if _CONTROL.search(text) is None:
                self._close("\n".join([self.tail, *lines[1:], ""]))
            else:
                self._close(self.tail + "\n")
                for line in lines[1:]:
                    self._type(line)
                    self._close(self.tail + "\n")
        self._type(last)
        if len(self.tail) > _LONGEST_TAIL:
            self._close(self.tail)

    def text(self) -> str:
        """All of it."""
        return "".join(self.closed) + self.tail

    def _close(self, chunk: str) -> None:
        self.size += len(chunk)
        self.closed.append(chunk)
        self.tail, self._cursor = "", 0

    def _type(self, segment: str) -> None:
        for part in _CONTROL.split(segment):
            if part == "\r":
                self._cursor = 0
            elif part == "\b":
                if self._cursor:
                    self.tail = self.tail[: self._cursor - 1] + self.tail[self._cursor + 1 :]
                    self._cursor -= 1
            elif part:
                end = self._cursor + len(part)
                self.tail = self.tail[: self._cursor] + part + self.tail[end:]
                self._cursor = end


class Outputs:
    """A list of outputs that messages add to.

    `epoch` changes whenever something before the end changes, so a writer that remembers it and how far it came has only the rest to add.
    What goes beyond `limit` (characters, and bytes of other outputs) is counted and left out; `finish` says so.
    """

    def __init__(self, limit: int) -> None:
        self.items: list[dict[str, Any] | Stream] = []
        self.epoch = 0
        self.version = 0
        self.size = 0
        self._limit = limit
        self._left_out = 0
        self._clear_next = False
        self._displays: dict[str, list[int]] = {}

    def add(self, kind: str, content: dict[str, Any], size: int) -> None:
        """Takes one message of a kernel: `kind` is its type, `size` what it weighs."""
        if kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()
            return
        if self._clear_next:
            self._clear_next = False
            self._clear()
        if kind == "stream":
            self._write(content["name"], content["text"])
            return
        display = _display_id(content)
        if self._left_out or self.size + size > self._limit:
            self._left_out += size
            return
        if display is not None and kind == "display_data":
            self.update(display, content)
            self._displays.setdefault(display, []).append(len(self.items))
        self._append(as_output(kind, content), size)

    def update(self, display: str, content: dict[str, Any]) -> list[int]:
        """Replaces what was displayed under this id; returns where that is."""
        places = self._displays.get(display, [])
        for place in places:
            self.items[place] = as_output("display_data", content)
        if places:
            self.epoch += 1
            self.version += 1
        return places

    @property
    def displays(self) -> dict[str, list[int]]:
        """Where which display ids are."""
        return self._displays

    def finish(self) -> None:
        """Says how much was left out, if something was. No more messages come."""
        if self._left_out:
            left_out, kept = _megabytes(self._left_out), _megabytes(self._limit)
            self._left_out = 0
            self._append_text(
                "stderr", f"Cairn left out the last {left_out} of this cell's output: it keeps {kept} of a cell.\n"
            )

    def as_notebook(self) -> list[dict[str, Any]]:
        """The outputs as a notebook has them, texts joined."""
        return [
            {"output_type": "stream", "name": item.name, "text": item.text()} if isinstance(item, Stream) else item
            for item in self.items
        ]

    def _write(self, name: str, text: str) -> None:
        room = 0 if self._left_out else self._limit - self.size
        if len(text) > room:
            # Whole lines only, so that what is kept does not end in the middle of one.
            kept = text[: text.rfind("\n", 0, room) + 1]
            self._left_out += len(text) - len(kept)
            text = kept
        if text:
            self._append_text(name, text)

    def _append_text(self, name: str, text: str) -> None:
        last = self.items[-1] if self.items else None
        if not (isinstance(last, Stream) and last.name == name):
            last = Stream(name)
            self.items.append(last)
        before = last.size + len(last.tail)
        last.write(text)
        self.size += last.size + len(last.tail) - before
        self.version += 1

    def _append(self, output: dict[str, Any], size: int) -> None:
        self.items.append(output)
        self.size += size
        self.version += 1

    def _clear(self) -> None:
        self.items, self._displays = [], {}
        self.size = self._left_out = 0
        self.epoch += 1
        self.version += 1


def as_output(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """An output of a notebook, from the content of a message."""
    output = {key: value for key, value in content.items() if key != "transient"}
    return {**_whole(output), "output_type": kind}


def _display_id(content: dict[str, Any]) -> str | None:
    return (content.get("transient") or {}).get("display_id")


def _whole(value: Any) -> Any:
    """Numbers as a browser's JSON gives them back: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
