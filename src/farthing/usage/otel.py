"""
Attributes of an OpenTelemetry GenAI span, under old and new names.

The convention is inclusive: ``gen_ai.usage.input_tokens`` holds cached tokens. Many emitters pass Anthropic's exclusive
count through instead, so what decides, in this order: the caller who knows the emitter; a total that only one meaning
fits; an input count smaller than its own cached part, which no inclusive emitter can write; and then the convention.

No attribute of the convention splits writes by lifetime or says geography or speed; Anthropic's own SDK adds some under
``anthropic.*``.

Source: facts 13.1 (semantic-conventions-genai, status Development) and 10.5 (SDK 2.11.0), checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.usage.counts import agreed, inside, split_writes
from farthing.usage.interface import (
    NOTHING_KNOWN,
    InputCounts,
    Known,
    Payload,
    Shape,
    decode_object,
    model_of,
    on_channel,
    text_or_none,
)
from farthing.usage.messages import service_tier

if TYPE_CHECKING:
    from collections.abc import Mapping

SHAPE = Shape(name="otel genai", input_counts=InputCounts.INCLUSIVE, splits_writes=False, prompt_total=True)

INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_READ = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
_WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
)
_THINKING = ("gen_ai.usage.reasoning.output_tokens",)
_TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens")
_WRITE_5M = ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",)
_WRITE_1H = ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",)
_COMPACTION_INPUT = ("anthropic.usage.compaction.input_tokens",)
_COMPACTION_OUTPUT = ("anthropic.usage.compaction.output_tokens",)

_CHANNELS = {
    "anthropic": "claude_api",
    "aws.bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "gcp.vertex_ai": "google_cloud",
    "vertex_ai": "google_cloud",
    "azure.ai.inference": "foundry",
    "az.ai.inference": "foundry",
}


class _Prompt(NamedTuple):
    """The span's own input count, and the parts that its meaning decides about."""

    stated: int
    read: int
    written: int
    output: int

    @property
    def cached(self) -> int:
        return self.read + self.written

    def total(self, *, inclusive: bool) -> int:
        return self.stated + self.output + (0 if inclusive else self.cached)


def read_span(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read the attributes of one span: a flat mapping of attribute names to values.

    Raises:
        BadInput: A count is not a count, an old and a new name disagree, a total fits neither meaning, or no model is
            named by ``gen_ai.response.model``, ``gen_ai.request.model`` or the caller.

    """
    attributes = decode_object(payload, SHAPE.name)
    stated, output = agreed(attributes, INPUT), agreed(attributes, OUTPUT) or 0
    if stated is None and agreed(attributes, OUTPUT) is None:
        raise BadInput("read a span without token counts", f"{INPUT[0]} and {OUTPUT[0]}")
    prompt = _Prompt(stated or 0, agreed(attributes, _READ) or 0, agreed(attributes, _WRITTEN) or 0, output)
    inclusive, meaning_note = _meaning(prompt, agreed(attributes, _TOTAL), known.inclusive)
    write_5m, write_1h, split_note = _writes(attributes, prompt.written, known.write_ttls)
    thinking = agreed(attributes, _THINKING) or 0
    inside(thinking, output, _THINKING[0], OUTPUT[0])
    fresh = prompt.stated - prompt.cached if inclusive else prompt.stated
    usage = Usage(fresh, write_5m, write_1h, prompt.read, output, thinking)
    return _served(attributes, known, usage, inclusive=inclusive, notes=(meaning_note, split_note))


def _served(
    attributes: Mapping[str, Any], known: Known, usage: Usage, *, inclusive: bool, notes: tuple[str | None, ...]
) -> Served:
    provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system")
    known = on_channel(known, _CHANNELS.get(str(provider), "claude_api"))
    reported = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    stop_reason = text_or_none(attributes.get("anthropic.message.stop_reason"))
    model = model_of(reported, known)
    said = tuple(note for note in notes if note)
    return Served(
        model=model,
        usage=usage,
        extra_passes=_compaction(attributes, model),
        channel=known.channel or "claude_api",
        location=known.location,
        service_tier=service_tier(text_or_none(attributes.get("anthropic.response.service_tier"))),
        stop_reason=stop_reason or _finish_reason(attributes.get("gen_ai.response.finish_reasons")),
        prompt_tokens_reported=usage.prompt_tokens if inclusive else None,
        kind=Kind.DERIVED if said else Kind.MEASURED,
        message_id=text_or_none(attributes.get("gen_ai.response.id")),
        request_id=known.request_id or text_or_none(attributes.get("anthropic.request.id")),
        notes=said,
    )


def _meaning(prompt: _Prompt, total: int | None, stated: bool | None) -> tuple[bool, str | None]:  # noqa: FBT001
    """
    Whether the input count is inclusive, and a note where it is against the convention.

    Raises:
        BadInput: The total fits neither meaning, or the caller's word is impossible.

    """
    if stated is not None:
        if stated:
            inside(prompt.cached, prompt.stated, "cache reads and writes", INPUT[0])
        return stated, None if stated else "input count read as exclusive of cached tokens: stated by the caller"
    if prompt.cached == 0:
        _checked_total(prompt, total)
        return True, None
    possible = [meaning for meaning in (True, False) if not meaning or prompt.stated >= prompt.cached]
    fitting = [meaning for meaning in possible if total is None or prompt.total(inclusive=meaning) == total]
    if not fitting:
        raise _misfit(prompt, total)
    if fitting[0]:
        return True, None
    why = (
        "no inclusive count is smaller than its cached part" if len(possible) == 1 else f"only so is the total {total}"
    )
    return False, f"input count read as exclusive of cached tokens, against the convention: {why}"


def _checked_total(prompt: _Prompt, total: int | None) -> None:
    if total is not None and total != prompt.total(inclusive=True):
        raise _misfit(prompt, total)


def _misfit(prompt: _Prompt, total: int | None) -> BadInput:
    return BadInput(
        f"read a total of {total} with input = {prompt.stated}, cache reads = {prompt.read}, cache writes = "
        f"{prompt.written} and output = {prompt.output}",
        "a total that the inclusive or the exclusive meaning of input fits",
        "state which the emitter means",
    )


def _writes(
    attributes: Mapping[str, Any], written: int, write_ttls: frozenset[str] | None
) -> tuple[int, int, str | None]:
    write_5m, write_1h = agreed(attributes, _WRITE_5M), agreed(attributes, _WRITE_1H)
    if write_5m is None and write_1h is None:
        return split_writes(written, write_ttls)
    if (write_5m or 0) + (write_1h or 0) != written:
        raise BadInput(
            f"read a split of {write_5m or 0} (5m) + {write_1h or 0} (1h) for {written} cache-write tokens",
            "a split that sums to the total",
        )
    return write_5m or 0, write_1h or 0, None


def _compaction(attributes: Mapping[str, Any], model: str) -> tuple[ExtraPass, ...]:
    usage = Usage(
        input_tokens=agreed(attributes, _COMPACTION_INPUT) or 0,
        output_tokens=agreed(attributes, _COMPACTION_OUTPUT) or 0,
    )
    return () if usage == Usage() else (ExtraPass(PassKind.COMPACTION, usage, model),)


def _finish_reason(reasons: Any) -> str | None:
    return text_or_none(reasons[0]) if isinstance(reasons, list | tuple) and reasons else None
