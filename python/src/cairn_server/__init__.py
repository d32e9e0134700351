"""Cairn's recorder, a Jupyter server extension: cells run to completion and their outputs land in the notebook, browser or not.

JupyterLab runs cells as it always does, over the websocket of the kernel. While its page is there it writes the outputs into the shared
document itself. When it goes away the recorder, which has read along, takes its executions over.

`outputs` knows what a notebook keeps of messages, `kernel` reads along with one kernel, `recorder` decides who writes, `notebooks` writes,
`connection` is the websocket, `extension` puts them into the server.
"""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .extension import RecorderExtension

    return [{"module": "cairn_server", "app": RecorderExtension}]
