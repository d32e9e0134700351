"""Writes the outputs of cells into notebooks: into the shared document where one is open, else into the file.

Knows jupyter_server's contents, and jupyter_server_ydoc's rooms where that is installed. Decides nothing about executions.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from .outputs import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import Logger

    from .kernel import Execution

# A document saves itself after a pause in its changes; while a cell runs there is none.
_SAVE_S = 5.0


class GoneError(Exception):
    """The notebook is no more."""


class UnsavedError(Exception):
    """The document has it, the file does not."""


class BusyError(Exception):
    """The document is being opened or replaced; it can be written to in a moment."""


class Place(NamedTuple):
    """A notebook: by its id, which outlives a rename, where the server has ids."""

    path: str
    file_id: str | None


class Mark(NamedTuple):
    """How far an execution was written into a document, and how often its cells had been moved by then."""

    room: int
    moves: int
    epoch: int
    items: int
    closed: int
    tail_bytes: int


class Watch:
    """Which cells of a document were changed by others since they were written."""

    def __init__(self, cells: Any) -> None:
        self.ours = False
        self.saved = 0.0
        # How often cells came, went or changed their places; `cells` are the places of those changed since.
        self.moves = 0
        self.cells: set[int] = set()
        self._subscription = cells.observe_deep(self._changed)

    def _changed(self, events: list[Any]) -> None:
        if self.ours:
            return
        for event in events:
            if not event.path:
                self.moves += 1
                self.cells.clear()
            elif len(event.path) == 1 or event.path[1] == "outputs":
                self.cells.add(event.path[0])

    @contextlib.contextmanager
    def writing(self, document: Any) -> Iterator[None]:
        """One transaction of our own."""
        self.ours = True
        try:
            with document.ydoc.transaction():
                yield
        finally:
            self.ours = False


class Notebooks:
    """All notebooks of a server."""

    def __init__(self, server: Any, log: Logger) -> None:
        self._server = server
        self._log = log
        self._marks: dict[str, Mark] = {}
        self._watches: weakref.WeakKeyDictionary[Any, Watch] = weakref.WeakKeyDictionary()

    async def locate(self, kernel_id: str, cell: str) -> Place | None:
        """The notebook that this kernel runs cells of; of several, the open one that has the cell, else the first."""
        sessions = await ensure_async(self._server.session_manager.list_sessions())
        places = [
            self._place(session["path"])
            for session in sessions
            if session["type"] == "notebook" and session["kernel"]["id"] == kernel_id
        ]
        for place in places[1:] and places:
            room = self._room(place)
            if room is not None and room.ready and _find(room._document.ycells, cell) is not None:
                return place
        return places[0] if places else None

    def is_live(self, place: Place | None) -> bool:
        """Whether its document is open."""
        return place is not None and self._room(place) is not None

    def is_stale(self, execution: Execution) -> bool:
        """Whether others changed its outputs since they were written."""
        room = self._room(execution.place) if execution.place else None
        if room is None or not room.ready:
            return False
        watch, mark = self._watches.get(room), self._marks.get(execution.id)
        if watch is None or execution.released or (mark is not None and mark.moves == watch.moves and not watch.cells):
            return False
        # A cell that was gone when it was last looked for may be back, as it was before.
        at = _find(room._document.ycells, execution.cell)
        return at is not None and (mark is None or mark.moves != watch.moves or at in watch.cells)

    async def write(self, place: Place, executions: list[Execution]) -> float:
        """Writes what is new of these executions, and says how many seconds that took. Cells that are gone are left out.

        Raises:
            GoneError: There is no such notebook any more.
            BusyError: Try again in a moment.
            UnsavedError: They are in the document, but that could not be saved.
        """
        path = self._path(place)
        if path is None:
            raise GoneError
        async with self._lock(place):
            started = time.monotonic()
            room = self._room(place)
            if room is None:
                await self._write_file(path, executions)
                return time.monotonic() - started
            if not room.ready or room._update_lock.locked():
                raise BusyError
            self._write_room(room, executions)
        watch = self._watches[room]
        # What comes from threads after an end is saved by the document itself, in its next pause.
        over = any(execution.over is not None and not execution.released for execution in executions)
        if over or time.monotonic() - watch.saved > _SAVE_S:
            watch.saved = time.monotonic()
            await self._save(room)
        return time.monotonic() - started

    async def _save(self, room: Any) -> None:
        # It only logs what goes wrong.
        before = room._file.last_modified
        await room._maybe_save_document(None, save_now=True)
        if room._file.last_modified == before:
            raise UnsavedError("the document could not be saved: the server's log says why")

    @property
    def shares(self) -> bool:
        """Whether this server has shared documents: only then a page is shown what is written while it is there."""
        return self._ydoc is not None

    async def save_all(self) -> None:
        """Saves and closes all documents: a server that stops would drop what their pauses hold back."""
        rooms = dict(self._ydoc.ywebsocket_server.rooms) if self._ydoc else {}
        for room in rooms.values():
            if getattr(room, "ready", False) and hasattr(room, "_maybe_save_document"):
                await room._maybe_save_document(None, save_now=True)
            # Their pages connect again when the server is back. While they are served, jupyter_server_ydoc does not end.
            for client in list(room.clients):
                client.close(1012)

    def forget(self, execution: Execution) -> None:
        """No more is written of it."""
        self._marks.pop(execution.id, None)

    # Files

    async def _write_file(self, path: str, executions: list[Execution]) -> None:
        contents = self._server.contents_manager
        try:
            model = await ensure_async(contents.get(path, content=True, type="notebook", format="json"))
        except HTTPError as error:
            raise GoneError if error.status_code == 404 else error from error
        changed = False
        for execution in executions:
            self._marks.pop(execution.id, None)
            cell = _cell_of_file(model["content"]["cells"], execution)
            if cell is not None:
                changed = _fill(cell, execution) or changed
        if changed:
            # A page that keeps the notebook itself may have saved it meanwhile.
            now = await ensure_async(contents.get(path, content=False, type="notebook"))
            if now["last_modified"] != model["last_modified"]:
                raise BusyError
            await ensure_async(contents.save({"type": "notebook", "format": "json", "content": model["content"]}, path))
        for execution in executions:
            execution.wrote()

    # Documents

    def _write_room(self, room: Any, executions: list[Execution]) -> None:
        document = room._document
        watch = self._watches.get(room)
        if watch is None:
            watch = self._watches[room] = Watch(document.ycells)
        for execution in executions:
            at = _find(document.ycells, execution.cell)
            if at is None:
                self._marks.pop(execution.id, None)
                continue
            cell = document.ycells[at]
            if execution.released:
                self._amend(watch, document, cell, execution)
                watch.cells.discard(at)
                continue
            try:
                self._write_cell(watch, document, cell, execution, changed=at in watch.cells)
            except BaseException:
                # Nobody knows how far it came: the next time looks at all of it.
                self._marks.pop(execution.id, None)
                raise
            watch.cells.discard(at)

    def _write_cell(self, watch: Watch, document: Any, cell: Any, execution: Execution, *, changed: bool) -> None:
        outputs, mark = execution.outputs, self._marks.get(execution.id)
        settled = execution.over and time.monotonic() > execution.unsettled_until
        if settled and mark is not None and mark.items and not len(cell["outputs"]):
            # Someone cleared them.
            self._marks[execution.id] = mark._replace(moves=watch.moves)
            return
        here = (id(document), watch.moves)
        if changed or mark is None or mark[:2] != here or mark.epoch != outputs.epoch:
            wanted = outputs.as_notebook()
            if cell["outputs"].to_py() != wanted:
                _replace(watch, document, cell, wanted)
        else:
            _extend(watch, document, cell["outputs"], outputs.items, mark)
        last = outputs.items[-1] if outputs.items else None
        closed, tail = (len(last.closed), len(last.tail.encode())) if isinstance(last, Stream) else (0, 0)
        self._marks[execution.id] = Mark(*here, outputs.epoch, len(outputs.items), closed, tail)
        with watch.writing(document):
            _set(cell, "execution_count", execution.count if execution.over else None)
            _set(cell, "execution_state", "idle" if execution.over else "running")
            if execution.timing and execution.over:
                _set(cell["metadata"], "execution", dict(execution.timing))

    def _amend(self, watch: Watch, document: Any, cell: Any, execution: Execution) -> None:
        outputs = cell["outputs"].to_py()
        amended = _amended(outputs, execution)
        if amended != outputs:
            _replace(watch, document, cell, amended)
        execution.wrote()

    # Where things are

    def _place(self, path: str) -> Place:
        ids = self._server.web_app.settings.get("file_id_manager")
        return Place(path, ids.index(path) if ids else None)

    def _path(self, place: Place) -> str | None:
        ids = self._server.web_app.settings.get("file_id_manager")
        return ids.get_path(place.file_id) if ids and place.file_id else place.path

    @property
    def _ydoc(self) -> Any:
        apps = self._server.extension_manager.extension_apps.get("jupyter_server_ydoc", set())
        return next((app for app in apps if hasattr(app, "ywebsocket_server")), None)

    def _room(self, place: Place) -> Any:
        return self._ydoc.ywebsocket_server.rooms.get(_room_id(place)) if self._ydoc and place.file_id else None

    def _lock(self, place: Place) -> Any:
        """Held by who opens or closes the document, so that neither happens while the file is written."""
        return self._ydoc._room_locks[_room_id(place)] if self._ydoc and place.file_id else contextlib.AsyncExitStack()


def _room_id(place: Place) -> str:
    return f"json:notebook:{place.file_id}"


def _find(cells: Any, cell: str) -> int | None:
    for at in range(len(cells)):
        if cells[at].get("id") == cell:
            return at
    return None


def _set(target: Any, key: str, value: Any) -> None:
    if target.get(key) != value:
        target[key] = value


def _shared(outputs: list[dict[str, Any]]) -> list[Any]:
    from pycrdt import Map, Text

    return [
        Map({**output, "text": Text(output["text"])} if output["output_type"] == "stream" else dict(output))
        for output in outputs
    ]


def _replace(watch: Watch, document: Any, cell: Any, outputs: list[dict[str, Any]]) -> None:
    # Two transactions: JupyterLab adds what one inserts before it removes what that deletes, and joins streams on the way.
    with watch.writing(document):
        cell["outputs"].clear()
    with watch.writing(document):
        cell["outputs"].extend(_shared(outputs))


def _extend(watch: Watch, document: Any, shared: Any, items: list[Any], mark: Mark) -> None:
    """Adds what came since the mark: first to the last stream, whose line may have changed, then after it."""
    last = items[mark.items - 1] if mark.items else None
    if isinstance(last, Stream):
        text = shared[mark.items - 1]["text"]
        added = "".join(last.closed[mark.closed :]) + last.tail
        if mark.tail_bytes:
            with watch.writing(document):
                del text[len(text) - mark.tail_bytes :]
        if added:
            with watch.writing(document):
                text += added
    rest = items[mark.items :]
    if rest:
        outputs = [
            {"output_type": "stream", "name": item.name, "text": item.text()} if isinstance(item, Stream) else item
            for item in rest
        ]
        with watch.writing(document):
            shared.extend(_shared(outputs))


def _cell_of_file(cells: list[dict[str, Any]], execution: Execution) -> dict[str, Any] | None:
    """By id; in notebooks older than ids, the only cell with the code that ran."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if any("id" in cell for cell in code):
        return next((cell for cell in code if cell.get("id") == execution.cell), None)
    same = [cell for cell in code if cell["source"] == execution.code]
    return same[0] if len(same) == 1 else None


def _fill(cell: dict[str, Any], execution: Execution) -> bool:
    if execution.released:
        wanted = {**cell, "outputs": _amended(cell["outputs"], execution)}
    else:
        wanted = {
            **cell,
            "outputs": execution.outputs.as_notebook(),
            "execution_count": execution.count if execution.over else None,
        }
        # As JupyterLab does for what was run here: else its HTML would not be shown. It is not saved, but decides about the signature.
        wanted["metadata"] = {**cell["metadata"], "trusted": True}
        if execution.timing and execution.over:
            wanted["metadata"]["execution"] = dict(execution.timing)
    changed = wanted != cell
    cell.update(wanted)
    return changed


def _amended(outputs: list[dict[str, Any]], execution: Execution) -> list[dict[str, Any]]:
    """What a released execution got later, put to the outputs that a notebook has of it."""
    amended = list(outputs)
    for patches, later in execution.late():
        for at, output in patches.items():
            if at < len(amended) and amended[at]["output_type"] == "display_data":
                amended[at] = output
        for output in later.as_notebook():
            last = amended[-1] if amended else {}
            if output["output_type"] == "stream" and last.get("name") == output["name"]:
                amended[-1] = {**last, "text": last["text"] + output["text"]}
            else:
                amended.append(output)
    return amended
