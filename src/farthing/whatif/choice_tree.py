"""
A small decision tree: where to depart from a policy, by what departing was worth.

A leaf has an action of its own only where that was worth more than chance could explain: what it saved against the
policy, less *doubt* standard errors, must be above zero. A cut is made only where it raises the sum of these cautious
worths. Prompts are few and uneven, and traffic drifts: with less doubt the tree follows the noise of its window and
loses on the next one.
"""

from __future__ import annotations

from bisect import bisect_left
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.worth import Example

DOUBT = 2.0
DEPTH_MAX = 3
LEAF_MIN = 40
CUTS = 16


class Leaf(NamedTuple):
    """
    What to do with the examples that end here.

    Attributes:
        action: None: as the policy that was learned from.
        examples: How many there were.
        worth: What the action saves against that policy, less the doubt, in picodollars.

    """

    action: int | None
    examples: int
    worth: float


class Cut(NamedTuple):
    """Two ways: *low* where the feature is at most *limit*, *high* where it is more."""

    feature: int
    limit: int
    low: Cut | Leaf
    high: Cut | Leaf


def decide(tree: Cut | Leaf, features: Sequence[int], otherwise: int) -> int:
    """The action for what is known; *otherwise* where the tree has none of its own."""
    while isinstance(tree, Cut):
        tree = tree.low if features[tree.feature] <= tree.limit else tree.high
    return otherwise if tree.action is None else tree.action


def grow(found: Sequence[Example], depth: int = DEPTH_MAX) -> Cut | Leaf:
    """The tree of a set of examples; without any, a leaf that has no action of its own."""
    if not found:
        return Leaf(None, 0, 0.0)
    limits = [_limits([one.features[k] for one in found]) for k in range(len(found[0].features))]
    binned = [tuple(bisect_left(cuts, x) for cuts, x in zip(limits, one.features, strict=True)) for one in found]
    gains = [one.gains for one in found]
    return _grow(range(len(found)), _Table(binned, gains, limits), depth)


class _Table(NamedTuple):
    binned: list[tuple[int, ...]]
    gains: list[tuple[float, float, float]]
    limits: list[list[int]]


class _Sums(NamedTuple):
    """Count, sums and sums of squares of the gains of each action."""

    examples: int = 0
    totals: tuple[float, ...] = (0.0, 0.0, 0.0)
    squares: tuple[float, ...] = (0.0, 0.0, 0.0)

    def plus(self, other: _Sums, sign: int = 1) -> _Sums:
        return _Sums(
            self.examples + sign * other.examples,
            tuple(a + sign * b for a, b in zip(self.totals, other.totals, strict=True)),
            tuple(a + sign * b for a, b in zip(self.squares, other.squares, strict=True)),
        )

    def leaf(self) -> Leaf:
        cautious = [
            total - DOUBT * sqrt(max(0.0, squares)) for total, squares in zip(self.totals, self.squares, strict=True)
        ]
        worth = max(cautious)
        if worth <= 0 or self.examples < LEAF_MIN:
            return Leaf(None, self.examples, 0.0)
        return Leaf(cautious.index(worth), self.examples, worth)


def _limits(values: list[int]) -> list[int]:
    ordered = sorted(values)
    return sorted({ordered[len(ordered) * k // CUTS] for k in range(CUTS)})


def _grow(rows: Sequence[int], table: _Table, depth: int) -> Cut | Leaf:
    bins = [_by_bin(rows, table, k) for k in range(len(table.limits))]
    whole = _Sums()
    for sums in bins[0]:
        whole = whole.plus(sums)
    leaf = whole.leaf()
    best, where = leaf.worth, None
    for k, column in enumerate(bins if depth else []):
        low = _Sums()
        for place, sums in enumerate(column[:-1]):
            low = low.plus(sums)
            high = whole.plus(low, -1)
            worth = low.leaf().worth + high.leaf().worth
            if min(low.examples, high.examples) >= LEAF_MIN and worth > best:
                best, where = worth, (k, place)
    if where is None:
        return leaf
    k, place = where
    low_rows = [row for row in rows if table.binned[row][k] <= place]
    high_rows = [row for row in rows if table.binned[row][k] > place]
    return Cut(k, table.limits[k][place], _grow(low_rows, table, depth - 1), _grow(high_rows, table, depth - 1))


def _by_bin(rows: Sequence[int], table: _Table, feature: int) -> list[_Sums]:
    bins = range(len(table.limits[feature]) + 1)
    counts = [0 for _ in bins]
    totals = [[0.0, 0.0, 0.0] for _ in bins]
    squares = [[0.0, 0.0, 0.0] for _ in bins]
    for row in rows:
        place = table.binned[row][feature]
        counts[place] += 1
        for action, gain in enumerate(table.gains[row]):
            totals[place][action] += gain
            squares[place][action] += gain * gain
    return [_Sums(counts[k], tuple(totals[k]), tuple(squares[k])) for k in bins]
