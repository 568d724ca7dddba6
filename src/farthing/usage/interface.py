"""
What every usage reader promises, and the two answers that are not a reading.

A reader turns the bytes or the decoded JSON of strangers into :class:`~farthing.call.Served`, whose counts are
disjoint: ``reader(payload, known) -> Served``. It does no I/O, keeps no content, and raises nothing but
:class:`~farthing.errors.BadInput`. Each reader module declares its :class:`Shape`, because the same name means opposite
things: ``input_tokens`` is the whole prompt for one emitter and only its uncached remainder for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from farthing.errors import BadInput
from farthing.usage.surrogates import without_lone_surrogates


class InputCounts(StrEnum):
    """
    What a shape's input count means.

    ``exclusive``: only what was neither read from nor written to the cache, as Anthropic counts.
    ``inclusive``: the whole prompt; cache reads and writes are inside it.
    """

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """
    One wire format of usage, as data.

    Attributes:
        name: What quarantine messages and ``docs/usage-readers.md`` call it.
        input_counts: What its input count means.
        splits_writes: Whether it can tell 5-minute from 1-hour cache writes.
        prompt_total: Whether it states a total that checks the parts.

    """

    name: str
    input_counts: InputCounts
    splits_writes: bool
    prompt_total: bool


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What the caller knows of a call beside the payload.

    Attributes:
        model: Id of the model. On Claude's own channels the payload's word wins, because it names the model that
            served; on Bedrock and Google Cloud this one wins, because only the id in the URL is a priced id there.
        channel: As in :class:`~farthing.call.Served`; None: the reader's own, which is ``claude_api`` for every shape
            that several channels share.
        location: Region or ``global`` on partner channels.
        write_ttls: Lifetimes that the request's ``cache_control`` blocks name (``"5m"`` for a block without one), for
            a response that states only the total of its cache writes; None where the request is not known.
        requested_model: The model that was asked for, where a fallback may have served.
        request_id: The ``request-id`` response header.
        inclusive: What the emitter's input count means, where a shape leaves that in doubt; None: not known.

    """

    model: str | None = None
    channel: str | None = None
    location: str | None = None
    write_ttls: frozenset[str] | None = None
    requested_model: str | None = None
    request_id: str | None = None
    inclusive: bool | None = None


NOTHING_KNOWN = Known()
_PRICED_BY_URL_ID = frozenset({"bedrock", "google_cloud"})


class Quarantined(msgspec.Struct, frozen=True):
    """
    Usage that cannot be read without guessing: kept and shown, never billed as zero.

    Attributes:
        reason: One clear line: the field, its value where that is a number, what was expected. Never content.
        read: Name of the shape it was taken for; ``unknown`` where none fitted.

    """

    reason: str
    read: str


class Unreadable(Quarantined, frozen=True):
    """No usage was stated at all: an error body, or a stream that ended before ``message_start``."""


Payload = Mapping[str, Any] | bytes | str
"""JSON as it came, or already decoded."""


def decode_object(payload: Payload, what: str) -> Mapping[str, Any]:
    """
    Decode *payload* where it is still text, and insist on a JSON object.

    Raises:
        BadInput: Not JSON, not UTF-8, nested beyond reason, or not an object. *what* names it in the message.

    """
    value = decode_json(payload, what) if isinstance(payload, bytes | str) else payload
    if not isinstance(value, Mapping):
        raise BadInput(f"read {type_name(value)} as {what}", "a JSON object")
    return value


def decode_json(text: bytes | str, what: str) -> Any:
    """
    Decode JSON of any shape; a UTF-8 byte order mark is allowed.

    Raises:
        BadInput: Not JSON, not UTF-8, or nested beyond reason.

    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        return _decoded(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"read {len(data)} bytes as {what}: {_json_fault(error)}", "one JSON object in UTF-8") from None


_decode = msgspec.json.Decoder().decode


def _decoded(data: bytes) -> Any:
    try:
        return _decode(data)
    except msgspec.DecodeError:
        if (mended := without_lone_surrogates(data)) is data:
            raise
        return _decode(mended)


def model_of(reported: Any, known: Known) -> str:
    """
    The id to price by: what the payload *reported* or what the caller knows, whichever :class:`Known` says wins.

    Raises:
        BadInput: Neither names one.

    """
    reported = text_or_none(reported)
    model = (known.model or reported) if known.channel in _PRICED_BY_URL_ID else (reported or known.model)
    if not model:
        raise BadInput("read usage that names no model", "model, in the payload or stated by the caller")
    return model


def on_channel(known: Known, channel: str) -> Known:
    """*known*, on *channel* where the caller named none."""
    return known if known.channel is not None else msgspec.structs.replace(known, channel=channel)


def text_or_none(value: Any) -> str | None:
    """A non-empty string as it is; anything else as None."""
    return value if isinstance(value, str) and value else None


def type_name(value: Any) -> str:
    """What JSON calls the type of *value*, for messages that must not show it."""
    return _JSON_TYPES.get(type(value)) or ("an object" if isinstance(value, Mapping) else f"a {type(value).__name__}")


_JSON_TYPES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _json_fault(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
