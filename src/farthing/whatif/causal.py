"""
A caching policy that knows only the past.

It begins as *second sight*: a part of a prompt is written where it was seen within the last hour. From the calls it has
seen it learns where to depart from that: by how often and how lately a part was seen and where it stands
(:mod:`farthing.whatif.sightings`), a small tree says leave, 5 minutes or an hour, wherever the evidence is clear.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING

from farthing.whatif import choice_tree
from farthing.whatif.charges import FIVE_MINUTES, NEVER_MS, ONE_HOUR, Charge
from farthing.whatif.sightings import Sightings
from farthing.whatif.worth import LEAVE, WRITE_1H, WRITE_5M, examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.whatif.charges import Rates
    from farthing.whatif.choice_tree import Cut, Leaf
    from farthing.whatif.prefixes import PrefixTree, Visit
    from farthing.whatif.sightings import Part

WINDOW_CALLS = 10_000
"""Learns from at most this many calls, the last ones: memory and time stay bounded."""
ROUNDS = 3
"""Each departs from the policy of the rounds before, and judges by what that would do afterwards."""
FIRST_LEARNED_AT = 500

_LIFETIME_MS = {LEAVE: 0, WRITE_5M: FIVE_MINUTES.ms, WRITE_1H: ONE_HOUR.ms}


def second_sight(features: tuple[int, ...]) -> int:
    """Write for 5 minutes what was seen within the last hour."""
    return WRITE_5M if features[0] and features[1] <= ONE_HOUR.ms else LEAVE


class Causal:
    """
    The policy, following a trace.

    Args:
        tree: The trace, for the lengths of segments only.
        rates: What a token costs.
        learn_until_ms: Learn for the last time when this is reached, from the calls before it. None: never stop. Until
            then it learns at call 500, and whenever half as many again have passed: time grows as the trace does.

    """

    def __init__(self, tree: PrefixTree, rates: Rates, learn_until_ms: int | None = None) -> None:
        self._tokens = tree.tokens
        self._rates = rates
        self._learn_until_ms = learn_until_ms
        self._sightings = Sightings(tree)
        self._window: deque[tuple[int, list[Part]]] = deque(maxlen=WINDOW_CALLS)
        self._learn_at = FIRST_LEARNED_AT
        self._calls = 0
        self._decide: Callable[[tuple[int, ...]], int] = second_sight
        self._learning = True
        self._used_ms = array("q", [NEVER_MS]) * tree.nodes
        self._kept_for = bytearray(tree.nodes)

    def take(self, visit: Visit) -> Charge:
        """Read what is live, write what is worth it by what was learned from earlier calls."""
        if self._learning:
            self._learn_if_due(visit.at_ms)
        parts = self._sightings.see(visit)
        charge = self._carry_out(visit, parts)
        if self._learning:
            self._window.append((visit.at_ms, parts))
        self._calls += 1
        return charge

    def _carry_out(self, visit: Visit, parts: list[Part]) -> Charge:
        counts = [0, 0, 0]
        read = 0
        reading, allowed = True, WRITE_1H  # a part may not outlive, nor be written behind, what is not
        for part in parts:
            action = -1
            for node in part.nodes:
                reading = reading and visit.at_ms - self._used_ms[node] <= _LIFETIME_MS[self._kept_for[node]]
                if reading:
                    read += self._tokens[node]
                    self._used_ms[node] = visit.at_ms
                    continue
                if action < 0:
                    action = allowed = min(allowed, self._decide(part.features))
                counts[action] += self._tokens[node]
                if action:
                    self._used_ms[node] = visit.at_ms
                    self._kept_for[node] = action
        plain = visit.input_tokens - read - counts[WRITE_5M] - counts[WRITE_1H]
        return Charge(plain, counts[WRITE_5M], counts[WRITE_1H], read)

    def _learn_if_due(self, at_ms: int) -> None:
        final = self._learn_until_ms is not None and at_ms >= self._learn_until_ms
        if not final and self._calls < self._learn_at:
            return
        self._learn()
        self._learn_at = self._calls + max(FIRST_LEARNED_AT, self._calls // 2)
        if final:
            self._learning = False
            self._window.clear()

    def _learn(self) -> None:
        trees: list[Cut | Leaf] = []

        def decide(features: tuple[int, ...]) -> int:
            action = second_sight(features)
            for tree in trees:
                action = choice_tree.decide(tree, features, action)
            return action

        for _ in range(ROUNDS):
            found = examples(self._window, self._tokens, self._rates, decide)
            trees += [choice_tree.grow(found)]
        self._decide = decide
