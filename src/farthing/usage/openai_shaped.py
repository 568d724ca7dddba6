"""
OpenAI's shapes, which routers and compatible endpoints speak for Claude too: chat completions and responses.

Input counts are *inclusive*: cached and written tokens are inside ``prompt_tokens``. The total that comes with them is
the checksum; where it or the parts contradict each other, the payload is refused. Emitters name cache writes in
several ways and may name them twice; the names must agree.

Source: github.com/pydantic/genai-prices, recorded payloads of OpenRouter and OpenAI, commit 47df840a; complaints about
doubled and lost cache tokens in LiteLLM and Langfuse (pains 1), checked 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from farthing.call import Served, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.counts import agreed, inside, split_writes, whole
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
from farthing.usage.messages import service_tier, usage_of

CHAT_SHAPE = Shape(name="openai chat", input_counts=InputCounts.INCLUSIVE, splits_writes=False, prompt_total=True)
RESPONSES_SHAPE = Shape(
    name="openai responses", input_counts=InputCounts.INCLUSIVE, splits_writes=False, prompt_total=True
)


class _Names(NamedTuple):
    prompt: str
    output: str
    prompt_details: str
    output_details: str


_CHAT = _Names("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
_RESPONSES = _Names("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
_READ = ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_SPLITS = ("cache_creation", "cache_creation_token_details")
_NOT_PRICED = {"prompt": ("audio_tokens", "video_tokens"), "output": ("audio_tokens", "image_tokens")}


def read_chat(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read a chat completion, the last chunk of its stream, or a bare usage object of that shape.

    Raises:
        BadInput: A count is not a count, the parts contradict each other or their total, or no model is known.

    """
    return _read(payload, known, _CHAT, CHAT_SHAPE)


def read_response(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read an answer of the responses API, or a bare usage object of that shape.

    Raises:
        BadInput: As :func:`read_chat`.

    """
    return _read(payload, known, _RESPONSES, RESPONSES_SHAPE)


def _read(payload: Payload, known: Known, names: _Names, shape: Shape) -> Served:
    answer = decode_object(payload, shape.name)
    reported = usage_of(answer)
    if not isinstance(reported, Mapping):
        raise BadInput(f"read a usage of {shape.name} that is no object", f"{names.prompt} and {names.output}")
    usage, notes = _disjoint(reported, names, known.write_ttls)
    kind = Kind.DERIVED if notes else Kind.MEASURED
    if reported.get("cost") is not None:
        notes.append("a cost came with the usage; it is the sender's figure and was not used")
    served = Served(
        model=model_of(answer.get("model"), known),
        usage=usage,
        channel=known.channel or "claude_api",
        location=known.location,
        service_tier=service_tier(text_or_none(answer.get("service_tier") or reported.get("service_tier"))),
        prompt_tokens_reported=usage.prompt_tokens,
        kind=kind,
        message_id=text_or_none(answer.get("id")),
        request_id=known.request_id,
        notes=tuple(notes),
    )
    return msgspec.structs.replace(served, stop_reason=_stop_reason(answer), output_started=_output_started(answer))


def _disjoint(reported: Mapping[str, Any], names: _Names, write_ttls: frozenset[str] | None) -> tuple[Usage, list[str]]:
    if reported.get(names.prompt) is None and reported.get(names.output) is None:
        raise BadInput("read a usage object without token counts", f"{names.prompt} and {names.output}")
    prompt, output = whole(reported.get(names.prompt), names.prompt), whole(reported.get(names.output), names.output)
    details = _details(reported, names.prompt_details, _NOT_PRICED["prompt"])
    output_details = _details(reported, names.output_details, _NOT_PRICED["output"])
    thinking = whole(output_details.get("reasoning_tokens"), f"{names.output_details}.reasoning_tokens")
    inside(thinking, output, "reasoning_tokens", names.output)
    read = _stated_once(reported, details, _READ)
    write_5m, write_1h, note = _writes(reported, details, write_ttls)
    inside(read + write_5m + write_1h, prompt, "cached and written tokens", names.prompt)
    if (total := reported.get("total_tokens")) is not None and whole(total, "total_tokens") != prompt + output:
        raise BadInput(
            f"read total_tokens = {total} with {names.prompt} = {prompt} and {names.output} = {output}",
            f"their sum, {prompt + output}",
        )
    usage = Usage(prompt - read - write_5m - write_1h, write_5m, write_1h, read, output, thinking)
    return usage, [note] if note else []


def _writes(
    reported: Mapping[str, Any], details: Mapping[str, Any], write_ttls: frozenset[str] | None
) -> tuple[int, int, str | None]:
    """Cache writes; some emitters pass Anthropic's split through."""
    written = _stated_once(reported, details, _WRITTEN)
    split = next((found for part in (details, reported) for name in _SPLITS if (found := part.get(name))), None)
    if not isinstance(split, Mapping):
        return split_writes(written, write_ttls)
    write_5m = whole(split.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens")
    write_1h = whole(split.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens")
    if write_5m + write_1h != written:
        raise BadInput(
            f"read a split of {write_5m} (5m) + {write_1h} (1h) for {written} cache-write tokens",
            "a split that sums to the total",
        )
    return write_5m, write_1h, None


def _stated_once(reported: Mapping[str, Any], details: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """A count that may stand at the top, among the details, or in both places."""
    at_top, in_details = agreed(reported, names), agreed(details, names)
    if at_top is not None and in_details is not None and at_top != in_details:
        raise BadInput(f"read {names[0]} = {in_details} in the details and {at_top} beside them", "the same count")
    return (in_details if at_top is None else at_top) or 0


def _details(reported: Mapping[str, Any], name: str, not_priced: tuple[str, ...]) -> Mapping[str, Any]:
    details = reported.get(name)
    if details is None:
        return {}
    if not isinstance(details, Mapping):
        raise BadInput(f"read {name} that is no object", "a JSON object of counts")
    for part in not_priced:
        if count := whole(details.get(part), f"{name}.{part}"):
            raise BadInput(f"read {name}.{part} = {count}", "text and images only: no unit here holds that class")
    return details


def _stop_reason(answer: Mapping[str, Any]) -> str | None:
    """The sender's own word: ``finish_reason`` of the first choice, or the status of a response."""
    if isinstance(choices := answer.get("choices"), list) and choices and isinstance(choices[0], Mapping):
        return text_or_none(choices[0].get("finish_reason"))
    return text_or_none(answer.get("status"))


def _output_started(answer: Mapping[str, Any]) -> bool | None:
    if isinstance(output := answer.get("output"), list):
        return bool(output)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        return None
    message = choices[0].get("message")
    return bool(message.get("content") or message.get("tool_calls")) if isinstance(message, Mapping) else None
