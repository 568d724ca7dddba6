"""
A size that may be uncertain: a number, a low-mode-high triangle, or a median with its 95th percentile.

A size is the *average* over the calls of a workload; a range says how unsure its author is of that average. Where
single calls scatter across a price band, give them as two workloads.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from random import Random

_Z95 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""

_WHOLE_FROM = 100
"""Draws and logarithmic means from here on are whole numbers, smaller ones keep three places: only money is exact."""


EXPONENT_MAX = 30


def is_plain(number: Decimal) -> bool:
    """Whether a number is finite and has an exponent that a fraction can hold in ordinary memory."""
    return number.is_finite() and abs(int(number.as_tuple().exponent)) <= EXPONENT_MAX


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    Either ``low``, ``mode`` and ``high`` (triangular) or ``p50`` and ``p95`` (lognormal); never both.

    Raises:
        ValueError: Any other set of keys, a negative number, or numbers out of order.

    """

    low: Decimal | None = None
    mode: Decimal | None = None
    high: Decimal | None = None
    p50: Decimal | None = None
    p95: Decimal | None = None

    def __post_init__(self) -> None:
        triangle = (self.low, self.mode, self.high)
        quantiles = (self.p50, self.p95)
        chosen = quantiles if all(value is None for value in triangle) else triangle
        other = triangle if chosen is quantiles else quantiles
        if not all(is_plain(value) for value in (*triangle, *quantiles) if value is not None):
            raise ValueError("a range's numbers must be finite and of ordinary size")
        numbers = [value for value in chosen if value is not None]
        if len(numbers) != len(chosen) or any(value is not None for value in other):
            raise ValueError("a range is either low, mode and high, or p50 and p95")
        if numbers != sorted(numbers) or numbers[0] < 0 or (chosen is quantiles and numbers[0] == 0):
            raise ValueError("a range's numbers must rise and must not be negative (p50 not zero)")


Size = Range | Decimal


def mean(size: Size) -> Fraction:
    """The average: exact for numbers and triangles, near enough for a lognormal."""
    match size:
        case Range(p50=Decimal() as p50):
            return _kept(float(p50) * math.exp(_sigma(size) ** 2 / 2))
        case Range(low=Decimal() as low, mode=Decimal() as mode, high=Decimal() as high):
            return (Fraction(low) + Fraction(mode) + Fraction(high)) / 3
    assert isinstance(size, Decimal)
    return Fraction(size)


def ends(size: Size) -> tuple[Fraction, Fraction]:
    """The low and high end: of a triangle itself, of a lognormal its 5th and 95th percentile."""
    match size:
        case Range(p50=Decimal() as p50, p95=Decimal() as p95):
            return _kept(float(p50) ** 2 / float(p95)), Fraction(p95)
        case Range(low=Decimal() as low, high=Decimal() as high):
            return Fraction(low), Fraction(high)
    assert isinstance(size, Decimal)
    return Fraction(size), Fraction(size)


def draw(size: Size, random: Random) -> Fraction:
    """One value by chance; a plain number is itself and uses up no chance."""
    match size:
        case Range(p50=Decimal() as p50):
            return _kept(float(p50) * math.exp(random.gauss(0, 1) * _sigma(size)))
        case Range(low=Decimal() as low, mode=Decimal() as mode, high=Decimal() as high):
            return _kept(random.triangular(float(low), float(high), float(mode)))
    assert isinstance(size, Decimal)
    return Fraction(size)


def text(size: Size) -> str:
    """The size as a reader wrote it: ``400``, ``150..220..400`` or ``p50 400, p95 2000``."""
    if isinstance(size, Decimal):
        return f"{size:f}"
    if size.p50 is not None:
        return f"p50 {size.p50:f}, p95 {size.p95:f}"
    return f"{size.low:f}..{size.mode:f}..{size.high:f}"


def _sigma(size: Range) -> float:
    assert size.p50 is not None
    assert size.p95 is not None
    return math.log(float(size.p95) / float(size.p50)) / _Z95


def _kept(value: float) -> Fraction:
    return Fraction(round(value)) if value >= _WHOLE_FROM else Fraction(round(value * 1000), 1000)
