"""
What may be known of each part of a prompt when its call arrives.

How often and how lately it was seen, and where it stands. Nothing here depends on what is cached, nor on later calls.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.charges import NEVER_MS

if TYPE_CHECKING:
    from farthing.whatif.prefixes import PrefixTree, Visit

LONG_AGO_MS = 2**40
"""Stands for the age of what was never seen."""

TIMES_MAX = 8
"""Seen more often counts as this often: a count without end is a clock, and the end of a window would be learned."""

FEATURES = (
    "times_seen",
    "age_ms",
    "last_gap_ms",
    "tokens_before",
    "tokens",
    "tokens_after",
    "front_age_ms",
    "is_partial",
)


class Part(NamedTuple):
    """
    Neighbouring segments of one prompt with the same past.

    Attributes:
        nodes: The segments.
        features: One whole number for each of :data:`FEATURES`: how many calls had this part (up to 8), how long ago
            the last one was, how long before that the one before; tokens before, in and after it; how long ago the
            longest known front of this prompt was seen; 1 for a partial last block.

    """

    nodes: list[int]
    features: tuple[int, ...]


class Sightings:
    """Follows a trace call by call."""

    def __init__(self, tree: PrefixTree) -> None:
        self._tokens = tree.tokens
        self._seen_ms = array("q", [NEVER_MS]) * tree.nodes
        self._gap_ms = array("q", [LONG_AGO_MS]) * tree.nodes
        self._times = array("q", [0]) * tree.nodes

    def see(self, visit: Visit) -> list[Part]:
        """The parts of a prompt, from the front, as the past has them; then the call is part of the past."""
        groups = self._grouped(visit)
        front_age_ms = LONG_AGO_MS
        for _, _, (times, age_ms, _) in groups:
            if times:
                front_age_ms = age_ms
        parts = []
        before = 0
        for nodes, partial, past in groups:
            tokens = sum(self._tokens[node] for node in nodes)
            after = visit.input_tokens - before - tokens
            parts.append(Part(nodes, (*past, before, tokens, after, front_age_ms, partial)))
            before += tokens
        self._remember(visit)
        return parts

    def _grouped(self, visit: Visit) -> list[tuple[list[int], int, tuple[int, int, int]]]:
        groups: list[tuple[list[int], int, tuple[int, int, int]]] = []
        for place, node in enumerate(visit.path):
            times = self._times[node]
            past = (
                min(times, TIMES_MAX),
                visit.at_ms - self._seen_ms[node] if times else LONG_AGO_MS,
                self._gap_ms[node],
            )
            partial = int(place >= visit.full)
            if groups and groups[-1][2] == past and groups[-1][1] == partial:
                groups[-1][0].append(node)
            else:
                groups.append(([node], partial, past))
        return groups

    def _remember(self, visit: Visit) -> None:
        for node in visit.path:
            if self._times[node]:
                self._gap_ms[node] = visit.at_ms - self._seen_ms[node]
            self._seen_ms[node] = visit.at_ms
            self._times[node] += 1
