"""
What came of calls, as somebody outside tells it: our own JSON, and CloudEvents 1.0. Pure.

Our own shape, every field but ``id`` and one of the three names of calls may be left out::

    {"id": "ticket-4711", "at": "2026-11-20T09:00:00Z", "outcome": "ticket_solved", "status": "success",
     "value_usd": "12.50", "revenue_usd": "0.99", "session": "s-1", "request_id": "msg_...", "tag": "ticket=4711",
     "tenant": "acme", "feature": "support"}

A CloudEvent is an envelope whose ``data`` is such an object. Its ``type``, its ``time``, and its ``source`` with its
``id`` stand in for ``outcome``, ``at`` and ``id`` where ``data`` does not say. Source: the CloudEvents specification,
its JSON format and HTTP binding, github.com/cloudevents/spec, version 1.0.2, checked 2026-11-21: ``id``, ``source``,
``specversion`` and ``type`` are required, ``source`` and ``id`` name an event, binary data is ``data_base64``.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec

from farthing import money
from farthing.errors import BadInput, InexactMoney
from farthing.ledger.outcome import AMOUNT_PUSD_MAX, OUTCOME_DIMENSIONS, STATUSES, Outcome, Status
from farthing.sources.rows import DIMENSION_ALIASES, TEXT_MAX, fingerprint, instant, is_key
from farthing.usage.interface import type_name
from farthing.usage.surrogates import without_lone_surrogates

if TYPE_CHECKING:
    from datetime import datetime

REQUEST_NAMES = ("request_id", "message_id", "call_id", "gateway_call")
"""Names under which one call may be named; the first that is there is taken."""

_SESSION_NAMES = ("session", "session_id")
_ALIASES = {alias: name for alias, name in DIMENSION_ALIASES.items() if name in OUTCOME_DIMENSIONS}
_FIELDS = ("id", "at", "outcome", "status", "value_usd", "revenue_usd", "tag")
FIELDS = (*_FIELDS, *_SESSION_NAMES, *REQUEST_NAMES, *OUTCOME_DIMENSIONS, *_ALIASES)
"""Everything that an outcome of our own shape may have."""

ID_MAX = 1_000
DECODER = msgspec.json.Decoder(float_hook=Decimal)
"""JSON whose numbers with a point become decimals: an amount keeps every digit."""

_WITHOUT_ID, _WITHOUT_TIME = "read an outcome without id", "read an outcome without a time"
_NAMES_NONE = "read an outcome that names no calls"
LACKS = (_WITHOUT_ID, _WITHOUT_TIME, _NAMES_NONE)
"""What is read where something is missing that may only have another name."""

_NAMES_EXPECTED = f"one of session, {', '.join(REQUEST_NAMES)}, or tag (name=value)"


def read_outcome(value: Any, *, received_at: datetime | None = None, strict: bool = True) -> Outcome | BadInput:
    """
    One outcome, from a decoded JSON object of our own shape or a CloudEvent in structured mode.

    Args:
        value: The object. A number for an amount should be a :class:`~decimal.Decimal` (:data:`DECODER`): a float has
            lost digits already.
        received_at: When an outcome that does not say happened; aware. None: such a one is an error.
        strict: Whether a field that nobody knows is an error. Never so for the ``data`` of a CloudEvent.

    Returns:
        The outcome, or what is wrong with it.

    """
    if not isinstance(value, Mapping):
        return BadInput(f"read {type_name(value)} as an outcome", "an object")
    try:
        if is_event(value):
            return _outcome(_of_event(value), received_at)
        if strict:
            _check_fields(value)
        return _outcome(value, received_at)
    except BadInput as bad:
        return bad


def decode(body: bytes) -> Any:
    """
    Decode JSON by :data:`DECODER`.

    Raises:
        BadInput: It is no JSON.

    """
    try:
        return DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return DECODER.decode(without_lone_surrogates(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("read bytes that are not JSON in UTF-8", "one JSON object, or an array of them") from None


def is_event(value: Any) -> bool:
    """Whether *value* says that it is a CloudEvent."""
    return isinstance(value, Mapping) and "specversion" in value


def _outcome(row: Mapping[str, Any], received_at: datetime | None) -> Outcome:
    tag_name, tag_value = _tag(row.get("tag"))
    request = _first(row, REQUEST_NAMES, ID_MAX)
    session = _first(row, _SESSION_NAMES)
    if not (tag_name or request or session):
        raise BadInput(_NAMES_NONE, _NAMES_EXPECTED)
    at = row.get("at")
    if at is None and received_at is None:
        raise BadInput(_WITHOUT_TIME, "at: a time such as 2026-11-20T09:00:00Z")
    return Outcome(
        outcome_id=_id(row),
        happened_at=cast("datetime", received_at) if at is None else instant(_number(at)),
        name=_text(row, "outcome") or "",
        status=_status(row.get("status")),
        value_pusd=_pusd(row, "value_usd"),
        revenue_pusd=_pusd(row, "revenue_usd"),
        session=session,
        request=request,
        tag_name=tag_name,
        tag_value=tag_value,
        dims=_dims(row),
        at_assumed=at is None,
    )


def _of_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """The object that a CloudEvent stands for."""
    if event["specversion"] != "1.0":
        raise BadInput("read a CloudEvent of another specversion", "1.0")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise BadInput(f"read a CloudEvent without {name}", "a text that is not empty")
    stated = {name: value for name, value in _data(event).items() if value is not None}
    return {"id": f"{event['source']} {event['id']}", "outcome": event["type"], "at": event.get("time"), **stated}


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    media_type = event.get("datacontenttype") or "application/json"
    plain = media_type.partition(";")[0].strip().lower() if isinstance(media_type, str) else ""
    if not plain.endswith(("/json", "+json")):
        raise BadInput("read a CloudEvent whose data is not JSON", "datacontenttype application/json")
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            data = decode(base64.b64decode(event["data_base64"], validate=True))
        except (binascii.Error, ValueError):
            raise BadInput("read data_base64 that is not base64", "JSON in base64") from None
    if not isinstance(data, Mapping):
        raise BadInput(f"read {type_name(data)} as the data of a CloudEvent", "an object")
    return data


def _check_fields(row: Mapping[str, Any]) -> None:
    for name in row:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name), FIELDS, n=1)
            raise BadInput(
                f"read the field {str(name)[:60]!r}", near[0] if near else f"one of {', '.join(FIELDS[:10])}, ..."
            )


def _status(value: Any) -> Status:
    if value is None:
        return "other"
    text = value.strip().lower() if isinstance(value, str) else value
    if text not in STATUSES:
        raise BadInput("read a status that nobody knows", f"one of {', '.join(STATUSES)}")
    return cast("Status", text)


def _pusd(row: Mapping[str, Any], name: str) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) or len(str(value)) > TEXT_MAX:
        raise BadInput(f"read {type_name(value)} as {name}", "a decimal number of US dollars, such as 12.50")
    try:
        pusd = money.parse_usd(str(value))
    except BadInput:
        raise BadInput(f"read {name} that is no amount", "a decimal number of US dollars, such as 12.50") from None
    except InexactMoney:
        raise BadInput(f"read {name} finer than a picodollar", "at most 12 decimals") from None
    if abs(pusd) > AMOUNT_PUSD_MAX:
        raise BadInput(f"read {name} beyond any bill", "at most a quadrillion dollars")
    return pusd


def _tag(value: Any) -> tuple[str | None, str | None]:
    """``"name=value"`` or ``{"name": "value"}``; ``tag:`` before the name may be there."""
    expected = "name=value, such as ticket=4711, or an object with one such pair"
    if value is None or value == "":
        return None, None
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, inner),) = value.items()
        pair = (str(name), _plain(inner, "tag", TEXT_MAX))
    elif isinstance(value, str):
        name, _, text = value.partition("=")
        pair = (name, _plain(text, "tag", TEXT_MAX))
    else:
        raise BadInput(f"read {type_name(value)} as tag", expected)
    name, stated = pair[0].strip().removeprefix("tag:"), pair[1]
    if not name or not stated or len(name) > TEXT_MAX:
        raise BadInput("read a tag without a name or a value", expected)
    return name, stated


def _dims(row: Mapping[str, Any]) -> dict[str, str]:
    found = {name: text for name in OUTCOME_DIMENSIONS if (text := _text(row, name))}
    for alias, name in _ALIASES.items():
        if name not in found and (text := _text(row, alias)):
            found[name] = text
    return found


def _id(row: Mapping[str, Any]) -> str:
    text = _text(row, "id", ID_MAX)
    if not text:
        raise BadInput(_WITHOUT_ID, "one of its own, such as a ticket's number, by which it counts once")
    return text


def _first(row: Mapping[str, Any], names: tuple[str, ...], longest: int = TEXT_MAX) -> str | None:
    return next((text for name in names if (text := _text(row, name, longest))), None)


def _text(row: Mapping[str, Any], name: str, longest: int = TEXT_MAX) -> str | None:
    return _plain(row.get(name), name, longest)


def _plain(value: Any, name: str, longest: int) -> str | None:
    """Short text or a whole number, as calls keep it: what looks like an API key as its fingerprint."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"read {type_name(value)} as {name}", "a text")
    text = str(value).strip()
    if len(text) > longest:
        raise BadInput(f"read a {name} of {len(text):,} characters", f"at most {longest:,}")
    return (fingerprint(text) if is_key(text) else text) or None


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
