"""
The same workload everywhere: every Claude model with a rate on that day, every channel, other vendors, own machines.

Claude figures are as good as the workload. Another tokenizer, another vendor and one's own GPUs each add a belief,
which stands in the row.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.estimate.breakeven import on_model
from farthing.estimate.competitors import NotOffered, price_elsewhere, vendor_rules
from farthing.estimate.cost import Expected, expect, month_pusd
from farthing.estimate.point import averages
from farthing.estimate.selfhosted import Hosting, SeatPlan, hosting, seat_plan
from farthing.estimate.sizes import mean
from farthing.estimate.tokenizer import OTHER_VENDOR, FactorAt, exact, reference_tokenizer
from farthing.estimate.workload import SelfHosted
from farthing.prices.names import PARTNER_CHANNELS
from farthing.units import Kind, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model

ANTHROPIC = "anthropic"
_ANY_REGION = "regional"
_FACTOR_ENDS: tuple[FactorAt, ...] = ("low", "high")


class Place(NamedTuple):
    """Where a Claude model is bought: a channel, ``global`` or ``regional`` on partner clouds, ``us`` or None."""

    channel: str
    endpoint: str | None = None
    geo: str | None = None

    def __str__(self) -> str:
        return " ".join([self.channel, *([self.endpoint] if self.endpoint else []), *(["us-only"] if self.geo else [])])


class Row(NamedTuple):
    """
    The workload at one place.

    Attributes:
        vendor: ``anthropic``, ``openai``, ``google`` or ``deepseek``.
        model: Its id.
        places: Where that price holds; empty for other vendors.
        pusd: Expected picodollars of the first month; for a price that depends on the hour, at list.
        low_pusd, high_pusd: Over the believed tokenizer factor and quiet hours; equal where nothing is believed.
        kind: ``assumed`` wherever a belief beyond the workload enters.
        notes: Which beliefs, and anything else a reader should know.

    """

    vendor: str
    model: str
    places: tuple[str, ...]
    pusd: Fraction
    low_pusd: Fraction
    high_pusd: Fraction
    kind: Kind
    notes: tuple[str, ...]


class Missing(NamedTuple):
    """A place without a price for this workload, and why."""

    vendor: str
    model: str
    place: str
    reason: str


class Comparison(NamedTuple):
    """
    Everything beside everything.

    Attributes:
        now: The workload as it stands.
        rows: Cheapest first.
        missing: What has no price, with reasons.
        hosting: A month of one's own GPUs: the workload's, or a single one that is always on.
        seats: A month of seats; None unless the workload states them.

    """

    now: Expected
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]
    hosting: Hosting
    seats: SeatPlan | None


def compare(workload: Workload, on: date, book: PriceBook) -> Comparison:
    """The same workload on every model and channel of the book that had a rate on that day."""
    now = expect(workload, on, book)
    found = [*_claude(workload, on, book), *_others(workload, on, book)]
    rows = sorted((one for one in found if isinstance(one, Row)), key=lambda row: (row.pusd, row.model))
    missing = tuple(one for one in found if isinstance(one, Missing))
    own = hosting(workload.self_hosted or SelfHosted(), now.units(Unit.OUTPUT))
    users = None if workload.volume.users is None else mean(workload.volume.users)
    return Comparison(now, tuple(rows), missing, own, seat_plan(workload, users))


def _claude(workload: Workload, on: date, book: PriceBook) -> Iterator[Row | Missing]:
    for model in book.models:
        if not book.rows(model, on):
            continue
        by_price: dict[Fraction, list[tuple[Place, Expected]]] = {}
        for place in places_of(model, on):
            expected = expect(_at(workload, model, place, book), on, book)
            if expected.pusd is None:
                yield Missing(ANTHROPIC, model.id, str(place), expected.unpriced[0].reason)
            else:
                by_price.setdefault(expected.pusd, []).append((place, expected))
        for pusd, found in by_price.items():
            names = tuple(str(place) for place, _ in found)
            low, high = _over_factor(found[0][1], model, book)
            expected = found[0][1]
            yield Row(ANTHROPIC, model.id, names, pusd, low, high, expected.kind, expected.notes)


def _over_factor(expected: Expected, model: Model, book: PriceBook) -> tuple[Fraction, Fraction]:
    """The lowest and highest first month over the believed tokenizer factor; twice the same where none is believed."""
    plan = expected.workload
    known = [expected.priced_pusd]
    if model.tokenizer != reference_tokenizer(plan, book):
        # A smaller factor can cost more: it may leave a prefix below the minimum that is cached.
        ends = [month_pusd(plan, expected.on, book, expected.point, factor_at=end) for end in _FACTOR_ENDS]
        known += [end for end in ends if end is not None]
    return min(known), max(known)


def places_of(model: Model, on: date) -> list[Place]:
    """Where *model* could be bought: the Claude API until it retired there, and channels that have an id for it."""
    ids = model.ids
    places = []
    if not model.has_retired(on):
        places.append(Place("claude_api"))
        if model.applies.inference_geo_us is True:
            places.append(Place("claude_api", geo="us"))
    for channel in ("claude_platform_aws", "bedrock", "google_cloud", "google_anthropic", "foundry"):
        if not getattr(ids, channel):
            continue
        if channel in PARTNER_CHANNELS:
            places += [Place(channel, "global"), Place(channel, _ANY_REGION)]
        else:
            places.append(Place(channel))
    return places


def _at(workload: Workload, model: Model, place: Place, book: PriceBook) -> Workload:
    """The workload at one place; its first month is all that is compared."""
    plan = on_model(workload, model.id, book)
    first = msgspec.structs.replace(plan.volume, months=1)
    return msgspec.structs.replace(plan, volume=first, channel=place.channel, location=place.endpoint, geo=place.geo)


def _others(workload: Workload, on: date, book: PriceBook) -> Iterator[Row | Missing]:
    ends = tuple(exact(end) for end in OTHER_VENDOR)
    text = f"assumed tokenizer factor {OTHER_VENDOR.typical:.2f} ({float(ends[0]):.2f} to {float(ends[2]):.2f})"
    searches = ("fees for web searches left out",) if averages(workload).searches else ()
    for vendor, models in book.competitors.items():
        rules = vendor_rules()[vendor]
        for model in models:
            if not any(row.applies(on, date.max) for row in model.rate):
                continue
            low, typical, high = (price_elsewhere(workload, vendor, model, on, end) for end in ends)
            if isinstance(typical, NotOffered):
                yield Missing(vendor, model.id, "", typical.reason)
                continue
            known = [one for one in (low, typical, high) if not isinstance(one, NotOffered)]
            plain = any(row.cached_input is None for row in model.rate if row.applies(on, date.max))
            uncached = f"{model.id}: no cached price in the book, hits priced as plain input"
            cache_note = uncached if plain and workload.cache.ttl != "none" else ""
            notes = (f"{text}: no figure is published", rules.note, *searches, cache_note)
            yield Row(
                vendor,
                model.id,
                (),
                typical.high,
                min(one.low for one in known),
                max(one.high for one in known),
                Kind.ASSUMED,
                tuple(note for note in notes if note),
            )
