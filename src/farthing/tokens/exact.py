"""
The seam to the vendor's own counter, ``POST /v1/messages/count_tokens``: which body to send, how to read the answer.

No network here: whoever has a key injects a callable. The call is free, with a rate limit of its own.
Source: token counting page, snapshot 2026-08-22, and the SDK's own types (facts: claude-api 7.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.tokens.figure import Estimate
from farthing.tokens.models import Unknowable
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/v1/messages/count_tokens"

_COUNTED_FIELDS = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "speed",
    "cache_control",
    "context_management",  # beta: the answer then has the count before editing, too
    "mcp_servers",  # beta: a request with an mcp_toolset is not valid without it
)


class _Editing(msgspec.Struct):
    original_input_tokens: int


class _Answer(msgspec.Struct):
    input_tokens: int
    context_management: _Editing | None = None


def count_body(body: Mapping[str, Any]) -> dict[str, Any] | Unknowable:
    """
    The body to send to :data:`PATH` for a Messages request *body*: what it takes, and nothing else.

    ``max_tokens``, ``stream``, ``metadata``, ``service_tier`` and the rest do not change the prompt and are dropped.
    A request that continues a thread cannot be counted: the conversation is on the server.
    """
    thread = body.get("thread")
    if isinstance(thread, Mapping) and thread.get("type") == "continue":
        return Unknowable("the request continues a thread: the server holds the conversation, the body tells nothing")
    return {field: body[field] for field in _COUNTED_FIELDS if field in body}


def read_count(answer: bytes) -> Estimate:
    """
    Read the counter's answer.

    Returns:
        One figure without an interval, ``derived``. The vendor calls it an estimate: it may hold tokens that the vendor
        adds and does not bill, and of a server tool's loop it counts the first pass alone. It ignores caching, so
        compare it with the sum of the three input counters. With context editing it is the count after editing.

    Raises:
        BadInput: The bytes are not such an answer, or the count is negative.

    """
    try:
        tokens = msgspec.json.decode(answer, type=_Answer).input_tokens
    except (msgspec.DecodeError, msgspec.ValidationError):
        tokens = -1
    if tokens < 0:
        raise BadInput("read an answer of count_tokens without a count", '{"input_tokens": 2095}')
    return Estimate(tokens, tokens, tokens, Kind.DERIVED, "count_tokens; the vendor calls it an estimate")


def count_exactly(body: Mapping[str, Any], send: Callable[[bytes], bytes]) -> Estimate | Unknowable:
    """
    Count through *send*, which posts the given JSON bytes to :data:`PATH` and returns the body of a 200 answer.

    Whatever *send* raises passes through.

    Raises:
        BadInput: As :func:`read_count`.

    """
    wanted = count_body(body)
    return wanted if isinstance(wanted, Unknowable) else read_count(send(msgspec.json.encode(wanted)))
