"""
Every dated change in the price book that touches the calls of a period, with what it does to them. Pure.

Rates that begin, end or were called off; multipliers and fees; models that were released, are deprecated or go. Each is
priced on the user's own calls: as of the day before, and as of the day.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from farthing import money
from farthing.prices.engine import price_served
from farthing.units import Kind
from farthing.whatif.impact import at_noon, impact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Dated, Model

What = Literal["price", "withdrawn", "called off", "released", "retired", "retires", "deprecated", "may retire"]

_DAY = timedelta(days=1)


class Change(NamedTuple):
    """
    One dated change.

    Attributes:
        day: When it begins; UTC.
        what: ``price``: rates, multipliers or fees move. ``withdrawn``: something can no longer be bought. ``called
            off``: was announced, and never came. ``released``: a newer model of the family. ``deprecated``,
            ``retired``, ``retires``: as the vendor announced it. ``may retire``: no sooner than that day.
        model: Canonical id of the model in use.
        successor: What could serve instead, or what was released; empty: nobody is known.
        successor_kind: Whether the vendor names that successor (``measured``) or it is the family's newest
            (``assumed``).
        calls: Calls that are touched.
        before_pusd: What they come to the day before, or as billed where the model is at stake.
        after_pusd: From the day on, on the successor where the model is at stake; None: nothing has a price.
        kind: Of the two amounts.
        notes: What was believed.

    """

    day: date
    what: What
    model: str
    successor: str
    successor_kind: Kind
    calls: int
    before_pusd: int
    after_pusd: int | None
    kind: Kind
    notes: tuple[str, ...] = ()

    @property
    def moved_pusd(self) -> int | None:
        """After less before; None where there is no after."""
        return None if self.after_pusd is None else self.after_pusd - self.before_pusd

    def to_json(self) -> dict[str, Any]:
        """JSON values; amounts are exact decimal strings."""
        return {
            "day": str(self.day),
            "what": self.what,
            "model": self.model,
            "successor": self.successor or None,
            "successor_kind": str(self.successor_kind),
            "calls": self.calls,
            "before_usd": money.usd_text(self.before_pusd),
            "after_usd": None if self.after_pusd is None else money.usd_text(self.after_pusd),
            "moved_usd": None if self.moved_pusd is None else money.usd_text(self.moved_pusd),
            "kind": str(self.kind),
            "notes": list(self.notes),
        }


def dated_changes(book: PriceBook, calls: Iterable[Call], since: date, today: date) -> list[Change]:
    """
    Every change of the book after *since* that touches *calls*, in order of its day; retired models come first.

    Args:
        book: The price book.
        calls: The period's calls.
        since: Its first day: what came earlier is in all of its bills already. Retirement is told whenever it was.
        today: Prices of successors are those of this day, or of the change's where that is later.

    """
    by_model: defaultdict[str, list[Call]] = defaultdict(list)
    models: dict[str, Model] = {}
    for call in calls:
        named = book.names.find(call.served.model, call.served.channel)
        if named is not None:
            models[named.model.id] = named.model
            by_model[named.model.id].append(call)
    changes: list[Change] = []
    for model_id, model in models.items():
        own = by_model[model_id]
        changes += _of_rates(book, model, own, since)
        changes += _of_life(book, model, own, since, today)
    return sorted(changes, key=lambda change: (change.what != "retired", change.day, change.model, change.what))


def successor_of(book: PriceBook, model: Model, on: date) -> tuple[Model | None, Kind]:
    """
    What could take a model's place on a day: the one the vendor names, else the newest of its family that has a price.

    Never the model itself, an older one, or one that is deprecated.
    """
    if model.replacement:
        named = book.names.find(model.replacement)
        if named is not None:
            return named.model, Kind.MEASURED
    newer = [
        other
        for other in book.models
        if other.family == model.family
        and other.released is not None
        and other.released <= on
        and (model.released is None or other.released > model.released)
        and not (other.deprecated or other.retired or other.retires_on)
        and book.rows(other, on)
    ]
    return max(newer, key=lambda other: other.released or date.min, default=None), Kind.ASSUMED


def _of_rates(book: PriceBook, model: Model, calls: Sequence[Call], since: date) -> Iterable[Change]:
    standing = [row for row in model.rate if row.retracted_on is None]
    beside: list[Dated] = [*book.modifiers.multiplier, *book.modifiers.fee, *book.modifiers.refusal]
    days = {day for row in (*standing, *beside) for day in (row.valid_from, row.valid_to) if day and day > since}
    for day in sorted(days):
        yield from _priced_on_both_sides(book, model, calls, day)
    for row in model.rate:
        if row.retracted_on is not None and row.valid_from is not None and row.valid_from > since:
            yield from _priced_on_both_sides(book, model, calls, row.valid_from, known_on=row.retracted_on - _DAY)


def _priced_on_both_sides(
    book: PriceBook, model: Model, calls: Sequence[Call], day: date, known_on: date | None = None
) -> Iterable[Change]:
    """The change of a day, and what can no longer be bought from it on; with *known_on*, one that was called off."""
    touched = before_pusd = after_pusd = gone = gone_pusd = 0
    for call in calls:
        before = price_served(book, call.served, at_noon(day - _DAY), known_on).list_pusd
        after = price_served(book, call.served, at_noon(day), known_on).list_pusd
        if before is None:
            continue
        if after is None:
            gone += 1
            gone_pusd += before
        elif before != after:
            touched += 1
            before_pusd += before
            after_pusd += after
    nobody = "", Kind.MEASURED
    if touched:
        what: What = "price" if known_on is None else "called off"
        yield Change(day, what, model.id, *nobody, touched, before_pusd, after_pusd, Kind.DERIVED)
    if gone and known_on is None and day not in {model.retired, model.retires_on}:
        yield Change(day, "withdrawn", model.id, *nobody, gone, gone_pusd, None, Kind.DERIVED)


def _of_life(book: PriceBook, model: Model, calls: Sequence[Call], since: date, today: date) -> Iterable[Change]:
    """What the vendor says of the model's end, and newer models of its family."""
    known: list[tuple[date | None, What]] = [(model.retired, "retired"), (model.retires_on, "retires")]
    if not (model.retired or model.retires_on):
        deprecated = model.deprecated if model.deprecated is not None and model.deprecated > since else None
        known += [(deprecated, "deprecated"), (model.retire_not_before, "may retire")]
    for day, what in known:
        if day is not None:
            heir, kind = successor_of(book, model, today)
            blank = Change(day, what, model.id, heir.id if heir else "", kind, len(calls), 0, None, Kind.DERIVED)
            yield _on_successor(book, calls, blank, heir, today)
    for other in book.models:
        newer = other.family == model.family and other.released is not None and other.released > since
        if newer and other.id != model.id and (model.released is None or (other.released or today) > model.released):
            day = other.released or today
            blank = Change(day, "released", model.id, other.id, Kind.MEASURED, len(calls), 0, None, Kind.DERIVED)
            yield _on_successor(book, calls, blank, other, today)


def _on_successor(book: PriceBook, calls: Sequence[Call], change: Change, heir: Model | None, today: date) -> Change:
    """The change with what the calls cost, and what they would on the heir."""
    if heir is None:
        found = impact(calls, book)
        return change._replace(before_pusd=found.before_pusd, kind=found.kind)
    on = max(today, heir.released or today)
    found = impact(calls, book, on=on, becomes={change.model: heir.id})
    lost = sum(line.unpriced_after for line in found.lines)
    notes = (
        (*found.notes, f"{lost:,} of the calls have no price on {heir.id} and are left out") if lost else found.notes
    )
    return change._replace(before_pusd=found.before_pusd, after_pusd=found.after_pusd, kind=found.kind, notes=notes)
