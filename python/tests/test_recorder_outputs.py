"""What a notebook keeps of messages, by JupyterLab's rules."""

import pytest

from cairn_server.outputs import Outputs, Stream


def stream(*texts):
    made = Stream("stdout")
    for text in texts:
        made.write(text)
    return made.text()


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["a", "b\n", "c"], "ab\nc"),
        (["progress 1\rprogress 2"], "progress 2"),
        (["progress 10", "\rdone"], "doneress 10"),
        (["abc\b\bX"], "aX"),
        (["a\n\b\bb"], "a\nb"),
        (["abc\r\nnext"], "abc\nnext"),
        (["abc\rX\nY"], "Xbc\nY"),
        (["\r", "\r", "x"], "x"),
        (["one\ntwo\r", "three\nfour"], "one\nthree\nfour"),
        (["", "\n", "\n"], "\n\n"),
    ],
)
def test_a_line_is_overwritten_as_in_jupyterlab(texts, shown):
    assert stream(*texts) == shown
    assert stream("".join(texts)) == shown


def test_streams_are_joined_until_another_output_comes():
    outputs = Outputs(1000)
    for kind, content in [
        ("stream", {"name": "stdout", "text": "a"}),
        ("stream", {"name": "stdout", "text": "b"}),
        ("stream", {"name": "stderr", "text": "c"}),
        ("display_data", {"data": {"text/plain": "d"}, "metadata": {}, "transient": {}}),
        ("stream", {"name": "stderr", "text": "e"}),
    ]:
        outputs.add(kind, content, 1)
    assert outputs.as_notebook() == [
        {"output_type": "stream", "name": "stdout", "text": "ab"},
        {"output_type": "stream", "name": "stderr", "text": "c"},
        {"output_type": "display_data", "data": {"text/plain": "d"}, "metadata": {}},
        {"output_type": "stream", "name": "stderr", "text": "e"},
    ]


def test_clearing_waits_where_it_is_told_to():
    outputs = Outputs(1000)
    outputs.add("stream", {"name": "stdout", "text": "a"}, 1)
    outputs.add("clear_output", {"wait": True}, 1)
    assert outputs.as_notebook()
    outputs.add("stream", {"name": "stdout", "text": "b"}, 1)
    assert outputs.as_notebook() == [{"output_type": "stream", "name": "stdout", "text": "b"}]
    outputs.add("clear_output", {"wait": False}, 1)
    assert outputs.as_notebook() == []


def test_beyond_the_limit_whole_lines_are_kept_and_the_rest_is_counted():
    outputs = Outputs(10)
    outputs.add("stream", {"name": "stdout", "text": "1234\n6789\nabcd\n"}, 1)
    outputs.add("stream", {"name": "stdout", "text": "x\n"}, 1)
    outputs.finish()
    text, said = outputs.as_notebook()
    assert text["text"] == "1234\n6789\n"
    assert said["name"] == "stderr"


def test_a_long_line_is_kept_whole():
    assert stream(*["." * 1000] * 200) == "." * 200_000
