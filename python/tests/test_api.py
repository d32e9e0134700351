"""The client against a server that misbehaves."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from service import TOKEN, Refusal

from cairn import CairnError
from cairn._api import ATTEMPTS, Client


@pytest.fixture
def client(workspace):
    return Client.from_environment()


def failure(act, *args, **more):
    with pytest.raises(CairnError) as caught:
        act(*args, **more)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)
    return caught.value


def refuse(status, **more):
    def trouble(method, path):
        raise Refusal(status, "some_code", "Some sentence.", **more)

    return trouble


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 500])
def test_a_refusal_is_the_services_sentence_and_is_not_repeated(client, service, status):
    service.trouble = refuse(status)
    error = failure(client.get, "me")
    assert str(error).startswith("Some sentence.")
    assert str(error).endswith("(request req-7)")
    assert (error.status, error.code, error.request_id) == (status, "some_code", "req-7")
    assert ("restart the workspace" in str(error)) == (status == 401)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(client, service, pauses, status):
    service.trouble = refuse(status)
    assert failure(client.get, "me").is_transient
    assert len(service.requests) == ATTEMPTS
    assert pauses == [0.5, 1.0, 2.0]


def test_the_service_says_when_to_come_back_but_not_next_year(client, service, pauses):
    for value, pause in (("3", 3.0), ("99999999", 10.0), ("x", 0.5), ("-1", 0.5)):
        pauses.clear()
        service.trouble = refuse(503, headers={"Retry-After": value})
        failure(client.get, "me")
        assert pauses[0] == pause


def test_one_bad_moment_is_not_seen(client, service):
    statuses = iter([503, 502])

    def trouble(method, path):
        for status in statuses:
            refuse(status)(method, path)

    service.trouble = trouble
    assert client.get("workspaces", "w1")["project"] == "vision"


def test_a_post_is_sent_once_unless_it_may_be_sent_twice(client, service):
    service.trouble = refuse(503)
    failure(client.ask, "POST", ("x",), body={})
    assert len(service.requests) == 1
    failure(client.ask, "POST", ("x",), body={}, repeat=True)
    assert len(service.requests) == 1 + ATTEMPTS


def test_a_submission_that_lost_its_answer_makes_one_job(kernel, service):
    def lose(handler):
        service.answer("POST", "/api/v1/projects/p1/jobs", {}, service.requests[-1][2])
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    answers = iter([lose])
    service.trouble = lambda method, path: next(answers, None) if path.endswith("/jobs") else None
    job, _ = kernel.ok("%%job\nprint(1)")
    assert job.number == 1
    assert len(service.submitted()) == 2
    assert list(service.jobs) == [1]


def test_no_answer_in_time(client, service):
    release = threading.Event()
    service.trouble = lambda method, path: release.wait(5) and None
    error = failure(client.ask, "GET", ("me",), timeout_s=0.05, repeat=False)
    release.set()
    assert "no answer within 0.05 s" in str(error)
    assert error.is_transient


def test_nobody_listens(workspace, monkeypatch, pauses):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("CAIRN_API_URL", f"http://127.0.0.1:{port}/")
    error = failure(Client.from_environment().get, "me")
    assert str(error) == f"Cairn cannot be reached at http://127.0.0.1:{port}: Connection refused."
    assert len(pauses) == ATTEMPTS - 1


def test_a_connection_that_breaks(client, service):
    def hang_up(handler):
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    service.trouble = lambda method, path: hang_up
    assert "cannot be reached" in str(failure(client.get, "me"))


def test_half_an_answer(client, service):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"a": 1')
        handler.close_connection = True

    service.trouble = lambda method, path: half
    assert "cannot be reached" in str(failure(client.get, "me"))


@pytest.mark.parametrize("content", [b"<html>sign in</html>", b'{"a": ', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_not_cairn(client, service, content):
    service.trouble = lambda method, path: lambda handler: handler.respond(200, content, {})
    assert "not JSON" in str(failure(client.get, "me"))
    service.trouble = lambda method, path: lambda handler: handler.respond(502, content, {})
    assert "the status 502 and no explanation" in str(failure(client.get, "me"))


def test_a_message_cannot_take_over_the_terminal(client, service):
    def trouble(method, path):
        raise Refusal(400, "x", "bad\x1b[2J\nname\x07" + "x" * 5000)

    service.trouble = trouble
    shown = str(failure(client.get, "me"))
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert len(shown) < 2100


@pytest.mark.parametrize("location", ["/api/v1/workspaces/w1", "{origin}/api/v1/workspaces/w1"])
def test_a_redirect_within_the_service_is_followed(client, service, location):
    where = location.format(origin=client.url)

    def trouble(method, path):
        if path.endswith("/old"):
            return lambda handler: handler.respond(307, b"", {"Location": where})
        return None

    service.trouble = trouble
    assert client.get("old")["id"] == "w1"
    error = failure(client.ask, "PUT", ("old",), body={})
    assert "not followed" in str(error)


def test_a_redirect_elsewhere_is_not_followed_and_the_token_stays_here(client, service):
    got = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            got.append(self.headers)

    other = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    for where in (f"http://127.0.0.1:{other.server_port}/", "//localhost/", "file:///etc/passwd", "https://127.0.0.1/"):
        service.trouble = lambda method, path, where=where: (
            lambda handler: handler.respond(302, b"", {"Location": where})
        )
        assert "not followed" in str(failure(client.get, "me"))
    other.shutdown()
    other.server_close()
    assert got == []


def test_a_proxy_does_not_see_the_token_of_a_plain_request(service, workspace, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert Client.from_environment().get("workspaces", "w1")["id"] == "w1"


@pytest.mark.parametrize("content", ["", "two words", "line\nline", "t\x00", "größe", "x" * 5000])
def test_a_file_without_a_token_is_said_without_its_content(client, workspace, service, content):
    (workspace / "token").write_text(content, "utf-8")
    error = failure(client.get, "me")
    assert "token" in str(error)
    assert not content or content not in str(error)
    assert service.requests == []


def test_no_token_file(client, workspace):
    (workspace / "token").unlink()
    assert "cannot be read" in str(failure(client.get, "me"))


def test_a_token_that_is_renewed_is_used(client, workspace):
    (workspace / "token").write_text("old")
    assert failure(client.get, "workspaces", "w1").status == 401
    (workspace / "token").write_text(TOKEN)
    assert client.get("workspaces", "w1")["id"] == "w1"


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "localhost:8000", "http://", "http://u:p@x", "http://x?a=1", "http://x:y", "file:///x", "http://[x"],
)
def test_an_address_that_is_none(url):
    assert "CAIRN_API_URL is not an address" in str(failure(Client, url, Path("token"), "w1"))


def test_a_certificate_file_that_is_none(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "none.pem"):
        error = failure(Client, "https://localhost", Path("token"), "w1", ca_file=str(tmp_path / name))
        assert "holds no certificates" in str(error)


def test_segments_are_names(client, service):
    for part in ("", ".", ".."):
        assert "is not a name" in str(failure(client.get, "projects", part))
    failure(client.get, "projects", "a/../b?c#d")
    assert service.requests[-1][1] == "/api/v1/projects/a%2F..%2Fb%3Fc%23d"


def test_the_client_shows_no_token(client):
    client.get("workspaces", "w1")
    assert TOKEN not in repr(client)
    assert TOKEN not in repr(vars(client))


def test_an_interrupt_is_an_interrupt(client, service):
    import os
    import signal

    def interrupt(method, path):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

    service.trouble = interrupt
    with pytest.raises(KeyboardInterrupt):
        client.get("me")
