"""
The hindsight ceiling of recorded calls: the least that their prompts could have cost, had all calls to come been known.

As on traces (:mod:`farthing.whatif.hindsight`), but over the blocks that were recorded and at the rates of each call.
Each block, known by everything up to its end, is decided apart: at every call that has it, it is plain, read where it
is live, or written for 5 minutes or an hour; a read restarts it. Three sums per block say what the best plan so far
costs that leaves it gone, live for 5 minutes, or live for an hour, so one pass in order of time finds the best plan.
Blocks up to the model's shortest cacheable prefix are one.

Blocks are chosen apart, so the sum is never more than what any plan of breakpoints costs. It leaves out what would make
plans dearer: four breakpoints, 20 blocks of look-back, and the wait until a response begins. Whether requests may carry
the plan out is counted: blocks used behind one that is not (*prefix violations*) and blocks written for an hour behind
one written for 5 minutes (*order inversions*). Two things are not in it, which can cost less: requests sent only to
keep a prefix alive, and a front written for 5 minutes that a later, longer breakpoint behind it carries on.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.whatif.hindsight import LEFT, READ, WRITTEN_1H, WRITTEN_5M
from farthing.whatif.replay.rules import LIFETIME_US

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_5M_US, _1H_US = LIFETIME_US["5m"], LIFETIME_US["1h"]
_GONE, _LIVE_5M, _LIVE_1H = range(3)
_KEEPS_5M, _KEEPS_1H = 4, 8
"""How a block came to be live: it was already, and was read; the two low bits say which state a write came from."""
_NEVER = 2**100
_FORGET_FIRST = 65_536


class Caught(NamedTuple):
    """
    What caching did for some prompts, at list; see :class:`Ceiling`.

    Attributes:
        none_pusd: What the prompts cost without caching. paid_pusd: with the policy at hand, pings included.
        least_pusd: With the best plan.
        calls: How many.

    """

    none_pusd: int = 0
    paid_pusd: int = 0
    least_pusd: int = 0
    calls: int = 0

    @property
    def capture(self) -> float | None:
        """The policy's share of what the best plan saves; negative where it loses; None where nothing can be saved."""
        return self.capture_at(self.paid_pusd)

    def capture_at(self, paid_pusd: int) -> float | None:
        """The same, had *paid_pusd* been paid."""
        most = self.none_pusd - self.least_pusd
        return (self.none_pusd - paid_pusd) / most if most else None

    def plus(self, other: Caught) -> Caught:
        """Both together."""
        return Caught(*(one + more for one, more in zip(self, other, strict=True)))


class Found(NamedTuple):
    """
    A finished ceiling.

    Attributes:
        all: All calls. of: the same by group.
        prefix_violations, order_inversions: What the rules of a request forbid in the best plan; 0 for both proves that
            it can be carried out as far as they go.

    """

    all: Caught
    of: dict[Hashable, Caught]
    prefix_violations: int
    order_inversions: int

    def to_json(self) -> dict[str, Any]:
        """As JSON: amounts are exact decimal strings of USD."""
        capture = self.all.capture
        return {
            "calls": self.all.calls,
            "none_usd": money.usd_text(self.all.none_pusd),
            "paid_usd": money.usd_text(self.all.paid_pusd),
            "hindsight_usd": money.usd_text(self.all.least_pusd),
            "capture": None if capture is None else round(capture, 6),
            "prefix_violations": self.prefix_violations,
            "order_inversions": self.order_inversions,
        }


class _Block:
    """One block so far: what the best plan costs per state, and when it was last sent."""

    __slots__ = ("gone", "live_1h", "live_5m", "number", "seen_us")

    def __init__(self, number: int) -> None:
        self.number = number
        self.gone = 0
        self.live_5m = self.live_1h = _NEVER
        self.seen_us = -(2**62)

    def ends(self) -> int:
        """The state in which the best plan leaves it."""
        costs = (self.gone, self.live_5m, self.live_1h)
        return costs.index(min(costs))


class Ceiling:
    """The best plan over a stream of calls, in order of time. Memory: some 13 bytes per block of each call."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[Hashable, int], _Block] = {}
        self._last_states = bytearray()  # per number of a block
        self._forget_at = _FORGET_FIRST
        self._numbers = array("I")  # of blocks; per block of each call, as are the next two
        self._tokens = array("I")
        self._came_from = bytearray()
        self._starts = array("q", [0])  # per call
        self._rates: dict[tuple[int, ...], int] = {}
        self._rates_of = array("H")  # per call
        self._groups: list[Hashable] = []
        self._plain: defaultdict[Hashable, Caught] = defaultdict(Caught)

    def take(
        self,
        scope: Hashable,
        prompt: tuple[Sequence[int], Sequence[int]],
        at_us: int,
        *,
        tokens_min: int,
        rates: Sequence[int | None] | None,
        paid_pusd: int,
        group: Hashable = None,
    ) -> None:
        """
        Take one call.

        Args:
            scope: Who shares cached prefixes with it.
            prompt: Key and tokens from the start, per block.
            at_us: When it was worked on.
            tokens_min: The model's shortest cacheable prefix.
            rates: Picodollars per token of input, 5m writes, 1h writes and reads; None: it costs the same whatever is
                cached, and only warms the cache.
            paid_pusd: What its prompt cost under the policy at hand.
            group: In whose sums it is.

        """
        own = _rates(rates)
        keys, ends = prompt
        first = next((at for at, end in enumerate(ends) if end >= tokens_min), len(ends))
        low = 0
        for at in range(first, len(ends)):
            tokens, low = ends[at] - low, ends[at]
            if tokens:
                block = self._block(scope, keys[at])
                self._numbers.append(block.number)
                self._tokens.append(tokens)
                self._came_from.append(_step(block, at_us, tokens, own))
        self._starts.append(len(self._numbers))
        self._rates_of.append(self._rates.setdefault(own, len(self._rates)))
        self._groups.append(group)
        if any(own) and ends:
            none = ends[-1] * own[0]
            self._plain[group] = self._plain[group].plus(Caught(none, paid_pusd, (ends[-1] - low) * own[0], 1))
        self._forget(at_us)

    def pinged(self, pusd: int, group: Hashable = None) -> None:
        """Count a request that only kept a prefix alive."""
        self._plain[group] = self._plain[group].plus(Caught(paid_pusd=pusd))

    def found(self) -> Found:
        """The best plan for all calls."""
        for block in self._blocks.values():
            self._last_states[block.number] = block.ends()
        plan = self._plan()
        rates = list(self._rates)
        of = dict(self._plain)
        violations = inversions = 0
        for call, group in enumerate(self._groups):
            own = rates[self._rates_of[call]]
            lowest, least = READ, 0
            if not any(own):
                continue
            for at in range(self._starts[call], self._starts[call + 1]):
                action = plan[at]
                if action > lowest:
                    inversions += action == WRITTEN_1H and lowest == WRITTEN_5M
                    violations += action == READ or lowest == LEFT
                lowest = min(lowest, action)
                least += self._tokens[at] * own[action]
            if least:
                of[group] = of[group].plus(Caught(least_pusd=least))
        total = Caught()
        for one in of.values():
            total = total.plus(one)
        return Found(total, of, violations, inversions)

    def _block(self, scope: Hashable, key: int) -> _Block:
        block = self._blocks.get((scope, key))
        if block is None:
            block = self._blocks[scope, key] = _Block(len(self._last_states))
            self._last_states.append(_GONE)
        return block

    def _plan(self) -> bytearray:
        """What the best plan does with each block of each call, walked back from where it leaves each block."""
        states, plan = self._last_states, bytearray(len(self._numbers))
        for at in range(len(plan) - 1, -1, -1):
            number, came_from = self._numbers[at], self._came_from[at]
            state = states[number]
            if state == _GONE:
                plan[at] = LEFT
                states[number] = came_from & 3
            elif came_from & (_KEEPS_5M if state == _LIVE_5M else _KEEPS_1H):
                plan[at] = READ
            else:
                plan[at] = WRITTEN_5M if state == _LIVE_5M else WRITTEN_1H
                states[number] = came_from & 3
        return plan

    def _forget(self, at_us: int) -> None:
        """A block that nobody sent for an hour is gone under every plan."""
        if len(self._blocks) <= self._forget_at:
            return
        for key in [key for key, block in self._blocks.items() if at_us - block.seen_us >= _1H_US]:
            block = self._blocks.pop(key)
            self._last_states[block.number] = block.ends()
        self._forget_at = max(_FORGET_FIRST, 2 * len(self._blocks))


def _rates(rates: Sequence[int | None] | None) -> tuple[int, ...]:
    """By what happens to a token: left, written for 5 minutes, for an hour, read. All 0: it costs nothing."""
    if rates is None or rates[0] is None or rates[3] is None:
        return (0, 0, 0, 0)
    fresh, write_5m, write_1h, read = rates[:4]
    return (fresh or 0, _NEVER if write_5m is None else write_5m, _NEVER if write_1h is None else write_1h, read or 0)


def _step(block: _Block, at_us: int, tokens: int, rates: tuple[int, ...]) -> int:
    """One more call with this block; where its three best plans came from."""
    passed_us = at_us - block.seen_us
    block.seen_us = at_us
    fresh, write_5m, write_1h, read = rates
    keeps_5m, keeps_1h = block.live_5m, block.live_1h
    gone, state = block.gone, _GONE
    if passed_us >= _5M_US:
        if keeps_5m < gone:
            gone, state = keeps_5m, _LIVE_5M
        keeps_5m = _NEVER
    if passed_us >= _1H_US:
        if keeps_1h < gone:
            gone, state = keeps_1h, _LIVE_1H
        keeps_1h = _NEVER
    if keeps_5m + read * tokens < gone + write_5m * tokens:
        block.live_5m = keeps_5m + read * tokens
        state |= _KEEPS_5M
    else:
        block.live_5m = gone + write_5m * tokens
    if keeps_1h + read * tokens < gone + write_1h * tokens:
        block.live_1h = keeps_1h + read * tokens
        state |= _KEEPS_1H
    else:
        block.live_1h = gone + write_1h * tokens
    block.gone = gone + fresh * tokens
    return state
