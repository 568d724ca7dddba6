"""The few call types that cost most of the money."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.ledger.interface import Row

CALL_TYPE = ("feature", "model")
"""What makes a call type where nobody says."""


class Pareto(NamedTuple):
    """
    The dearest groups that reach a share of the cost.

    Attributes:
        top: Dearest first: the fewest groups whose list price reaches the share.
        cumulative_pusd: Per group of *top*, what it and the dearer ones cost.
        groups: How many groups there are in all.
        total_pusd: What they all cost, without unpriced calls.
        unpriced_groups: Groups with calls that have no price: they may be dearer than shown.

    """

    top: tuple[Row, ...]
    cumulative_pusd: tuple[int, ...]
    groups: int
    total_pusd: int
    unpriced_groups: int


def pareto(rows: Sequence[Row], percent: int = 80) -> Pareto:
    """Take the fewest of *rows*, one per group, that cost *percent* % of their sum."""
    dearest = sorted(rows, key=lambda row: (-row.list_pusd, tuple(part or "" for part in row.key)))
    total = sum(row.list_pusd for row in rows)
    top: list[Row] = []
    cumulative: list[int] = []
    reached = 0
    for row in dearest:
        if reached * 100 >= total * percent:
            break
        reached += row.list_pusd
        top.append(row)
        cumulative.append(reached)
    unpriced = sum(1 for row in rows if row.unpriced_calls)
    return Pareto(tuple(top), tuple(cumulative), len(rows), total, unpriced)
