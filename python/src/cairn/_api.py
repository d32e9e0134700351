"""The client of Cairn's REST API: where it is, who asks, time limits, repeats and errors. Knows no jobs and no notebooks.

The token is read anew for every request, goes to the service's own origin only, and is in no message and no `repr`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import time
import urllib.request
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, Callable
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit

from ._errors import CairnError
from ._text import printable

ATTEMPTS = 4
TIMEOUT_S = 30.0
_LARGEST_ANSWER_BYTES = 64 << 20
_LONGEST_PAUSE_S = 10.0
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_LATER = {429, 502, 503, 504}


class Client:
    """Asks one Cairn as one workspace.

    `pause` waits for some seconds between attempts; tests hand in one that does not.
    """

    def __init__(
        self,
        url: str,
        token_file: Path,
        workspace_id: str,
        *,
        ca_file: str | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _checked(url)
        self.workspace_id = workspace_id
        self.pause = pause
        self._token_file = token_file
        self._opener = _opener(self.url, ca_file)

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    @classmethod
    def from_environment(cls) -> Client:
        """The client that a workspace's kernel is given by its environment variables.

        Raises:
            CairnError: This is no kernel of a workspace, or one of the variables is wrong.
        """
        names = ("CAIRN_API_URL", "CAIRN_TOKEN_FILE", "CAIRN_WORKSPACE_ID")
        url, token_file, workspace_id = (os.environ.get(name, "") for name in names)
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise CairnError(f"This kernel is not one of a Cairn workspace: {', '.join(missing)} is not set.")
        ca_file = os.environ.get("CAIRN_CA_FILE") or None
        return cls(url, Path(token_file), workspace_id, ca_file=ca_file)

    def get(self, *path: object, **query: object) -> Any:
        """GETs the JSON at a path of segments, which are quoted. See `ask` for what it raises."""
        return self.ask("GET", path, query=query)

    def ask(
        self,
        method: str,
        path: tuple[object, ...],
        *,
        query: dict[str, object] | None = None,
        body: Any = None,
        timeout_s: float = TIMEOUT_S,
        repeat: bool | None = None,
    ) -> Any:
        """Sends one request and returns the JSON of its answer, None for an empty one.

        What may be repeated is sent up to four times while the service cannot be reached or is overloaded: everything but POST,
        and a POST where `repeat` says that doing it twice is doing it once.

        Raises:
            CairnError: The service said no, cannot be reached, or answered with something else.
        """
        address = f"{self.url}/api/v1/{'/'.join(_segment(part) for part in path)}"
        if query:
            address += "?" + urlencode(query)
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        may_repeat = method != "POST" if repeat is None else repeat
        attempts = ATTEMPTS if may_repeat else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._once(method, address, data, timeout_s)
            except CairnError as error:
                if not error.is_transient or attempt == attempts:
                    raise
                self.pause(error.retry_after_s or 0.25 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, method: str, address: str, data: bytes | None, timeout_s: float) -> Any:
        request = urllib.request.Request(address, data=data, method=method)  # noqa: S310 -- `_checked`
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self._token()}")
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return _json(_read(answer))
        except HTTPError as refusal:
            with refusal:
                raise _refused(refusal) from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error, timeout_s) from None

    def _token(self) -> str:
        try:
            token = self._token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise CairnError(f"The workspace's token cannot be read from {self._token_file}: {why}.") from None
        # Checked here: what Python says of a header that it refuses has the header in it.
        if not _TOKEN.fullmatch(token):
            raise CairnError(f"The file {self._token_file} holds no token.")
        return token

    def _unreachable(self, error: Exception, timeout_s: float) -> CairnError:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CairnError(
                f"The certificate of {self.url} is not trusted: {printable(cause.verify_message)}."
                " CAIRN_CA_FILE names the authority that is."
            )
        if isinstance(cause, socket.timeout):  # a TimeoutError only from Python 3.10 on
            why = f"there was no answer within {timeout_s:g} s"
        else:
            why = printable(getattr(cause, "strerror", None) or cause or type(cause).__name__)
        return CairnError(f"Cairn cannot be reached at {self.url}: {why}.", is_transient=True)


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows a redirect of a GET within the service's origin and no other: the token is for nobody else."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.get_method() != "GET" or _origin(newurl) != _origin(req.full_url):
            fp.close()
            raise CairnError(
                f"Cairn's answer leads to {printable(newurl)}, which is not followed: is CAIRN_API_URL right?"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str, ca_file: str | None) -> urllib.request.OpenerDirector:
    # A proxy sees the token of a plain http request, so it gets https ones only, which it just passes on.
    proxies = urllib.request.getproxies()
    tunnel = {"https": proxies["https"]} if "https" in proxies else {}
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(tunnel),
        _SameOrigin(),
    ]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_trust(ca_file)))
    return urllib.request.build_opener(*handlers)


def _trust(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise CairnError(f"CAIRN_CA_FILE {ca_file} holds no certificates: {error.strerror or error}") from None
    return context


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    plain = parts.username is None and not parts.query and not parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise CairnError("CAIRN_API_URL is not an address such as https://cairn.example.org.")
    return url.rstrip("/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _segment(part: object) -> str:
    text = str(part)
    if text in ("", ".", ".."):
        raise CairnError(f"`{text}` is not a name.")
    return quote(text, safe="")


def _read(answer: HTTPResponse) -> bytes:
    content = answer.read(_LARGEST_ANSWER_BYTES + 1)
    if len(content) > _LARGEST_ANSWER_BYTES:
        raise CairnError("Cairn's answer is larger than 64 MiB.")
    if answer.length:  # what is still to come, and did not
        raise IncompleteRead(content, answer.length)
    return content


def _json(content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise CairnError("What answers at CAIRN_API_URL is not Cairn: its answer is not JSON.") from None


def _refused(refusal: HTTPError) -> CairnError:
    """The service's own sentence, where it gave one."""
    try:
        envelope = json.loads(refusal.read(_LARGEST_ANSWER_BYTES))
    except (OSError, ValueError, HTTPException, RecursionError):
        envelope = None
    if not isinstance(envelope, dict):
        envelope = {}
    message = envelope.get("message")
    if not isinstance(message, str) or not message:
        message = f"Cairn answered with the status {refusal.code} and no explanation."
        if refusal.code < 400:
            message = "Cairn's answer leads elsewhere, which is not followed: is CAIRN_API_URL right?"
    message = printable(message, 2000)
    if refusal.code == 401:
        message += " The workspace's token does not hold (any more): restart the workspace."
    return CairnError(
        message,
        code=_text_of(envelope, "code"),
        status=refusal.code,
        request_id=_text_of(envelope, "request_id"),
        is_transient=refusal.code in _LATER,
        retry_after_s=_retry_after(refusal),
    )


def _text_of(envelope: dict[str, Any], key: str) -> str | None:
    value = envelope.get(key)
    return value if isinstance(value, str) else None


def _retry_after(refusal: HTTPError) -> float | None:
    value = refusal.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_PAUSE_S) if re.fullmatch(r"[0-9]{1,9}", value) else None
