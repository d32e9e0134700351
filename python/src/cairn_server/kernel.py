"""Reads along with one kernel: which executions there are, what they put out, when they are over. Decides nothing and writes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from .outputs import Outputs, as_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from .notebooks import Place

OUTPUT_TYPES = frozenset({"stream", "display_data", "execute_result", "error", "clear_output", "update_display_data"})
# What kernels send ends up in memory twice otherwise: `Session` of jupyter_client copies and checks signatures, which a reader need not.
_DELIMITER = b"<IDS|MSG>"
_READY_S = 1.0
_MOST_FORGOTTEN = 1000


class Execution:
    """One run of one cell.

    It is `taken` once its outputs are the recorder's to write; until then they are its client's. `over` is the time at which the kernel
    was done with it. Once it is `released` its outputs are written, settled and forgotten; `outputs` then has only what came later, from
    threads, and `patches` what was displayed anew, by its place: see `late`.
    """

    def __init__(self, kernel: Kernel, header: dict[str, Any], metadata: dict[str, Any], code: str, limit: int) -> None:
        self.kernel = kernel
        self.id: str = header["msg_id"]
        self.session: str = header["session"]
        self.cell: str = metadata["cellId"]
        self.code = code
        self._limit = limit
        self.outputs = Outputs(limit)
        self.displays = self.outputs.displays
        self.patches: dict[int, dict[str, Any]] = {}
        self.unsettled_until = 0.0
        self.count: int | None = None
        self.timing: dict[str, str] | None = {} if metadata.get("recordTiming") else None
        self.taken = False
        self.released = False
        self.over: float | None = None
        self.place: Place | None = None
        self._late: list[Late] = []

    def release(self) -> None:
        """Forgets the outputs, not where display ids are."""
        if not self.released:
            self.released = True
            self.displays = self.outputs.displays
        self._late = []
        self._begin()

    def late(self) -> list[Late]:
        """What came since it was released, oldest first: to be written, and kept until it is said to be."""
        if self.outputs.items or self.patches:
            self._late.append(Late(self.patches, self.outputs))
            self._begin()
        return self._late

    def wrote(self) -> None:
        """All that `late` gave is written."""
        self._late = []

    def _begin(self) -> None:
        self.patches = {}
        self.outputs = Outputs(self._limit)


class Late(NamedTuple):
    """What a released execution got in some time."""

    patches: dict[int, dict[str, Any]]
    outputs: Outputs


class Kernel:
    """The executions of one kernel, by message id, oldest first. `changed` is called with each one that got something."""

    def __init__(self, manager: Any, limit: int, changed: Callable[[Execution], None]) -> None:
        self.manager = manager
        self.executions: dict[str, Execution] = {}
        self._limit = limit
        self._changed = changed
        self._inputs: dict[str, tuple[Execution, str, bool]] = {}
        self._captured: dict[str, str] = {}
        self._heard = asyncio.Event()
        self._ports: Any = None
        self._process: Any = None
        self._stream: Any = None

    # What comes from clients

    def request(self, header: dict[str, Any], metadata: dict[str, Any], content: dict[str, Any]) -> Execution:
        """An execute_request passed."""
        self.check_process()
        execution = Execution(self, header, metadata, content["code"], self._limit)
        self.executions[execution.id] = execution
        return execution

    def input_requested(self, request: str, parent: str, prompt: str, *, password: bool) -> None:
        """The kernel asked a client for input."""
        if execution := self.executions.get(parent):
            self._inputs[request] = (execution, prompt, password)

    def input_replied(self, request: str, value: str) -> None:
        """A client gave input. JupyterLab writes it among the outputs, so it belongs there."""
        if asked := self._inputs.pop(request, None):
            execution, prompt, password = asked
            text = f"{prompt} {'········' if password else value}\n"
            execution.outputs.add("stream", {"name": "stdin", "text": text}, len(text))
            self._changed(execution)

    # What comes from the kernel

    async def listen(self) -> None:
        """Subscribes, and returns once messages arrive: from then on nothing is missed. A busy kernel is not waited for."""
        self.subscribe()
        if getattr(self.manager, "execution_state", None) == "busy":
            return
        try:
            await asyncio.wait_for(self._heard.wait(), _READY_S)
        except asyncio.TimeoutError:
            return

    def subscribe(self) -> None:
        """Subscribes to the kernel's outputs; anew where a restart changed its ports."""
        ports = list(self.manager.ports)
        if self._stream is not None and not self._stream.closed() and ports == self._ports:
            return
        self.close()
        self._ports = ports
        self._process = _process_of(self.manager)
        self._heard.clear()
        self._stream = self.manager.connect_iopub()
        keep_all(self._stream)
        self._stream.on_recv(self._receive, copy=True)

    def close(self) -> None:
        """Reads what is there, and no further."""
        if self._stream is not None and not self._stream.closed():
            self._stream.flush()
            self._stream.on_recv(None)
            self._stream.close()
        self._stream = None

    def check_process(self) -> None:
        """Ends what ran in a process that is no more: it will not say so itself."""
        process = _process_of(self.manager)
        if process != self._process:
            self._process = process
            self.end_all()
            if process is not None:
                self.subscribe()

    def end_all(self) -> None:
        """The kernel is gone. What it said stays; the count stays empty, as in JupyterLab."""
        for execution in list(self.executions.values()):
            if execution.over is None:
                execution.count = None
                self._end(execution)

    def forget(self) -> None:
        """Drops the oldest released executions beyond some number; their display ids can then no longer be updated."""
        released = [execution.id for execution in self.executions.values() if execution.released]
        for key in released[: max(0, len(released) - _MOST_FORGOTTEN)]:
            del self.executions[key]

    def _receive(self, parts: list[bytes]) -> None:
        self._heard.set()
        at = parts.index(_DELIMITER)
        header, parent = json.loads(parts[at + 2]), json.loads(parts[at + 3])
        kind = header["msg_type"]
        if kind == "comm_msg":
            self._comm(json.loads(parts[at + 5]))
            return
        execution = self.executions.get(parent.get("msg_id"))
        if kind == "update_display_data" or (kind == "display_data" and b"display_id" in parts[at + 5]):
            self._display(execution, json.loads(parts[at + 5]))
        if execution is None:
            return
        if kind in OUTPUT_TYPES:
            self._output(execution, kind, parts[at + 5])
        elif kind == "execute_input":
            execution.count = json.loads(parts[at + 5])["execution_count"]
            self._time(execution, "iopub.execute_input", header)
            self._changed(execution)
        elif kind == "status":
            state = json.loads(parts[at + 5])["execution_state"]
            self._time(execution, f"iopub.status.{state}", header)
            if state == "idle" and execution.over is None:
                self._end(execution)

    def _output(self, execution: Execution, kind: str, content: bytes) -> None:
        if kind == "update_display_data":
            return
        if execution.id in self._captured.values() and not execution.taken:
            return
        execution.outputs.add(kind, json.loads(content), len(content))
        self._changed(execution)

    def _display(self, source: Execution | None, content: dict[str, Any]) -> None:
        """Something was displayed again: all that has its id shows it, also in cells that ran earlier."""
        display = (content.get("transient") or {}).get("display_id")
        for execution in self.executions.values():
            if display not in execution.displays:
                continue
            if execution.released:
                execution.patches.update(dict.fromkeys(execution.displays[display], as_output("display_data", content)))
            else:
                execution.outputs.update(display, content)
            # The source's client does not get to see the update, so it cannot show it here.
            execution.taken = execution.taken or (source is not None and source.taken)
            self._changed(execution)

    def _comm(self, content: dict[str, Any]) -> None:
        """An `ipywidgets.Output` names the execution whose outputs it shows instead of the cell; "" ends that."""
        state = (content.get("data") or {}).get("state") or {}
        if "msg_id" in state:
            self._captured.pop(content["comm_id"], None)
            if state["msg_id"]:
                self._captured[content["comm_id"]] = state["msg_id"]

    def _end(self, execution: Execution) -> None:
        execution.outputs.finish()
        execution.over = time.monotonic()
        self._changed(execution)

    def _time(self, execution: Execution, key: str, header: dict[str, Any]) -> None:
        if execution.timing is not None and "date" in header:
            execution.timing[key] = header["date"]
            # The reply goes to the client alone; these are its times as near as the recorder can know them.
            reply = {
                "iopub.status.busy": "shell.execute_reply.started",
                "iopub.status.idle": "shell.execute_reply",
            }.get(key)
            if reply is not None:
                execution.timing[reply] = header["date"]


def keep_all(stream: Any) -> None:
    """Lets a subscription take all that comes. ZeroMQ drops what is beyond 1000 messages, without a word, while the server is busy.

    A limit holds for connections made after it was set, so this one is made anew; nothing passed it yet.
    """
    endpoint = stream.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
    stream.socket.disconnect(endpoint)
    stream.socket.set_hwm(0)
    stream.socket.connect(endpoint)


def _process_of(manager: Any) -> Any:
    """What tells one process of a kernel from the next."""
    provisioner = getattr(manager, "provisioner", None)
    process = getattr(provisioner, "process", None)
    if provisioner is None or (process is not None and process.poll() is not None):
        return None
    return getattr(provisioner, "pid", None) or id(provisioner)
