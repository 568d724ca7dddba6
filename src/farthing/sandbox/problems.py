"""
Error answers in the API's own shape.

Source: errors page (facts: claude-api 9), checked 2026-11-20.
"""

from __future__ import annotations

from typing import Any

import msgspec

from farthing.errors import FarthingError

STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP status by ``error.type``."""


class ApiError(FarthingError):
    """
    A request that the API answers with an error.

    Args:
        kind: ``error.type``, one of :data:`STATUS`.
        message: ``error.message``; never holds prompt text or a key.
        error_code: ``error.details.error_code``, None for no details.
        status: HTTP status; None: the kind's own.
        retry_after_s: Whole seconds for the ``retry-after`` header, None for no header.
        headers: Further headers, such as the rate limits'.

    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        error_code: str | None = None,
        status: int | None = None,
        retry_after_s: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.error_code = error_code
        self.status = STATUS[kind] if status is None else status
        self.retry_after_s = retry_after_s
        self.headers = headers

    def error(self) -> dict[str, Any]:
        """The ``error`` object, as in a body and in a stream's ``error`` event."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.error_code is not None:
            error["details"] = {"error_code": self.error_code}
        return error

    def body(self, request_id: str) -> bytes:
        """The whole answer; *request_id* equals the ``request-id`` header."""
        return msgspec.json.encode({"type": "error", "error": self.error(), "request_id": request_id})


def invalid(message: str) -> ApiError:
    """The 400 of a request that breaks the API's rules."""
    return ApiError("invalid_request_error", message)
