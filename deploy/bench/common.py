"""What the benchmarks beside it share: a server of their own, waiting, and how a figure is printed."""

import contextlib
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
from collections.abc import Callable, Iterator

ROUNDS = 5
# Between two questions whether something is ready: often enough for the goals, and too seldom to slow down what is waited for.
POLL_S = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
# Everything that is asked is on this machine, whatever proxy it has for the rest.
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def report(name: str, ours: float, floor: float, goal: str, met: bool, unit: str) -> None:
    ratio = ours / floor if floor else None
    if "--json" in sys.argv:
        print(json.dumps({"name": name, "ours": ours, "peer": floor, "ratio": ratio, "goal": goal, "met": met, "unit": unit}))
    else:
        shown = "-" if ratio is None else f"{ratio:.2f}"
        print(f"{name:<34} {ours:>10.1f} {floor:>10.1f} {shown:>8}  {goal:<24} {'ok' if met else 'MISSED'}  {unit}")
    sys.stdout.flush()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def wait(what: str, done: Callable[[], bool], pause: float = POLL_S, limit: float = 300) -> None:
    """Asks again and again; a refused connection counts as not yet."""
    begin = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            if done():
                return
        if time.monotonic() - begin > limit:
            raise TimeoutError(f"{what}: not within {limit:.0f} s")
        time.sleep(pause)


def answers_at(path: str) -> bool:
    """Whether a server answers at a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET /api HTTP/1.0\r\n\r\n")
        return bool(client.recv(100))


class Server:
    """A server of its own in a temporary folder; its environments are kept in the cache."""

    def __init__(self, binary: str, config: str = "") -> None:
        self.binary = binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bench."))
        if config:
            (self.folder / "cairn.toml").write_text(config)
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
                open_url(f"{self.url}/health/ready", timeout=1).read()
                return (time.monotonic() - begin) * 1000
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None or time.monotonic() - begin > 30:
                    raise SystemExit(self.log())
                time.sleep(0.002)

    def log(self) -> str:
        return (self.folder / "bench.log").read_text()[-2000:]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def resident_mb(self) -> float:
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def cpu_ms(self) -> float:
        """CPU time that the server itself has used, without what it started."""
        # The name, which comes before, may hold blanks.
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / TICKS

    def call(self, method: str, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        with open_url(request, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def sign_in(self) -> None:
        code = (self.folder / "sign-in-link").read_text().strip().split("#")[1]
        self.token = self.call("POST", "/link-tokens", {"link": code, "name": "bench"})["token"]

    def remove(self) -> None:
        subprocess.run([self.binary, "down", "--data-dir", str(self.folder)], check=True, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def serving(binary: str, config: str = "") -> Iterator[Server]:
    """A server that runs and is signed in to, removed afterwards with all that it runs."""
    server = Server(binary, config)
    try:
        server.start()
        server.sign_in()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        server.remove()


def make_workspace(server: Server, name: str, environment: str = "default") -> str:
    return server.call("POST", "/projects/examples/workspaces", {"name": name, "environment": environment})["id"]


def start_workspace(server: Server, made: str) -> float:
    """How long a start takes until the workspace runs, in milliseconds. Leaves it stopped."""
    begin = time.monotonic()
    server.call("POST", f"/workspaces/{made}/start")
    while (now := server.call("GET", f"/workspaces/{made}"))["state"] != "running":
        if now["state"] == "error":
            raise SystemExit(f"the workspace did not start: {now['message']}\n{server.log()}")
        time.sleep(POLL_S)
    taken = (time.monotonic() - begin) * 1000
    server.call("POST", f"/workspaces/{made}/stop")
    while server.call("GET", f"/workspaces/{made}")["state"] != "stopped":
        time.sleep(POLL_S)
    return taken


def in_turn(*measures: Callable[[], float]) -> list[float]:
    """The median of each, measured in turn, so that what else the machine does meanwhile meets all alike. The first round, which finds
    everything cold, is left out."""
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS + 1)]
    return [statistics.median(times) for times in zip(*rounds[1:], strict=True)]
