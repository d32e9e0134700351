"""A kernel's websocket that tells the recorder what passes, and keeps from a page what comes to it through its document."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Callable

from jupyter_server.services.kernels.connection.base import deserialize_binary_message, deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.ioloop import IOLoop

from .kernel import OUTPUT_TYPES, keep_all

if TYPE_CHECKING:
    from .kernel import Kernel
    from .recorder import Recorder

_V1 = "v1.kernel.websocket.jupyter.org"
_DELIMITER = b"<IDS|MSG>"
_MOST_MESSAGES = 20_000
_MOST_BYTES = 64_000_000


class ReplayBuffer(list):  # type: ignore[type-arg]
    """What jupyter_server keeps for a client that is away, bounded: outputs beyond go to the recorder, other messages are lost."""

    def __init__(
        self,
        messages: list[tuple[str, list[bytes]]],
        overflow: Callable[[], None],
        withheld: Callable[[], dict[str, None]],
    ) -> None:
        super().__init__(messages)
        self._overflow = overflow
        self._withheld = withheld
        self._bytes = sum(map(_weight, messages))

    def append(self, message: tuple[str, list[bytes]]) -> None:
        """Keeps a message, unless its outputs come through the document."""
        if _is_withheld(message, self._withheld()):
            return
        if self._full(message):
            self._overflow()
            if self._full(message) or _is_withheld(message, self._withheld()):
                return
        self._bytes += _weight(message)
        super().append(message)

    def prune(self) -> None:
        """Drops what is withheld by now."""
        withheld = self._withheld()
        self[:] = [message for message in self if not _is_withheld(message, withheld)]
        self._bytes = sum(map(_weight, self))

    def _full(self, message: tuple[str, list[bytes]]) -> bool:
        return len(self) >= _MOST_MESSAGES or self._bytes + _weight(message) > _MOST_BYTES


class RecordedConnection(ZMQChannelsWebsocketConnection):
    """The connection of jupyter_server, with a recorder that reads along. What the recorder does wrong never stops a message."""

    def connect(self) -> Any:
        """Opens, and lets no message of the client through before the recorder hears the kernel."""
        keeps = self.multi_kernel_manager._kernel_buffers.get(self.kernel_id) or {}
        self._replays = keeps.get("session_key") == self.session_key
        kernel = self._guard(self._opened)
        connected = super().connect()
        if connected is None or kernel is None:
            return connected
        return asyncio.ensure_future(asyncio.wait([asyncio.ensure_future(kernel.listen()), connected]))

    def create_stream(self) -> None:
        """Subscribes; the client too gets all, up to what limits its rate."""
        super().create_stream()
        keep_all(self.channels["iopub"])

    def disconnect(self) -> None:
        """Closes; from now on the recorder may have to do what the client did."""
        super().disconnect()
        self._guard(self._closed)

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Passes a message of the client on."""
        if self.channels:
            self._guard(self._saw, incoming_msg)
        super().handle_incoming_message(incoming_msg)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Passes a message of the kernel on, unless the client gets it through its document."""
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if channel == "iopub" and self._recorder is not None:
            withheld = self._recorder.withheld(self)
            if withheld and _is_withheld((channel, outgoing_msg), withheld):
                return
        elif channel == "stdin":
            self._guard(self._asked, outgoing_msg)
        super().handle_outgoing_message(stream, outgoing_msg)

    def write_stderr(self, error_message: str, parent_header: dict[str, Any]) -> None:
        """Tells of a limit that drops outputs; where they are recorded it drops none: they come through the document."""
        if not self._guard(self._take, parent_header):
            super().write_stderr(error_message, parent_header)

    def _limit_rate(self, channel: str | None, msg: dict[str, Any], msg_list: list[Any]) -> bool:
        if not super()._limit_rate(channel, msg, msg_list):
            return False
        parent = self.get_part("parent_header", msg["parent_header"], msg_list)
        if self._recorder is None or parent.get("msg_id") not in self._recorder.withheld(self):
            return True
        # The flood is over: what made it does not come this way any more.
        self._iopub_window_byte_queue = []
        self._iopub_window_msg_count = self._iopub_window_byte_count = 0
        self._iopub_msgs_exceeded = self._iopub_data_exceeded = False
        return msg["header"]["msg_type"] in OUTPUT_TYPES

    # What the recorder asks

    def heard_at(self) -> float:
        """When the client last showed that it was there, by `time.monotonic`."""
        return time.monotonic() - (IOLoop.current().time() - self.websocket_handler.last_pong)

    def replays(self) -> bool:
        """Whether jupyter_server replays what this client missed."""
        return self._replays

    def prune(self) -> None:
        """Frees what is kept for this client in vain."""
        buffer = (self.multi_kernel_manager._kernel_buffers.get(self.kernel_id) or {}).get("buffer")
        if isinstance(buffer, ReplayBuffer):
            buffer.prune()

    # What the recorder is told

    _replays = False

    @property
    def _recorder(self) -> Recorder | None:
        return self.websocket_handler.settings.get("cairn_recorder")

    def _guard(self, work: Callable[..., Any], *arguments: Any) -> Any:
        if self._recorder is None:
            return None
        try:
            return work(self._recorder, *arguments)
        except Exception:
            self.log.exception("Cairn's recorder missed a message")
            return None

    def _opened(self, recorder: Recorder) -> Kernel:
        return recorder.opened(self)

    def _closed(self, recorder: Recorder) -> None:
        keeps = (
            self.multi_kernel_manager._kernel_buffers.get(self.kernel_id)
            if self.kernel_id in self.multi_kernel_manager
            else None
        )
        if keeps and keeps.get("session_key") == self.session_key and not isinstance(keeps["buffer"], ReplayBuffer):
            keeps["buffer"] = ReplayBuffer(keeps["buffer"], self._overflow, lambda: recorder.withheld(self))
        recorder.closed(self, self.websocket_handler.close_code)

    def _overflow(self) -> None:
        recorder = self._recorder
        if recorder is not None:
            for execution in recorder.running(self):
                recorder.take(execution)

    def _take(self, recorder: Recorder, parent: dict[str, Any]) -> bool:
        execution = recorder.execution(self.kernel_id, parent.get("msg_id", ""))
        if execution is None or execution.session != self.session_id:
            return False
        recorder.take(execution)
        return True

    def _saw(self, recorder: Recorder, message: Any) -> None:
        if self.subprotocol == _V1:
            _, parts = deserialize_msg_from_ws_v1(message)
            header = json.loads(parts[0])
            if header["msg_type"] not in {"execute_request", "input_reply"}:
                return
            parent, metadata, content = (json.loads(part) for part in parts[1:4])
        else:
            whole = deserialize_binary_message(message) if isinstance(message, bytes) else json.loads(message)
            header, parent, metadata, content = (
                whole[key] for key in ("header", "parent_header", "metadata", "content")
            )
        if header["msg_type"] == "execute_request":
            recorder.requested(self, header, metadata, content)
        elif header["msg_type"] == "input_reply" and (kernel := recorder.kernel(self.kernel_id)):
            kernel.input_replied(parent.get("msg_id", ""), str(content.get("value", "")))

    def _asked(self, recorder: Recorder, message: list[Any]) -> None:
        at = message.index(_DELIMITER)
        header, parent, content = (json.loads(message[at + step]) for step in (2, 3, 5))
        if header["msg_type"] == "input_request" and (kernel := recorder.kernel(self.kernel_id)):
            kernel.input_requested(
                header["msg_id"], parent.get("msg_id", ""), content["prompt"], password=bool(content.get("password"))
            )


def _is_withheld(message: tuple[str, list[Any]], withheld: dict[str, None]) -> bool:
    channel, parts = message
    if channel != "iopub" or not withheld:
        return False
    at = parts.index(_DELIMITER)
    return json.loads(parts[at + 3]).get("msg_id") in withheld and json.loads(parts[at + 2])["msg_type"] in OUTPUT_TYPES


def _weight(message: tuple[str, list[Any]]) -> int:
    return sum(map(len, message[1]))
