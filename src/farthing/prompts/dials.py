"""
What a request turns without changing a word of its prompt: model, geo, speed, thinking, effort.

They are part of what a prefix hash stands for, so requests that differ in them share no entry. But they are mixed in by
exclusive or, after everything else, so that a recorded hash can be read as that of the same prompt under other dials:
``hash ^ mask(as recorded) ^ mask(other)``. That is what lets a replay route calls of several models to one and know
which of them would then share a prefix, without their text.

Source: prompt caching page, table of invalidations (facts: claude-api 5.8), checked 2026-11-20. UNCONFIRMED there, and
taken as shown: that ``inference_geo`` separates caches, and which thinking mode is the default where no fact names one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

import msgspec

MASK_BYTES = 16

_MEDIUM_EFFORT = frozenset({"claude-opus-5-5", "claude-haiku-5-5"})
_THINKS_BY_DEFAULT = (
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-fable-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
)
"""Models that refuse or restrict ``thinking: disabled`` (facts: claude-api 0.3): left out, it is taken as adaptive."""


class Dials(NamedTuple):
    """
    One request's dials, as asked. None: left out, which equals the default.

    Attributes:
        model: Canonical id: an alias shares the cache of what it names.
        inference_geo: Felt from the first block on, as the model is.
        speed: Felt from the system prompt on.
        thinking: ``thinking.type``, felt in messages; thinking_budget_tokens: its budget; effort: the same.

    """

    model: str
    inference_geo: str | None = None
    speed: str | None = None
    thinking: str | None = None
    thinking_budget_tokens: int | None = None
    effort: str | None = None


class Masks(NamedTuple):
    """What the hashes of each section are mixed with."""

    tools: int
    system: int
    messages: int


@lru_cache(maxsize=4096)
def masks_of(dials: Dials) -> Masks:
    """The masks of these dials: numbers of :data:`MASK_BYTES` bytes."""
    first = (dials.model, dials.inference_geo or "global")
    second = (*first, dials.speed or "standard")
    mode = dials.thinking or ("adaptive" if dials.model in _THINKS_BY_DEFAULT else "disabled")
    effort = dials.effort or ("medium" if dials.model in _MEDIUM_EFFORT else "high")
    return Masks(_mask(first), _mask(second), _mask((*second, mode, dials.thinking_budget_tokens, effort)))


def _mask(felt: tuple[str | int | None, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(msgspec.json.encode(felt), digest_size=MASK_BYTES).digest())
