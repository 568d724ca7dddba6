"""
Pick the reader by the shape of what came, and quarantine what no reader can take without guessing.

The names of the core counts tell the family; the names beside them tell the meaning. Where two families are present at
once, or a total fits no meaning or two, nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.usage.batch import SHAPE as BATCH_SHAPE
from farthing.usage.batch import read_batch_line
from farthing.usage.bedrock import CONVERSE_SHAPE, INVOKE_SHAPE, read_converse, read_invoke
from farthing.usage.counts import whole
from farthing.usage.google import SHAPE as GOOGLE_SHAPE
from farthing.usage.google import read_raw_predict
from farthing.usage.google import stream_meter as google_stream_meter
from farthing.usage.interface import Known, Payload, Quarantined, Shape, Unreadable, decode_object
from farthing.usage.messages import SHAPE as MESSAGES_SHAPE
from farthing.usage.messages import read_message
from farthing.usage.openai_shaped import CHAT_SHAPE, RESPONSES_SHAPE, read_chat, read_response
from farthing.usage.otel import SHAPE as OTEL_SHAPE
from farthing.usage.otel import read_span
from farthing.usage.sse import SHAPE as SSE_SHAPE
from farthing.usage.sse import SseMeter

if TYPE_CHECKING:
    from farthing.call import Served

SHAPES = (
    MESSAGES_SHAPE,
    SSE_SHAPE,
    BATCH_SHAPE,
    INVOKE_SHAPE,
    CONVERSE_SHAPE,
    GOOGLE_SHAPE,
    CHAT_SHAPE,
    RESPONSES_SHAPE,
    OTEL_SHAPE,
)
"""Every shape that :func:`read_any` knows."""

_READERS: dict[str, Callable[[Payload, Known], Served]] = {
    MESSAGES_SHAPE.name: read_message,
    INVOKE_SHAPE.name: read_invoke,
    CONVERSE_SHAPE.name: read_converse,
    GOOGLE_SHAPE.name: read_raw_predict,
    CHAT_SHAPE.name: read_chat,
    RESPONSES_SHAPE.name: read_response,
    OTEL_SHAPE.name: read_span,
}
_ANTHROPIC_BY_CHANNEL = {"bedrock": INVOKE_SHAPE, "google_cloud": GOOGLE_SHAPE}
_CORE_COUNTS = {
    "prompt_tokens and completion_tokens": ("prompt_tokens", "completion_tokens"),
    "input_tokens and output_tokens": ("input_tokens", "output_tokens"),
    "inputTokens and outputTokens": ("inputTokens", "outputTokens"),
}
_ANTHROPIC_ONLY = (
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "iterations",
)
_STREAM_EVENTS = ("message_start", "message_delta")
_SSE_START = re.compile(rb"\s*(?:event|data|id|retry)?:")


def read_any(
    payload: Payload,
    *,
    model: str | None = None,
    channel: str | None = None,
    location: str | None = None,
    write_ttls: frozenset[str] | None = None,
    requested_model: str | None = None,
    request_id: str | None = None,
    inclusive: bool | None = None,
) -> Served | Quarantined:
    """
    Read one payload of any shape in :data:`SHAPES`; the arguments are those of :class:`~farthing.usage.Known`.

    Args:
        payload: A response, a bare usage object, a batch result line, span attributes, or a whole event stream.
        model: The model, where the payload does not name it.
        channel: Where the call was served; None: as the shape says, else the Claude API.
        location: Region or ``global`` on partner channels.
        write_ttls: Cache lifetimes that the request asked for.
        requested_model: The model that was asked for.
        request_id: The ``request-id`` response header.
        inclusive: What the emitter's input count means, where the shape leaves that in doubt.

    Returns:
        :class:`Served`, or :class:`Quarantined` with the reason: nothing is raised, whatever the payload is.

    """
    known = Known(
        model=model,
        channel=channel,
        location=location,
        write_ttls=write_ttls,
        requested_model=requested_model,
        request_id=request_id,
        inclusive=inclusive,
    )
    if isinstance(payload, bytes | str) and _SSE_START.match(start := _encoded(payload)):
        meter = google_stream_meter(known) if channel == "google_cloud" else SseMeter(known)
        meter.feed(start)
        return meter.finish()
    shape = None
    try:
        answer = decode_object(payload, "usage")
        shape = shape_of(answer, channel)
        return _read_batch(answer, known) if shape is BATCH_SHAPE else _checked(answer, _READERS[shape.name], known)
    except BadInput as error:
        return Quarantined(str(error), "unknown" if shape is None else shape.name)


def shape_of(answer: Mapping[str, Any], channel: str | None = None) -> Shape:
    """
    The shape of a decoded payload, by its names alone.

    Raises:
        BadInput: It fits none, or more than one.

    """
    if any(isinstance(name, str) and name.startswith("gen_ai.") for name in answer):
        return OTEL_SHAPE
    if "custom_id" in answer and "result" in answer:
        return BATCH_SHAPE
    if answer.get("type") in _STREAM_EVENTS:
        raise BadInput("read one event of a stream", "the whole stream, or a finished response")
    usage = _usage(answer)
    family = _family(usage)
    if family == "prompt_tokens":
        return CHAT_SHAPE
    if family == "inputTokens":
        return CONVERSE_SHAPE
    return _snake_case_shape(usage, channel)


def _encoded(payload: bytes | str) -> bytes:
    data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    return data.removeprefix(b"\xef\xbb\xbf")


def _usage(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = answer.get("metadata")
    holder = metadata if isinstance(metadata, Mapping) and "usage" in metadata else answer
    usage = holder.get("usage", holder)
    if answer.get("type") == "error" or not isinstance(usage, Mapping):
        raise BadInput("read a payload without a usage object", "a response that states its usage")
    return usage


def _family(usage: Mapping[str, Any]) -> str:
    found = {family: names for family, names in _CORE_COUNTS.items() if any(name in usage for name in names)}
    if len(found) > 1:
        raise BadInput(f"read the counts of {len(found)} shapes in one usage object", "one of them")
    if not found:
        raise BadInput("read a usage object without token counts", " or ".join(_CORE_COUNTS))
    (names,) = found.values()
    return names[0]


def _snake_case_shape(usage: Mapping[str, Any], channel: str | None) -> Shape:
    """Anthropic and OpenAI's responses share the names ``input_tokens`` and ``output_tokens``, with two meanings."""
    if "input_token_details" in usage:
        raise BadInput("read a usage object with input_token_details", "a shape of docs/usage-readers.md")
    anthropic = any(usage.get(name) is not None for name in _ANTHROPIC_ONLY)
    responses = usage.get("input_tokens_details") is not None
    if anthropic and responses:
        raise BadInput(
            "read input_tokens beside input_tokens_details and Anthropic's cache counts",
            "one of them: input_tokens is inclusive beside the one and exclusive beside the other",
        )
    if responses or (not anthropic and usage.get("total_tokens") is not None):
        return RESPONSES_SHAPE
    return _ANTHROPIC_BY_CHANNEL.get(channel or "", MESSAGES_SHAPE)


def _checked(answer: Mapping[str, Any], reader: Callable[[Payload, Known], Served], known: Known) -> Served:
    """Anthropic states no total; where somebody added one to its shape, it must fit the exclusive meaning alone."""
    served = reader(answer, known)
    total = _usage(answer).get("total_tokens") if reader in (read_message, read_invoke, read_raw_predict) else None
    if total is None:
        return served
    prompt, output = served.usage.prompt_tokens, served.usage.output_tokens
    if whole(total, "total_tokens") != prompt + output:
        raise BadInput(
            f"read total_tokens = {total} beside Anthropic's counts, which are exclusive of cached tokens",
            f"their sum, {prompt + output}",
            "say which reader to use if the emitter counts otherwise",
        )
    return msgspec.structs.replace(served, prompt_tokens_reported=prompt)


def _read_batch(answer: Mapping[str, Any], known: Known) -> Served | Quarantined:
    result = read_batch_line(answer, batch_id="", known=known)
    if result.served is None:
        return Unreadable(
            f"read a batch result of type {result.outcome}: it is not billed and states no usage", "batch result"
        )
    return result.served
