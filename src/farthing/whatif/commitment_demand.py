"""Hourly demand for a commitment, from the ledger's calls or from a CSV file."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing import money
from farthing.errors import BadInput, InexactMoney
from farthing.money import nearest
from farthing.prices.engine import price_served
from farthing.whatif.commitment_draws import Demand
from farthing.whatif.commitment_units import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.whatif.commitment_units import Draw

_HOUR = timedelta(hours=1)
_HOURS_MAX = 20 * 366 * 24
_EXPECTED = "columns hour (such as 2026-10-05T09:00Z) and usd, and tokens where the unit counts tokens"


class Collected(NamedTuple):
    """
    Demand, and what is not in it.

    Attributes:
        demand: Hour by hour.
        calls: Calls in it.
        unpriced: Calls that have no price, left out.
        other_models: Calls of other models, left out where a commitment is for one.
        batches: Batch calls, left out where a commitment does not serve them.

    """

    demand: Demand
    calls: int
    unpriced: int
    other_models: int
    batches: int


def demand_of(calls: Iterable[Call], book: PriceBook, draw: Draw, model_id: str | None) -> Collected:
    """
    What calls drew in each hour, by the weights of a unit.

    A prepaid sum is drawn by every call. Throughput is bought for one model and serves no batches; a call that ran on
    capacity bought earlier (the priority tier) is taken at what it would have cost on demand. Demand begins with the
    model's first call and ends with the last call of all.

    Args:
        calls: Each is read once.
        book: Prices them.
        draw: How a commitment counts.
        model_id: Canonical id of the model it is for; None: all.

    """
    amounts: defaultdict[datetime, Fraction] = defaultdict(Fraction)
    worth: defaultdict[datetime, int] = defaultdict(int)
    counted = unpriced = others = batches = 0
    newest: datetime | None = None
    for call in calls:
        served = call.served
        newest = call.sent_at if newest is None else max(newest, call.sent_at)
        named = book.names.find(served.model, served.channel)
        if model_id is not None and (named is None or named.model.id != model_id):
            others += 1
            continue
        if draw.weights is not None and served.service_tier == "batch":
            batches += 1
            continue
        if served.service_tier == "priority":
            served = msgspec.structs.replace(served, service_tier="standard")
        bill = price_served(book, served, call.sent_at)
        if bill.list_pusd is None:
            unpriced += 1
            continue
        counted += 1
        hour = _hour(call.sent_at)
        amount, pusd = drawn(draw, bill, served.inference_geo)
        amounts[hour] += amount
        worth[hour] += pusd
    whole = {hour: nearest(amount) for hour, amount in amounts.items()}
    if whole and newest is not None:
        whole.setdefault(_hour(newest), 0)  # a model that nobody uses any more has no demand since
    return Collected(_without_gaps(whole, worth), counted, unpriced, others, batches)


def read_demand(stream: TextIO, name: str, draw: Draw) -> Collected:
    """
    Demand from CSV: ``hour``, ``usd`` and, where the unit counts tokens, ``tokens`` (weighted already).

    Raises:
        BadInput: A column is missing, or a value is none; the message names the line.

    """
    amounts: dict[datetime, int] = {}
    worth: dict[datetime, int] = {}
    rows = csv.DictReader(stream)
    needed = {"hour", "usd"} | ({"tokens"} if draw.weights is not None else set())
    if not needed <= set(rows.fieldnames or ()):
        raise BadInput(f"read {name}, which has columns {', '.join(rows.fieldnames or ['none'])}", _EXPECTED)
    for row in rows:
        try:
            at = datetime.fromisoformat(row["hour"])
            hour = _hour(at if at.tzinfo else at.replace(tzinfo=UTC))
            pusd = money.parse_usd(row["usd"])
            amount = pusd if draw.weights is None else int(row["tokens"])
        except (ValueError, TypeError, AttributeError, OverflowError, BadInput, InexactMoney):
            raise BadInput(f"read line {rows.line_num} of {name}", _EXPECTED) from None
        if pusd < 0 or amount < 0:
            raise BadInput(f"read line {rows.line_num} of {name}, which is below zero", _EXPECTED)
        amounts[hour] = amounts.get(hour, 0) + amount
        worth[hour] = worth.get(hour, 0) + pusd
    return Collected(_without_gaps(amounts, worth), len(amounts), 0, 0, 0)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _without_gaps(amounts: Mapping[datetime, int], worth: Mapping[datetime, int]) -> Demand:
    """Every hour from the first to the last; a quiet one is 0."""
    if not amounts:
        return Demand(datetime(1970, 1, 1, tzinfo=UTC), (), ())
    first, last = min(amounts), max(amounts)
    count = (last - first) // _HOUR + 1
    if count > _HOURS_MAX:
        raise BadInput(f"read hours from {first} to {last}", "at most twenty years of them", "narrow with --since")
    hours = [first + n * _HOUR for n in range(count)]
    return Demand(first, tuple(amounts.get(hour, 0) for hour in hours), tuple(worth.get(hour, 0) for hour in hours))
