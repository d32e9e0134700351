#!/usr/bin/env python3
"""Measures what the recording of outputs costs: a cell prints 10,000 lines a second for 10 s while no page is there, with the recorder and without.

The first figure is how long the cell takes, the second how much processor time its server uses meanwhile, with all that is saved.
Usage: recorder.py [--json]; with a Python that has the tests' packages (python/pyproject.toml).
"""

import asyncio
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

from common import TICKS, report

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "python/tests"), str(ROOT / "python/src")]

from recorder_bed import Page, Server  # noqa: E402

SECONDS = 10
ROUNDS = 3
CELL = f"""import time
begin = time.perf_counter()
for part in range({SECONDS * 100}):
    for line in range(100):
        print(part * 100 + line)
    time.sleep(max(0, begin + (part + 1) / 100 - time.perf_counter()))
open("took", "w").write(str(time.perf_counter() - begin))"""


def cpu_ms(process: int) -> float:
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


async def leave(server: Server) -> None:
    """Runs the cell from a page that goes away at once."""
    async with Page(server, "n", server.session("n")) as page:
        await page.run()
        await asyncio.sleep(1)


def run(recorder: bool) -> tuple[float, float]:
    """How long the cell took and what its server used, in milliseconds."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench-recorder."))
    server = Server(folder, recorder=recorder)
    try:
        server.put("n", CELL)
        before = cpu_ms(server.process.pid)
        asyncio.run(leave(server))
        took = server.root / "took"
        asyncio.run(until(took.exists, SECONDS * 3))
        # What is written after its end counts, too.
        asyncio.run(asyncio.sleep(3))
        used = cpu_ms(server.process.pid) - before
        if recorder and f"{SECONDS * 10000 - 1}" not in server.text("n"):
            raise SystemExit("the recorder lost the end of the cell's output")
        return float(took.read_text()) * 1000, used
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def until(done, seconds: float) -> None:
    for _ in range(int(seconds * 20)):
        if done():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the cell does not end")


def main() -> None:
    rounds = [(run(recorder=True), run(recorder=False)) for _ in range(ROUNDS)]
    (took, used), (bare, floor) = ([statistics.median(each) for each in zip(*runs, strict=True)] for runs in zip(*rounds, strict=True))
    report("recorder.cell", took, bare, "at most 1.03 of without", took <= bare * 1.03, "ms")
    report("recorder.processor", used, floor, f"at most {SECONDS * 30} ms more", used - floor <= SECONDS * 30, "ms")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
