#!/usr/bin/env python3
"""Measures versions of a dataset, through the command line and a server of its own: the first version of many small files, the next one
with 1 % of them changed, a full verification, a diff, and how time grows with the number of files. Peers: `cp -r` and `b3sum` as a floor, and
dvc where it can be had. Everything is timed until it is durable: what peers write is synced.

Prints a line for each figure (name, ours, peer or floor, ratio, goal), or one JSON object a line with --json.
Usage: data.py CAIRN_BINARY [--json]
CAIRN_BENCH_FILES changes the number of files (100000); DVC names dvc's program, without which it is left out.
"""

import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from common import ROUNDS, Server, report, say, serving

FILES = int(os.environ.get("CAIRN_BENCH_FILES", "100000"))
FOLDER = 1000
BYTES = (512, 8192)
SLOPE = 10
MEMORY_MB = 200


def make_tree(folder: pathlib.Path, files: int, seed: int) -> None:
    """Files of random content, a thousand to a folder."""
    chance = random.Random(seed)
    for number in range(files):
        place = folder / f"{number // FOLDER:04}" / f"{number % FOLDER:04}.bin"
        if number % FOLDER == 0:
            place.parent.mkdir(parents=True)
        place.write_bytes(chance.randbytes(chance.randint(*BYTES)))


def change(folder: pathlib.Path, files: int, seed: int) -> None:
    """Writes another content into every hundredth file."""
    chance = random.Random(seed)
    for number in range(0, files, 100):
        (folder / f"{number // FOLDER:04}" / f"{number % FOLDER:04}.bin").write_bytes(chance.randbytes(chance.randint(*BYTES)))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds, with nothing left to write from before."""
    os.sync()
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def run(*command: str | pathlib.Path, cwd: pathlib.Path | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")


def hash_all(folder: pathlib.Path) -> None:
    run("sh", "-c", "find . -type f -print0 | xargs -0 b3sum >/dev/null", cwd=folder)


class Client:
    """The command line, signed in to a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        home = server.folder / "client"
        self.environment = {**os.environ, "CAIRN_API_URL": server.url, "CAIRN_TOKEN": server.token, "CAIRN_HOME": str(home),
                            "CAIRN_PROJECT": "examples", "XDG_CACHE_HOME": str(home)}
        self.most_mb = 0.0

    def run(self, *arguments: str | pathlib.Path) -> None:
        # `wait4` tells the most memory of the one child, which `RUSAGE_CHILDREN` does not.
        child = subprocess.Popen([self.server.binary, *arguments, "--json"], env=self.environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"cairn {' '.join(map(str, arguments))}: {said[-2000:]}\n{self.server.log()}")
        self.most_mb = max(self.most_mb, usage.ru_maxrss / 1024)


def peak_mb(server: Server) -> float:
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Versions:
    """One round: a server that has nothing, and folders to make versions of."""

    def __init__(self, binary: str, home: pathlib.Path, seed: int) -> None:
        self.binary, self.home, self.seed = binary, home, seed
        self.times: dict[str, float] = {}

    def measure(self, dvc: str | None) -> dict[str, float]:
        source = self.home / "source"
        make_tree(source, FILES, self.seed)
        small = self.home / "small"
        make_tree(small, FILES // SLOPE, self.seed + 1)
        self.floors(source)
        with serving(self.binary) as server:
            self.ours(server, source, small)
        if dvc:
            self.dvc(dvc, source)
        return self.times

    def floors(self, source: pathlib.Path) -> None:
        copy = self.home / "copy"

        def copy_and_hash() -> None:
            run("cp", "-r", source, copy)
            hash_all(source)
            run("sync", "-f", copy)

        self.times["copy"] = timed(copy_and_hash)
        self.times["hash"] = timed(lambda: hash_all(copy))
        shutil.rmtree(copy)

    def ours(self, server: Server, source: pathlib.Path, small: pathlib.Path) -> None:
        client = Client(server)
        self.times["small"] = timed(lambda: client.run("data", "push", "small", small))
        self.times["first"] = timed(lambda: client.run("data", "push", "big", source))
        self.times["verify"] = timed(lambda: client.run("data", "verify", "big:1", "--full"))
        change(source, FILES, self.seed + 2)
        self.times["next"] = timed(lambda: client.run("data", "push", "big", source))
        self.times["again"] = timed(lambda: client.run("data", "push", "big", source))
        self.times["diff"] = timed(lambda: self.diff(server))
        self.times["memory"] = max(client.most_mb, peak_mb(server))

    def diff(self, server: Server) -> None:
        found = server.call("GET", "/projects/examples/datasets/big/versions/2/diff?from=1")
        assert len(found["changes"]) == FILES // 100, len(found["changes"])

    def dvc(self, dvc: str, source: pathlib.Path) -> None:
        """The same two versions, as `dvc add` makes them. It syncs nothing, so that is done for it."""
        place = self.home / "dvc"
        place.mkdir()
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.home / "dvc-site")}
        run(dvc, "init", "--no-scm", "--quiet", cwd=place, environment=environment)
        shutil.copytree(source, place / "data")

        def add() -> None:
            run(dvc, "add", "--quiet", "data", cwd=place, environment=environment)
            run("sync", "-f", place)

        self.times["dvc_first"] = timed(add)
        change(place / "data", FILES, self.seed + 3)
        self.times["dvc_next"] = timed(add)


def tell(rounds: list[dict[str, float]]) -> None:
    of = {name: statistics.median(times[name] for times in rounds if name in times) for name in rounds[0]}
    report("data.first_version", of["first"], of["copy"], "at most 1.3 times cp+b3sum", of["first"] <= 1.3 * of["copy"], "ms")
    if "dvc_first" in of:
        report("data.first_version_vs_dvc", of["first"], of["dvc_first"], "5 times faster", of["first"] * 5 <= of["dvc_first"], "ms")
        report("data.next_version_vs_dvc", of["next"], of["dvc_next"], "10 times faster", of["next"] * 10 <= of["dvc_next"], "ms")
    report("data.same_again", of["again"], of["hash"], "under b3sum", of["again"] <= of["hash"], "ms")
    report("data.verify_full", of["verify"], of["hash"], "at most 1.1 times b3sum", of["verify"] <= 1.1 * of["hash"], "ms")
    report("data.diff_1_percent", of["diff"], 25, "under 25 ms", of["diff"] < 25, "ms")
    report("data.slope", of["first"], of["small"] * SLOPE, "at most 1.15 of linear", of["first"] <= 1.15 * of["small"] * SLOPE, "ms")
    report("data.memory", of["memory"], MEMORY_MB, f"under {MEMORY_MB} MB", of["memory"] < MEMORY_MB, "MB")


def main() -> None:
    dvc = os.environ.get("DVC")
    rounds = []
    for seed in range(ROUNDS - 2):
        home = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench-data."))
        try:
            # dvc takes minutes: one round tells enough.
            rounds.append(Versions(sys.argv[1], home, seed * 10).measure(dvc if seed == 0 else None))
        finally:
            shutil.rmtree(home, ignore_errors=True)
        say(f"data: round {seed + 1}: {({name: round(taken) for name, taken in rounds[-1].items()})}")
    tell(rounds)


if __name__ == "__main__":
    main()
