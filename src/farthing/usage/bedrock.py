"""
Amazon Bedrock: InvokeModel speaks Anthropic's shapes, Converse its own in camelCase.

For Claude, Converse's ``inputTokens`` leaves cached tokens out, although AWS's wording can be read the other way;
whether ``totalTokens`` holds them is not documented, so it decides nothing here. ``amazon-bedrock-invocationMetrics``
repeats the counts at the end of a stream; it stands in for them only where the stream has none.

The id in the URL is the priced id (it carries the inference profile), so the model in :class:`Known` wins over the
payload's.

Source: facts 14.2, 14.3 and 16.15 (AWS API reference of TokenUsage and CacheDetail), checked 2026-11-20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.call import Served, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.counts import agreed, split_writes, whole
from farthing.usage.interface import (
    NOTHING_KNOWN,
    InputCounts,
    Known,
    Payload,
    Quarantined,
    Shape,
    Unreadable,
    decode_object,
    model_of,
    on_channel,
    text_or_none,
)
from farthing.usage.messages import read_message, service_tier
from farthing.usage.stream import EventMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

INVOKE_SHAPE = Shape(name="bedrock invoke", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False)
CONVERSE_SHAPE = Shape(
    name="bedrock converse", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False
)

INVOCATION_METRICS = "amazon-bedrock-invocationMetrics"
_PROFILE = re.compile(r"(global|us-gov|us|eu|apac|au|jp|ca)\.anthropic\.")
_INPUT = ("inputTokens", "inputTokenCount")
_OUTPUT = ("outputTokens", "outputTokenCount")
_READ = ("cacheReadInputTokens", "cacheReadInputTokenCount")
_WRITTEN = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")


def read_invoke(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read the body of an ``invoke`` response: Anthropic's message JSON.

    Raises:
        BadInput: As :func:`farthing.usage.messages.read_message`.

    """
    return read_message(payload, on_bedrock(known))


class InvokeStreamMeter:
    """Sans-I/O reader of ``invoke-with-response-stream``: give it each chunk's JSON, already unframed."""

    def __init__(self, known: Known = NOTHING_KNOWN) -> None:
        self._known = on_bedrock(known)
        self._events = EventMeter(self._known, shape=INVOKE_SHAPE.name)
        self._metrics: Mapping[str, Any] | None = None

    def event(self, data: bytes) -> None:
        """Take the JSON of one chunk. Raises nothing, whatever it is."""
        self._events.event(data)
        if INVOCATION_METRICS.encode() in data:
            try:
                metrics = decode_object(data, INVOKE_SHAPE.name).get(INVOCATION_METRICS)
            except BadInput:
                return
            self._metrics = metrics if isinstance(metrics, Mapping) else None

    def finish(self) -> Served | Quarantined:
        """What was served; see :meth:`farthing.usage.stream.EventMeter.finish`."""
        read = self._events.finish()
        if not isinstance(read, Unreadable) or self._metrics is None:
            return read
        try:
            usage, notes = _converse_usage(self._metrics, self._known.write_ttls)
            model = model_of(None, self._known)
        except BadInput as error:
            return Quarantined(str(error), INVOKE_SHAPE.name)
        note = f"the stream stated no usage: counts are those of {INVOCATION_METRICS}"
        return _served(usage, model, self._known, (*notes, note), Kind.DERIVED)


def read_converse(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read a Converse response, a converse-stream ``metadata`` event, or a bare camelCase usage object.

    None of them names a model, so *known* must.

    Raises:
        BadInput: A count is not a count, two names of one count disagree, the split of the writes does not sum, or no
            model is known.

    """
    answer = decode_object(payload, CONVERSE_SHAPE.name)
    answer = answer["metadata"] if isinstance(answer.get("metadata"), Mapping) else answer
    usage = answer.get("usage", answer)
    if not isinstance(usage, Mapping):
        raise BadInput("read a Converse response whose usage is no object", "usage with inputTokens and outputTokens")
    known = on_bedrock(known)
    counts, notes = _converse_usage(usage, known.write_ttls)
    kind = Kind.DERIVED if any("without a split" in note for note in notes) else Kind.MEASURED
    tier = answer.get("serviceTier")
    return msgspec.structs.replace(
        _served(counts, model_of(answer.get("model"), known), known, notes, kind),
        stop_reason=text_or_none(answer.get("stopReason")),
        service_tier=service_tier(text_or_none(tier.get("type")) if isinstance(tier, Mapping) else None),
        output_started=_output_started(answer.get("output")),
    )


def on_bedrock(known: Known) -> Known:
    """*known* on Bedrock, with the location that the id's inference profile names; ``global`` beats any region."""
    known = on_channel(known, "bedrock")
    profile = _PROFILE.match(known.model or "")
    if profile is None or (known.location is not None and profile[1] != "global"):
        return known
    return msgspec.structs.replace(known, location=profile[1])


def _served(usage: Usage, model: str, known: Known, notes: Sequence[str], kind: Kind) -> Served:
    return Served(
        model=model,
        usage=usage,
        channel=known.channel or "bedrock",
        location=known.location,
        request_id=known.request_id,
        kind=kind,
        notes=tuple(notes),
    )


def _converse_usage(usage: Mapping[str, Any], write_ttls: frozenset[str] | None) -> tuple[Usage, list[str]]:
    input_tokens, output = agreed(usage, _INPUT), agreed(usage, _OUTPUT)
    if input_tokens is None and output is None:
        raise BadInput("read a Bedrock usage object without token counts", "inputTokens and outputTokens")
    read = agreed(usage, _READ) or 0
    write_5m, write_1h, notes = _converse_writes(usage, write_ttls)
    counts = Usage(input_tokens or 0, write_5m, write_1h, read, output or 0)
    total = usage.get("totalTokens")
    if total is not None and whole(total, "totalTokens") != counts.prompt_tokens + counts.output_tokens:
        notes.append(f"totalTokens = {total} is not the sum of the counts; it decides nothing (undocumented meaning)")
    if isinstance(tools := usage.get("serverToolUsage"), Mapping) and any(tools.values()):
        notes.append("serverToolUsage is not empty; what it counts is not documented, so it is not billed")
    return counts, notes


def _converse_writes(usage: Mapping[str, Any], write_ttls: frozenset[str] | None) -> tuple[int, int, list[str]]:
    written, details = agreed(usage, _WRITTEN), usage.get("cacheDetails")
    if not isinstance(details, list | tuple) or not details:
        write_5m, write_1h, note = split_writes(written or 0, write_ttls)
        return write_5m, write_1h, [note] if note else []
    split = {"5m": 0, "1h": 0}
    for position, detail in enumerate(details):
        if not isinstance(detail, Mapping) or detail.get("ttl") not in ("5m", "1h"):
            raise BadInput(f"read cacheDetails[{position}] with an unknown ttl", "a ttl of 5m or 1h")
        split[detail["ttl"]] += whole(detail.get("inputTokens"), f"cacheDetails[{position}].inputTokens")
    if written is not None and written != sum(split.values()):
        raise BadInput(
            f"read cacheDetails of {split['5m']} (5m) + {split['1h']} (1h) with cacheWriteInputTokens = {written}",
            "a split that sums to the total",
        )
    return split["5m"], split["1h"], []


def _output_started(output: Any) -> bool | None:
    message = output.get("message") if isinstance(output, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list | tuple):
        return None
    return any(isinstance(block, Mapping) and any(block.values()) for block in content)
