"""
The rules of prompt caching, as one pure state machine over recorded prompts.

The sandbox executes the same rules call by call from its own code (:mod:`farthing.sandbox.cache`); the two are written
apart and must agree, which is how either is known to be right. Time is whole microseconds, a prompt is a list of keys
and of lengths up to them.

- An entry is a prefix up to a breakpoint. A breakpoint before the model's shortest cacheable prefix is ignored.
- From each breakpoint, itself the first, 20 positions are looked at; the longest live entry found is read.
- After it, tokens up to the last 1h breakpoint are written for an hour, from there to the last breakpoint for 5
  minutes; the rest is input.
- Reading uses everything inside: it restarts every live entry in the prefix that is read, from the start of the
  request. (The documentation restarts a lifetime "each time the cached content is used".)
- An entry can be read from when the response that wrote it began, and lives from when its request started. At the very
  end of its lifetime it is gone: the API promises no more.
- An entry that is written again while it lives is restarted, and keeps the longer of the two lifetimes.

Source: prompt caching page (facts: claude-api 5.1, 5.3 to 5.5, 5.9, 5.11), checked 2026-11-20. UNCONFIRMED and chosen
as in the sandbox: the end of a lifetime, and which lifetime is kept.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from farthing.prompts.breakpoints import Ttl

LOOKBACK = 20
LIFETIME_US: dict[Ttl, int] = {"5m": 300_000_000, "1h": 3_600_000_000}
_HOUR_US = LIFETIME_US["1h"]
_SWEEP_FIRST = 4096

FATES = ("read", "new", "expired", "not_readable_yet", "beyond_lookback", "below_minimum", "unmarked")
"""
What becomes of prompt tokens, in the order in which tables show it. They add up to the prompt.

``read``; written because they were ``new`` (or longer than an hour gone), had ``expired``, were being written by a call
whose response had not begun (``not_readable_yet``), or lie in a live entry too many blocks away (``beyond_lookback``);
plain input because all breakpoints stand ``below_minimum``, or behind the last breakpoint (``unmarked``).
"""


class Found(NamedTuple):
    """
    What one request reads and writes; the four counts add up to the prompt.

    Attributes:
        input_tokens, write_5m_tokens, write_1h_tokens, read_tokens: The counts.
        hit_at: Position up to which is read, -1 for none.
        writes: Key and lifetime in microseconds of each entry to be.
        fate: Tokens in the order of :data:`FATES`.

    """

    input_tokens: int
    write_5m_tokens: int
    write_1h_tokens: int
    read_tokens: int
    hit_at: int
    writes: tuple[tuple[int, int], ...]
    fate: tuple[int, ...]


class _Entry:
    __slots__ = ("lifetime_us", "readable_us", "used_us")

    def __init__(self, used_us: int, lifetime_us: int, readable_us: int) -> None:
        self.used_us = used_us
        self.lifetime_us = lifetime_us
        self.readable_us = readable_us


class _Scope:
    """Entries that some callers share, and how many unfinished requests are writing each key."""

    __slots__ = ("coming", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, _Entry] = {}
        self.coming: dict[int, int] = {}


class Cache:
    """The entries of every scope. Requests must come in order of time."""

    def __init__(self) -> None:
        self._scopes: dict[Hashable, _Scope] = {}
        self._begins: list[tuple[int, int, _Scope, int, tuple[tuple[int, int], ...]]] = []
        self._number = 0
        self._written = 0
        self._sweep_at = _SWEEP_FIRST

    def ask(
        self,
        scope: Hashable,
        prompt: tuple[Sequence[int], Sequence[int]],
        marks: Sequence[tuple[int, Ttl]],
        *,
        at_us: int,
        begins_us: int | None,
        tokens_min: int,
    ) -> Found:
        """
        Take one request that is accepted.

        Args:
            scope: Who shares entries with it.
            prompt: Key and tokens from the start, per block.
            marks: Position and lifetime of each breakpoint, ascending.
            at_us: When it starts.
            begins_us: When its response begins; None: it never did.
            tokens_min: The model's shortest cacheable prefix.

        """
        self._catch_up(at_us)
        here = self._scopes.get(scope)
        if here is None:
            here = self._scopes[scope] = _Scope()
        keys, ends = prompt
        counted = [mark for mark in marks if ends[mark[0]] >= tokens_min]
        hit_at = _hit(here.entries, keys, counted, at_us)
        self._use(here.entries, keys, hit_at, at_us)
        found = _shares(
            ends, counted, hit_at, tuple((keys[at], LIFETIME_US[ttl]) for at, ttl in counted if at > hit_at)
        )
        found = found._replace(fate=_fate(here, prompt, (marks, counted), found, at_us))
        if found.writes and begins_us is not None:
            self._number += 1
            heapq.heappush(self._begins, (max(begins_us, at_us), self._number, here, at_us, found.writes))
            for key, _ in found.writes:
                here.coming[key] = here.coming.get(key, 0) + 1
        return found

    def _use(self, entries: dict[int, _Entry], keys: Sequence[int], hit_at: int, at_us: int) -> None:
        for at in range(hit_at + 1):
            entry = entries.get(keys[at])
            if entry is not None and _is_live(entry, at_us) and entry.used_us < at_us:
                entry.used_us = at_us

    def _catch_up(self, now_us: int) -> None:
        """Make readable what was written by every response that has begun by *now_us*."""
        begins = self._begins
        while begins and begins[0][0] <= now_us:
            begins_us, _, here, started_us, writes = heapq.heappop(begins)
            for key, lifetime_us in writes:
                _settle(here, key, lifetime_us, started_us, begins_us)
            self._written += len(writes)
        if self._written > self._sweep_at:
            self._sweep(now_us)

    def _sweep(self, now_us: int) -> None:
        """Forget what has been gone for more than an hour; costs a constant per write."""
        kept = 0
        for scope in self._scopes.values():
            entries = scope.entries
            gone = [key for key, one in entries.items() if one.used_us + one.lifetime_us + _HOUR_US < now_us]
            for key in gone:
                del entries[key]
            kept += len(entries)
        self._written, self._sweep_at = 0, max(_SWEEP_FIRST, kept)


def _is_live(entry: _Entry, at_us: int) -> bool:
    return entry.readable_us <= at_us < entry.used_us + entry.lifetime_us


def _hit(entries: dict[int, _Entry], keys: Sequence[int], marks: Sequence[tuple[int, Ttl]], at_us: int) -> int:
    """The last position with a live entry that some breakpoint looks at; -1 for none."""
    for number in range(len(marks) - 1, -1, -1):
        mark = marks[number][0]
        below = marks[number - 1][0] if number else -1  # from there on the next breakpoint looks, and further down
        for at in range(mark, max(mark - LOOKBACK, below), -1):
            entry = entries.get(keys[at])
            if entry is not None and _is_live(entry, at_us):
                return at
    return -1


def _shares(
    ends: Sequence[int], marks: Sequence[tuple[int, Ttl]], hit_at: int, writes: tuple[tuple[int, int], ...]
) -> Found:
    read = ends[hit_at] if hit_at >= 0 else 0
    hour = last = read
    for at, ttl in marks:
        if at > hit_at:
            last = ends[at]
            hour = last if ttl == "1h" else hour
    total = ends[-1] if ends else 0
    return Found(total - last, last - hour, hour - read, read, hit_at, writes, ())


def _settle(here: _Scope, key: int, lifetime_us: int, started_us: int, begins_us: int) -> None:
    left = here.coming[key] - 1
    if left:
        here.coming[key] = left
    else:
        del here.coming[key]
    entry = here.entries.get(key)
    if entry is not None and _is_live(entry, begins_us):
        entry.used_us = max(entry.used_us, started_us)
        entry.lifetime_us = max(entry.lifetime_us, lifetime_us)
    else:
        here.entries[key] = _Entry(started_us, lifetime_us, begins_us)


def _fate(
    here: _Scope,
    prompt: tuple[Sequence[int], Sequence[int]],
    marks: tuple[Sequence[tuple[int, Ttl]], Sequence[tuple[int, Ttl]]],
    found: Found,
    at_us: int,
) -> tuple[int, ...]:
    """Why the prompt was not read whole."""
    asked, counted = marks
    ignored = found.input_tokens if asked and not counted else 0
    fate = [found.read_tokens, 0, 0, 0, 0, ignored, found.input_tokens - ignored]
    written = found.write_5m_tokens + found.write_1h_tokens
    if written:
        keys, ends = prompt
        cause, upto = _cause(here, keys, range(counted[-1][0], found.hit_at, -1), at_us)
        missed = ends[upto] - found.read_tokens if upto >= 0 else 0
        fate[cause] += missed
        fate[1] += written - missed
    return tuple(fate)


def _cause(here: _Scope, keys: Sequence[int], positions: range, at_us: int) -> tuple[int, int]:
    """Why the longest prefix that might have been read was not, and where it ends; -1 where there is none."""
    for at in positions:
        entry = here.entries.get(keys[at])
        if entry is not None and _is_live(entry, at_us):
            return 4, at
        if keys[at] in here.coming:  # had it begun, it would have been read, whatever had expired before
            return 3, at
        if entry is not None and entry.used_us + entry.lifetime_us + _HOUR_US >= at_us:
            return 2, at
    return 1, -1
