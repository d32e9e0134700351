"""A real Jupyter server with the recorder, and pages as far as it can tell: the kernel's websocket and the document."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import pycrdt
import websockets
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1
from jupyter_ydoc import YNotebook

from cairn_server.outputs import Outputs

SRC = Path(__file__).parents[1] / "src"
TOKEN = "t"
V1 = "v1.kernel.websocket.jupyter.org"


def notebook(*cells, minor=5):
    """A notebook file: its cells are `c0`, `c1`, ..."""
    made = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for i, s in enumerate(cells)
    ]
    if minor < 5:
        for cell in made:
            del cell["id"]
    kernel = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": minor}


class Server:
    def __init__(self, folder, documents=True, recorder=True, options=()):
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"127.0.0.1:{self.port}"
        extensions = {
            "jupyter_server_ydoc": documents,
            "jupyter_server_fileid": documents,
            "cairn_server": recorder,
            "jupyter_lsp": False,
        }
        env = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        # Short, for the sockets of ipc.
        self._sockets = Path("/tmp") / f"r{uuid.uuid4().hex[:8]}"
        for name in ("CONFIG_DIR", "DATA_DIR", "PREFER_ENV_PATH"):
            env[f"JUPYTER_{name}"] = str(folder / name.lower())
        env |= {
            "JUPYTER_RUNTIME_DIR": str(self._sockets),
            "JUPYTER_PREFER_ENV_PATH": "0",
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": str(SRC),
        }
        self.log = folder / "log"
        log = self.log.open("w")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter_server", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.root}",
                f"--ServerApp.jpserver_extensions={extensions}", "--KernelManager.transport=ipc", "--YDocExtension.document_save_delay=0.5",
                f"--SQLiteYStore.db_path={folder / 'ystore.db'}", f"--YDocExtension.session_store_path={folder / 'sessions.json'}",
                *options,
            ],
            env=env, stdout=log, stderr=subprocess.STDOUT, cwd=self.root,
        )  # fmt: skip
        log.close()
        for _ in range(600):
            with contextlib.suppress(OSError):
                self.api("GET", "status")
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def api(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def put(self, name, *cells, **options):
        (self.root / f"{name}.ipynb").write_text(json.dumps(notebook(*cells, **options), indent=1) + "\n")

    def text(self, name):
        """The file, once it is whole: it is written in place."""
        for _ in range(100):
            text = (self.root / f"{name}.ipynb").read_text()
            if text.endswith("}\n"):
                return text
            time.sleep(0.02)
        raise AssertionError(f"{name} stays cut")

    def cell(self, name, at=0):
        return json.loads(self.text(name))["cells"][at]

    def session(self, name):
        """The kernel of a notebook, started."""
        body = {"path": f"{name}.ipynb", "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        return self.api("POST", "sessions", body)["kernel"]["id"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            # A page of the test that is still there keeps jupyter_server_ydoc; what must end in time is asked by the tests of stopping.
            self.process.kill()
            self.process.wait()
        finally:
            shutil.rmtree(self._sockets, ignore_errors=True)


class Page:
    """A page with one notebook. With `document` it writes outputs into the shared document as JupyterLab does; without, it only reads."""

    def __init__(self, server, name, kernel, document=True):
        self.server, self.name, self.kernel, self.document = server, name, kernel, document
        self.session = uuid.uuid4().hex
        self.messages, self.outputs, self.cells = [], {}, {}
        self.socket = self.room = None
        self._tasks = []
        self.ydoc = pycrdt.Doc()
        self.notebook = YNotebook(self.ydoc)
        self._unshown = set()

    async def __aenter__(self):
        if self.document:
            await self.open_document()
        await self.connect()
        return self

    async def __aexit__(self, *_):
        if self.socket is not None:
            await self.close(1001)

    async def connect(self):
        """The kernel's websocket, of the same session as before."""
        self.socket = await websockets.connect(
            f"ws://{self.server.url}/api/kernels/{self.kernel}/channels?session_id={self.session}&token={TOKEN}",
            subprotocols=[V1], max_size=None, max_queue=None,
        )  # fmt: skip
        self._tasks.append(asyncio.ensure_future(self._read(self.socket)))
        await asyncio.sleep(0)

    async def open_document(self):
        body = {"format": "json", "type": "notebook"}
        session = self.server.api("PUT", f"collaboration/session/{self.name}.ipynb", body)
        where = f"ws://{self.server.url}/api/collaboration/room/json:notebook:{session['fileId']}?sessionId={session['sessionId']}&token={TOKEN}"
        self.room = await websockets.connect(where, max_size=None, max_queue=None)
        room, synced = self.room, asyncio.Event()

        async def read():
            with contextlib.suppress(websockets.ConnectionClosed):
                await room.send(pycrdt.create_sync_message(self.ydoc))
                async for message in room:
                    if message[0] == pycrdt.YMessageType.SYNC:
                        self._remote = True
                        reply = pycrdt.handle_sync_message(message[1:], self.ydoc)
                        self._remote = False
                        if reply is not None:
                            await room.send(reply)
                        if message[1] == pycrdt.YSyncMessageType.SYNC_STEP2:
                            synced.set()

        self._remote = False
        loop = asyncio.get_running_loop()

        def changed(event):
            if not self._remote and self.room is room:
                self._tasks.append(loop.create_task(self._send(room, pycrdt.create_update_message(event.update))))

        self.ydoc.observe(changed)
        self._tasks.append(asyncio.ensure_future(read()))
        await asyncio.wait_for(synced.wait(), 10)

    async def _send(self, room, message):
        with contextlib.suppress(websockets.ConnectionClosed):
            await room.send(message)

    async def close(self, code=1001):
        """The page goes away."""
        socket, room = self.socket, self.room
        self.socket = self.room = None
        await socket.close(code)
        if room is not None:
            await room.close(code)
        for task in self._tasks:
            task.cancel()

    def cut(self, document=False):
        """The connection breaks, without a word."""
        sockets = [self.socket, self.room] if document and self.room else [self.socket]
        for one in sockets:
            raw = one.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.transport.abort()
        self.socket = None
        if document:
            self.room = None

    async def send(self, channel, kind, content, parent=None, metadata=None):
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self.session,
            "username": "",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        parts = [json.dumps(part).encode() for part in (header, parent or {}, metadata or {}, content)]
        await self.socket.send(serialize_msg_to_ws_v1(parts, channel))
        return header["msg_id"]

    async def run(self, at=0, code=None, **metadata):
        """Runs a cell, as JupyterLab does: it clears it, and asks the kernel."""
        cell = f"c{at}"
        if code is None:
            code = json.loads(self.server.text(self.name))["cells"][at]["source"]
            code = code if isinstance(code, str) else "".join(code)
        if self.document:
            ycell = self.ycell(cell)
            with self.ydoc.transaction():
                ycell["outputs"].clear()
                ycell["execution_count"] = None
                ycell["execution_state"] = "running"
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        }
        message = await self.send(
            "shell", "execute_request", content, metadata={"cellId": cell, "trusted": True, **metadata}
        )
        self.outputs[message], self.cells[message] = Outputs(1 << 40), cell
        return message

    def ycell(self, cell):
        return next(ycell for ycell in self.notebook.ycells if ycell["id"] == cell)

    async def _read(self, socket):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for data in socket:
                channel, parts = deserialize_msg_from_ws_v1(data)
                header, parent, _, content = (json.loads(part) for part in parts[:4])
                self._take(channel, header, parent.get("msg_id"), content)

    def _take(self, channel, header, parent, content):
        kind = header["msg_type"]
        self.messages.append((channel, kind, parent, content, header))
        if parent not in self.outputs:
            return
        if channel == "iopub" and kind in {"stream", "display_data", "execute_result", "error", "clear_output"}:
            self.outputs[parent].add(kind, content, 0)
        elif kind == "update_display_data":
            for message, outputs in self.outputs.items():
                if outputs.update(content["transient"]["display_id"], content):
                    self.show(message)
            return
        if self.document and channel == "shell" and kind == "execute_reply":
            self.ycell(self.cells[parent])["execution_count"] = content.get("execution_count")
            self.ycell(self.cells[parent])["execution_state"] = "idle"
        elif self.document and kind in {"stream", "display_data", "execute_result", "error", "clear_output"}:
            self.show(parent)

    def show(self, message):
        """Writes what came, a little later and all at once: JupyterLab draws and sends in turns too."""
        if message not in self._unshown:
            self._unshown.add(message)
            asyncio.get_running_loop().call_later(0.02, self._show, message)

    def _show(self, message):
        self._unshown.discard(message)
        if self.socket is None and self.room is None:
            return
        shared, wanted = self.ycell(self.cells[message])["outputs"], self.outputs[message].as_notebook()
        present = shared.to_py()
        if present and len(present) == len(wanted) and present[:-1] == wanted[:-1] and "text" in wanted[-1]:
            last, text = wanted[-1], present[-1].get("text", "")
            if present[-1].get("name") == last["name"] and last["text"].startswith(text):
                whole = shared[len(present) - 1]["text"]
                whole += last["text"][len(text) :]
                return
        if present != wanted:
            with self.ydoc.transaction():
                shared.clear()
                shared.extend(
                    [
                        pycrdt.Map({**o, "text": pycrdt.Text(o["text"])} if o["output_type"] == "stream" else o)
                        for o in wanted
                    ]
                )

    def printed(self, message, name="stdout"):
        """What came to this page of a stream."""
        return "".join(
            c["text"]
            for _, kind, parent, c, _ in self.messages
            if parent == message and kind == "stream" and c["name"] == name
        )

    def shown(self, cell="c0"):
        """The outputs of a cell in this page's document."""
        return self.ycell(cell)["outputs"].to_py()

    async def until(self, condition, seconds=40):
        for _ in range(int(seconds / 0.05)):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(
            f"it did not happen; cells: {str(self.notebook.ycells.to_py())[:3000] if self.document else None}"
        )

    async def replied(self, message, seconds=40):
        await self.until(
            lambda: any(kind == "execute_reply" and parent == message for _, kind, parent, _, _ in self.messages),
            seconds,
        )

    async def idle(self, message, seconds=40):
        def done():
            states = [
                c["execution_state"]
                for _, kind, parent, c, _ in self.messages
                if kind == "status" and parent == message
            ]
            return "idle" in states

        await self.until(done, seconds)


def text_of(cell, name="stdout"):
    """What a cell of a file shows of a stream."""
    return "".join(
        "".join(output["text"])
        for output in cell["outputs"]
        if output["output_type"] == "stream" and output["name"] == name
    )


async def eventually(condition, seconds=40):
    """Waits for a file, which may be read while it is written."""
    for _ in range(int(seconds / 0.1)):
        with contextlib.suppress(ValueError):
            if condition():
                return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen")
