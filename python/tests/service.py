"""A small second implementation of the parts of Cairn's API that this package asks for: real HTTP, strict about what it is sent.

What it does not imitate: its proposals follow names only (no changes in place, no effects), its jobs are finished by the test.
"""

import ast
import builtins
import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "s3cret-workspace-token"
NEW_JOB = {
    "workspace_id",
    "name",
    "machine",
    "environment",
    "inputs",
    "parameters",
    "idempotency_key",
    "time_limit_ms",
    "cells",
}
CELLS = {"notebook", "path", "keep", "lift", "prelude"}


class Refusal(Exception):
    def __init__(self, status, code, message, headers=None):
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


class Service:
    """The state, and what tests look at: `requests` is every (method, path, body)."""

    def __init__(self):
        self.requests = []
        self.jobs = {}
        self.by_key = {}
        self.inputs = {}
        self.logs = {}
        self.outputs = {}
        self.project = "vision"
        # Called with (method, path) before each answer; may raise Refusal, wait, or return a handler to take over.
        self.trouble = lambda method, path: None
        self.on_submit = lambda request: None
        self.on_log = lambda job, offset: None
        self.extra = {}

    def submitted(self):
        return [body for method, path, body in self.requests if method == "POST" and path.endswith("/jobs")]

    def job(self, number=1, **changes):
        record = self.jobs.setdefault(number, record_of(number))
        record.update(changes)
        return record

    def end(self, number=1, state="complete", **changes):
        self.job(number, state=state, started_ms=1000, ended_ms=3500, queue=None, **changes)

    def answer(self, method, path, query, body):
        routes = [
            ("GET", r"/workspaces/w1", self.get_workspace),
            ("PUT", r"/workspaces/w1/inputs/([^/]+)", self.put_input),
            ("POST", r"/notebooks/cells", self.propose),
            ("GET", r"/projects/p1/jobs", self.list_jobs),
            ("POST", r"/projects/p1/jobs", self.create_job),
            ("GET", r"/projects/p1/jobs/(\d+)", self.get_job),
            ("POST", r"/projects/p1/jobs/(\d+)/stop", self.stop_job),
            ("GET", r"/projects/p1/jobs/(\d+)/log", self.get_log),
            ("GET", r"/projects/p1/jobs/(\d+)/outputs", self.list_outputs),
        ]
        for own, pattern, operation in routes:
            found = re.fullmatch("/api/v1" + pattern, path)
            if found and own == method:
                return operation(query, body, *map(unquote, found.groups()))
        raise Refusal(404, "not_found", "There is no such operation.")

    def get_workspace(self, query, body):
        return 200, {
            "id": "w1",
            "project": self.project,
            "project_id": "p1",
            "machine": "cpu",
            "environment": "default",
        }

    def put_input(self, query, body, name):
        assert set(body) == {"ref"}
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name):
            raise Refusal(400, "invalid", f"`{name}` cannot name an input.")
        self.inputs[name] = body["ref"]
        return self.get_workspace(query, None)

    def propose(self, query, body):
        assert set(body) == {"notebook", "selected"}
        proposal = propose(check_notebook(body["notebook"]), body["selected"])
        proposal["doubts"] += self.extra.get("doubts", [])
        proposal["missing"] += self.extra.get("missing", [])
        return 200, proposal

    def list_jobs(self, query, body):
        jobs = sorted(self.jobs.values(), key=lambda job: -job["number"])
        jobs = [job for job in jobs if query.get("name", "") in job["name"]]
        return 200, {"items": jobs[: int(query["limit"])], "next": None}

    def create_job(self, query, body):
        unknown = set(body) - NEW_JOB | set(body["cells"]) - CELLS
        if unknown:
            raise Refusal(400, "invalid", f"unknown field {unknown}")
        assert body["workspace_id"] == "w1"
        cells = check_notebook(body["cells"]["notebook"])
        assert all(cells[at]["cell_type"] == "code" for at in body["cells"]["keep"])
        assert not body["cells"]["path"].startswith("/")
        if body["idempotency_key"] in self.by_key:
            return 200, self.jobs[self.by_key[body["idempotency_key"]]]
        self.on_submit(body)
        number = len(self.jobs) + 1
        self.by_key[body["idempotency_key"]] = number
        given = {key: body[key] for key in ("name", "machine", "parameters", "time_limit_ms") if key in body}
        return 201, self.job(number, **{"machine": "gpu-1", "name": "session.cells.ipynb", **given})

    def get_job(self, query, body, number):
        if int(number) not in self.jobs:
            raise Refusal(404, "not_found", "There is no such job.")
        return 200, self.jobs[int(number)]

    def stop_job(self, query, body, number):
        self.get_job(query, body, number)
        self.end(int(number), "stopped")
        return 202, self.jobs[int(number)]

    def get_log(self, query, body, number):
        self.get_job(query, body, number)
        number, offset = int(number), int(query["offset"])
        self.on_log(number, offset)
        lines = self.logs.get(number, [])
        page = [line(at, *lines[at]) for at in range(offset, min(len(lines), offset + 2))]
        ended = self.jobs[number]["state"] in ("complete", "error", "stopped") and offset + len(page) == len(lines)
        return 200, {"items": page, "next": offset + len(page), "ended": ended}

    def list_outputs(self, query, body, number):
        files, at = self.outputs[int(number)], int(query.get("cursor", 0))
        items = [{"path": path, "kind": "file", "bytes": size} for path, size in files[at : at + 2]]
        return 200, {"items": items, "next": str(at + 2) if at + 2 < len(files) else None}


def record_of(number):
    return {
        "id": f"j{number}",
        "number": number,
        "project": "vision",
        "project_id": "p1",
        "name": f"job {number}",
        "state": "queued",
        "machine": "gpu-1",
        "message": None,
        "metadata": {},
        "outputs": None,
        "parameters": {},
        "queue": None,
        "started_ms": None,
        "ended_ms": None,
    }


def line(at, text, stream="stdout", partial=False):
    return {"offset": at, "ms": 0, "text": text, "stream": stream, "partial": partial}


def check_notebook(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in ids)
    for cell in notebook["cells"]:
        assert set(cell) == {"cell_type", "id", "execution_count", "metadata", "outputs", "source"}
        assert cell["outputs"] == []
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["execution_count"]]
    assert counts == list(range(1, len(counts) + 1)), "the numbers have gaps"
    return notebook["cells"]


def propose(cells, selected):
    """What defines the names that are used, from the selection back."""
    needed, wanted = {}, set()
    for at in range(len(cells) - 1, -1, -1):
        uses, binds = names_of(cells[at]["source"])
        found = sorted(binds & wanted)
        if at in selected:
            needed[at] = [{"kind": "selected", "what": None, "text": "selected"}]
        elif found:
            needed[at] = [{"kind": "defines", "what": name, "text": f"defines {name}"} for name in found]
        else:
            continue
        wanted = wanted - binds | uses
    order = sorted(needed)
    return {
        "cells": [{"cell": at, "id": cells[at]["id"], "reasons": needed[at], "doubt": False} for at in order],
        "doubts": [],
        "missing": sorted(name for name in wanted if not hasattr(builtins, name)),
        "parameters": [found for at in order for found in assignments(at, cells[at]["source"])],
    }


def tree_of(source):
    with suppress(SyntaxError):
        return ast.parse("".join(text for text in source.splitlines(True) if not text.startswith(("%", "!"))))
    return ast.Module([], [])


def names_of(source):
    """The names that a cell takes from before it, and those that it leaves."""
    uses, binds = set(), set()
    for statement in tree_of(source).body:
        nodes = list(ast.walk(statement))
        arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
        uses |= (
            {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
            - binds
            - arguments
        )
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                binds.add(node.id)
            elif isinstance(node, ast.alias):
                binds.add(node.asname or node.name)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                binds.add(node.name)
    return uses, binds


def assignments(at, source):
    for node in tree_of(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            value = node.value.value
            yield {
                "name": node.targets[0].id,
                "kind": "number",
                "default": value,
                "code": repr(value),
                "help": "",
                "cell": at,
                "source": "assignment",
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, status, content, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def handle_any(self):
        service = self.server.service
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        service.requests.append((self.command, parts.path, body))
        headers = {"Content-Type": "application/json"}
        try:
            taken = service.trouble(self.command, parts.path)
            if taken is not None:
                return taken(self)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "unauthenticated", "Please sign in.")
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            status, answer = service.answer(self.command, parts.path, query, body)
        except Refusal as refusal:
            status, headers = refusal.status, {**headers, **refusal.headers}
            answer = {"code": refusal.code, "message": refusal.message, "request_id": "req-7"}
        except Exception as error:
            status = 500
            answer = {"code": "internal", "message": f"the test's service: {error!r}", "request_id": "req-7"}
        self.respond(status, json.dumps(answer).encode(), headers)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that did not wait


def serve(service):
    server = Server(("127.0.0.1", 0), Handler)
    server.service = service
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
