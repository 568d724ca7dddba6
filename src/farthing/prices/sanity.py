"""
What a price book must never say, and what it may say only with a reason.

Structure is checked whenever a book is made: dates in order, rates positive and whole, no two rows for one request.
Sanity bounds catch a slipped digit: each is true of every published row but the few that state why they are
``unusual``. A release that breaks one is refused until somebody says why it is right.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from farthing import money
from farthing.errors import BadInput, BadPriceBook, InexactMoney
from farthing.prices.card import bands_overlap
from farthing.units import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from farthing.prices.schema import Dated, Model, RateRow

WRITE_RATIOS = (("cache_write_5m", Fraction(5, 4)), ("cache_write_1h", Fraction(2)))
"""Cache writes over fresh input, on every model (vendor's caching page, checked 2026-10-04)."""


class Finding(NamedTuple):
    """
    One broken sanity bound.

    Attributes:
        id: Stable name, to accept it by.
        says: What was read and what was expected.

    """

    id: str
    says: str


def check_structure(models: Iterable[Model]) -> None:
    """
    Refuse what no book may say.

    Raises:
        BadPriceBook: Dates or bands are out of order, a rate is not a positive whole number of picodollars per token,
            or two rows of one standing would price the same request.

    """
    for model in models:
        for row in model.rate:
            _check_row(model, row)
        for one, other in combinations(model.rate, 2):
            if _clash(one, other):
                raise BadPriceBook(f"{row_name(model, one)} and {row_name(model, other)} price the same requests")


def findings(models: Iterable[Model]) -> tuple[Finding, ...]:
    """Every broken sanity bound of rows that neither say why they are unusual nor were set by hand."""
    return tuple(
        finding
        for model in models
        for row in model.rate
        if not row.unusual and not row.reason
        for finding in (*_order(model, row), *_ratios(model, row), *_bands_rise(model, row))
    )


def row_name(model: Model, row: RateRow) -> str:
    """A row's stable name: model, speed, channel and band where they matter, first day."""
    parts = [model.id, row.speed]
    if row.channel:
        parts.append(row.channel)
    if row.prompt_tokens_over or row.prompt_tokens_up_to:
        parts.append(f"{row.prompt_tokens_over}-{row.prompt_tokens_up_to or ''}")
    parts.append(row.valid_from.isoformat() if row.valid_from else "start")
    return ":".join(parts)


def _check_row(model: Model, row: RateRow) -> None:
    name = row_name(model, row)
    check_dates(name, row)
    if row.prompt_tokens_up_to is not None and row.prompt_tokens_up_to <= row.prompt_tokens_over:
        raise BadPriceBook(f"{name}: its prompt band ends at or before its begin")
    if row.input is None or row.output is None:
        raise BadPriceBook(f"{name}: a row needs an input and an output rate")
    for unit, rate in zip(TOKEN_UNITS, row.rates, strict=True):
        try:
            positive = rate is None or money.parse_usd_per_mtok(rate) > 0
        except (BadInput, InexactMoney) as error:
            raise BadPriceBook(f"{name}: {unit} rate: {error}") from error
        if not positive:
            raise BadPriceBook(f"{name}: {unit} rate {rate}: expected more than nothing; leave out what is unknown")


def check_dates(name: str, record: Dated) -> None:
    """
    Refuse dates out of order.

    Raises:
        BadPriceBook: It ends at or before its begin, is called off before it is known, or knows an end it lacks.

    """
    if record.valid_from and record.valid_to and record.valid_to <= record.valid_from:
        raise BadPriceBook(f"{name}: valid_to {record.valid_to} is not after valid_from")
    known_from = record.known_from or record.valid_from
    if record.retracted_on and known_from and record.retracted_on <= known_from:
        raise BadPriceBook(f"{name}: retracted_on {record.retracted_on} is not after the day it was known")
    if record.end_known_from and record.valid_to is None:
        raise BadPriceBook(f"{name}: end_known_from without a valid_to")


def _clash(one: RateRow, other: RateRow) -> bool:
    """Whether two rows of one standing, as known now or at one past moment with one start, price the same request."""
    same_standing = (one.speed, one.channel, bool(one.reason)) == (other.speed, other.channel, bool(other.reason))
    if not same_standing or not bands_overlap(one, other) or not spans_overlap(one, other):
        return False
    if one.retracted_on is None and other.retracted_on is None:
        return True
    return (one.valid_from, one.known_from) == (other.valid_from, other.known_from)


def spans_overlap(one: Dated, other: Dated) -> bool:
    """Whether some day is valid in both, as known now."""
    begins = max(one.valid_from or date.min, other.valid_from or date.min)
    ends = min(one.valid_to or date.max, other.valid_to or date.max)
    return begins < ends


def _order(model: Model, row: RateRow) -> Iterator[Finding]:
    assert row.input is not None
    assert row.output is not None
    name = row_name(model, row)
    if row.cache_read is not None and Fraction(row.cache_read) >= Fraction(row.input):
        yield Finding(f"read-order:{name}", f"{name}: expected cache read ({row.cache_read}) below input ({row.input})")
    if Fraction(row.input) >= Fraction(row.output):
        yield Finding(f"output-order:{name}", f"{name}: expected input ({row.input}) below output ({row.output})")


def _ratios(model: Model, row: RateRow) -> Iterator[Finding]:
    assert row.input is not None
    name = row_name(model, row)
    for unit, expected in WRITE_RATIOS:
        rate: str | None = getattr(row, unit)
        if rate is not None and Fraction(rate) != expected * Fraction(row.input):
            yield Finding(
                f"{unit}-ratio:{name}", f"{name}: expected {unit} at {expected} x input ({row.input}), read {rate}"
            )


def _bands_rise(model: Model, row: RateRow) -> Iterator[Finding]:
    """A band for longer prompts is never cheaper: bounds of aggregates rely on it."""
    for lower in model.rate:
        adjoins = lower.prompt_tokens_up_to == row.prompt_tokens_over and row.prompt_tokens_over > 0
        same = (lower.speed, lower.channel, lower.reason) == (row.speed, row.channel, "")
        if adjoins and same and spans_overlap(lower, row):
            pairs = zip(lower.rates, row.rates, strict=True)
            if any(low and high and Fraction(high) < Fraction(low) for low, high in pairs):
                name = row_name(model, row)
                yield Finding(f"band-order:{name}", f"{name}: expected a longer prompt's band to cost no less")
