"""Who writes the outputs of an execution: its client while it is there, else the recorder. Knows no sockets, no files and no documents.

An execution belongs to the client that sent it while that client's websocket is open, or was lost less than `grace_s` ago. After that it is
taken over: all of its outputs are written, from the first on, then what comes. It never goes back.

A client that returns sooner gets what jupyter_server kept for it, if it keeps its notebook itself. If it keeps it in a shared document its
executions are taken over on return: what was on the way when the connection broke is in no buffer, but the recorder has it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from .kernel import Execution, Kernel
from .notebooks import BusyError, GoneError, Notebooks, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from logging import Logger

_TICK_S = 0.2
# How often a document is written to, at most; a slow one takes a tenth of the time.
_WRITE_S = 1.0
_RETRY_S = 5.0
# For so long after the end, and after its client came back, the recorder makes sure that what it wrote is what the document has: a
# client's own late changes are merged into it.
_SETTLE_S = 10.0
# A pong says that all that was sent before its ping arrived; this much earlier to be sure.
_MARGIN_S = 5.0
# A page that is there has shown and written what it got after this.
_SURE_S = 3.0
_PAGE_WENT_AWAY = {1000, 1001}
_MOST_WITHHELD = 10_000
_LAST_TRIES = 5
# Who ends the server gives it some ten seconds.
_PATIENCE_S = 3.0
# Who is away for longer is not waited for.
_ABANDONED_S = 3600.0


class Connection(Protocol):
    """What the recorder asks of a websocket."""

    @property
    def kernel_id(self) -> Any:
        """Its kernel."""

    @property
    def session_id(self) -> Any:
        """The session of the client, which it keeps when it connects again."""

    def heard_at(self) -> float:
        """When it was last known that all that was sent arrived, by `time.monotonic`."""

    def replays(self) -> bool:
        """Whether jupyter_server keeps messages for this client."""

    def prune(self) -> None:
        """Drops what is withheld from what jupyter_server keeps for this client."""


class Client:
    """One session of one page with one kernel, over all its websockets."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.last: Connection | None = None
        self.gone: float | None = None
        self.grace_s = 0.0
        self.heard = 0.0
        self.returned = 0.0
        self.withheld: dict[str, None] = {}

    @property
    def lost(self) -> bool:
        """Whether it is gone for longer than its grace."""
        return self.gone is not None and time.monotonic() - self.gone >= self.grace_s

    def heard_since(self, moment: float) -> bool:
        """Whether it is known that it got all that was sent until then."""
        for connection in self.connections:
            self.heard = max(self.heard, connection.heard_at())
        return self.heard - _MARGIN_S > moment


class Schedule:
    """When an execution is to be written next, and whether that is still needed."""

    def __init__(self) -> None:
        self.due = 0.0
        self.dirty = True
        self.failed = False
        self.ended = False


class Recorder:
    """Takes executions over, and writes them. One per server."""

    def __init__(
        self,
        kernels: Any,
        notebooks: Notebooks,
        log: Logger,
        *,
        grace_s: float,
        limit: int,
        memory: int,
        alone_s: float = 150.0,
    ) -> None:
        self._manager = kernels
        self._notebooks = notebooks
        self._log = log
        self._grace_s = grace_s
        self._alone_s = max(grace_s, alone_s)
        self._limit = limit
        self._memory = memory
        self._kernels: dict[str, Kernel] = {}
        self._clients: dict[tuple[str, str], Client] = {}
        self._schedules: dict[Execution, Schedule] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    # What connections tell

    def opened(self, connection: Connection) -> Kernel:
        """A websocket opens; nothing was sent to it yet. Await `listen` of the kernel before a message of the client passes."""
        client = self._clients.setdefault((connection.kernel_id, connection.session_id), Client())
        returned = client.last is not None
        client.connections.add(connection)
        client.last, client.gone = connection, None
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())
        kernel = self._kernels.get(connection.kernel_id)
        if kernel is None:
            kernel = Kernel(self._manager.get_kernel(connection.kernel_id), self._limit, self._changed)
            self._kernels[connection.kernel_id] = kernel
        if returned:
            client.returned = time.monotonic()
            for execution in self._unsure(kernel, connection.session_id):
                if self._notebooks.is_live(execution.place) or not connection.replays():
                    self.take(execution)
            for execution in kernel.executions.values():
                if execution.session == connection.session_id and execution.taken:
                    execution.unsettled_until = client.returned + _SURE_S
        return kernel

    def closed(self, connection: Connection, code: int | None) -> None:
        """A websocket closed, or broke, which has no code. Idempotent."""
        client = self._clients.get((connection.kernel_id, connection.session_id))
        if client is None or connection not in client.connections:
            return
        client.heard_since(0)
        client.connections.discard(connection)
        if client.connections:
            return
        client.gone = time.monotonic()
        client.grace_s = self._grace_s if self._notebooks.shares else self._alone_s
        if code in _PAGE_WENT_AWAY:
            client.grace_s = 0.0
            # It was well until then: only what was said last it may not have written any more.
            client.heard = client.gone + _MARGIN_S - _SURE_S
        if client.lost:
            self._lose(connection.kernel_id, connection.session_id)

    def requested(
        self, connection: Connection, header: dict[str, Any], metadata: dict[str, Any], content: dict[str, Any]
    ) -> None:
        """A client sent an execute_request. Only cells of notebooks are recorded."""
        kernel = self._kernels.get(connection.kernel_id)
        if kernel is None or content.get("silent") or not isinstance(metadata.get("cellId"), str):
            return
        for earlier in [e for e in kernel.executions.values() if e.cell == metadata["cellId"]]:
            self._drop(earlier)
        execution = kernel.request({**header, "session": connection.session_id}, metadata, content)
        self._spawn(self._begin(execution))

    def execution(self, kernel_id: str, message: str) -> Execution | None:
        """The execution that this message started."""
        kernel = self._kernels.get(kernel_id)
        return kernel.executions.get(message) if kernel else None

    def kernel(self, kernel_id: str) -> Kernel | None:
        """What is read along with."""
        return self._kernels.get(kernel_id)

    def withheld(self, connection: Connection) -> dict[str, None]:
        """The executions whose outputs this client no longer gets, because they come to it through its document."""
        client = self._clients.get((connection.kernel_id, connection.session_id))
        return client.withheld if client else {}

    def running(self, connection: Connection) -> Iterable[Execution]:
        """What this client sent and the kernel is not done with."""
        kernel = self._kernels.get(connection.kernel_id)
        return (
            [e for e in kernel.executions.values() if e.session == connection.session_id and e.over is None]
            if kernel
            else []
        )

    def take(self, execution: Execution) -> None:
        """From now on the recorder writes this execution's outputs."""
        if execution.taken and execution in self._schedules:
            return
        execution.taken = True
        execution.unsettled_until = time.monotonic() + _SURE_S
        self._schedules[execution] = schedule = Schedule()
        if execution.released:
            # Its end was written; what comes from its threads now has time.
            schedule.ended, schedule.due = True, time.monotonic() + _WRITE_S
        client = self._client(execution)
        client.withheld[execution.id] = None
        if len(client.withheld) > _MOST_WITHHELD:
            client.withheld.pop(next(iter(client.withheld)))
        if client.last is not None:
            client.last.prune()

    async def stop(self) -> None:
        """Writes all that is known, and saves all documents. The server ends; the kernels will."""
        self._stopping = True
        if self._loop is not None:
            # Not cancelled: who saves a document may swallow that, and it would never end.
            await asyncio.wait([self._loop], timeout=_PATIENCE_S)
        try:
            for kernel in list(self._kernels.values()):
                kernel.close()
                for execution in list(kernel.executions.values()):
                    if not execution.released and not self._is_known(execution):
                        await self._locate(execution)
                        self.take(execution)
            for _ in range(_LAST_TRIES):
                await self._write(self._is_left)
                if not any(self._is_left(*one) for one in self._schedules.items()):
                    break
                await asyncio.sleep(_TICK_S)
        finally:
            await self._notebooks.save_all()

    def _is_left(self, execution: Execution, schedule: Schedule) -> bool:
        return schedule.dirty or self._notebooks.is_stale(execution)

    # Who owns what

    def _client(self, execution: Execution) -> Client:
        return self._clients.setdefault((execution.kernel.manager.kernel_id, execution.session), Client())

    def _unsure(self, kernel: Kernel, session: str) -> list[Execution]:
        """What the client may not have seen to its end."""
        return [
            execution
            for execution in kernel.executions.values()
            if execution.session == session
            and not execution.taken
            and not execution.released
            and (execution.over is None or not self._client(execution).heard_since(execution.over))
        ]

    def _lose(self, kernel_id: str, session: str) -> None:
        if kernel := self._kernels.get(kernel_id):
            for execution in self._unsure(kernel, session):
                self.take(execution)

    def _changed(self, execution: Execution) -> None:
        if not execution.taken and not self._client(execution).lost:
            if execution.released:
                execution.release()
            return
        self.take(execution)
        self._schedules[execution].dirty = True

    # The loop

    async def _run(self) -> None:
        while not self._stopping:
            await asyncio.sleep(_TICK_S)
            try:
                self._look()
                await self._write(_is_due)
                self._settle()
            except Exception:
                self._log.exception("Cairn's recorder goes on after an error")

    def _look(self) -> None:
        for kernel_id, kernel in list(self._kernels.items()):
            if kernel_id not in self._manager:
                kernel.end_all()
                kernel.close()
            elif any(execution.over is None for execution in kernel.executions.values()):
                kernel.check_process()
        for (kernel_id, session), client in list(self._clients.items()):
            if client.lost:
                self._lose(kernel_id, session)

    async def _write(self, wanted: Callable[[Execution, Schedule], bool]) -> None:
        batches: dict[Place, list[Execution]] = {}
        for execution, schedule in list(self._schedules.items()):
            if not wanted(execution, schedule):
                continue
            await self._locate(execution)
            if execution.place is not None:
                batches.setdefault(execution.place, []).append(execution)
            elif execution.over is not None:
                self._drop(execution)
            else:
                schedule.due = time.monotonic() + _RETRY_S
        for place, executions in batches.items():
            await self._write_batch(place, executions)

    async def _write_batch(self, place: Place, executions: list[Execution]) -> None:
        # Some may have been dropped while the others were located.
        schedules = {execution: self._schedules[execution] for execution in executions if execution in self._schedules}
        if not schedules:
            return
        for execution, schedule in schedules.items():
            schedule.dirty, schedule.ended = False, execution.over is not None
        try:
            pause = max(_WRITE_S, 9 * await self._notebooks.write(place, list(schedules)))
        except GoneError:
            # Nothing is left that could hold them.
            for execution in schedules:
                self._drop(execution)
            return
        except BaseException as error:
            pause = self._failed(schedules.values(), error)
            if not isinstance(error, Exception):
                raise
        for schedule in schedules.values():
            schedule.due = time.monotonic() + pause

    def _failed(self, schedules: Collection[Schedule], error: BaseException) -> float:
        """Nothing of it counts as written. Says how long to wait before it is tried again."""
        is_news = isinstance(error, Exception) and not isinstance(error, BusyError)
        if is_news and not all(schedule.failed for schedule in schedules):
            self._log.error("Cairn's recorder could not write to a notebook, and tries again", exc_info=error)
        for schedule in schedules:
            schedule.dirty = True
            schedule.failed = schedule.failed or is_news
        return _RETRY_S if is_news else _WRITE_S

    def _settle(self) -> None:
        """Releases what is done with, and looks whether others changed the rest."""
        now = time.monotonic()
        for execution, schedule in list(self._schedules.items()):
            if execution.over is None or schedule.dirty:
                continue
            client = self._client(execution)
            away = client.gone is not None and (not client.grace_s or now - client.gone > _ABANDONED_S)
            if now - max(execution.over, client.returned) > _SETTLE_S and (client.connections or away):
                self._release(execution)
            elif self._notebooks.is_stale(execution):
                schedule.dirty = True
        for kernel in self._kernels.values():
            for execution in kernel.executions.values():
                if self._is_known(execution):
                    self._release(execution)
            kernel.forget()
        self._bound()
        for kernel_id in [kernel_id for kernel_id in self._kernels if kernel_id not in self._manager]:
            self._forget(kernel_id)

    def _is_known(self, execution: Execution) -> bool:
        """Whether its client has all of it."""
        if execution.over is None or execution.taken or execution.released:
            return False
        return self._client(execution).heard_since(execution.over)

    def _forget(self, kernel_id: str) -> None:
        """A kernel ended: nothing is left of it once all is written."""
        if any(execution in self._schedules for execution in self._kernels[kernel_id].executions.values()):
            return
        del self._kernels[kernel_id]
        for key in [key for key in self._clients if key[0] == kernel_id]:
            del self._clients[key]

    def _bound(self) -> None:
        """Releases the oldest that are over while all together are too large; what nobody has written yet is written first."""
        kept = [e for kernel in self._kernels.values() for e in kernel.executions.values() if not e.released]
        total = sum(execution.outputs.size for execution in kept)
        for execution in kept:
            if total <= self._memory:
                return
            if execution.over is None:
                continue
            total -= execution.outputs.size
            if not execution.taken and not self._client(execution).connections:
                self.take(execution)
            elif not (execution in self._schedules and self._schedules[execution].dirty):
                self._release(execution)

    def _release(self, execution: Execution) -> None:
        self._schedules.pop(execution, None)
        self._notebooks.forget(execution)
        execution.release()

    def _drop(self, execution: Execution) -> None:
        """Its cell is gone, or its notebook: nothing can be written. It may still run, and is still withheld."""
        self._schedules.pop(execution, None)
        self._notebooks.forget(execution)
        execution.kernel.executions.pop(execution.id, None)

    async def _begin(self, execution: Execution) -> None:
        """Finds the notebook; what another kernel ran in the same cell before is no more."""
        await self._locate(execution)
        mine = (execution.place, execution.cell)
        for kernel in self._kernels.values():
            if kernel is not execution.kernel:
                for earlier in [e for e in kernel.executions.values() if (e.place, e.cell) == mine]:
                    self._drop(earlier)

    async def _locate(self, execution: Execution) -> None:
        if execution.place is None:
            execution.place = await self._notebooks.locate(execution.kernel.manager.kernel_id, execution.cell)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_due(execution: Execution, schedule: Schedule) -> bool:
    """The end of an execution is not put off: who looks waits for it, and it comes once."""
    ends = execution.over is not None and not schedule.ended
    return schedule.dirty and (ends or schedule.due <= time.monotonic())
