"""When the recorder writes, without a server and without kernels."""

import asyncio
import logging
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyter_server")
from cairn_server.kernel import Execution
from cairn_server.notebooks import BusyError, Place
from cairn_server.recorder import Recorder


class Slow:
    """Notebooks that take a moment, and note what they wrote."""

    shares = True

    def __init__(self):
        self.ends, self.meanwhile, self.error = [], None, None

    async def write(self, place, executions):
        self.ends.append(executions[0].over is not None)
        await asyncio.sleep(0.5)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if self.error:
            raise self.error

    def is_stale(self, execution):
        return False


class Bed:
    def __init__(self):
        self.notebooks = Slow()
        kernel = SimpleNamespace(manager=SimpleNamespace(kernel_id="k"), executions={})
        self.recorder = Recorder({}, self.notebooks, logging.getLogger(), grace_s=5, limit=1000, memory=1000)
        self.execution = Execution(kernel, {"msg_id": "m", "session": "s"}, {"cellId": "c0"}, "print(1)", 1000)
        self.execution.place = Place("n.ipynb", None)
        self.recorder.take(self.execution)

    def end(self):
        self.execution.over = time.monotonic()
        self.recorder._changed(self.execution)

    def run(self, seconds):
        async def run():
            loop = asyncio.ensure_future(self.recorder._run())
            await asyncio.sleep(seconds)
            loop.cancel()

        asyncio.run(run())


def test_an_end_is_written_at_once_also_where_writing_is_slow():
    bed = Bed()
    bed.notebooks.meanwhile = bed.end
    bed.run(1.8)
    assert bed.notebooks.ends == [False, True]


def test_an_end_that_cannot_be_written_is_not_tried_all_the_time():
    bed = Bed()
    bed.end()
    bed.notebooks.error = BusyError()
    bed.run(3)
    assert bed.notebooks.ends == [True]
