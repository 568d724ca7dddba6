"""
How long prefixes are, learned from what was measured.

A recorder can only estimate the blocks of a prompt; a response counts them, though not block by block. It measures
some prefixes to the token: the whole prompt; everything up to the last breakpoint, which is what was read or written;
everything up to the last 1h breakpoint; and what was read, an entry that a call before it wrote. Prompts are chains of
hashes, so a length that was measured once holds for every prompt that begins so. Between two known lengths blocks share
the tokens in proportion to their estimates, by largest remainder, and what came of that is kept as well: prompts that
share a prefix share its length, unless a later measurement says otherwise.

Where a recorder's counts add up to what was measured, nothing is touched, and nothing is learned.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from farthing.call import Usage
    from farthing.prompts.breakpoints import Ttl

FORGET_AFTER_US = 2 * 3_600_000_000
"""A prefix that nobody sent for so long is in no cache any more."""
_FORGET_FIRST = 65_536


class Measured(NamedTuple):
    """
    The blocks of one prompt.

    Attributes:
        tokens: Per block; they add up to the measured prompt.
        sure: Positions up to which the prompt's length was measured; None: up to every one.

    """

    tokens: list[int]
    sure: frozenset[int] | None

    @property
    def is_calibrated(self) -> bool:
        """Whether the recorder's counts were changed."""
        return self.sure is not None


class _Known(NamedTuple):
    """A prefix: its length, whether it was measured, whether a breakpoint ever stood there, when it was last sent."""

    tokens: int
    is_measured: bool
    is_marked: bool
    seen_us: int


class Lengths:
    """Lengths of prefixes, from the calls so far. Calls must come in order of time."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._forget_at = _FORGET_FIRST

    def of(
        self,
        hashes: Sequence[int],
        estimates: list[int],
        marks: Sequence[tuple[int, Ttl]],
        usage: Usage,
        at_us: int,
        *,
        is_one_prompt: bool = True,
    ) -> Measured:
        """
        The blocks of the next prompt, and learn from it.

        Args:
            hashes: Per block, of everything up to its end.
            estimates: The recorder's tokens per block, >= 0.
            marks: Position and lifetime of each breakpoint.
            usage: What was measured.
            at_us: When it was sent, in microseconds since 1970.
            is_one_prompt: False: the usage is a sum over several prompts, from which nothing is learned.

        """
        total = usage.prompt_tokens
        if not any(estimates) or not total:
            return Measured(estimates, None if sum(estimates) == total else frozenset())
        own = _facts(marks, usage, len(hashes)) if is_one_prompt else {len(hashes) - 1: total}
        ends = list(accumulate(estimates))
        if all(ends[at] == end for at, end in own.items()):
            return Measured(estimates, None)
        self._forget(at_us)
        sure = set(own) if is_one_prompt else set()
        if is_one_prompt and (read := self._what_was_read(hashes, ends, marks, usage, own)) is not None:
            at, is_sure = read
            own[at] = usage.cache_read_tokens
            sure |= {at} if is_sure else set()
        self._recall(hashes, estimates, own, sure)
        tokens = list(_between(estimates, own))
        if is_one_prompt:
            self._learn(hashes, list(accumulate(tokens)), {at for at, _ in marks}, sure, at_us)
        return Measured(tokens, frozenset(sure))

    def _what_was_read(
        self,
        hashes: Sequence[int],
        ends: Sequence[int],
        marks: Sequence[tuple[int, Ttl]],
        usage: Usage,
        own: dict[int, int],
    ) -> tuple[int, bool] | None:
        """The position up to which a call read that also wrote, and whether no other can be meant."""
        read = usage.cache_read_tokens
        if not read or not marks or not usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:
            return None
        before = min((at for at, end in own.items() if end > read), default=len(hashes))
        own_marks = {at for at, _ in marks}
        could = []
        for at in range(before):
            known = self._known.get(hashes[at])
            if known is not None and known.is_measured and known.tokens == read:
                return at, True
            is_entry = at in own_marks or (known is not None and known.is_marked)
            if is_entry and not (known is not None and known.is_measured):
                could.append(at)
        if not could:
            return None
        scale = usage.prompt_tokens / ends[-1]
        return min(could, key=lambda at: abs(ends[at] * scale - read)), len(could) == 1

    def _recall(self, hashes: Sequence[int], estimates: Sequence[int], own: dict[int, int], sure: set[int]) -> None:
        """Add to *own* what is known from before and leaves every block that has something room for a token."""
        room = list(accumulate(1 if one else 0 for one in estimates))
        for measured in (True, False):
            fixed = sorted(own)
            low_at, low, upcoming = -1, 0, 0
            for at, key in enumerate(hashes):
                if at == fixed[upcoming]:
                    low_at, low, upcoming = at, own[at], upcoming + 1
                    continue
                known = self._known.get(key)
                if known is None or known.is_measured is not measured:
                    continue
                high_at = fixed[upcoming]
                needed = room[at] - (room[low_at] if low_at >= 0 else 0)
                if known.tokens - low >= needed and own[high_at] - known.tokens >= room[high_at] - room[at]:
                    own[at] = low = known.tokens
                    low_at = at
                    if measured:
                        sure.add(at)

    def _learn(self, hashes: Sequence[int], ends: Sequence[int], marked: set[int], sure: set[int], at_us: int) -> None:
        known = self._known
        for at, key in enumerate(hashes):
            before = known.get(key)
            is_marked = at in marked or (before is not None and before.is_marked)
            if before is not None and before.is_measured and at not in sure:
                known[key] = before._replace(is_marked=is_marked, seen_us=at_us)
            else:
                known[key] = _Known(ends[at], at in sure, is_marked, at_us)

    def _forget(self, at_us: int) -> None:
        if len(self._known) > self._forget_at:
            since = at_us - FORGET_AFTER_US
            self._known = {key: one for key, one in self._known.items() if one.seen_us >= since}
            self._forget_at = max(_FORGET_FIRST, 2 * len(self._known))


def _facts(marks: Sequence[tuple[int, Ttl]], usage: Usage, blocks: int) -> dict[int, int]:
    """Position and length of the prefixes that one response measures by itself; ascending in both."""
    total = usage.prompt_tokens
    facts = {blocks - 1: total}
    cached = total - usage.input_tokens
    if not marks or not cached:
        return facts
    facts.setdefault(marks[-1][0], cached)
    hours = [at for at, ttl in marks if ttl == "1h"]
    if usage.cache_write_1h_tokens and hours:
        facts.setdefault(hours[-1], usage.cache_read_tokens + usage.cache_write_1h_tokens)
    return facts


def _between(estimates: Sequence[int], own: dict[int, int]) -> Iterator[int]:
    """Tokens per block, where prefixes are as long as *own* says and blocks between share by their estimates."""
    low_at, low = 0, 0
    for at in sorted(own):
        part = estimates[low_at : at + 1]
        yield from shared_out(own[at] - low, part if any(part) else [0] * (len(part) - 1) + [1])
        low_at, low = at + 1, own[at]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """
    Split *total* in proportion to *weights*, in whole numbers; what is left over goes to the largest remainders.

    Of equal remainders the earlier one is served first. *weights* are >= 0 and not all 0.
    """
    whole = sum(weights)
    quotas = [divmod(total * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in quotas]
    left = total - sum(parts)
    if left:
        for at in sorted(range(len(quotas)), key=lambda at: -quotas[at][1])[:left]:
            parts[at] += 1
    return parts
