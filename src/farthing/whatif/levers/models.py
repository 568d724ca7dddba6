"""What a route would cost on another model of the price book: from its sums, to decide whether it is worth a replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from farthing import money
from farthing.prices.names import CHANNELS
from farthing.tokens.generation import factor_between

if TYPE_CHECKING:
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model, RateRow
    from farthing.tokens.generation import Factor
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def last_day(traffic: Traffic) -> date:
    """The day, UTC, on which the last call was sent: what is advised holds from then on."""
    return (_EPOCH + timedelta(microseconds=traffic.last_us)).date()


def model_of(book: PriceBook, one: Measures) -> Model | None:
    """The model that served a route; None where the book does not have it."""
    named = book.names.find(one.route.model, one.channel) if one.channel in CHANNELS else None
    return None if named is None else named.model


def current(book: PriceBook, family: str, on: date) -> Model | None:
    """The newest model of a family that anybody can ask and that has a price on that day; None where there is none."""
    models = [one for one in book.models if one.family == family and one.status.startswith("active (current")]
    models = [one for one in models if "only" not in one.status and _rows(book, one, on)]
    return max(models, key=lambda one: one.released or on, default=None)


def factor_of(old: Model, new: Model) -> Factor:
    """Tokens on *new* per token on *old*, for the same text: low, typical, high."""
    return factor_between(old.tokenizer, new.tokenizer)


def on_model(traffic: Traffic, one: Measures, new: Model, factor: float) -> int | None:
    """
    What a route's counts would cost on another model, about: multipliers stay in proportion, caching stays as it was.

    None where either model has no standard price for prompts as long as most of the route's are.
    """
    old = model_of(traffic.book, one)
    on = last_day(traffic)
    if old is None or not one.pusd:
        return None
    prompt = one.prompts.quantile(0.95)
    old_row = _row(_rows(traffic.book, old, on), prompt)
    new_row = _row(_rows(traffic.book, new, on), round(prompt * factor))
    if old_row is None or new_row is None:
        return None
    then, now = _at(one, old_row), _at(one, new_row)
    if not then or now is None:
        return None
    return round(Fraction(one.pusd) * now / then * Fraction(factor))


def per_mtok(traffic: Traffic, model: Model) -> str:
    """Input and output rates for people."""
    rows = _rows(traffic.book, model, last_day(traffic))
    return f"${rows[0].input} in and ${rows[0].output} out per million tokens" if rows else "no price"


def _rows(book: PriceBook, model: Model, on: date) -> list[RateRow]:
    rows = [row for row in book.rows(model, on) if row.speed == "standard" and row.channel in {None, "claude_api"}]
    return sorted(rows, key=lambda row: row.prompt_tokens_over)


def _row(rows: list[RateRow], prompt_tokens: int) -> RateRow | None:
    fits = [row for row in rows if row.prompt_tokens_up_to is None or prompt_tokens <= row.prompt_tokens_up_to]
    return fits[0] if fits else None


def _at(one: Measures, row: RateRow) -> int | None:
    total = 0
    for count, rate in zip(one.sums.counts, row.rates, strict=False):
        if count and rate is None:
            return None
        total += count * money.parse_usd_per_mtok(rate) if rate is not None else 0
    return total
