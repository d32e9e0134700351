#!/usr/bin/env python3
"""Measures the service as a whole: time to ready, memory when idle, what a workspace's start adds to JupyterLab's own,
and how soon cells stand in the queue.

Prints a line for each figure (name, ours, peer or floor, ratio, goal), or one JSON object a line with --json.
Usage: service.py CAIRN_BINARY [--json]
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from common import ROUNDS, Server, answers_at, in_turn, make_workspace, report, start_workspace, wait


def start_bare(python: str) -> float:
    home = tempfile.mkdtemp(prefix="cairn-bench-bare.")
    path = f"{home}/s"
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.sock={path}", f"--ServerApp.root_dir={home}"]
    begin = time.monotonic()
    child = subprocess.Popen(command, env={**os.environ, "HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    wait("JupyterLab", lambda: answers_at(path))
    taken = (time.monotonic() - begin) * 1000
    # With what it has started, which would write into its home again.
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    shutil.rmtree(home, ignore_errors=True)
    return taken


def measure_starts(server: Server) -> None:
    made = make_workspace(server, "bench")
    # Builds the environment that both use.
    start_workspace(server, made)
    python = str(next(server.folder.glob("environments/*/bin/python")))
    ours, bare = in_turn(lambda: start_workspace(server, made), lambda: start_bare(python))
    report("workspace.start", ours, bare, "at most 150 ms more", ours - bare <= 150, "ms")
    [queued] = in_turn(lambda: queue_cells(server, made))
    report("job.queued", queued, 150, "under 150 ms", queued < 150, "ms")


def queue_cells(server: Server, made: str) -> float:
    """How long it takes until cells that are sent as a job stand in the queue, with the snapshot of the project's files, in milliseconds."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "print(1)", "outputs": [], "execution_count": None}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell] * 50}
    body = {"workspace_id": made, "cells": {"notebook": notebook, "path": "bench.ipynb", "keep": list(range(50))}}
    begin = time.monotonic()
    job = server.call("POST", "/projects/examples/jobs", body)
    taken = (time.monotonic() - begin) * 1000
    server.call("POST", f"/projects/examples/jobs/{job['number']}/stop")
    wait("the job", lambda: server.call("GET", f"/projects/examples/jobs/{job['number']}")["ended_ms"] is not None)
    return taken


def main() -> None:
    server = Server(sys.argv[1])
    try:
        server.start()
        server.sign_in()
        server.stop()
        ready = []
        for _ in range(ROUNDS):
            ready.append(server.start())
            time.sleep(1)
            idle = server.resident_mb()
            server.stop()
        median = statistics.median(ready)
        report("serve.ready", median, 300, "at most 300 ms", median <= 300, "ms")
        report("serve.idle_memory", idle, 60, "under 60 MB", idle < 60, "MB")
        server.start()
        measure_starts(server)
        server.stop()
    finally:
        if server.process.poll() is None:
            server.stop()
        server.remove()


if __name__ == "__main__":
    main()
