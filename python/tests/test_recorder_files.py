"""Writing into files, where others save the same file and where a save fails, with jupyter_server's own contents."""

import asyncio
import json
import logging
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyter_server")
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from recorder_bed import notebook

from cairn_server.kernel import Execution
from cairn_server.notebooks import BusyError, Notebooks, Place

NAME = "n.ipynb"


class Contents(AsyncLargeFileManager):
    """Does something before it saves, once."""

    before_save = None

    async def save(self, model, path=""):
        before, self.before_save = self.before_save, None
        if before:
            before()
        return await super().save(model, path)

    async def get(self, path, content=True, **options):
        model = await super().get(path, content=content, **options)
        if content and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return model

    meanwhile = None


class Bed:
    def __init__(self, folder):
        self.file = folder / NAME
        self.file.write_text(json.dumps(notebook("print(1)")))
        self.contents = Contents(root_dir=str(folder))
        server = SimpleNamespace(
            contents_manager=self.contents,
            web_app=SimpleNamespace(settings={}),
            extension_manager=SimpleNamespace(extension_apps={}),
        )
        self.notebooks = Notebooks(server, logging.getLogger())
        self.execution = Execution(None, {"msg_id": "m", "session": "s"}, {"cellId": "c0"}, "print(1)", 1000)

    def say(self, text):
        self.execution.outputs.add("stream", {"name": "stdout", "text": text}, len(text))

    def write(self):
        asyncio.run(self.notebooks.write(Place(NAME, None), [self.execution]))

    def text(self):
        outputs = json.loads(self.file.read_text())["cells"][0]["outputs"]
        return "".join("".join(output["text"]) for output in outputs)


@pytest.fixture
def bed(tmp_path):
    return Bed(tmp_path)


def test_what_came_late_is_kept_until_it_is_saved(bed):
    bed.say("one\n")
    bed.write()
    bed.execution.release()
    bed.say("two\n")

    def fail():
        bed.say("three\n")
        raise OSError("the disk is full")

    bed.contents.before_save = fail
    with pytest.raises(OSError, match="full"):
        bed.write()
    assert bed.text() == "one\n"
    bed.write()
    assert bed.text() == "one\ntwo\nthree\n"
    bed.write()
    assert bed.text() == "one\ntwo\nthree\n"


def test_what_a_page_saved_meanwhile_is_not_written_over(bed):
    bed.say("one\n")
    theirs = notebook("print(1)  # changed in the page")

    def save():
        bed.file.write_text(json.dumps(theirs))

    bed.contents.meanwhile = save
    with pytest.raises(BusyError):
        bed.write()
    assert json.loads(bed.file.read_text()) == theirs
    bed.write()
    saved = json.loads(bed.file.read_text())["cells"][0]
    assert (bed.text(), saved["source"]) == ("one\n", [theirs["cells"][0]["source"]])
