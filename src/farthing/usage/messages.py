"""
Messages API JSON: a whole response, or a bare ``usage`` object beside its model.

Source: facts 3.1 to 3.5 (Messages API reference, SDK 2.11.0 types), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from farthing.call import Served, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.fields import ServerToolUse, UsageFields, split_pass, usage_fields
from farthing.usage.interface import (
    NOTHING_KNOWN,
    InputCounts,
    Known,
    Payload,
    Shape,
    decode_object,
    model_of,
    text_or_none,
)
from farthing.usage.iterations import read_iterations, stated_split, totals

SHAPE = Shape(name="messages", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False)


def read_usage(usage: Mapping[str, Any], *, model: str, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read one ``usage`` object: the hot path of the public API.

    Args:
        usage: As decoded from JSON. Absent and null counts are 0, but one of ``input_tokens`` and ``output_tokens``
            must be there.
        model: The model that served.
        known: What else the caller knows; its model is not looked at.

    Raises:
        BadInput: A count is not a count, the parts contradict their total, or a split cannot be told.

    """
    return served_from(usage_fields(usage), model, known)


def read_message(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read a whole response, or any object that holds ``usage`` beside ``model``, or a bare ``usage`` object.

    Raises:
        BadInput: As :func:`read_usage`; also where no model is named or the payload holds no usage.

    """
    message = _plain(payload) or _explained(payload)
    assert message.usage is not None
    return msgspec.structs.replace(
        served_from(message.usage, model_of(message.model, known), known, declined_for(message.content)),
        stop_reason=text_or_none(message.stop_reason),
        refusal_category=refusal_category(message.stop_details),
        output_started=output_started(message.content),
        message_id=text_or_none(message.id),
        request_id=known.request_id,
    )


class _Message(msgspec.Struct):
    """What of a response is read."""

    type: Any = None
    id: Any = None
    model: Any = None
    content: Any = None
    stop_reason: Any = None
    stop_details: Any = None
    usage: UsageFields | None = None


_decode_message = msgspec.json.Decoder(_Message).decode


def _plain(payload: Payload) -> _Message | None:
    """A whole response in one decoding; None for whatever else it may be, and for what is wrong in any way."""
    if not isinstance(payload, bytes):
        return None
    try:
        payload.decode()  # what the decoder passes over it would take in any encoding
        message = _decode_message(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message if message.usage is not None and message.type != "error" else None


def _explained(payload: Payload) -> _Message:
    message = decode_object(payload, SHAPE.name)
    usage = usage_fields(usage_of(message))
    stated = {name: message.get(name) for name in _Message.__struct_fields__}
    return _Message(**{**stated, "usage": usage})


def served_from(fields: UsageFields, model: str, known: Known, declined_for: Sequence[str] = ()) -> Served:
    """
    What checked *fields* say that *model* served; *declined_for* as :func:`declined_for` gives it.

    Raises:
        BadInput: As :func:`read_usage`.

    """
    if fields.input_tokens is None and fields.output_tokens is None:
        raise BadInput("read a usage object without token counts", "input_tokens and output_tokens")
    if fields.iterations and fields.cache_creation is None and (written := fields.cache_creation_input_tokens):
        fields.cache_creation = stated_split(fields.iterations, written)  # exact where given (facts 3.2)
    usage, note = split_pass(fields, known.write_ttls)
    if (tools := fields.server_tool_use) is not None:
        usage = with_tools(usage, tools)
    served = Served(
        model=model,
        usage=usage,
        channel=known.channel or "claude_api",
        location=known.location,
        service_tier=service_tier(fields.service_tier),
        speed=fields.speed or "standard",
        inference_geo=fields.inference_geo,
        kind=Kind.MEASURED if note is None else Kind.DERIVED,
        notes=() if note is None else (note,),
    )
    return served if not fields.iterations else _with_passes(served, fields, known, declined_for)


def usage_of(message: Mapping[str, Any]) -> Any:
    """
    The ``usage`` of a response, or *message* itself where it is one.

    Raises:
        BadInput: An error body, or a usage of null.

    """
    if message.get("type") == "error":
        raise BadInput("read an API error body", "a response with usage; a failed request states none")
    if "usage" not in message:
        return message
    if message["usage"] is None:
        raise BadInput("read usage = null", "a usage object")
    return message["usage"]


def service_tier(reported: str | None) -> str:
    """``standard`` for null and OpenAI's ``default``; any other word as it was reported, known or not."""
    return "standard" if reported in (None, "", "default") else reported


def refusal_category(stop_details: Any) -> str | None:
    """``stop_details.category``; None where there is none."""
    return text_or_none(stop_details.get("category")) if isinstance(stop_details, Mapping) else None


def declined_for(content: Any) -> list[str]:
    """
    Why each attempt before the one that served was declined: a ``fallback`` block stands where a model hands over.

    Source: the official SDK's types (``BetaFallbackBlock``), checked 2026-11-21. A category of null is an empty text.
    """
    blocks = content if isinstance(content, (list, tuple)) else ()
    return [category for block in blocks if (category := handed_over_for(block)) is not None]


def handed_over_for(block: Any) -> str | None:
    """The category of the refusal that a ``fallback`` block tells of, empty for none; None where it tells of none."""
    if not isinstance(block, Mapping) or block.get("type") != "fallback":
        return None
    trigger = block.get("trigger")
    is_told = isinstance(trigger, Mapping) and trigger.get("type") == "refusal"
    return refusal_category(trigger) or "" if is_told else None


def output_started(content: Any) -> bool | None:
    """Whether any block of *content* holds output; None where *content* is not a list of blocks."""
    if not isinstance(content, (list, tuple)):
        return None
    return any(isinstance(block, (dict, Mapping)) and block_has_output(block) for block in content)


def block_has_output(block: Mapping[str, Any]) -> bool:
    """An empty text or thinking shell is no output, nor is the marker of a fallback."""
    kind = block.get("type")
    if kind == "text":
        return bool(block.get("text"))
    if kind == "thinking":
        return bool(block.get("thinking") or block.get("signature"))
    return kind != "fallback"


def with_tools(usage: Usage, tools: ServerToolUse) -> Usage:
    """*usage* with the uses of server tools."""
    search, fetch, code = tools.web_search_requests, tools.web_fetch_requests, tools.code_execution_requests
    if not (search or fetch or code):
        return usage
    return msgspec.structs.replace(
        usage,
        web_search_requests=search or 0,
        web_fetch_requests=fetch or 0,
        code_execution_requests=code or 0,
    )


def _with_passes(served: Served, fields: UsageFields, known: Known, declined_for: Sequence[str]) -> Served:
    passes = read_iterations(
        fields.iterations or (),
        totals(served.usage),
        model=served.model,
        requested_model=known.requested_model,
        write_ttls=known.write_ttls,
        declined_for=declined_for,
    )
    return msgspec.structs.replace(
        served,
        extra_passes=passes.extra,
        prompt_tokens_max_in_one_pass=passes.prompt_tokens_max,
        kind=Kind.DERIVED if passes.derived else served.kind,
        notes=served.notes + passes.notes,
    )
