"""The one exception of this package."""

from __future__ import annotations

from ._text import printable


class CairnError(Exception):
    """What went wrong, in a sentence for the person at the notebook.

    `code` is the service's stable word for it, such as `not_found`, `status` the HTTP status, and `request_id` names the request
    in the server's log; all are None where the service was not asked. `is_transient` says that the same may work later, `retry_after_s`
    when, where the service said so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        is_transient: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.is_transient = is_transient
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        if self.request_id is None:
            return self.message
        return f"{self.message} (request {printable(self.request_id, 64)})"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, not the lines of this package that it went through."""
        return [f"{type(self).__name__}: {self}"]
