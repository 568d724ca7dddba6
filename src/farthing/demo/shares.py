"""Split a whole number into parts that sum to it exactly."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def apportion(total: int, weights: Sequence[int], *, floor: int = 0) -> list[int]:
    """
    Give each part *floor* and share out the rest by weight; the largest remainders get what is left over.

    >>> apportion(10, [1, 1, 1])
    [4, 3, 3]

    Raises:
        ValueError: *total* does not reach for the floors, or there is something to share and no weight to share it by.

    """
    spare, whole = total - floor * len(weights), sum(weights)
    if spare < 0 or (spare and not whole):
        raise ValueError(f"cannot split {total} into {len(weights)} parts of at least {floor}")
    quotas = [divmod(spare * weight, whole) if spare else (0, 0) for weight in weights]
    parts = [floor + quotient for quotient, _ in quotas]
    largest = sorted(range(len(quotas)), key=lambda index: -quotas[index][1])
    for index, one in zip(largest, repeat(1, total - sum(parts)), strict=False):
        parts[index] += one
    return parts
