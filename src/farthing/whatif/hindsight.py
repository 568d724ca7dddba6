"""
The hindsight ceiling: what the best sequence of writes would have cost, had all calls to come been known.

Per segment, and exactly: over its accesses in time order, each that finds it not live is left alone, written for 5
minutes or written for an hour; one that finds it live reads it, which restarts it. ``best[i]``, the least cost from
access *i* on, where *i* finds nothing live, is the least of *input + best[i + 1]* and, per lifetime, *write + reads +
best[first access after the run of gaps within the lifetime]*.

Segments are chosen apart, so the sum is never more than what any plan costs. Whether it can be reached is a question of
how the choices fit together in each call: a block may be read or written only behind blocks that are (else it is a
*prefix violation*), and none written for an hour may stand behind one written for 5 minutes (an *order inversion*).
Both are counted over the whole plan: where both are zero, the plan is one that the API would have carried out.

Why violations are rare: whoever shares a long prefix shares every shorter one, so a front is accessed whenever what
follows it is, and what pays for the back pays for the front. What remains is a front read so often that 5 minutes are
enough for it before a back that needs the hour. Then the figure is a bound that no plan may reach.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.charges import NEVER_MS, Charge, Lifetime, Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.prefixes import PrefixTree

LEFT, WRITTEN_5M, WRITTEN_1H, READ = range(4)
"""What happens to a segment at one access, in the order in which it may stand from a prompt's back to its front."""


class Hindsight(NamedTuple):
    """
    The best plan.

    Attributes:
        charge: What it is charged.
        prefix_violations: Blocks read or written behind one that is not; 0 proves that every prefix is whole.
        order_inversions: Blocks written for an hour behind one written for 5 minutes; 0 proves the order of lifetimes.

    """

    charge: Charge
    prefix_violations: int
    order_inversions: int


def hindsight(
    tree: PrefixTree, rates: Rates, lifetimes: Sequence[Lifetime], *, charged_from_ms: int = NEVER_MS
) -> Hindsight:
    """
    The best plan out of *lifetimes* and no caching.

    Args:
        tree: The trace.
        rates: What a token costs.
        lifetimes: The shortest first.
        charged_from_ms: Calls before this time cost nothing, so the plan warms the cache with them as it likes.

    """
    accesses = _Accesses(tree)
    free = len(tree) - tree.calls_from(charged_from_ms)
    plan = bytearray(len(accesses.calls))
    chooser = _Chooser(rates, lifetimes, free)
    for node in range(1, tree.nodes):
        start, end = accesses.starts[node], accesses.starts[node + 1]
        if end - start > 1:
            calls = accesses.calls[start:end]
            plan[start:end] = chooser.plan(calls, [accesses.at_ms[call] for call in calls])
    return _proven(tree, accesses, plan, free)


class _Accesses:
    """Which calls use which segment: ``calls[starts[n]:starts[n + 1]]``, in time order."""

    def __init__(self, tree: PrefixTree) -> None:
        counts = array("q", [0]) * (tree.nodes + 1)
        self.at_ms = array("q")
        for visit in tree.visits():
            self.at_ms.append(visit.at_ms)
            for node in visit.path:
                counts[node + 1] += 1
        self.starts = array("q", accumulate(counts))
        self.calls = array("q", [0]) * self.starts[-1]
        filled = array("q", self.starts)
        for number, visit in enumerate(tree.visits()):
            for node in visit.path:
                self.calls[filled[node]] = number
                filled[node] += 1


class _Chooser:
    """The dynamic program of one segment, per token: its length changes nothing."""

    def __init__(self, rates: Rates, lifetimes: Sequence[Lifetime], free: int) -> None:
        self._rates = rates
        self._options = [(one.ms, rates.write_pusd(one), _WRITES[one.name]) for one in lifetimes]
        self._free = free

    def plan(self, calls: Sequence[int], at_ms: Sequence[int]) -> bytearray:
        """What to do at each access. Of two equal plans the one that writes longer, or at all, where it is free."""
        count = len(calls)
        best = [0] * (count + 1)
        choice = bytearray(count)
        after = [[count] * (count + 1) for _ in self._options]
        fresh, read = self._rates.input_pusd, self._rates.read_pusd
        paid_reads = [0] * (count + 1)  # from each access on
        for i in range(count - 1, -1, -1):
            paid = calls[i] >= self._free
            paid_reads[i] = paid_reads[i + 1] + (read if paid else 0)
            least, action = (fresh if paid else 0) + best[i + 1], LEFT
            for k, (lifetime_ms, write, name) in enumerate(self._options):
                runs_on = i + 1 < count and at_ms[i + 1] - at_ms[i] <= lifetime_ms
                after[k][i] = end = after[k][i + 1] if runs_on else i + 1
                cost = (write if paid else 0) + paid_reads[i + 1] - paid_reads[end] + best[end]
                if cost < least or (not paid and cost == least):
                    least, action = cost, name
            best[i] = least
            choice[i] = action
        return self._with_reads(choice, after)

    def _with_reads(self, choice: bytearray, after: Sequence[Sequence[int]]) -> bytearray:
        option_of = {name: k for k, (_, _, name) in enumerate(self._options)}
        i = 0
        while i < len(choice):
            if choice[i] == LEFT:
                i += 1
                continue
            end = after[option_of[choice[i]]][i]
            choice[i + 1 : end] = bytes([READ]) * (end - i - 1)
            i = end
        return choice


_WRITES = {"5m": WRITTEN_5M, "1h": WRITTEN_1H}


def _proven(tree: PrefixTree, accesses: _Accesses, plan: bytearray, free: int) -> Hindsight:
    """Carry the plan out call by call, count tokens, and count what the rules of a request forbid."""
    at = array("q", accesses.starts)
    totals = [0, 0, 0, 0]  # by action
    plain = violations = inversions = 0
    for number, visit in enumerate(tree.visits()):
        lowest = READ
        for node in visit.path:
            action = plan[at[node]]
            at[node] += 1
            if action > lowest:
                inversions += action == WRITTEN_1H and lowest == WRITTEN_5M
                violations += action == READ or lowest == LEFT
            lowest = min(lowest, action)
            if number >= free:
                totals[action] += tree.tokens[node]
        if number >= free:
            plain += visit.input_tokens
    plain -= sum(totals[1:])
    return Hindsight(Charge(plain, totals[WRITTEN_5M], totals[WRITTEN_1H], totals[READ]), violations, inversions)
