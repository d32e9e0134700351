"""JupyterHub with DockerSpawner, the peer of containers.py: what it takes to start the same image."""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import secrets
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator

from common import free_port, open_url, say, wait
from engine import Engine, derived, docker

PACKAGES = ["jupyterhub==5.*", "dockerspawner==14.*"]
USER = "bench"
# JupyterHub's own part of the single-user server is the one thing that the image lacks.
DOCKERFILE = """\
USER 0
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY ca.crt /tmp/ca.crt
RUN cat /tmp/ca.crt /etc/ssl/certs/ca-certificates.crt >/tmp/all.crt \\
 && PIP_CERT=/tmp/all.crt python -m pip install --quiet --no-cache-dir --compile jupyterhub=={version} && rm -f /tmp/ca.crt /tmp/all.crt
USER 1000:1000
"""
CONFIG = """\
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
# Containers reach the hub at the address that this machine has on their bridge.
c.JupyterHub.hub_bind_url = "http://{gateway}:{hub_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.ConfigurableHTTPProxy.command = [{chp!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.auth_token = {token!r}
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "bench", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{"name": "bench", "scopes": ["admin:users", "admin:servers"], "services": ["bench"]}}]
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = {image!r}
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "bridge"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.prefix = "cairn-bench-{port}"
c.DockerSpawner.remove = True
"""


def installed() -> pathlib.Path:
    """The virtual environment with JupyterHub, made at its first use and kept."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    venv = cache / "cairn/jupyterhub-bench"
    stamp = venv / "cairn-installed"
    wanted = " ".join(PACKAGES)
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"Installing {wanted} into {venv}")
        uv = os.environ.get("CAIRN_UV", "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", str(venv)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(venv / "bin/python"), *PACKAGES], check=True)
        stamp.write_text(wanted)
    return venv


def version(venv: pathlib.Path) -> str:
    packages = [str(path) for path in venv.glob("lib/python*/site-packages")]
    return next(importlib.metadata.distributions(name="jupyterhub", path=packages)).version


class Hub:
    def __init__(self, port: int, token: str) -> None:
        self.url = f"http://127.0.0.1:{port}/hub/api"
        self.token = token

    def call(self, method: str, path: str) -> dict:
        data = b"{}" if method == "POST" else None
        request = urllib.request.Request(f"{self.url}{path}", data, {"Authorization": f"token {self.token}"}, method=method)
        with open_url(request, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def server(self) -> dict:
        return self.call("GET", f"/users/{USER}")["servers"].get("", {})


@contextlib.contextmanager
def running(engine: Engine, image: str) -> Iterator[Hub]:
    venv = installed()
    own = derived(engine, image, "jupyterhub", DOCKERFILE.format(version=version(venv)), {})
    gateway = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    port, token = free_port(), secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="cairn-bench-hub.") as folder:
        config = pathlib.Path(folder, "jupyterhub_config.py")
        config.write_text(CONFIG.format(
            port=port, hub_port=free_port(), proxy_port=free_port(), gateway=gateway, folder=folder, chp=os.environ["CHP"], token=token, image=own,
        ))
        log = pathlib.Path(folder, "hub.log")
        hub, process = Hub(port, token), subprocess.Popen(
            [venv / "bin/jupyterhub", "--config", config], cwd=folder, stdout=log.open("wb"), stderr=subprocess.STDOUT)
        try:
            wait("JupyterHub", lambda: process.poll() is not None or bool(hub.call("GET", "/")), limit=60)
            hub.call("POST", f"/users/{USER}")
            yield hub
        except BaseException:
            say(log.read_text()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait(60)


def start(hub: Hub) -> float:
    """How long a start takes until JupyterHub says that the server is ready, in milliseconds. Leaves it stopped."""
    begin = time.monotonic()
    # Answers when the server is ready, or after ten seconds.
    hub.call("POST", f"/users/{USER}/server")
    wait("JupyterHub's server", lambda: hub.server().get("ready", False))
    taken = (time.monotonic() - begin) * 1000
    hub.call("DELETE", f"/users/{USER}/server")
    wait("the end of JupyterHub's server", lambda: not hub.server())
    return taken
