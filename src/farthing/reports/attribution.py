"""
Who moved a product: Shapley values, exact, and amounts shared out without losing a picodollar.

A bill is a sum of products: calls x share x tokens per call x price x ... Between two periods every factor of a product
may change, and what each of them did depends on what the others had already done. A chain (first volume, then price)
gives each order another answer. The Shapley value is the mean over all orders: it names no first factor, a factor that
did not change gets nothing, and the parts sum to the whole.

For a product it needs no walk through all orders. The orders in which k given others come first all contribute
``(b - a) x (their b) x (the rest's a)``, so the sum over all choices of k is one coefficient of the polynomial
``product of (a_j + b_j t)``. It is made once and divided by each factor in turn, so work grows with the square of the
number of factors, not with 2 to its power.
"""

from __future__ import annotations

from math import factorial, lcm, prod
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction
    from typing import TypeVar

    K = TypeVar("K")


class Parts(NamedTuple):
    """Exact parts of one whole: part *n* is ``over[n] / divisor``."""

    over: list[int]
    divisor: int


def shapley(before: Sequence[Fraction], after: Sequence[Fraction]) -> Parts:
    """
    What each factor of a product did to it, in the order given: they sum exactly to the change of the product.

    >>> from fractions import Fraction
    >>> shapley([Fraction(2), Fraction(3)], [Fraction(4), Fraction(3)])
    Parts(over=[6, 0], divisor=1)
    """
    scales = [lcm(a.denominator, b.denominator) for a, b in zip(before, after, strict=True)]
    olds = [a.numerator * (scale // a.denominator) for a, scale in zip(before, scales, strict=True)]
    news = [b.numerator * (scale // b.denominator) for b, scale in zip(after, scales, strict=True)]
    changed = [n for n, (old, new) in enumerate(zip(olds, news, strict=True)) if old != new]
    still = prod(old for old, new in zip(olds, news, strict=True) if old == new)
    over = [0] * len(olds)
    if still:
        every = _by_count((olds[n], news[n]) for n in changed)
        last = len(changed) - 1
        orders = [factorial(k) * factorial(last - k) for k in range(last + 1)]
        for n in changed:
            others = _without(every, olds[n], news[n])
            over[n] = still * (news[n] - olds[n]) * sum(map(mul, orders, others))
    return Parts(over, factorial(len(changed)) * prod(scales))


def _by_count(factors: Iterable[tuple[int, int]]) -> list[int]:
    """Place *k*: the sum over all choices of k factors that changed, of their new values times the old of the rest."""
    by_count = [1]
    for old, new in factors:
        by_count = [old * stays + new * changes for stays, changes in zip([*by_count, 0], [0, *by_count], strict=True)]
    return by_count


def _without(by_count: list[int], old: int, new: int) -> list[int]:
    """The same without one of the factors, not both of whose values are 0."""
    if not old:
        return [total // new for total in by_count[1:]]
    rest: list[int] = []
    before = 0
    for total in by_count[:-1]:
        before = (total - new * before) // old
        rest.append(before)
    return rest


def summed(named: Iterable[tuple[Sequence[K], Parts]]) -> tuple[dict[K, int], int]:
    """Parts of several wholes by the names that they have there: summed over one divisor, and that divisor."""
    every = list(named)
    divisor = lcm(*(parts.divisor for _, parts in every))
    sums: dict[K, int] = {}
    for names, parts in every:
        scale = divisor // parts.divisor
        for name, over in zip(names, parts.over, strict=True):
            sums[name] = sums.get(name, 0) + over * scale
    return sums, divisor


def whole_parts(parts: Mapping[K, int], divisor: int, total: int) -> dict[K, int]:
    """
    Whole amounts that sum exactly to *total*, each less than one from its part: the largest remainders get one more.

    Args:
        parts: Exact parts over *divisor* that sum to *total*; of equal remainders the one named first goes first.
        divisor: What to divide them by; more than 0.
        total: Their sum.

    Returns:
        Amounts by the same names.

    >>> whole_parts({"a": 1, "b": 2, "c": 3}, 3, 2)
    {'a': 0, 'b': 1, 'c': 1}

    """
    floors = {name: part // divisor for name, part in parts.items()}
    left = total - sum(floors.values())
    assert 0 <= left < max(len(parts), 1), "the parts do not sum to the total"
    remainders = sorted(parts, key=lambda name: floors[name] * divisor - parts[name])
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
    return whole_parts({name: total * weight for name, weight in weights.items()}, whole, total)
