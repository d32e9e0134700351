"""Ways of a server's own: its end, and a server without shared documents. Each test has a server for itself."""

import asyncio

import pytest

pytest.importorskip("jupyter_server")
from recorder_bed import Server, text_of
from test_recorder import LINES, Opened, lines, wait_free


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("document", [True, False])
def test_all_is_written_before_the_server_ends(tmp_path, connected, document):
    server = Server(tmp_path)

    @wait_free
    async def run():
        opened = Opened(server, LINES.format(n=100, pause=0.1), document=document)
        page = await opened.page()
        message = await page.run()
        await page.until(lambda: page.printed(message).count("\n") >= 15)
        printed = page.printed(message)
        if not connected:
            await page.close()
        await asyncio.to_thread(server.stop)
        assert text_of(opened.cell()).startswith(printed)

    run()


def test_it_works_where_there_are_no_shared_documents(tmp_path):
    server = Server(tmp_path, documents=False)

    @wait_free
    async def run():
        opened = Opened(server, LINES.format(n=15, pause=0.1), document=False)
        page = await opened.page()
        await page.run()
        await page.close()
        await opened.done()
        assert text_of(opened.cell()) == lines(15)

    run()
    server.stop()
    assert "Cairn's recorder" not in server.log.read_text()
