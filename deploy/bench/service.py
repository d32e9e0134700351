#!/usr/bin/env python3
"""Measures the service as a whole: time to ready, memory when idle, and what a workspace's start adds to JupyterLab's own.

Prints a line for each figure (name, ours, peer or floor, ratio, goal), or one JSON object a line with --json.
Usage: service.py CAIRN_BINARY [--json]
"""

import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROUNDS = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def report(name: str, ours: float, floor: float, goal: str, met: bool, unit: str) -> None:
    ratio = ours / floor if floor else float("nan")
    if "--json" in sys.argv:
        print(json.dumps({"name": name, "ours": ours, "peer": floor, "ratio": ratio, "goal": goal, "met": met, "unit": unit}))
    else:
        print(f"{name:<34} {ours:>10.1f} {floor:>10.1f} {ratio:>8.2f}  {goal:<24} {'ok' if met else 'MISSED'}  {unit}")
    sys.stdout.flush()


class Server:
    """A server of its own in a temporary folder; its environments are kept in the cache."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench."))
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.token = ""
        self.process: subprocess.Popen | None = None

    def start(self) -> float:
        command = [self.binary, "serve", "--data-dir", str(self.folder), "--listen", f"127.0.0.1:{self.port}"]
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.folder / "bench.log", "ab"))
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health/ready", timeout=1).read()
                return (time.monotonic() - begin) * 1000
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None or time.monotonic() - begin > 30:
                    raise SystemExit((self.folder / "bench.log").read_text()[-2000:])
                time.sleep(0.002)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def resident_mb(self) -> float:
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def call(self, method: str, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def sign_in(self) -> None:
        code = (self.folder / "sign-in-link").read_text().strip().split("#")[1]
        self.token = self.call("POST", "/link-tokens", {"link": code, "name": "bench"})["token"]

    def remove(self) -> None:
        subprocess.run([self.binary, "down", "--data-dir", str(self.folder)], check=True, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def workspace_starts(server: Server) -> list[float]:
    made = server.call("POST", "/projects/examples/workspaces", {"name": "bench"})
    times = []
    for _ in range(ROUNDS + 1):
        begin = time.monotonic()
        server.call("POST", f"/workspaces/{made['id']}/start")
        while (state := server.call("GET", f"/workspaces/{made['id']}")["state"]) != "running":
            if state == "error":
                raise SystemExit("the workspace did not start")
            time.sleep(0.005)
        times.append((time.monotonic() - begin) * 1000)
        server.call("POST", f"/workspaces/{made['id']}/stop")
        while server.call("GET", f"/workspaces/{made['id']}")["state"] != "stopped":
            time.sleep(0.02)
    return times[1:]


def bare_starts(server: Server) -> list[float]:
    python = next(server.folder.glob("environments/*/bin/python"))
    times = []
    for _ in range(ROUNDS + 1):
        home = tempfile.mkdtemp(prefix="cairn-bench-bare.")
        path = f"{home}/s"
        command = [str(python), "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.sock={path}", f"--ServerApp.root_dir={home}"]
        begin = time.monotonic()
        child = subprocess.Popen(command, env={**os.environ, "HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    client.sendall(b"GET /api HTTP/1.0\r\n\r\n")
                    if client.recv(100):
                        break
            except OSError:
                time.sleep(0.005)
        times.append((time.monotonic() - begin) * 1000)
        child.kill()
        child.wait()
        shutil.rmtree(home, ignore_errors=True)
    return times[1:]


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
        ours = statistics.median(workspace_starts(server))
        bare = statistics.median(bare_starts(server))
        report("workspace.start", ours, bare, "at most 150 ms more", ours - bare <= 150, "ms")
        server.stop()
    finally:
        if server.process.poll() is None:
            server.stop()
        server.remove()


if __name__ == "__main__":
    main()
