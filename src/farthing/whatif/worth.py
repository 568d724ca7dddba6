"""
What writing would have been worth: the examples from which a caching policy learns.

For every part of every call of a window: the cost from there on if it is left alone, written for 5 minutes, or for an
hour, while the policy so far decides about all accesses after it. The dynamic program is that of the hindsight ceiling
with the policy's choice in place of the best one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.charges import FIVE_MINUTES, ONE_HOUR, Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.whatif.sightings import Part

LEAVE, WRITE_5M, WRITE_1H = range(3)

UNJUDGED_MS = FIVE_MINUTES.ms // 2
"""The end of a window is too near to what is not known yet: what is written there cannot have been read much."""


class Example(NamedTuple):
    """
    One part of one call.

    Attributes:
        features: What was known.
        gains: What leaving it, writing it for 5 minutes and for an hour would have saved, each against what the policy
            so far would have done, in picodollars; negative for a loss. For statistics, so a float.

    """

    features: tuple[int, ...]
    gains: tuple[float, float, float]


def examples(
    window: Sequence[tuple[int, list[Part]]],
    tokens: Sequence[int],
    rates: Rates,
    decide: Callable[[tuple[int, ...]], int],
) -> list[Example]:
    """
    The examples of a window of calls.

    Args:
        window: Time and parts of each call, in time order. Its last 2.5 minutes (half of it, where it is short) give
            no examples of their own.
        tokens: Per segment.
        rates: What a token costs.
        decide: The policy so far.

    """
    if not window:
        return []
    first_ms, last_ms = window[0][0], window[-1][0]
    judged_until_ms = last_ms - min(UNJUDGED_MS, (last_ms - first_ms) // 2)
    accesses: dict[int, list[tuple[int, int]]] = {}
    chosen: list[int] = []
    rows: list[list[int]] = []
    judged = 0
    for at_ms, parts in window:
        for part in parts:
            for node in part.nodes:
                accesses.setdefault(node, []).append((at_ms, len(rows)))
            chosen.append(decide(part.features))
            rows.append([0, 0, 0])
            judged += at_ms <= judged_until_ms
    for node, uses in accesses.items():
        _add_costs(uses, tokens[node], rates, chosen, rows)
    features = (part.features for _, parts in window for part in parts)
    return [
        Example(known, _against(row, own))
        for known, row, own in islice(zip(features, rows, chosen, strict=True), judged)
    ]


def _against(costs: list[int], own: int) -> tuple[float, float, float]:
    mine = costs[own]
    return float(mine - costs[LEAVE]), float(mine - costs[WRITE_5M]), float(mine - costs[WRITE_1H])


def _add_costs(
    uses: Sequence[tuple[int, int]], tokens: int, rates: Rates, chosen: Sequence[int], rows: Sequence[list[int]]
) -> None:
    count = len(uses)
    to_go = [0] * (count + 1)
    end_5m = end_1h = count
    next_ms = 0
    for i in range(count - 1, -1, -1):
        at_ms, row = uses[i]
        gap_ms = next_ms - at_ms
        next_ms = at_ms
        last = i + 1 == count
        end_5m = i + 1 if last or gap_ms > FIVE_MINUTES.ms else end_5m
        end_1h = i + 1 if last or gap_ms > ONE_HOUR.ms else end_1h
        left = rates.input_pusd + to_go[i + 1]
        for_5m = rates.write_5m_pusd + rates.read_pusd * (end_5m - i - 1) + to_go[end_5m]
        for_1h = rates.write_1h_pusd + rates.read_pusd * (end_1h - i - 1) + to_go[end_1h]
        for action, per_token in enumerate((left, for_5m, for_1h)):
            rows[row][action] += tokens * per_token
        to_go[i] = (left, for_5m, for_1h)[chosen[row]]
