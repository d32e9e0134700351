"""The recorder against a real server and real kernels."""

import asyncio
import functools
import random

import pycrdt
import pytest

pytest.importorskip("jupyter_server")
from recorder_bed import Page, Server, eventually, text_of

pytestmark = [pytest.mark.filterwarnings("default")]

LINES = "import time\nfor i in range({n}):\n    print(i, flush=True)\n    time.sleep({pause})"


def lines(n):
    return "".join(f"{i}\n" for i in range(n))


def wait_free(test):
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 120))

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()
    assert "Cairn's recorder" not in server.log.read_text()


@pytest.fixture(params=[True, False], ids=["document", "file"])
def document(request):
    return request.param


counter = iter(range(1000))


class Opened:
    """A notebook of these cells, its kernel, and a page of it."""

    def __init__(self, server, *cells, document=True, **options):
        self.server, self.document = server, document
        self.name = f"n{next(counter)}"
        server.put(self.name, *cells, **options)
        self.kernel = server.session(self.name)

    async def page(self):
        page = Page(self.server, self.name, self.kernel, self.document)
        return await page.__aenter__()

    def cell(self, at=0):
        return self.server.cell(self.name, at)

    async def done(self, at=0, seconds=40):
        await eventually(lambda: self.cell(at)["execution_count"] is not None, seconds)
        await asyncio.sleep(0.3)

    def end(self):
        for session in self.server.api("GET", "sessions"):
            if session["kernel"]["id"] == self.kernel:
                self.server.api("DELETE", f"sessions/{session['id']}")


async def undisturbed(server, *cells, **options):
    """The file as it is after a page ran all the cells and stayed."""
    opened = Opened(server, *cells, **options)
    page = await opened.page()
    for at in range(len(cells)):
        await page.replied(await page.run(at))
    await asyncio.sleep(2)
    await page.close()
    await asyncio.sleep(0.5)
    opened.end()
    return server.text(opened.name)


@wait_free
async def test_clean_close_is_taken_over_at_once(server, document):
    code = LINES.format(n=30, pause=0.1)
    opened = Opened(server, code, document=document)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    await page.close(1001)
    await eventually(lambda: text_of(opened.cell()).count("\n") >= 6, 4)
    await opened.done()
    assert text_of(opened.cell()) == lines(30)
    assert server.text(opened.name) == await undisturbed(server, code)
    opened.end()


@wait_free
async def test_cut_is_taken_over_after_its_grace(server, document):
    opened = Opened(server, LINES.format(n=80, pause=0.1), document=document)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    page.cut(document=True)
    await asyncio.sleep(4)
    assert text_of(opened.cell()).count("\n") < 12
    await eventually(lambda: text_of(opened.cell()).count("\n") >= 40, 5)
    await opened.done()
    assert text_of(opened.cell()) == lines(80)
    opened.end()


@wait_free
async def test_return_before_the_grace_gets_each_line_once(server):
    opened = Opened(server, LINES.format(n=40, pause=0.1), document=False)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    page.cut()
    await asyncio.sleep(1.5)
    await page.connect()
    await page.idle(message)
    assert page.printed(message) == lines(40)
    await page.close()
    opened.end()


@wait_free
async def test_return_with_a_document_gets_the_rest_through_it(server):
    code = LINES.format(n=50, pause=0.1)
    opened = Opened(server, code)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    page.cut()
    await asyncio.sleep(1)
    before = page.printed(message)
    await page.connect()
    await page.replied(message)
    await page.until(lambda: page.shown() == [{"output_type": "stream", "name": "stdout", "text": lines(50)}], 4)
    assert page.printed(message) == before
    await page.close()
    await asyncio.sleep(1)
    assert server.text(opened.name) == await undisturbed(server, code)
    opened.end()


@wait_free
async def test_return_after_takeover_gets_no_outputs_but_the_rest(server, document):
    opened = Opened(server, LINES.format(n=120, pause=0.1), document=document)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    page.cut()
    await asyncio.sleep(7)
    before = page.printed(message)
    await page.connect()
    await page.replied(message)
    assert page.printed(message) == before
    assert any(
        kind == "status" and parent == message and c["execution_state"] == "idle"
        for _, kind, parent, c, _ in page.messages
    )
    await opened.done()
    assert text_of(opened.cell()) == lines(120)
    await page.close()
    opened.end()


@wait_free
async def test_fifty_cuts_of_two_kernels_lose_no_line(server):
    """Seeded, of the kernel's connection, and each fifth time of the document's too."""
    chance = random.Random(7)
    both = [Opened(server, LINES.format(n=60, pause=0.1)) for _ in range(2)]
    pages = [await opened.page() for opened in both]
    for page in pages:
        await page.run()
    for turn in range(50):
        await asyncio.sleep(chance.uniform(0.04, 0.2))
        page = pages[turn % 2]
        page.cut(document=turn % 5 == 0)
        await page.connect()
        if page.room is None:
            await page.open_document()
    for opened, page in zip(both, pages):
        await page.until(
            lambda page=page: page.shown() == [{"output_type": "stream", "name": "stdout", "text": lines(60)}], 12
        )
        await page.close()
        await opened.done()
        assert text_of(opened.cell()) == lines(60)
        opened.end()


@wait_free
async def test_all_that_is_queued_is_written(server, document):
    cells = [f"import time; time.sleep(0.7); print('cell', {i})" for i in range(5)]
    opened = Opened(server, *cells, document=document)
    page = await opened.page()
    for at in range(5):
        await page.run(at)
    await asyncio.sleep(0.3)
    await page.close()
    await opened.done(4)
    assert [text_of(opened.cell(at)) for at in range(5)] == [f"cell {i}\n" for i in range(5)]
    assert [opened.cell(at)["execution_count"] for at in range(5)] == [1, 2, 3, 4, 5]
    opened.end()


@wait_free
async def test_what_is_aborted_after_an_error_stays_empty(server, document):
    opened = Opened(server, "import time; time.sleep(1); 1/0", "print(2)", document=document)
    page = await opened.page()
    await page.run(0)
    await page.run(1)
    await page.close()
    await opened.done(0)
    await asyncio.sleep(1.5)
    assert opened.cell(0)["outputs"][0]["ename"] == "ZeroDivisionError"
    assert (opened.cell(1)["outputs"], opened.cell(1)["execution_count"]) == ([], None)
    opened.end()


KINDS = [
    "import base64, time\nfrom IPython.display import *\ntime.sleep(1)\n"
    "display(Image(data=base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')))",
    "h = display('AAA', display_id='dd')\ntime.sleep(0.3)\nh.update('BBB')\nprint('after')",
    "for i in range(4):\n    clear_output(wait=True); print('v', i, flush=True); time.sleep(0.1)",
    "import sys\nprint('a'); print('b', file=sys.stderr, flush=True); print('c')",
    "for i in range(5):\n    print('\\rprogress', i, '\\b\\b' if i == 3 else '', end='', flush=True); time.sleep(0.05)",
    "h.update('CCC')",
    "display(JSON({'a': 1.0, 'b': [1.5, None, True]}))\n6*7",
    "clear_output()\nprint('x' * 100, end='')",
]


@wait_free
async def test_all_kinds_of_output_end_as_undisturbed(server, document):
    opened = Opened(server, *KINDS, document=document)
    page = await opened.page()
    for at in range(len(KINDS)):
        await page.run(at)
    await page.close()
    await opened.done(len(KINDS) - 1)
    await asyncio.sleep(1)
    assert server.text(opened.name) == await undisturbed(server, *KINDS)
    opened.end()


@wait_free
async def test_a_display_of_a_cell_that_ran_before_is_updated(server, document):
    opened = Opened(
        server, "h = display('AAA', display_id='dd')", "import time; time.sleep(1); h.update('BBB')", document=document
    )
    page = await opened.page()
    await page.replied(await page.run(0))
    if not document:
        page.document = True
        await page.open_document()
        page.ycell("c0")["outputs"].append(
            pycrdt.Map({"output_type": "display_data", "data": {"text/plain": "'AAA'"}, "metadata": {}})
        )
        await asyncio.sleep(1.5)
    await page.run(1)
    await page.close()
    await opened.done(1)
    assert opened.cell(0)["outputs"][0]["data"] == {"text/plain": ["'BBB'"]}
    opened.end()


@wait_free
async def test_input_that_waits_is_kept_and_its_echo_too(server):
    opened = Opened(server, "x = input('name? ')\nprint('hi', x)\ny = input('more? ')")
    page = await opened.page()
    message = await page.run()
    asked = lambda: [m for m in page.messages if m[1] == "input_request"]  # noqa: E731
    await page.until(lambda: len(asked()) == 1)
    await page.send("stdin", "input_reply", {"value": "bob"}, parent=asked()[0][4])
    await page.until(lambda: len(asked()) == 2)
    await page.close()
    await eventually(lambda: text_of(opened.cell(), "stdin") == "name?  bob\n")
    assert text_of(opened.cell()) == "hi bob\n"
    assert opened.cell()["execution_count"] is None
    server.api("POST", f"kernels/{opened.kernel}/interrupt")
    await opened.done()
    assert opened.cell()["outputs"][-1]["ename"] == "KeyboardInterrupt"
    assert message
    opened.end()


FLOOD = """
import time
start = time.time()
for i in range(30000):
    print(i, flush=True)
    if i % 100 == 99:
        time.sleep(max(0, start + (i + 1) / 10000 - time.time()))
"""


@wait_free
async def test_a_flood_loses_no_line(server, document):
    opened = Opened(server, FLOOD, document=document)
    page = await opened.page()
    message = await page.run()
    await page.idle(message, 60)
    assert "rate exceeded" not in page.printed(message, "stderr")
    await opened.done(0, 60)
    assert text_of(opened.cell()) == lines(30000)
    assert text_of(opened.cell(), "stderr") == ""
    await page.close()
    opened.end()


@wait_free
async def test_too_much_is_bounded_and_said(server, document):
    opened = Opened(
        server,
        "import sys\nfor i in range(1000):\n    sys.stdout.write('x' * 99_999 + '\\n')\nsys.stdout.flush()",
        document=document,
    )
    page = await opened.page()
    await page.run()
    await page.close()
    await opened.done(0, 60)
    kept = text_of(opened.cell())
    assert 60_000_000 < len(kept) <= 64_000_000
    assert kept.endswith("x\n")
    assert (
        text_of(opened.cell(), "stderr")
        == "Cairn left out the last 36.0 MB of this cell's output: it keeps 64.0 MB of a cell.\n"
    )
    opened.end()


@wait_free
async def test_a_killed_kernel_leaves_what_it_said(server, document):
    opened = Opened(
        server,
        "import os, signal, time\nprint('before', flush=True); time.sleep(1.5)\nos.kill(os.getpid(), signal.SIGKILL)",
        document=document,
    )
    page = await opened.page()
    await page.run()
    await page.close()
    await asyncio.sleep(7)
    assert (text_of(opened.cell()), opened.cell()["execution_count"]) == ("before\n", None)
    # The kernel was restarted; the cell can run again.
    page = await opened.page()
    await page.run(code="print('again')")
    await page.close()
    await eventually(lambda: text_of(opened.cell()) == "again\n")
    opened.end()


@wait_free
async def test_a_restart_ends_what_ran(server, document):
    opened = Opened(server, LINES.format(n=100, pause=0.1), document=document)
    page = await opened.page()
    message = await page.run()
    await page.until(lambda: page.printed(message).count("\n") >= 5)
    await page.close()
    await asyncio.to_thread(server.api, "POST", f"kernels/{opened.kernel}/restart")
    await asyncio.sleep(2)
    before = server.text(opened.name)
    assert text_of(opened.cell()).startswith(lines(5))
    await asyncio.sleep(2)
    assert server.text(opened.name) == before
    opened.end()


@wait_free
async def test_a_renamed_notebook_is_written_to(server, document):
    opened = Opened(server, LINES.format(n=40, pause=0.1), document=document)
    page = await opened.page()
    await page.run()
    await page.close()
    await asyncio.sleep(1)
    new = f"{opened.name}-new"
    server.api("PATCH", f"contents/{opened.name}.ipynb", {"path": f"{new}.ipynb"})
    await asyncio.sleep(5)
    assert not (server.root / f"{opened.name}.ipynb").exists()
    assert text_of(server.cell(new)) == lines(40)
    opened.end()


@wait_free
async def test_a_deleted_notebook_stays_deleted(server, document):
    opened = Opened(server, LINES.format(n=40, pause=0.1), document=document)
    page = await opened.page()
    await page.run()
    await page.close()
    await asyncio.sleep(1)
    server.api("DELETE", f"contents/{opened.name}.ipynb")
    await asyncio.sleep(5)
    assert not (server.root / f"{opened.name}.ipynb").exists()
    opened.end()


@wait_free
async def test_a_document_that_opens_meanwhile_is_written_to(server):
    opened = Opened(server, LINES.format(n=80, pause=0.1), document=False)
    page = await opened.page()
    await page.run()
    await page.close()
    await asyncio.sleep(2.5)
    other = Page(server, opened.name, opened.kernel)
    await other.open_document()
    source = other.ycell("c0")["source"]
    source += "# edited meanwhile"
    await other.until(lambda: other.shown() == [{"output_type": "stream", "name": "stdout", "text": lines(80)}], 40)
    await other.until(lambda: other.ycell("c0")["execution_state"] == "idle", 30)
    await opened.done()
    assert text_of(opened.cell()) == lines(80)
    assert opened.cell()["source"][-1].endswith("# edited meanwhile")
    opened.end()


@wait_free
async def test_other_cells_stay_as_they_are_and_a_deleted_one_is_dropped(server):
    opened = Opened(server, LINES.format(n=30, pause=0.1), "print(1)")
    page = await opened.page()
    await page.run()
    await page.close()
    other = Page(server, opened.name, opened.kernel)
    await other.open_document()
    del other.notebook.ycells[0]
    await asyncio.sleep(5)
    assert [cell["id"] for cell in other.notebook.ycells] == ["c1"]
    assert opened.cell()["id"] == "c1"
    opened.end()


@wait_free
async def test_a_notebook_without_ids_is_matched_by_its_code(server):
    code = LINES.format(n=15, pause=0.1)
    opened = Opened(server, code, "print(1)", document=False, minor=4)
    page = await opened.page()
    await page.run()
    await page.close()
    await opened.done()
    assert text_of(opened.cell()) == lines(15)
    opened.end()


@wait_free
async def test_what_has_no_cell_is_left_alone(server):
    opened = Opened(server, "print(1)", document=False)
    page = await opened.page()
    before = server.text(opened.name)
    content = {"code": "print(2)", "silent": False}
    await page.replied(await page.send("shell", "execute_request", content))
    await page.close()
    await asyncio.sleep(1.5)
    assert server.text(opened.name) == before
    opened.end()


@wait_free
async def test_a_thread_that_prints_after_its_cell_is_heard(server, document):
    work = "def work():\n    for i in range(20):\n        print(i, flush=True); time.sleep(0.2)\n"
    code = f"import threading, time\n{work}threading.Thread(target=work).start()"
    opened = Opened(server, code, document=document)
    page = await opened.page()
    await page.replied(await page.run())
    await page.close()
    await asyncio.sleep(6)
    assert text_of(opened.cell()) == lines(20)
    opened.end()


@wait_free
async def test_what_someone_clears_afterwards_stays_clear(server):
    opened = Opened(server, "import time; time.sleep(1); print(1)")
    page = await opened.page()
    await page.run()
    await page.close()
    await opened.done()
    await asyncio.sleep(3.5)
    other = Page(server, opened.name, opened.kernel)
    await other.open_document()
    other.ycell("c0")["outputs"].clear()
    await asyncio.sleep(3)
    assert other.shown() == []
    assert opened.cell()["outputs"] == []
    opened.end()
