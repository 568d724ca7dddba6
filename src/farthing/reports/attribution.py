"""
Who moved a product: Shapley values, exact, and amounts shared out without losing a picodollar.

A bill is a sum of products: calls x share x tokens per call x price x ... Between two periods every factor of a product
may change, and what each of them did depends on what the others had already done. A chain (first volume, then price)
gives each order another answer. The Shapley value is the mean over all orders: it names no first factor, a factor that
did not change gets nothing, and the parts sum to the whole.

For a product it needs no walk through all orders. The orders in which k given others come first all contribute
``(b - a) x (their b) x (the rest's a)``, so the sum over all choices of k is one coefficient of the polynomial
``product of (a_j + b_j t)``: work grows with the cube of the number of factors, not with 2 to its power.
"""

from __future__ import annotations

from fractions import Fraction
from math import factorial, lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeVar

    K = TypeVar("K")


def shapley(before: Sequence[Fraction], after: Sequence[Fraction]) -> list[Fraction]:
    """
    What each factor of a product did to it, in the order given: they sum exactly to the change of the product.

    >>> shapley([Fraction(2), Fraction(3)], [Fraction(4), Fraction(3)])
    [Fraction(6, 1), Fraction(0, 1)]
    """
    scales = [lcm(a.denominator, b.denominator) for a, b in zip(before, after, strict=True)]
    olds = [int(a * scale) for a, scale in zip(before, scales, strict=True)]
    news = [int(b * scale) for b, scale in zip(after, scales, strict=True)]
    changed = [n for n, (old, new) in enumerate(zip(olds, news, strict=True)) if old != new]
    still = 1
    for n, old in enumerate(olds):
        still *= old if n not in changed else 1
    divisor = factorial(len(changed))
    for scale in scales:
        divisor *= scale
    parts = [Fraction(0)] * len(olds)
    if still:
        for n in changed:
            others = [(olds[m], news[m]) for m in changed if m != n]
            parts[n] = Fraction(still * (news[n] - olds[n]) * _over_orders(others), divisor)
    return parts


def _over_orders(others: Sequence[tuple[int, int]]) -> int:
    """Sum over every order of the others, of the product in which those that come first have changed already."""
    by_count = [1]  # by_count[k]: sum over choices of k that changed, of new of these x old of the rest
    for old, new in others:
        by_count = [old * stays + new * changes for stays, changes in zip([*by_count, 0], [0, *by_count], strict=True)]
    last = len(others)
    return sum(factorial(k) * factorial(last - k) * total for k, total in enumerate(by_count))


def whole_parts(parts: Mapping[K, Fraction], total: int) -> dict[K, int]:
    """
    Whole amounts that sum exactly to *total*, each less than one from its part: the largest remainders get one more.

    Args:
        parts: Exact parts that sum to *total*; of equal remainders the one named first goes first.
        total: Their sum.

    Returns:
        Amounts by the same names.

    >>> whole_parts({"a": Fraction(1, 3), "b": Fraction(2, 3), "c": Fraction(1)}, 2)
    {'a': 0, 'b': 1, 'c': 1}

    """
    floors = {name: part.numerator // part.denominator for name, part in parts.items()}
    left = total - sum(floors.values())
    assert 0 <= left < max(len(parts), 1), "the parts do not sum to the total"
    remainders = sorted(parts, key=lambda name: floors[name] - parts[name])
    for name in remainders[:left]:
        floors[name] += 1
    return floors


def split(total: int, weights: Mapping[K, int]) -> dict[K, int]:
    """
    Share *total* out in proportion to *weights* >= 0; the shares sum to it. Weights that are all 0 share equally.

    >>> split(10, {"a": 1, "b": 2})
    {'a': 3, 'b': 7}
    """
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    whole = sum(weights.values())
    return whole_parts({name: Fraction(total * weight, whole) for name, weight in weights.items()}, total)
