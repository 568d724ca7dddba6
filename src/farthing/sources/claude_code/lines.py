"""
One transcript line: bytes in, a sighting of a response out. No I/O.

Only lines that carry ``message.usage`` matter, and most do not, so the bytes of :data:`NEEDLE` are looked for before
anything is decoded. A line without them is checked by its first and last character alone (:func:`check_shape`): enough
to notice one that was torn, and nothing in it could be counted.

Source: facts 12.2, checked 2026-11-20.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec

from farthing.errors import BadInput
from farthing.money import PUSD_PER_USD
from farthing.sources.claude_code.sighting import Key, Passes, Sighting
from farthing.units import Kind
from farthing.usage.fields import CacheCreation, UsageFields, split_pass, usage_fields
from farthing.usage.interface import NOTHING_KNOWN, type_name
from farthing.usage.messages import output_started, refusal_category, served_from, service_tier
from farthing.usage.surrogates import without_lone_surrogates

NEEDLE = b'"usage"'
SYNTHETIC_MODEL = "<synthetic>"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Message(msgspec.Struct):
    """``message``: the API response, with one of its content blocks."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: UsageFields | None = None


class Nested(Message):
    """``data.message`` of older agent progress: a response, or a line of its own around one."""

    message: Message | None = None
    timestamp: str | None = None
    uuid: str | None = None
    requestId: str | None = None  # noqa: N815 - names of the file format


class Data(msgspec.Struct):
    """``data`` of a progress line."""

    message: Nested | None = None


class Line(msgspec.Struct):
    """The fields of a line that count."""

    message: Message | None = None
    timestamp: str | None = None
    sessionId: str | None = None  # noqa: N815
    uuid: str | None = None
    requestId: str | None = None  # noqa: N815
    isSidechain: bool | None = None  # noqa: N815
    isApiErrorMessage: bool | None = None  # noqa: N815
    costUSD: Decimal | None = None  # noqa: N815
    data: Data | None = None


Reading = tuple[Key, Sighting, str | None]
"""A line that was counted, and the session it names; None where it names none."""


Skipped = Literal["skipped"]
SKIPPED: Skipped = "skipped"
"""A line that has usage but was no API response: an error entry that Claude Code wrote itself."""

_decode = msgspec.json.Decoder(Line).decode


def check_shape(line: bytes) -> None:
    """
    Insist that a line which is not decoded is blank, or begins and ends as a JSON object does.

    Raises:
        BadInput: It does not.

    """
    text = line.strip()
    if text and not (text.startswith(b"{") and text.endswith(b"}")):
        raise BadInput(f"read {len(text)} bytes that are no JSON object", "one JSON object per line")


def read_line(line: bytes, is_subagent: bool, place: tuple[str, int]) -> Reading | Skipped | None:  # noqa: FBT001 - hot
    """
    Read one line that may carry usage.

    Args:
        line: Without its line end.
        is_subagent: Whether the file belongs to a sub-agent.
        place: File name and offset, the identity of a line that has neither a message id nor a uuid.

    Returns:
        None where the line carries no usage after all (a tool's result that speaks of usage, say). The sighting's
        origin is 0: the caller numbers it.

    Raises:
        BadInput: Not JSON, not UTF-8, a count that is none, no model, or no time. Never with the line's content.

    """
    decoded = _decoded(line)
    message, is_sidechain = decoded.message, is_subagent or bool(decoded.isSidechain)
    if message is None or message.usage is None:
        message, is_sidechain = _nested(decoded), True
        if message is None or message.usage is None:
            return None
    if message.model == SYNTHETIC_MODEL or decoded.isApiErrorMessage:
        return SKIPPED
    if not message.model:
        raise BadInput("read usage without a model", "message.model")
    sighting = _sighting(message.usage, message, is_sidechain, _sent_us(decoded.timestamp))
    if message.stop_reason == "refusal":
        _add_refusal(sighting, line)
    if decoded.costUSD is not None:
        sighting.client_pusd = _pusd(decoded.costUSD)
    message_id = message.id or _made_up_id(decoded.uuid, place)
    return (message_id, decoded.requestId or "", message.model), sighting, decoded.sessionId


def _decoded(line: bytes) -> Line:
    """A byte that is not UTF-8 matters only where it is read: in a text that nobody reads it costs no count."""
    try:
        try:
            return _decode(line)
        except msgspec.ValidationError:
            return _leniently(msgspec.json.decode(line))
    except UnicodeDecodeError:
        raise BadInput("read an id or a model that is not UTF-8", "one JSON object per line, in UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        if (mended := without_lone_surrogates(line)) is not line:
            return _decoded(mended)
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"read a line that is not JSON: {why}", "one JSON object per line") from None


def _leniently(value: Any) -> Line:
    """Some field is not of its usual type: look at what there is, and let the usage reader judge the counts."""
    if not isinstance(value, Mapping):
        raise BadInput(f"read {type_name(value)}", "one JSON object per line")
    data = value.get("data")
    nested = data.get("message") if isinstance(data, Mapping) else None
    cost = value.get("costUSD")
    return Line(
        message=_message(value.get("message")),
        isSidechain=value.get("isSidechain") is True,
        isApiErrorMessage=value.get("isApiErrorMessage") is True,
        costUSD=Decimal(str(cost)) if isinstance(cost, int | float) and not isinstance(cost, bool) else None,
        data=Data(_nested_message(nested)) if isinstance(nested, Mapping) else None,
        **{name: _text(value.get(name)) for name in ("timestamp", "sessionId", "uuid", "requestId")},
    )


def _message(value: Any) -> Message | None:
    if not isinstance(value, Mapping) or value.get("usage") is None:
        return None
    texts = {name: _text(value.get(name)) for name in ("id", "model", "stop_reason")}
    return Message(usage=usage_fields(value["usage"]), **texts)


def _nested_message(value: Mapping[str, Any]) -> Nested:
    own = _message(value) or Message()
    envelope = {name: _text(value.get(name)) for name in ("timestamp", "uuid", "requestId")}
    return Nested(
        id=own.id,
        model=own.model,
        stop_reason=own.stop_reason,
        usage=own.usage,
        message=_message(value.get("message")),
        **envelope,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _nested(line: Line) -> Message | None:
    """The response inside ``data.message``; the envelope's own identity and time go before the line's."""
    nested = line.data.message if line.data is not None else None
    if nested is None:
        return None
    line.timestamp = nested.timestamp or line.timestamp
    line.uuid = nested.uuid or line.uuid
    line.requestId = nested.requestId or line.requestId
    return nested.message if nested.message is not None else nested


def _made_up_id(uuid: str | None, place: tuple[str, int]) -> str:
    """A line without a message id is never merged with another response: its uuid, or else its place, identifies it."""
    if uuid:
        return f"uuid:{uuid}"
    name, offset = place
    return f"line:{hashlib.blake2b(f'{name}:{offset}'.encode(), digest_size=12).hexdigest()}"


def _sighting(usage: UsageFields, message: Message, is_sidechain: bool, sent_us: int) -> Sighting:  # noqa: FBT001 - hot
    """The short way, for a response with nothing beside its tokens; anything else goes to :func:`_general`."""
    tools, details, split = usage.server_tool_use, usage.output_tokens_details, usage.cache_creation
    if usage.iterations or (tools is not None and any(msgspec.structs.astuple(tools))):
        return _general(usage, message, is_sidechain=is_sidechain, sent_us=sent_us)
    fresh, output, written = usage.input_tokens, usage.output_tokens or 0, usage.cache_creation_input_tokens
    if fresh is None and usage.output_tokens is None:
        raise BadInput("read a usage object without token counts", "input_tokens and output_tokens")
    thinking = 0 if details is None else min(details.thinking_tokens or 0, output)
    return Sighting(
        (written or 0, not written, 0, written or 0) if split is None else _split(usage, split),
        (fresh or 0, usage.cache_read_input_tokens or 0, output, thinking, 0, 0, 0),
        _facts(usage, message),
        is_sidechain,
        sent_us,
        0,
    )


def _split(usage: UsageFields, split: CacheCreation) -> tuple[int, bool, int, int]:
    written, write_5m, write_1h = (
        usage.cache_creation_input_tokens,
        split.ephemeral_5m_input_tokens,
        split.ephemeral_1h_input_tokens,
    )
    if write_5m is None and write_1h is None:
        return written or 0, not written, 0, written or 0
    total = (write_5m or 0) + (write_1h or 0)
    if written is not None and written != total:
        split_pass(usage, None)  # raises, in the words of every usage reader
    return total, True, write_1h or 0, write_5m or 0


def _general(usage: UsageFields, message: Message, *, is_sidechain: bool, sent_us: int) -> Sighting:
    """As the reader of the Messages API sees it: server tools and iterations have rules of their own."""
    served = served_from(usage, message.model or "", NOTHING_KNOWN)
    read = served.usage
    writes = read.cache_write_5m_tokens + read.cache_write_1h_tokens
    split = usage.cache_creation
    stated = not writes or served.kind is Kind.MEASURED or (split is not None and split.stated)
    tools = (read.web_search_requests, read.web_fetch_requests, read.code_execution_requests)
    sighting = Sighting(
        (writes, stated, read.cache_write_1h_tokens, read.cache_write_5m_tokens),
        (read.input_tokens, read.cache_read_tokens, read.output_tokens, read.thinking_tokens, *tools),
        _facts(usage, message),
        is_sidechain,
        sent_us,
        0,
    )
    largest = served.prompt_tokens_max_in_one_pass
    if served.extra_passes or (largest is not None and largest != read.prompt_tokens):
        notes = served.notes if stated else served.notes[1:]  # the split's note is written anew from the counts
        sighting.passes = Passes(served.extra_passes, largest, notes, served.kind is Kind.DERIVED and stated)
    return sighting


def _facts(usage: UsageFields, message: Message) -> tuple[str, str, str, str, str]:
    tier = usage.service_tier or ""
    return (
        message.stop_reason or "",
        tier if tier == "standard" or not tier else service_tier(tier),
        usage.speed or "",
        usage.inference_geo or "",
        "",
    )


def _add_refusal(sighting: Sighting, line: bytes) -> None:
    """Refusals are rare: read their category, and whether anything was said before, in a second pass."""
    value = msgspec.json.decode(line)
    message = value.get("message")
    if not isinstance(message, Mapping) or "usage" not in message:
        message = value["data"]["message"]
        message = message.get("message") or message
    *facts, _ = sighting.facts
    sighting.facts = (facts[0], facts[1], facts[2], facts[3], refusal_category(message.get("stop_details")) or "")
    started = output_started(message.get("content"))
    sighting.output_started = 0 if started is None else 1 + started


def _sent_us(timestamp: str | None) -> int:
    if not timestamp:
        raise BadInput("read usage without a timestamp", "an ISO 8601 time such as 2026-11-20T09:00:01.000Z")
    try:
        sent_at = datetime.fromisoformat(timestamp)
        if sent_at.tzinfo is not None and 2000 <= sent_at.year < 2200:
            return (sent_at - _EPOCH) // _MICROSECOND
    except ValueError:
        pass
    raise BadInput("read a timestamp that is no time with a zone", "ISO 8601 such as 2026-11-20T09:00:01.000Z")


def _pusd(cost: Decimal) -> int | None:
    """The client's own float, already rounded by it: kept to the picodollar. None where it is no amount."""
    return round(cost * PUSD_PER_USD) if cost.is_finite() and abs(cost) < 10**9 else None
