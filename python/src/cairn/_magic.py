"""`%%job`, `%job` and `%jobs`: from a cell to a job. The other modules know how each part is done; this one orders them and prints."""

from __future__ import annotations

import os
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from . import _carry, _history, _options, _plan
from ._api import Client
from ._carry import Carried
from ._errors import CairnError
from ._job import Job, Jobs
from ._options import Options
from ._plan import Plan
from ._text import printable

_LISTED = 20
# A job is accepted once the snapshot of the project folder is made.
_SUBMIT_TIMEOUT_S = 300.0


@magics_class
class CairnMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, client: Client | None = None) -> None:
        super().__init__(shell)
        self._client = client
        self._watch = _history.Watch()

    def watch(self) -> None:
        """Begins to note which cells run and raise."""
        self.shell.events.register("pre_run_cell", self._watch.before)
        self.shell.events.register("post_run_cell", self._watch.after)

    def unwatch(self) -> None:
        """Ends what `watch` began."""
        self.shell.events.unregister("pre_run_cell", self._watch.before)
        self.shell.events.unregister("post_run_cell", self._watch.after)

    @no_var_expand
    @cell_magic("job")
    def submit(self, line: str, body: str) -> Job | None:
        r"""Runs this cell as a job, with the cells of this session that it needs.

        %%job [--machine M] [--environment E] [--input [NAME=]REF]... [--param K=V]... [--carry NAME[,NAME]]...
              [--pickle] [--time-limit 2h] [--wait] [--alone] [--dry-run] [NAME]

        --machine M            the machine type
        --environment E        the software; that of this workspace where left out
        --input [NAME=]REF     what it reads at /cairn/inputs/NAME: another job's outputs, `#12` or `#12/path`
        --param K=V            a parameter; it takes the place of the plain assignment `K = ...`. V is JSON where it is
        --carry NAME[,NAME]    values of this kernel to take along, exactly: what JSON knows, arrays, tables
        --pickle               carry everything else as pickles
        --time-limit 2h        it is stopped after running this long (s, m, h, d)
        --wait                 follow its log until it has ended; interrupting leaves the job alone
        --alone                only this cell, none that ran before
        --dry-run              show what would run and why, and send nothing

        Nothing of the cell runs here. Gives the job, also as `_`: see its `wait()`, `state`, `metadata`, `outputs`,
        `attach()`, `stop()` and `url`.
        """
        options = _options.read(line)
        body = body.rstrip("\n")
        _history.check(self.shell, body)
        _carry.check_names(options.carry, self.shell.user_ns)
        client = self._connect()
        ran = [] if options.alone else _history.executed(self.shell, self._watch)
        document = _history.document(self.shell, ran, body, carries=bool(options.carry))
        plan = _plan.propose(client, self.shell, document, options)
        doubts = [*plan.doubts, *_elsewhere()]
        if options.dry_run:
            _print_plan(plan, doubts)
            return None
        _plan.refuse_missing(plan, self.shell.user_ns)
        job = self._send(client, plan, options, doubts)
        _say(doubts)
        verb = "Queued" if job._record["state"] in ("created", "queued") else "Submitted"
        print(f"{verb} as {job._title} on {job.machine} ({plan.cells()})", flush=True)
        return self._follow(job) if options.wait else job

    @no_var_expand
    @line_magic("job")
    def show(self, line: str) -> Job:
        """Gives a job of this project: `%job 12`.

        Raises:
            CairnError: There is no such job, or the service cannot be asked.
        """
        client = self._connect()
        workspace = _workspace(client)
        return Job.find(client, workspace["project_id"], _options.number(line, workspace["project"]))

    @no_var_expand
    @line_magic("jobs")
    def list_jobs(self, line: str) -> Jobs:
        """Gives the latest jobs of this project, newest first: `%jobs`, or `%jobs TEXT` for those with a text in their name.

        Raises:
            CairnError: The service cannot be asked.
        """
        client = self._connect()
        project = _workspace(client)["project_id"]
        query: dict[str, object] = {"name": line.strip()} if line.strip() else {}
        page = client.get("projects", project, "jobs", limit=_LISTED, **query)
        return Jobs(Job(client, record) for record in page["items"])

    def _connect(self) -> Client:
        if self._client is None:
            self._client = Client.from_environment()
        return self._client

    def _send(self, client: Client, plan: Plan, options: Options, doubts: list[str]) -> Job:
        """Saves what is carried, submits, and removes it again: the job's snapshot has it by then.

        It stays where nobody knows whether the service still takes that snapshot; a later job removes it after a day.
        """
        project = _workspace(client)["project_id"]
        carried = None
        document, prelude = plan.document, None
        try:
            if options.carry:
                carried = _carry.save(options.carry, self.shell.user_ns, _project(), may_pickle=options.pickle)
                doubts += carried.warnings
                assert document.carry is not None  # noqa: S101 -- it is where something is carried
                document = document.with_source(document.carry, carried.loader(options.carry))
                early = _early(plan, carried)
                prelude = carried.loader(early) if early else None
            request = _request(client, plan._replace(document=document), options, prelude)
            job = Job(client, _submit(client, project, request))
        except BaseException as error:
            if carried is not None and isinstance(error, CairnError) and not _is_refusal(error):
                error.message += f" The values that it carries stay in {printable(carried.folder, 500)}."
            elif carried is not None:
                carried.discard()
            raise
        if carried is not None:
            carried.discard()
        return job

    def _follow(self, job: Job) -> Job:
        try:
            job.follow()
        except KeyboardInterrupt:
            print(f"\nDetached: {job._title} goes on. `%job {job.number}` shows it, `_.stop()` stops it.", flush=True)
            return job
        # As any cell that fails, so that what was to run after it does not.
        return job.wait()


def _early(plan: Plan, carried: Carried) -> list[str]:
    """The carried values that are loaded before everything else too, for cells of the session that use them in ways not seen.

    They are loaded again before the body, which sees them as they are now, whatever those cells do. Pickles may need classes
    that those cells define, so they come early only where it is known that they must.
    """
    if not plan.others():
        return []
    return [name for name, kind in carried.kinds.items() if kind != "pickle" or name in plan.early]


def _request(client: Client, plan: Plan, options: Options, prelude: str | None) -> dict[str, Any]:
    cells = {
        "notebook": plan.document.notebook(),
        "path": _notebook_path(),
        "keep": plan.keep,
        "lift": plan.lift,
        "prelude": prelude,
    }
    request = {
        "workspace_id": client.workspace_id,
        "name": options.name,
        "machine": options.machine,
        "environment": options.environment,
        "inputs": options.inputs,
        "parameters": options.parameters,
        "time_limit_ms": options.time_limit_ms,
        "idempotency_key": uuid.uuid4().hex,
        "cells": {key: value for key, value in cells.items() if value is not None},
    }
    return {key: value for key, value in request.items() if value is not None}


def _submit(client: Client, project: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        # The idempotency key makes one job of it, however often it arrives.
        record: dict[str, Any] = client.ask(
            "POST", ("projects", project, "jobs"), body=request, timeout_s=_SUBMIT_TIMEOUT_S, repeat=True
        )
    except KeyboardInterrupt:
        raise CairnError(
            "Interrupted while the job was sent: it may have been accepted. `%jobs` shows it then."
        ) from None
    return record


def _is_refusal(error: CairnError) -> bool:
    """Whether the service itself said no to this job. After all else it may be accepted, now or in a moment.

    What is said of who asks, or how often, may come after a first try that was accepted, and whose answer was lost.
    """
    return error.status in (400, 409, 413, 422)


def _workspace(client: Client) -> dict[str, Any]:
    workspace: dict[str, Any] = client.get("workspaces", client.workspace_id)
    return workspace


def _project() -> Path:
    """The project folder of the workspace: what a job's snapshot takes."""
    return Path.home() / "work"


def _notebook_path() -> str:
    """Where the notebook lies in the project folder, as Jupyter says; a name of its own where that does not say or lies elsewhere."""
    session = os.environ.get("JPY_SESSION_NAME", "")
    path = PurePosixPath(session)
    for project in (_project(), _project().resolve()):
        if session.endswith(".ipynb") and ".." not in path.parts and path.is_relative_to(project):
            return str(path.relative_to(project))
    return "session.ipynb"


def _elsewhere() -> list[str]:
    """Says where relative paths will mean something else: a job begins in the project folder."""
    here = Path.cwd()
    if here.resolve() == _project().resolve():
        return []
    return [f"This kernel works in {printable(here)}, the job in its project folder: relative paths may differ."]


def _print_plan(plan: Plan, doubts: list[str]) -> None:
    print(plan.table())
    if plan.lift:
        print(f"Parameters in place of their assignments: {', '.join(plan.lift)}")
    if plan.missing:
        print(f"Not defined by any cell of it: {', '.join(map(printable, plan.missing))} (see --carry)")
    _say(doubts)
    print("Nothing was sent.", flush=True)


def _say(doubts: list[str]) -> None:
    for doubt in doubts:
        print(f"? {doubt}")
