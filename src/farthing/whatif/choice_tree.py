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
    columns = list(zip(*(one.features for one in found), strict=True))
    limits = [_limits(column) for column in columns]
    binned = [[bisect_left(cuts, x) for x in column] for cuts, column in zip(limits, columns, strict=True)]
    gains = [list(column) for column in zip(*(one.gains for one in found), strict=True)]
    return _grow(range(len(found)), _Table(limits, binned, gains, [[x * x for x in one] for one in gains]), depth)


class _Table(NamedTuple):
    """Examples as columns: limits between the bins of each feature, the bin of each example, gains and squares."""

    limits: list[list[int]]
    binned: list[list[int]]
    gains: list[list[float]]
    squares: list[list[float]]


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


def _limits(values: Sequence[int]) -> list[int]:
    ordered = sorted(values)
    return sorted({ordered[len(ordered) * k // CUTS] for k in range(CUTS)})


def _grow(rows: Sequence[int], table: _Table, depth: int) -> Cut | Leaf:
    whole = _sums(rows, table)
    leaf = whole.leaf()
    best, where = leaf.worth, None
    for k in range(len(table.limits) if depth else 0):
        low = _Sums()
        for place, sums in enumerate(_by_bin(rows, table, k)[:-1]):
            low = low.plus(sums)
            high = whole.plus(low, -1)
            if min(low.examples, high.examples) < LEAF_MIN:
                continue
            worth = low.leaf().worth + high.leaf().worth
            if worth > best:
                best, where = worth, (k, place)
    if where is None:
        return leaf
    k, place = where
    column = table.binned[k]
    low_rows = [row for row in rows if column[row] <= place]
    high_rows = [row for row in rows if column[row] > place]
    return Cut(k, table.limits[k][place], _grow(low_rows, table, depth - 1), _grow(high_rows, table, depth - 1))


def _by_bin(rows: Sequence[int], table: _Table, feature: int) -> list[_Sums]:
    bins: list[list[int]] = [[] for _ in range(len(table.limits[feature]) + 1)]
    column = table.binned[feature]
    for row in rows:
        bins[column[row]].append(row)
    return [_sums(inside, table) for inside in bins]


def _sums(rows: Sequence[int], table: _Table) -> _Sums:
    return _Sums(
        len(rows),
        tuple(sum(map(column.__getitem__, rows)) for column in table.gains),
        tuple(sum(map(column.__getitem__, rows)) for column in table.squares),
    )
