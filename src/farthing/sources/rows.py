"""
One row of anybody's log -> a Call: where its usage is, when it was sent, who it was for.

A row is a decoded object with a usage payload in it, under it or as it. Names found are facts; nothing is guessed:
a row without a time or without a model is an error, and a payload that could mean two things is quarantined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from farthing.call import DIMENSIONS, Call, Served, call_identity
from farthing.errors import BadInput
from farthing.usage.detect import read_any
from farthing.usage.interface import Quarantined, text_or_none, type_name

PAYLOAD_NAMES = ("response", "message", "body", "result")
"""Where a row may keep a whole response; a row that has ``usage`` itself is its own payload."""

AT_NAMES = ("at", "sent_at", "timestamp", "created_at", "created", "time")
DIMENSION_ALIASES = {f"{name}_id": name for name in ("session", "user", "tenant", "workspace", "agent", "project")}
_DIMENSION_OF = {**{name: name for name in DIMENSIONS}, **DIMENSION_ALIASES}
_FIELDS = ("at", "model", "payload", "channel", "location", "request_id")
_TAG_HOLDERS = ("tags", "metadata")
TEXT_MAX = 200
OWN_ID = "id"
"""The tag that keeps a row's own id, which need not be unique: ``farthing explain`` finds the call by it."""
_KEY_STARTS = ("sk-", "AKIA", "Bearer ")
_MILLISECONDS_MAX = 2**53
_YEAR_MIN, _YEAR_MAX = 1970, 2199
"""A clock that was never set says 1970. Reports count days one by one, so the ends of the calendar stay out."""


class FieldMap(msgspec.Struct, frozen=True):
    """
    Where the user says things are: ``--map tenant=metadata.customer``.

    Attributes:
        fields: For ``at``, ``model``, ``payload``, ``channel``, ``location`` and ``request_id``: a dotted path.
        dims: For a dimension or any other tag: a dotted path.

    """

    fields: dict[str, str] = {}
    dims: dict[str, str] = {}


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of all rows of one import.

    Attributes:
        source: The source's name in the ledger.
        mapping: Where the user says things are.
        tag_map: Renames tags: ``{"customer": "tenant"}``.
        channel: Where rows that do not say were served; None: as their shape says.
        at: When rows that do not say were sent; aware. None: such a row is an error.
        model: The model of rows that do not say; None: such a row is an error.

    """

    source: str
    mapping: FieldMap = FieldMap()
    tag_map: dict[str, str] = {}
    channel: str | None = None
    at: datetime | None = None
    model: str | None = None


def parse_map(texts: list[str]) -> FieldMap:
    """
    Read ``name=path,name=path``.

    Raises:
        BadInput: A part is no such pair.

    """
    fields: dict[str, str] = {}
    dims: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, equals, path = part.partition("=")
        if not (equals and name.strip() and path.strip()):
            raise BadInput(f"read --map {part!r}", "name=path, such as tenant=metadata.customer")
        (fields if name.strip() in _FIELDS else dims)[name.strip()] = path.strip()
    return FieldMap(fields, dims)


def read_row(row: Mapping[str, Any], origin: Origin) -> Call:
    """
    The call that one row tells of. Its id is the provider's where there is one; see :func:`content_id` otherwise.

    Raises:
        BadInput: It has no time, no model or no usage, or its usage cannot be read without guessing.

    """
    mapped = origin.mapping.fields
    payload = at_path(row, mapped["payload"]) if "payload" in mapped else _payload(row)
    served = read_any(
        payload,
        model=_text(row, mapped, "model") or origin.model,
        channel=_text(row, mapped, "channel") or origin.channel,
        location=_text(row, mapped, "location"),
        request_id=_text(row, mapped, "request_id"),
    )
    if isinstance(served, Quarantined):
        raise BadInput(served.reason)
    served = with_own_message_id(served)
    identity = call_identity(served.message_id, served.request_id)
    return Call(
        call_id=identity or "",
        sent_at=_sent_at(row, payload, origin),
        source=origin.source,
        served=served,
        dims=dimensions(row, origin),
        duration_ms=_milliseconds(row, "duration_ms"),
        ttft_ms=_milliseconds(row, "ttft_ms"),
    )


def content_id(source: str, row: Mapping[str, Any], ordinal: int) -> str:
    """
    An id for a row that carries none: a digest of its content, and how many the same came before it in its file.

    So the same file imported again, or grown, counts each row once, and two equal calls in one file count twice.
    """
    digest = hashlib.blake2b(msgspec.json.encode(row, order="sorted"), digest_size=12).hexdigest()
    return f"{source}:{digest}:{ordinal}"


def instant(value: Any, name: str = "at") -> datetime:
    """
    A point in time in UTC, from RFC 3339 text or from seconds or milliseconds since 1970.

    Raises:
        BadInput: Neither, or without a time zone, or in a year in which no call can have been sent.

    """
    at = _instant(value, name)
    if not _YEAR_MIN <= at.year <= _YEAR_MAX:
        raise BadInput(f"read {name} in the year {at.year}", f"a year from {_YEAR_MIN} to {_YEAR_MAX}")
    return at


def _instant(value: Any, name: str) -> datetime:
    if type(value) is str:
        try:
            at = datetime.fromisoformat(value.upper())
        except ValueError:
            raise BadInput(f"read a text as {name} that is no time", _TIME_EXPECTED) from None
        if at.tzinfo is None:
            raise BadInput(f"read {name} without a time zone", _TIME_EXPECTED)
        try:
            return at.astimezone(UTC)
        except OverflowError:  # the first or last hours of the calendar, written with an offset
            raise BadInput(f"read a text as {name} whose UTC day is in no calendar", _TIME_EXPECTED) from None
    if type(value) in (int, float):
        try:
            return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS_FROM else value, UTC)
        except (ValueError, OverflowError, OSError):
            raise BadInput(f"read a number as {name} that is no time", _TIME_EXPECTED) from None
    raise BadInput(f"read {type_name(value)} as {name}", _TIME_EXPECTED)


_TIME_EXPECTED = "RFC 3339 with a time zone, such as 2026-11-20T09:00:00Z"
_MILLISECONDS_FROM = 10**11  # as seconds: the year 5138


def dimensions(row: Mapping[str, Any], origin: Origin) -> dict[str, str]:
    """
    Dimensions at the top, in ``tags`` and ``metadata``; every other tag; the row's own id; what the user mapped.

    Whatever looks like an API key is kept as its fingerprint, under any name. A ``prompt`` at the top or in
    ``metadata`` is a prompt's name only if it is one word: logs also keep the prompt itself there.
    """
    found: dict[str, str] = {}
    for holder in (row, *(row[name] for name in _TAG_HOLDERS if isinstance(row.get(name), Mapping))):
        is_tags = holder is row.get("tags")
        for name, value in holder.items():
            dimension = _DIMENSION_OF.get(name) or origin.tag_map.get(name) or (name if is_tags else None)
            if dimension is None or (text := _short(value)) is None:
                continue
            if is_tags or dimension != "prompt" or _is_name(text):
                found.setdefault(dimension, text)
    for name, path in origin.mapping.dims.items():
        if (text := _short(at_path(row, path))) is not None:
            found[name] = text
    if (own_id := _short(row.get("id"))) is not None:
        found.setdefault(OWN_ID, own_id)
    return {name: fingerprint(text) if name == "api_key" or is_key(text) else text for name, text in found.items()}


def fingerprint(api_key: str) -> str:
    """A key's fingerprint; what does not look like a key is taken for one already."""
    looks_secret = is_key(api_key) or len(api_key) > 40
    return f"key_{hashlib.sha256(_utf8(api_key)).hexdigest()[:12]}" if looks_secret else api_key


def is_key(text: str) -> bool:
    """Whether *text* looks like an API key, which no record may hold."""
    return text.startswith(_KEY_STARTS)


def _is_name(text: str) -> bool:
    return len(text.split()) == 1


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")  # a lone surrogate has no bytes


def at_path(row: Any, path: str) -> Any:
    """The value at a dotted path (``metadata.customer``; numbers index arrays), or None. A whole name goes first."""
    if isinstance(row, Mapping) and path in row:
        return row[path]
    for part in path.split("."):
        if isinstance(row, Mapping):
            row = row.get(part)
        elif isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        else:
            return None
    return row


def with_own_message_id(served: Served) -> Served:
    """Without a message id that is only the row's own numbering: it would make strangers' calls look the same."""
    message_id = served.message_id
    if message_id is None or message_id.startswith(("msg_", "chatcmpl-", "resp_", "gen-")):
        return served
    return msgspec.structs.replace(served, message_id=None)


def _payload(row: Mapping[str, Any]) -> Any:
    if "usage" in row or "custom_id" in row:
        return row
    return next((row[name] for name in PAYLOAD_NAMES if isinstance(row.get(name), Mapping)), row)


def _text(row: Mapping[str, Any], mapped: Mapping[str, str], name: str) -> str | None:
    value = at_path(row, mapped.get(name, name))
    if value is not None and not isinstance(value, str):
        raise BadInput(f"read {type_name(value)} as {name}", "a string")
    return text_or_none(value)


def _sent_at(row: Mapping[str, Any], payload: Any, origin: Origin) -> datetime:
    path = origin.mapping.fields.get("at")
    if path is not None:
        return instant(at_path(row, path), path)
    for holder in (row, payload):
        for name in AT_NAMES:
            if isinstance(holder, Mapping) and holder.get(name) is not None:
                return instant(holder[name], name)
    if origin.at is None:
        raise BadInput("read a row without a time", f"at: {_TIME_EXPECTED}")
    return origin.at


def _milliseconds(row: Mapping[str, Any], name: str) -> int | None:
    """A duration, or None where there is none that a clock could have measured."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= _MILLISECONDS_MAX else None


def _short(value: Any) -> str | None:
    """A tag's value: short text or a whole number. Anything longer may be content and is left out."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return text if 0 < len(text) <= TEXT_MAX else None
