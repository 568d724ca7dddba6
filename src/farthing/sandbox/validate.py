"""
Accepting a request, or saying why not: what is known of it before anything is generated.

Source: facts: claude-api 0, 2, 7.5 and the emulator's list in 18; checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing.sandbox.model_rules import (
    NEW_VERSION,
    OLD_VERSION,
    check_max_tokens,
    check_model,
    find_model,
    geo_of,
    speed_of,
)
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.shapes import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.sandbox.accounts import Workspace

BODY_BYTES_MAX = 32 * 1024 * 1024


class Terms(NamedTuple):
    """
    What is known of a request once it is accepted.

    Attributes:
        body: The decoded request.
        model: The model asked for.
        version: API version.
        betas: As asked for.
        speed: The speed it will run at, which a withdrawn fast mode changes.
        inference_geo: As the response will report it.
        on: Day of the request.

    """

    body: Mapping[str, Any]
    model: Model
    version: str
    betas: frozenset[str]
    speed: str
    inference_geo: str
    on: date

    def __repr__(self) -> str:
        return f"<Terms {self.model.id}, {self.version}>"

    def has_beta(self, prefix: str) -> bool:
        """Whether a beta that begins so was asked for."""
        return any(beta.startswith(prefix) for beta in self.betas)


def accept(
    book: PriceBook,
    headers: Mapping[str, str],
    raw: bytes,
    workspace: Workspace,
    on: date,
    *,
    batch: bool,
    counting: bool,
) -> Terms:
    """
    Accept a request, or say why not.

    Args:
        book: Which models there are.
        headers: By lower-case name.
        raw: The body as received.
        workspace: Of the caller.
        on: Day of the request.
        batch: It is a request of a Message Batch.
        counting: It is for ``count_tokens``, which takes no ``max_tokens``.

    Raises:
        ApiError: The error answer.

    """
    version, betas = _version(headers), _betas(headers)
    body = decode(raw)
    model = find_model(book, body.get("model"), on)
    if not counting:
        check_max_tokens(body, model, betas, batch=batch)
    check_shape(body, version, betas, batch=batch)
    check_model(body, model, version, batch=batch)
    speed = speed_of(book, body, model, betas, on)
    return Terms(body, model, version, betas, speed, geo_of(body, model, workspace), on)


def decode(raw: bytes) -> dict[str, Any]:
    """
    The body as an object.

    Raises:
        ApiError: It is too large, not JSON or not an object.

    """
    if len(raw) > BODY_BYTES_MAX:
        raise ApiError("request_too_large", "Request exceeds the maximum size")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object")
    return body


def _version(headers: Mapping[str, str]) -> str:
    version = headers.get("anthropic-version")
    if not version:
        raise invalid("anthropic-version: header is required")
    if version not in (OLD_VERSION, NEW_VERSION):
        raise invalid(f"anthropic-version: not a known version; expected {OLD_VERSION} or {NEW_VERSION}")
    return version


def _betas(headers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for part in headers.get("anthropic-beta", "").split(",") if (name := part.strip()))
