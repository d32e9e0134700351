"""A job, as a notebook holds it: what became of it, its log as it grows, what it left. Submits nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, TextIO, TypeVar
from urllib.parse import quote

from ._api import Client
from ._errors import CairnError
from ._text import printable, tame

T = TypeVar("T")

ENDED = ("stopped", "error", "complete")
_PAGE_BYTES = 1 << 20
_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
# A job is not touched by a restart or an upgrade of Cairn, and neither is who waits for it.
_PATIENCE_S = 600.0


class Output(NamedTuple):
    """A file or folder that a job left: its path within the outputs, `file`, `folder` or `link`, and its size."""

    path: str
    kind: str
    bytes: int


class Job:
    """One job of the workspace's project.

    `state`, `metadata` and `outputs` ask the service as long as the job has not ended; `number`, `project`, `name`, `machine` and
    `url` do not. Nothing here stops the job but `stop`.
    """

    def __init__(self, client: Client, record: dict[str, Any]) -> None:
        self._client = client
        self._record = record

    @classmethod
    def find(cls, client: Client, project_id: str, number: int) -> Job:
        """The job of that number.

        Raises:
            CairnError: There is none (`code` is `not_found`), or the service cannot be asked.
        """
        return cls(client, client.get("projects", project_id, "jobs", number))

    @property
    def number(self) -> int:
        """Its number in the project."""
        return int(self._record["number"])

    @property
    def project(self) -> str:
        """The project's name."""
        return printable(self._record["project"])

    @property
    def name(self) -> str:
        """What people call it, fit to be shown."""
        return printable(self._record["name"])

    @property
    def machine(self) -> str:
        """The name of its machine type."""
        return printable(self._record["machine"])

    @property
    def url(self) -> str:
        """Its page in the app, where the app's address is that of the API."""
        return f"{self._client.url}/p/{quote(str(self._record['project']), safe='')}/jobs/{self.number}"

    @property
    def state(self) -> str:
        """`created`, `queued`, `started`, `stopping`, then one of `stopped`, `error`, `complete`."""
        return str(self._fresh()["state"])

    @property
    def message(self) -> str | None:
        """What went wrong, or what it waits for."""
        message = self._fresh()["message"]
        return None if message is None else printable(message, 2000)

    @property
    def metadata(self) -> dict[str, Any]:
        """The latest value of each key that it printed as a line of JSON."""
        return dict(self._fresh()["metadata"])

    @property
    def outputs(self) -> list[Output]:
        """What lies at the top of its outputs; empty until it has ended."""
        if self._fresh()["outputs"] is None:
            return []
        pages = self._pages("outputs", limit=1000)
        return [Output(file["path"], file["kind"], file["bytes"]) for page in pages for file in page["items"]]

    def wait(self, timeout_s: float | None = None, *, check: bool = True) -> Job:
        """Returns itself once the job has ended. Interrupting the wait does not touch the job.

        Raises:
            CairnError: It was stopped or ended in an error and `check` is true; it has not ended after `timeout_s` seconds; the
                service was away for more than ten minutes.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = _SHORTEST_PAUSE_S
        while self._patiently(self._fresh)["state"] not in ENDED:
            left_s = pause_s if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                raise CairnError(f"{self._title} has not ended after {timeout_s:g} s; it goes on.", is_transient=True)
            self._client.pause(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        if check and self._record["state"] != "complete":
            raise CairnError(f"{self._summary()}.")
        return self

    def follow(self, out: TextIO | None = None) -> Job:
        """Prints its log from the beginning and as it grows, until it has ended. Interrupting it does not touch the job.

        Raises:
            CairnError: The service was away for more than ten minutes, or says no.
        """
        out = sys.stdout if out is None else out
        told = None
        for line in self._log():
            if line is None:
                told = self._tell_waiting(out, told)
                continue
            note = "cairn: " if line["stream"] == "system" else ""
            out.write(f"{note}{tame(line['text'])}{'' if line['partial'] else chr(10)}")
            out.flush()
        return self.wait(check=False)

    def stop(self) -> Job:
        """Asks it to stop; its outputs are kept. Stopping a job that has ended changes nothing.

        Raises:
            CairnError: The service says no: a workspace stops the jobs that it submitted.
        """
        self._record = self._client.ask("POST", (*self._path, "stop"), repeat=True)
        return self

    def attach(self, name: str | None = None) -> Path:
        """Mounts its outputs into this workspace, read-only, and returns the folder: `/cairn/inputs/NAME`.

        They are there at once and after every start. Another input of that name gives way; the usual name is `job-NUMBER`.

        Raises:
            CairnError: The job left nothing yet, or the name cannot name an input.
        """
        name = name or f"job-{self.number}"
        path = ("workspaces", self._client.workspace_id, "inputs", name)
        self._client.ask("PUT", path, body={"ref": f"#{self.number}"}, timeout_s=120)
        return Path(os.environ.get("CAIRN_INPUTS") or "/cairn/inputs") / name

    def __repr__(self) -> str:
        return self._summary()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 -- IPython calls it with both
        try:
            self._fresh()
        except CairnError:
            printer.text(f"{self._summary()} (when last seen: Cairn cannot be asked)")
        else:
            printer.text(self._summary())

    @property
    def _path(self) -> tuple[object, ...]:
        return ("projects", self._record["project_id"], "jobs", self.number)

    @property
    def _title(self) -> str:
        return f"{self.project}#{self.number}"

    def _fresh(self) -> dict[str, Any]:
        """Its record as it is now. One that has ended does not change any more."""
        if self._record["state"] not in ENDED:
            self._record = self._client.get(*self._path)
        return self._record

    def _summary(self) -> str:
        record = self._record
        text = f"{self._title} {record['state']} on {self.machine}"
        if record["started_ms"] is not None and record["ended_ms"] is not None:
            text += f" after {(record['ended_ms'] - record['started_ms']) / 1000:.1f} s"
        text += f": {self.name}"
        if record["message"]:
            text += f" ({printable(record['message'], 500).rstrip('.')})"
        return text

    def _pages(self, *path: object, **query: object) -> Iterator[dict[str, Any]]:
        while True:
            page = self._client.get(*self._path, *path, **query)
            yield page
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _log(self) -> Iterator[dict[str, Any] | None]:
        """The lines of its log; None each time that there is no other yet."""
        offset, pause_s = 0, _SHORTEST_PAUSE_S
        while True:
            ask = partial(self._client.get, *self._path, "log", offset=offset, limit=_PAGE_BYTES)
            page = self._patiently(ask)
            yield from page["items"]
            if page["next"] > offset:
                offset, pause_s = page["next"], _SHORTEST_PAUSE_S
                continue
            if page["ended"]:
                return
            yield None
            self._client.pause(pause_s)
            pause_s = min(pause_s * 1.5, 2.0)

    def _tell_waiting(self, out: TextIO, told: str | None) -> str | None:
        """Says what a job that has not begun waits for, when that is something else than before."""
        queue = self._patiently(self._fresh)["queue"]
        if queue is None:
            return told
        place = f"{queue['position']} of {queue['length']} in the queue: {printable(queue['reason'])}"
        if place != told:
            out.write(f"cairn: {place}\n")
            out.flush()
        return place

    def _patiently(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return ask()
            except CairnError as error:
                if not error.is_transient or time.monotonic() > deadline:
                    raise
                self._client.pause(_LONGEST_PAUSE_S)


class Jobs(list[Job]):
    """Some jobs, newest first, that IPython shows as a table."""

    def __repr__(self) -> str:
        rows = [("JOB", "STATE", "MACHINE", "NAME")]
        rows += [(job._title, job._record["state"], job.machine, job.name) for job in self]
        widths = [max(len(row[at]) for row in rows) for at in range(3)]
        lines = ("  ".join([*(row[at].ljust(widths[at]) for at in range(3)), row[3]]) for row in rows)
        return "\n".join(lines) if self else "No jobs."

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 -- IPython calls it with both
        printer.text(repr(self))
