"""The counts of a call that is replayed: as recorded, under another tokenizer, or as the cache had them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.units import Kind
from farthing.whatif.replay.prompt import scaled

if TYPE_CHECKING:
    from farthing.call import Call, Usage
    from farthing.whatif.replay.moved import Moved
    from farthing.whatif.replay.rules import Found

_NEVER_CACHED = 2**62


def as_recorded(to: Moved) -> tuple[Usage, Kind, None]:
    """The measured counts, under another tokenizer where there is one."""
    usage, kind = to.served.usage, to.kind
    cached = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + usage.cache_read_tokens
    if to.separates_caches and cached:
        kind = Kind.ASSUMED
    if to.factor != 1 or to.output_factor != 1:
        usage = under_factors(usage, to)
    return usage, kind, None


def under_factors(usage: Usage, to: Moved) -> Usage:
    """Every count under another tokenizer, and output under another effort; each is rounded by itself, halves up."""
    output = scaled(usage.output_tokens, to.output_factor)
    return msgspec.structs.replace(
        usage,
        input_tokens=scaled(usage.input_tokens, to.factor),
        cache_write_5m_tokens=scaled(usage.cache_write_5m_tokens, to.factor),
        cache_write_1h_tokens=scaled(usage.cache_write_1h_tokens, to.factor),
        cache_read_tokens=scaled(usage.cache_read_tokens, to.factor),
        output_tokens=output,
        thinking_tokens=min(output, scaled(usage.thinking_tokens, to.output_factor)),
    )


def tokens_min_of(to: Moved) -> int:
    """The shortest prefix that is cached; out of reach where the model caches nothing."""
    return to.tokens_min if to.model.applies.prompt_caching is not False else _NEVER_CACHED


def replayed_usage(usage: Usage, found: Found) -> Usage:
    """The prompt's counts as the cache's rules found them; everything else as it was."""
    return msgspec.structs.replace(
        usage,
        input_tokens=found.input_tokens,
        cache_write_5m_tokens=found.write_5m_tokens,
        cache_write_1h_tokens=found.write_1h_tokens,
        cache_read_tokens=found.read_tokens,
    )


def began(call: Call, to: Moved) -> tuple[int | None, bool]:
    """Milliseconds from start to the beginning of the response, None for never; and whether that is known."""
    if to.served.service_tier == "batch":
        return 0, True
    if call.ttft_ms is not None:
        return call.ttft_ms, True
    never = call.served.stop_reason is None and call.served.output_started is False
    return (None, True) if never else (0, False)
