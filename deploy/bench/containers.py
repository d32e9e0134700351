#!/usr/bin/env python3
"""Measures workspaces in containers: what a start adds to the engine's own, many at once, JupyterHub with DockerSpawner as the peer; and what
workspaces that are stopped cost, which takes no engine.

Prints a line for each figure (name, ours, peer or floor, ratio, goal), or one JSON object a line with --json.
DOCKER_HOST names the engine, which must have the image cairn/base; without it containers are not measured. CHP names JupyterHub's proxy.
Usage: containers.py CAIRN_BINARY [--json] [--starts N] [--lab]
  --starts N  how many workspaces are started at once; 50 where left out
  --lab       has JupyterLab itself in those, which takes nearly all of the time: seconds of a core for each
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import hub
from common import Server, answers_at, free_port, in_turn, make_workspace, open_url, report, say, serving, start_workspace, wait
from engine import Engine, Refused, derived, docker

IMAGE = "cairn/base"
LAB = ["/opt/cairn/bin/python", "-m", "jupyterlab", "--no-browser"]
STOPPED = 1000
QUIET_S = 20
ROUNDS_AT_ONCE = 3
# Answers everything at JupyterLab's socket, so that a start is what Cairn and the engine do and little else.
TINY = '''\
import socket, sys
path = next(a.partition("=")[2] for a in sys.argv if a.startswith("--ServerApp.sock="))
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    client = server.accept()[0]
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
    client.close()
'''
# Python finds this module before JupyterLab's own, which stays: it is what the image is asked for before it may have workspaces.
TINY_IMAGE = "COPY tiny /opt/tiny\nENV PYTHONPATH=/opt/tiny\n"


def config(engine: Engine, tiny: str) -> str:
    return f"""\
docker_socket = "{engine.socket}"
pull_images = false
[environments.default]
image = "{IMAGE}"
[environments.tiny]
image = "{tiny}"
[machines.local]
runtime = "docker"
"""


def docker_run() -> float:
    """How long `docker run` takes until JupyterLab answers at a published port, in milliseconds."""
    port, name = free_port(), f"cairn-bench-{os.getpid()}"
    begin = time.monotonic()
    docker("run", "--detach", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:8888", IMAGE, *LAB, "--ip=0.0.0.0", "--port=8888")
    try:
        wait("JupyterLab", lambda: open_url(f"http://127.0.0.1:{port}/api", timeout=10).status == 200)
        return (time.monotonic() - begin) * 1000
    finally:
        docker("rm", "--force", "--volumes", name)


def starts(server: Server, engine: Engine) -> None:
    made = make_workspace(server, "bench")
    ours, floor = in_turn(lambda: start_workspace(server, made), docker_run)
    report("container.start", ours, floor, "at most 300 ms more", ours - floor <= 300, "ms")
    try:
        with hub.running(engine, IMAGE) as peer:
            ours, theirs = in_turn(lambda: start_workspace(server, made), lambda: hub.start(peer))
    except (Refused, OSError, KeyError, subprocess.CalledProcessError) as error:
        say(f"JupyterHub is not measured: {error!r}")
        return
    report("jupyterhub.start", ours, theirs, "faster than JupyterHub", ours < theirs, "ms")


def start_all(server: Server, ids: list[str]) -> tuple[float, list[str]]:
    """Asks for all at once; how long it takes until the last is ready, and what those said that did not become so."""
    begin = time.monotonic()
    with ThreadPoolExecutor(len(ids)) as pool:
        list(pool.map(lambda one: server.call("POST", f"/workspaces/{one}/start"), ids))
    now = settled(server, ids, {"running", "error"}, 0.1)
    taken = (time.monotonic() - begin) * 1000
    return taken, [one["message"] for one in now if one["state"] == "error"]


def stop_all(server: Server, ids: list[str]) -> None:
    for one in ids:
        server.call("POST", f"/workspaces/{one}/stop")
    settled(server, ids, {"stopped"}, 0.5)


def settled(server: Server, ids: list[str], states: set[str], pause: float) -> list[dict]:
    now = []

    def look() -> bool:
        items = server.call("GET", "/projects/examples/workspaces?limit=1000")["items"]
        now[:] = [item for item in items if item["id"] in ids]
        return len(now) == len(ids) and all(item["state"] in states for item in now)

    wait(f"workspaces {' or '.join(sorted(states))}", look, pause, 900)
    return now


def run_all(engine: Engine, image: str, count: int) -> float:
    """The same by hand: as many networks and containers, all at once, until the last one's server answers."""
    names = [f"cairn-bench-{os.getpid()}-{number}" for number in range(count)]
    folder = tempfile.mkdtemp(prefix="cairn-bench-runs.")

    def run(name: str) -> None:
        binds = {os.path.join(folder, name, kind): target for kind, target in [("run", "/cairn/run"), ("home", "/home/cairn")]}
        for source in binds:
            os.makedirs(source)
            # For the image's own user.
            os.chmod(source, 0o777)
        engine.make_network(name)
        engine.run(name, image, [*LAB, "--ServerApp.sock=/cairn/run/server.sock"], [f"{source}:{target}" for source, target in binds.items()])
        wait(name, lambda: answers_at(f"{folder}/{name}/run/server.sock"))

    try:
        begin = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(run, names))
        return (time.monotonic() - begin) * 1000
    finally:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(engine.remove, names))
        shutil.rmtree(folder, ignore_errors=True)


def starts_at_once(server: Server, engine: Engine, environment: str, image: str, count: int) -> None:
    ids = [make_workspace(server, f"{environment}-{number}", environment) for number in range(count)]
    ours, floor, failed = [], [], []
    # One before the others, so that what is done once for an image is not counted.
    start_all(server, ids[:1])
    stop_all(server, ids[:1])
    for _ in range(ROUNDS_AT_ONCE):
        taken, messages = start_all(server, ids)
        ours.append(taken)
        failed += messages
        stop_all(server, ids)
        floor.append(run_all(engine, image, count))
    for message in sorted(set(failed)):
        say(f"{failed.count(message)} of {count * ROUNDS_AT_ONCE} starts failed: {message}")
    name = f"container.starts_{count}" + ("_lab" if environment == "default" else "")
    ours, floor = statistics.median(ours), statistics.median(floor)
    report(name, ours, floor, "all, at most 1.20 times", not failed and ours <= floor * 1.2, "ms")


def measure_containers(binary: str, engine: Engine, count: int) -> None:
    tiny = derived(engine, IMAGE, "tiny", TINY_IMAGE, {"tiny/jupyterlab/__init__.py": "", "tiny/jupyterlab/__main__.py": TINY})
    environment, image = ("default", IMAGE) if "--lab" in sys.argv else ("tiny", tiny)
    with serving(binary, config(engine, tiny)) as server:
        starts(server, engine)
        starts_at_once(server, engine, environment, image, count)


def quiet_cpu(server: Server) -> float:
    """CPU time in milliseconds that the server uses while nobody asks for anything."""
    # What came before may still be written down.
    time.sleep(5)
    before = server.cpu_ms()
    time.sleep(QUIET_S)
    return server.cpu_ms() - before


def measure_stopped(binary: str) -> None:
    with serving(binary, f'[environments.default]\nimage = "{IMAGE}"\n') as server:
        none = quiet_cpu(server)
        for number in range(STOPPED):
            make_workspace(server, f"stopped-{number}")
        many = quiet_cpu(server)
    report("reconciler.idle", many, none, "20 % or 20 ms more", many - none <= max(0.2 * none, 20), f"ms of CPU in {QUIET_S} s")


def main() -> None:
    binary = sys.argv[1]
    count = int(sys.argv[sys.argv.index("--starts") + 1]) if "--starts" in sys.argv else 50
    measure_stopped(binary)
    address = os.environ.get("DOCKER_HOST", "")
    if not address.startswith("unix://"):
        say("Containers are not measured: DOCKER_HOST names no engine of this machine")
        return
    if not pathlib.Path(binary).with_name("cairn-inside").exists():
        say("Containers are not measured: cairn-inside does not lie beside cairn")
        return
    measure_containers(binary, Engine(address), count)


if __name__ == "__main__":
    main()
