"""Commitments: what was paid in advance, what spend has drawn of it, what is left. Pure functions of dated spend."""

from __future__ import annotations

import calendar
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing import money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.prices.contract_terms import Commitment

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Drawdown(NamedTuple):
    """
    One period of a commitment. Amounts are exact picodollars.

    Attributes:
        begins: First day.
        ends: First day no longer in.
        available: Prepaid for this period, and what the one before left where that carries over.
        drawn: Spend that the commitment covered.
        remaining: ``available - drawn``; never below zero.
        beyond: Spend past the commitment, to be paid besides.

    """

    begins: date
    ends: date
    available: Fraction
    drawn: Fraction
    remaining: Fraction
    beyond: Fraction


def drawdown(commitment: Commitment, spend: Iterable[tuple[date, Fraction]]) -> list[Drawdown]:
    """
    Every period of a commitment with its state after *spend*.

    Args:
        commitment: Its terms; read by :func:`farthing.prices.contract_reading.read_terms`, so both dates are there.
        spend: UTC days with picodollars spent, at list or under the contract as the commitment says; days outside the
            commitment are left out.

    """
    days = list(spend)
    prepaid = Fraction(money.parse_usd(commitment.prepaid_usd))
    periods = []
    left = Fraction(0)
    for begins, ends in periods_of(commitment):
        spent = sum((amount for day, amount in days if begins <= day < ends), Fraction(0))
        available = prepaid + (left if commitment.carries_over else 0)
        drawn = min(spent, available)
        left = available - drawn
        periods.append(Drawdown(begins, ends, available, drawn, left, spent - drawn))
    return periods


def periods_of(commitment: Commitment) -> list[tuple[date, date]]:
    """First day and first day no longer in of each period; the last may be cut short by the commitment's end."""
    assert commitment.valid_from is not None
    assert commitment.valid_to is not None
    if commitment.period == "term":
        return [(commitment.valid_from, commitment.valid_to)]
    step = _MONTHS[commitment.period]
    periods = []
    months, begins = 0, commitment.valid_from
    while begins < commitment.valid_to:
        months += step
        ends = min(_months_later(commitment.valid_from, months), commitment.valid_to)
        periods.append((begins, ends))
        begins = ends
    return periods


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day where it has none such."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
