"""The Docker engine as the benchmarks use it: over its socket where its own speed is measured, else with the docker command."""

import contextlib
import hashlib
import http.client
import ipaddress
import itertools
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator

from common import say

LABEL = "cairn.bench"
# Small networks, out of the pool that Cairn takes its own from: no other addresses of the machine are touched.
POOL = ipaddress.ip_network("10.213.0.0/16").subnets(new_prefix=28)


class Refused(Exception):
    pass


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=300)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """The engine that DOCKER_HOST names. It must be on this machine: Cairn shows its own folders to containers."""

    def __init__(self, address: str) -> None:
        self.socket = address.removeprefix("unix://")
        self.own = threading.local()
        self.subnets = itertools.cycle(list(POOL))
        self.turn = threading.Lock()

    def call(self, method: str, path: str, body: object = None) -> dict:
        """One connection for each thread, as a client has one for each run."""
        if not hasattr(self.own, "connection"):
            self.own.connection = _Connection(self.socket)
        connection = self.own.connection
        connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {text.decode(errors='replace').strip()}")
        return json.loads(text) if text else {}

    def make_network(self, name: str) -> None:
        """A small network on addresses that are free: only the engine knows which, and says so by refusing the others."""
        options = {"com.docker.network.bridge.enable_icc": "false"}
        while True:
            with self.turn:
                subnet = str(next(self.subnets))
            body = {"Name": name, "Driver": "bridge", "Options": options, "IPAM": {"Config": [{"Subnet": subnet}]}, "Labels": {LABEL: "1"}}
            try:
                self.call("POST", "/networks/create", body)
                return
            except Refused as refused:
                if "overlaps" not in str(refused):
                    raise

    def run(self, name: str, image: str, command: list[str], binds: list[str]) -> None:
        """A container on the network of the same name, walled off in the way that Cairn's are."""
        host = {
            "NetworkMode": name,
            "Binds": binds,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Tmpfs": {path: "rw,exec,nosuid,nodev,mode=1777" for path in ["/tmp", "/var/tmp", "/run", "/cairn/secrets"]},
            "LogConfig": {"Type": "none"},
        }
        body = {"Image": image, "Entrypoint": command[:1], "Cmd": command[1:], "HostConfig": host, "Labels": {LABEL: "1"}}
        self.call("POST", f"/containers/create?name={name}", body)
        self.call("POST", f"/containers/{name}/start")

    def remove(self, name: str) -> None:
        for path in [f"/containers/{name}?force=true&v=true", f"/networks/{name}"]:
            with contextlib.suppress(Refused):
                self.call("DELETE", path)

    def image(self, name: str) -> str:
        return self.call("GET", f"/images/{name}/json")["Id"]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"docker {arguments[0]}: {(done.stderr + done.stdout)[-2000:].strip()}")
    return done.stdout.strip()


def derived(engine: Engine, base: str, name: str, dockerfile: str, files: dict[str, str]) -> str:
    """An image on `base`, made unless there is one of the same content; `files` can be copied. It stays on the engine, for the next time.

    A build may copy `ca.crt`, which holds what this machine trusts, and gets its proxies and package indexes as arguments.
    """
    content = json.dumps([engine.image(base), dockerfile, files])
    tag = f"cairn-bench/{name}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    with contextlib.suppress(Refused):
        engine.image(tag)
        return tag
    say(f"Building {tag}")
    with tempfile.TemporaryDirectory(prefix="cairn-bench-image.") as context:
        for path, text in {"Dockerfile": f"FROM {base}\n{dockerfile}", "ca.crt": authorities(), **files}.items():
            file = pathlib.Path(context, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o644)
        docker("build", "--tag", tag, *build_arguments(), context)
    return tag


def authorities() -> str:
    """What this machine trusts, found as deploy/testbed/images.sh does: it may be behind a proxy that intercepts TLS."""
    names = ["CAIRN_EXTRA_CA_FILE", "SSL_CERT_FILE"]
    usual = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
    for path in [*(os.environ.get(name, "") for name in names), *usual]:
        if path and os.access(path, os.R_OK):
            return pathlib.Path(path).read_text()
    return ""


def build_arguments() -> Iterator[str]:
    for name in ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"]:
        if os.environ.get(name):
            yield from ["--build-arg", name]
