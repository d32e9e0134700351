"""When the recorder writes, without a server and without kernels."""

import asyncio
import contextlib
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
        self.ends, self.meanwhile, self.error, self.saved = [], None, None, 0

    async def save_all(self):
        self.saved += 1

    async def write(self, place, executions):
        self.ends.append(executions[0].over is not None)
        # As saving a document does, it takes no notice of being cancelled.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.5)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if self.error:
            raise self.error
        return 0.5

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
    assert bed.notebooks.ends in ([True], [True, True])


def test_the_end_of_the_server_waits_for_a_write_and_does_what_is_left():
    bed = Bed()

    async def run():
        recorder = bed.recorder
        recorder._loop = asyncio.ensure_future(recorder._run())
        # In the middle of the first write, which would swallow being cancelled.
        await asyncio.sleep(0.4)
        bed.end()
        await asyncio.wait_for(recorder.stop(), 5)

    asyncio.run(run())
    assert bed.notebooks.ends == [False, True]
    assert bed.notebooks.saved == 1


def test_what_threads_print_after_the_end_is_not_written_at_every_look():
    bed = Bed()
    bed.end()
    bed.execution.release()
    bed.recorder._schedules.clear()
    bed.recorder.take(bed.execution)
    bed.run(0.7)
    assert bed.notebooks.ends == []
