"""
What a call's prompt has in common with the one before it: carried on, or different from some block on.

The one before it is the last of the same session; without one, the last of the same tenant, prompt and user. Only what
was sent in the last hour is remembered: as long as any cache lives, and as a batch takes as a rule.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from farthing.call import Call, PromptBlock
    from farthing.whatif.levers.measures import Measures

STREAMS_MAX = 4096
REMEMBERED_US = 3_600_000_000
_WITHOUT_SESSION = ("tenant", "prompt", "prompt_version", "agent", "user", "workspace")


class Last(NamedTuple):
    """The last call of a stream; *turn* counts from 1 within a conversation, *early_tokens* is its history early on."""

    measures: Measures
    at_us: int
    blocks: tuple[PromptBlock, ...]
    turn: int
    early_tokens: int


class Seen(NamedTuple):
    """
    A call beside the one before it.

    Attributes:
        last: The one before.
        shared: How many blocks they have in common from the start.
        carries_on: Whether all blocks of the one before are in this one, or nobody knows.

    """

    last: Last
    shared: int
    carries_on: bool


class Streams:
    """The last call of each stream, bounded in number and age."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, ...], Last] = OrderedDict()

    def see(self, call: Call, at_us: int, key: tuple[str, ...]) -> Seen | None:
        """Compare with the one before; None where there is none."""
        last = self._last.get(key)
        if last is None or at_us - last.at_us > REMEMBERED_US:
            return None
        blocks = call.request.blocks if call.request is not None else ()
        shared = shared_blocks(last.blocks, blocks)
        return Seen(last, shared, shared == len(last.blocks))

    def keep(self, key: tuple[str, ...], last: Last) -> None:
        """Remember a call; forget what is too old."""
        kept = self._last
        kept[key] = last
        kept.move_to_end(key)
        while kept:
            oldest = next(iter(kept.values()))
            if len(kept) <= STREAMS_MAX and last.at_us - oldest.at_us <= REMEMBERED_US:
                break
            kept.popitem(last=False)


def stream_key(call: Call) -> tuple[str, ...]:
    """Whose calls follow one another: a session's, else those of the same tenant, prompt and user."""
    dims = call.dims
    session = dims.get("session")
    if session:
        return ("session", session, dims.get("feature", ""), call.served.model)
    front = "" if any(dims.get(name) for name in ("feature", "prompt", "project")) else _front(call)
    named = tuple(dims.get(name, "") for name in _WITHOUT_SESSION)
    return ("", front, dims.get("feature", ""), dims.get("project", ""), call.served.model, *named)


def shared_blocks(one: tuple[PromptBlock, ...], other: tuple[PromptBlock, ...]) -> int:
    """How many blocks two prompts share from the start: hashes stand for whole prefixes, so halving finds it."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1].prefix_hash == other[middle - 1].prefix_hash:
            low = middle
        else:
            high = middle - 1
    return low


def _front(call: Call) -> str:
    """A fingerprint of the prompt's first block, for calls that nothing else names."""
    blocks = call.request.blocks if call.request is not None else ()
    return next((block.prefix_hash.hex() for block in blocks if block.cacheable), "")
