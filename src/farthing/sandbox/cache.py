"""
The prompt cache as a pure state machine.

One request takes three steps: :meth:`PromptCache.look_up` says what would be read and written and changes nothing;
:meth:`PromptCache.start` restarts the lifetime of what is read; :meth:`PromptCache.became_readable` makes what was
written readable, once the response has begun. A request that is refused never takes the second step, one that fails
before its first byte never the third.

An entry is the hash of a prefix up to a breakpoint. Choices where the documentation is silent: reading a prefix uses,
and so restarts, every entry inside it (a lifetime restarts "each time the cached content is used"); an entry keeps the
lifetime it was written with, whatever the breakpoint that reads it asks for; a breakpoint inside a longer prefix that
is read writes no entry, as it bills none; at the very end of its lifetime an entry is gone.

Source: prompt caching page (facts: claude-api 5.1, 5.3 to 5.5, 5.9, 5.11), checked 2026-11-20.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.prompts.blocks import Block
    from farthing.prompts.breakpoints import Ttl

LOOKBACK = 20
"""Positions looked at from each breakpoint, the breakpoint's own being the first."""

LIFETIME: dict[Ttl, timedelta] = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}

_SWEEP_FIRST = 1024


class Scope(NamedTuple):
    """Who shares entries: nobody across organisations, workspaces or models."""

    organization: str
    workspace: str
    model: str


class Write(NamedTuple):
    """An entry to be: the prefix, its lifetime, its length."""

    prefix_hash: bytes
    ttl: Ttl
    prefix_tokens: int


class Lookup(NamedTuple):
    """
    What one request reads and writes. The four counts add up to the prompt.

    Attributes:
        scope: Whose entries.
        at: When the request started, from which lifetimes count.
        read_tokens: Up to the longest entry found.
        write_1h_tokens: From there to the last 1h breakpoint. write_5m_tokens: from there to the last breakpoint.
        input_tokens: The rest.
        used: Hashes of the entries that are read.
        writes: One per breakpoint after what is read.
        hit_at: Position of the longest entry found, None for none.

    """

    scope: Scope
    at: datetime
    read_tokens: int
    write_5m_tokens: int
    write_1h_tokens: int
    input_tokens: int
    used: tuple[bytes, ...]
    writes: tuple[Write, ...]
    hit_at: int | None


@dataclass(slots=True)
class _Entry:
    ttl: Ttl
    started_at: datetime
    readable_from: datetime

    @property
    def expires_at(self) -> datetime:
        return self.started_at + LIFETIME[self.ttl]

    def is_live(self, at: datetime) -> bool:
        return self.readable_from <= at < self.expires_at


class PromptCache:
    """
    Entries of every scope of one world. Not locked: its world is.

    Args:
        entries_max: Beyond it the entries that would expire first are dropped; ``dropped`` counts them.

    """

    def __init__(self, *, entries_max: int = 1_000_000) -> None:
        self._entries: dict[tuple[Scope, bytes], _Entry] = {}
        self._entries_max = entries_max
        self._sweep_at = min(_SWEEP_FIRST, entries_max)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def look_up(self, scope: Scope, blocks: Sequence[Block], at: datetime, *, tokens_min: int) -> Lookup:
        """
        What a request that starts at *at* reads and writes. Changes nothing.

        Args:
            scope: Whose entries.
            blocks: The prompt, in order.
            at: Start of the request; aware.
            tokens_min: The model's shortest cacheable prefix; breakpoints before it are ignored.

        """
        marked = [i for i, block in enumerate(blocks) if block.ttl is not None and block.prefix_tokens >= tokens_min]
        hit_at = self._longest_hit(scope, blocks, marked, at)
        total = blocks[-1].prefix_tokens if blocks else 0
        after = [i for i in marked if hit_at is None or i > hit_at]
        a = 0 if hit_at is None else blocks[hit_at].prefix_tokens
        b = max((blocks[i].prefix_tokens for i in after if blocks[i].ttl == "1h"), default=a)
        c = max((blocks[i].prefix_tokens for i in after), default=a)
        inside = () if hit_at is None else blocks[: hit_at + 1]
        return Lookup(
            scope=scope,
            at=at,
            read_tokens=a,
            write_5m_tokens=c - b,
            write_1h_tokens=b - a,
            input_tokens=total - c,
            used=tuple(block.prefix_hash for block in inside if self._is_live(scope, block, at)),
            writes=tuple(Write(blocks[i].prefix_hash, blocks[i].ttl or "5m", blocks[i].prefix_tokens) for i in after),
            hit_at=hit_at,
        )

    def start(self, lookup: Lookup) -> None:
        """The request is accepted: what it reads lives on from its start."""
        for prefix_hash in lookup.used:
            entry = self._entries.get((lookup.scope, prefix_hash))
            if entry is not None:
                entry.started_at = max(entry.started_at, lookup.at)

    def became_readable(self, lookup: Lookup, at: datetime) -> None:
        """The response began at *at*: what the request writes can be read from now on, and lives from its start."""
        for write in lookup.writes:
            key = (lookup.scope, write.prefix_hash)
            entry = self._entries.get(key)
            if entry is not None and entry.is_live(at):
                entry.started_at = max(entry.started_at, lookup.at)
                entry.ttl = write.ttl if LIFETIME[write.ttl] > LIFETIME[entry.ttl] else entry.ttl
            else:
                self._entries[key] = _Entry(write.ttl, lookup.at, at)
        if len(self._entries) > self._sweep_at:
            self._sweep(at)

    def _longest_hit(self, scope: Scope, blocks: Sequence[Block], marked: Sequence[int], at: datetime) -> int | None:
        best: int | None = None
        for mark in reversed(marked):
            lowest = max(mark - LOOKBACK + 1, 0 if best is None else best + 1)
            found = next((i for i in range(mark, lowest - 1, -1) if self._is_live(scope, blocks[i], at)), None)
            best = best if found is None else found
        return best

    def _is_live(self, scope: Scope, block: Block, at: datetime) -> bool:
        entry = self._entries.get((scope, block.prefix_hash))
        return entry is not None and entry.is_live(at)

    def _sweep(self, at: datetime) -> None:
        """Drop what has expired; where that is not enough, what would expire first. Costs a constant per write."""
        kept = {key: entry for key, entry in self._entries.items() if entry.expires_at > at}
        if len(kept) > self._entries_max:
            by_expiry = sorted(kept.items(), key=lambda item: item[1].expires_at, reverse=True)
            self.dropped += len(kept) - self._entries_max // 2
            kept = dict(by_expiry[: self._entries_max // 2])
        self._entries = kept
        self._sweep_at = min(max(_SWEEP_FIRST, 2 * len(kept)), self._entries_max)
