"""
The same calls under another model, from hourly sums: where there are too many to replay. Pure.

As in :mod:`farthing.dashboard.tiers`: counts per UTC day and whatever decides a rate, at both models' rates in the
band of their mean prompt. What a replay sees of single calls (prompts that the other model does not take, prefixes
too short for its cache) is not seen here, so a change is derived only where it is a matter of prices alone.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing import money
from farthing.dashboard.row_prices import facts_of, priced_row
from farthing.reports.sums import percent
from farthing.units import Kind, weakest
from farthing.whatif.remodel import factor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.whatif.replay.totals import Step


class Switched(NamedTuple):
    """
    Calls under another model.

    Attributes:
        pusd: What they would cost, those that stay included. kind: how sure the change is; surer: of it, how much is
            surer than that, for people, or empty.
        stays: Calls that cannot move; why: the reasons.

    """

    pusd: int
    kind: Kind
    surer: str = ""
    stays: int = 0
    why: str = ""


def of_step(step: Step) -> Switched:
    """What a replay found."""
    parts = {kind: abs(pusd) for kind, pusd in step.saved_kinds_pusd.items()}
    derived = sum(parts.values()) - parts[Kind.ASSUMED]
    surer = percent(derived, sum(parts.values())) if step.kind is Kind.ASSUMED and derived else ""
    why = "; ".join(f"{number:,}: {reason}" for reason, number in step.stays.most_common(3))
    return Switched(step.sums.pusd, step.kind, surer, sum(step.stays.values()), why)


def of_rows(rows: Iterable[Row], book: PriceBook, new: Model) -> Switched:
    """
    What hourly sums tell.

    Args:
        rows: Of a query by :data:`~farthing.dashboard.row_prices.BY`, in buckets of a UTC day.
        book: Prices.
        new: The other model.

    """
    pusd, stays, kind = 0, 0, Kind.DERIVED
    for row in rows:
        moved = _moved(row, book, new)
        if moved is None:
            pusd, stays = pusd + row.list_pusd, stays + row.calls - row.unpriced_calls
        else:
            pusd, kind = pusd + moved[0], weakest(kind, moved[1])
    return Switched(pusd, kind, "", stays, "no price is published for them on that model" if stays else "")


def _moved(row: Row, book: PriceBook, new: Model) -> tuple[int, Kind] | None:
    """One row's cost under the other model, and how sure that is; None where there is none."""
    facts = facts_of(row)
    named = book.names.find(facts.model_id, facts.channel)
    if named is None or not row.calls:
        return None
    scale = factor(named.model, new)
    now, other = (
        priced_row(book.card(facts), row),
        priced_row(book.card(facts._replace(model_id=new.id)), row, scale),
    )
    if not now or other is None:
        return None
    usage = row.usage
    is_cached = usage.prompt_tokens != usage.input_tokens
    if now == row.list_pusd and not row.unpriced_calls and scale == 1 and not is_cached:
        return other, weakest(Kind.DERIVED, row.kind)
    return money.nearest(Fraction(row.list_pusd * other, now)), Kind.ASSUMED
