#!/usr/bin/env python3
"""Measures how data come into an S3 bucket and back from it, through the command line and a server whose store is there. Peer: s5cmd, which copies
the same files into the same bucket and names none of them. The bucket is on this machine, so that what is compared is the work, not a network.

Prints a line for each figure (name, ours, peer, ratio, goal), or one JSON object a line with --json.
Usage: bucket.py CAIRN_BINARY [--json]
CAIRN_TEST_S3 names the server (deploy/testbed/s3.sh), S5CMD the peer's program: without either nothing is measured.
"""

import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import uuid

from common import report, say, serving
from data import Client, make_tree, run, timed

SMALL_FILES = int(os.environ.get("CAIRN_BENCH_BUCKET_FILES", "20000"))
LARGE_FILES, LARGE_BYTES = 4, 256 << 20
ROUNDS = 3


class Round:
    """One round: a part of the bucket that nobody else uses."""

    def __init__(self, binary: str, endpoint: str, s5cmd: str) -> None:
        self.binary, self.endpoint, self.s5cmd = binary, endpoint, s5cmd
        self.prefix = f"bench/{uuid.uuid4()}/"
        self.times: dict[str, float] = {}

    def measure(self, small: pathlib.Path, large: pathlib.Path, home: pathlib.Path) -> dict[str, float]:
        config = (f'[s3]\nbucket = "cairn"\nendpoint = "{self.endpoint}"\nprefix = "{self.prefix}"\n'
                  'access_key_id = "cairn"\nsecret_access_key = "cairn-secret"\n')
        for name, folder in (("small", small), ("large", large)):
            self.times[f"{name}_peer"] = timed(lambda folder=folder, name=name: self.peer(folder, name))
        with serving(self.binary, config) as server:
            client = Client(server)
            for name, folder in (("small", small), ("large", large)):
                self.times[name] = timed(lambda folder=folder, name=name: client.run("data", "push", name, folder))
            for space in ("objects", "manifests"):
                for place in (server.folder / "store" / space).iterdir():
                    for copy in place.iterdir():
                        copy.unlink()
            self.times["back"] = timed(lambda: client.run("data", "pull", "large:1", home / "back"))
        self.times["back_peer"] = timed(lambda: self.peer_back(home / "back-peer"))
        for name in ("back", "back-peer"):
            shutil.rmtree(home / name)
        return self.times

    def s5(self, *arguments: str) -> None:
        environment = {**os.environ, "AWS_ACCESS_KEY_ID": "cairn", "AWS_SECRET_ACCESS_KEY": "cairn-secret", "AWS_REGION": "us-east-1"}
        run(self.s5cmd, "--endpoint-url", self.endpoint, "--log", "error", *arguments, environment=environment)

    def peer(self, folder: pathlib.Path, name: str) -> None:
        self.s5("cp", f"{folder}/", f"s3://cairn/{self.prefix}peer/{name}/")

    def peer_back(self, folder: pathlib.Path) -> None:
        folder.mkdir()
        self.s5("cp", f"s3://cairn/{self.prefix}peer/large/*", f"{folder}/")
        run("sync", "-f", folder)


def main() -> None:
    endpoint, s5cmd = os.environ.get("CAIRN_TEST_S3", "").split(), os.environ.get("S5CMD")
    if not endpoint or not s5cmd:
        say("bucket: no server or no s5cmd: not measured")
        return
    home = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench-bucket."))
    try:
        small, large = home / "small", home / "large"
        make_tree(small, SMALL_FILES, 1)
        large.mkdir()
        for number in range(LARGE_FILES):
            (large / f"{number}.bin").write_bytes(os.urandom(LARGE_BYTES))
        rounds = []
        for _ in range(ROUNDS):
            rounds.append(Round(sys.argv[1], endpoint[0], s5cmd).measure(small, large, home))
            say(f"bucket: {({name: round(taken) for name, taken in rounds[-1].items()})}")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    of = {name: statistics.median(times[name] for times in rounds) for name in rounds[0]}
    report("bucket.push_small", of["small"], of["small_peer"], "5 times faster than s5cmd", of["small"] * 5 <= of["small_peer"], "ms")
    report("bucket.push_large", of["large"], of["large_peer"], "at least 0.9 of s5cmd", of["large"] * 0.9 <= of["large_peer"], "ms")
    report("bucket.pull_large", of["back"], of["back_peer"], "at least 0.9 of s5cmd", of["back"] * 0.9 <= of["back_peer"], "ms")


if __name__ == "__main__":
    main()
