"""
The engine: what a response says was served + when -> a bill. Pure.

Price is a function of response facts, never of what was asked for: the model that served, its speed, tier, geo and
iterations. An ordinary call takes the short path at the top of :func:`price_served`; everything with a rule of its own
(refusals, extra passes, aggregates, server-tool loops on banded models) takes the long one.

Rules: facts on the Messages API, sections 1.4, 3.4 and 3.5, checked 2026-11-20.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, cast

from farthing.call import ExtraPass, PassKind, Served, Usage
from farthing.errors import BadInput
from farthing.prices.bill import Bill, Component
from farthing.prices.card import Card, Facts, Unpriced
from farthing.units import TOKEN_UNITS, Kind, weakest

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook
    from farthing.prices.card import Band

_TIMED_NOTE = (
    "code execution is billed by container-hour per organisation and month, after free hours; "
    "no response says how long, so this bill leaves it out"
)
_NONE: tuple[str, ...] = ()


def price_served(book: PriceBook, served: Served, at: datetime, known_on: date | None = None) -> Bill:
    """
    Price one request at the list rates in force when it was sent.

    Args:
        book: The price book.
        served: What the response says was served; counts disjoint and >= 0.
        at: Send time, timezone-aware; its UTC day chooses the rates.
        known_on: Use only what the book knew on this day (of an aware datetime: its UTC day); None: all it knows now.

    Returns:
        A bill whose lines sum exactly to its total. Where a part has no price the total is None and ``unpriced`` says
        why; where only bounds are certain (an aggregate on a banded model, say) it has bounds.

    Raises:
        BadInput: *at* is no time or has no time zone; or so has *known_on*.

    """
    day = utc_day(at)
    if known_on is not None and type(known_on) is not date:
        known_on = utc_day(cast("datetime", known_on))
    facts = Facts(
        served.model,
        served.channel,
        served.location,
        served.service_tier,
        served.speed,
        served.inference_geo,
        day,
        known_on,
    )
    card = book.card(facts)
    usage = served.usage
    if (
        type(card) is Card
        and card.plain is not None
        and (card.plain_up_to is None or usage.prompt_tokens <= card.plain_up_to)
        and not served.extra_passes
        and served.stop_reason != "refusal"
        and not usage.code_execution_requests
    ):
        p_input, p_write_5m, p_write_1h, p_read, p_output = card.plain
        total = (
            usage.input_tokens * p_input
            + usage.cache_write_5m_tokens * p_write_5m
            + usage.cache_write_1h_tokens * p_write_1h
            + usage.cache_read_tokens * p_read
            + usage.output_tokens * p_output
            + usage.web_search_requests * card.web_search_pusd
        )
        kind = served.kind if card.kind is Kind.MEASURED else weakest(served.kind, card.kind)
        return Bill(
            (Component(usage, card, card.bands[0]),),
            list_pusd=total,
            low_pusd=total,
            high_pusd=total,
            kind=kind,
            unpriced=_NONE,
            notes=served.notes + card.notes if card.notes else served.notes,
            book_version=book.version,
        )
    return _Long(book, served, facts).bill(card)


def utc_day(at: datetime) -> date:
    """
    The UTC calendar day of an aware time: what chooses rates.

    Raises:
        BadInput: No datetime, no time zone, or a day in UTC that no calendar has.

    """
    try:
        if at.tzinfo is UTC:
            return at.date()
        if at.tzinfo is not None:
            return at.astimezone(UTC).date()
    except AttributeError:
        raise BadInput(f"read a {type(at).__name__} as a time", _TIME_EXPECTED) from None
    except OverflowError:
        raise BadInput("read a time whose UTC day is in no calendar", _TIME_EXPECTED) from None
    raise BadInput("read a time without a zone", _TIME_EXPECTED)


_TIME_EXPECTED = "an aware datetime such as 2026-11-20T09:00:00Z"


class _Long:
    """The long path: gathers components, bounds, reasons and notes for one request."""

    def __init__(self, book: PriceBook, served: Served, facts: Facts) -> None:
        self.book = book
        self.served = served
        self.facts = facts
        self.components: list[Component] = []
        self.low = 0
        self.high = 0
        self.unpriced: list[str] = []
        self.notes = list(served.notes)
        self.kind = served.kind
        self.bounded = True
        self.channel = served.channel

    def bill(self, card: Card | Unpriced) -> Bill:
        if isinstance(card, Card):
            self.channel = card.channel  # a partner's id states its channel
        self._main(card)
        for extra in self.served.extra_passes:
            self._extra(extra)
        if self.served.usage.code_execution_requests:
            self.notes.append(_TIMED_NOTE)
        exact = not self.unpriced and self.low == self.high
        return Bill(
            tuple(self.components),
            list_pusd=self.low if exact else None,
            low_pusd=self.low if self.bounded else None,
            high_pusd=self.high if self.bounded else None,
            kind=self.kind,
            unpriced=tuple(self.unpriced),
            notes=tuple(dict.fromkeys(self.notes)),
            book_version=self.book.version,
        )

    def _main(self, card: Card | Unpriced) -> None:
        if not self._usable(card):
            return
        assert isinstance(card, Card)
        served = self.served
        low_band, high_band = self._bands(card)
        if low_band is None or high_band is None:
            self._without_price(
                f"{card.model.id} takes no prompt of {served.usage.prompt_tokens:,} tokens on {self.facts.valid_on}"
            )
            return
        billed = _Billed.YES
        if served.stop_reason == "refusal" and not _output_started(served):
            billed = self._refusal(served.refusal_category)
        self._add(served.usage, card, (low_band, high_band), "request", billed)

    def _extra(self, extra: ExtraPass) -> None:
        served, part = self.served, extra.kind.value
        billed: int = _Billed.YES
        if extra.kind is PassKind.DECLINED and extra.usage.output_tokens == 0:
            billed = self._refusal(extra.refusal_category or None, stated=extra.refusal_category is not None)
        model = extra.model or (served.model if extra.kind is PassKind.COMPACTION else None)
        if billed == _Billed.NO:
            return  # free whatever ran it, so neither a model nor a rate is needed; _refusal has noted it
        if model is None:
            self._without_price(f"{part}: the response does not say which model ran this pass")
            return
        speed = served.speed if model == served.model else "standard"
        card = self.book.card(self.facts._replace(model_id=model, speed=speed))
        if not self._usable(card):
            return
        assert isinstance(card, Card)
        band = card.band(extra.usage.prompt_tokens)
        if band is None:
            self._without_price(
                f"{card.model.id} takes no prompt of {extra.usage.prompt_tokens:,} tokens on {self.facts.valid_on}"
            )
            return
        self._add(extra.usage, card, (band, band), part, billed)

    def _usable(self, card: Card | Unpriced) -> bool:
        if isinstance(card, Unpriced):
            self._without_price(card.reason)
            return False
        self.kind = weakest(self.kind, card.kind)
        self.notes += card.notes
        return True

    def _without_price(self, reason: str) -> None:
        self.unpriced.append(reason)
        self.bounded = False

    def _bands(self, card: Card) -> tuple[Band | None, Band | None]:
        """
        The lowest and the highest band this request can be in: the same one where the facts decide.

        Both are None where no band takes such a prompt.
        """
        served = self.served
        prompt = served.usage.prompt_tokens
        band = card.band(prompt)
        largest = served.prompt_tokens_max_in_one_pass
        several = served.calls_in_total != 1
        loop = largest is not None or _server_tools(served.usage) > 0
        if band is card.bands[0] or not (several or loop):
            return band, band
        if len(card.bands) == 1:
            # Many prompts in sum: each was taken, so each lies in the only band there is.
            only = card.bands[0] if several or largest is None else card.band(largest)
            return only, only
        if several:
            self.unpriced.append(
                f"a total over several calls cannot be placed in a price band of {card.model.id}: "
                "the bill lies between the bounds; import the calls themselves for an exact figure"
            )
            return card.bands[0], band or card.bands[-1]
        if largest is None:
            self.unpriced.append(
                f"a server-tool loop reports the sum of its prompts ({prompt:,} tokens), so its price band on "
                f"{card.model.id} cannot be told: the bill lies between the bounds"
            )
            return card.bands[0], band or card.bands[-1]
        if card.band(largest) is not band:
            self.unpriced.append(
                f"no single prompt of this loop passed the band limit of {card.model.id} but their sum did, and the "
                "rule for that is UNCONFIRMED: the bill lies between the bounds"
            )
            return card.band(largest), band or card.bands[-1]
        return band, band

    def _refusal(self, category: str | None, *, stated: bool = True) -> int:
        """Whether a refusal before any output is billed, by its category where that is *stated*."""
        rule = self.book.refusal_rule(self.facts.valid_on, self.facts.known_on)
        doubt = ""
        if rule.channels and self.channel not in rule.channels:
            doubt = f"on {self.channel} on {self.facts.valid_on}"
        elif category and rule.free_categories and category not in rule.billed_categories + rule.free_categories:
            doubt = f"for category {category!r}, which no rule names,"
        if doubt:
            self.unpriced.append(
                f"whether a refusal before any output was billed {doubt} is UNCONFIRMED: "
                "the bill lies between the bounds"
            )
            return _Billed.MAYBE
        billed = rule.billed or category in rule.billed_categories
        if not billed and not stated and rule.billed_categories:
            self.kind = weakest(self.kind, Kind.ASSUMED)
            self.notes.append(
                "an attempt declined before any output is taken as not billed: the response does not say its category, "
                f"and {', '.join(rule.billed_categories)} would be billed"
            )
        elif not billed:
            self.notes.append(f"refused before any output ({category or 'no category'}): not billed")
        return _Billed.YES if billed else _Billed.NO

    def _add(self, usage: Usage, card: Card, bands: tuple[Band, Band], part: str, billed: int) -> None:
        low, high = bands
        why_free = "refused before any output: not billed" if billed == _Billed.NO else ""
        component = Component(usage, card, high, part=part, billed=billed != _Billed.NO, why_free=why_free)
        component.is_upper_bound = low is not high or billed == _Billed.MAYBE
        self.components.append(component)
        for unit, rate, count in zip(TOKEN_UNITS, high.rates, _counts(usage), strict=True):
            if count and rate is None and billed != _Billed.NO:
                self._without_price(f"{card.model.id} has no published {unit} rate")
        if usage.web_search_requests and card.web_search is None and billed != _Billed.NO:
            self._without_price(f"no fee for web searches was published on {self.facts.valid_on}")
        if billed != _Billed.NO:
            self.high += _sum(usage, high, card)
        if billed == _Billed.YES:
            self.low += _sum(usage, low, card)


class _Billed:
    NO, MAYBE, YES = 0, 1, 2


def _counts(usage: Usage) -> tuple[int, ...]:
    return (
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
    )


def _sum(usage: Usage, band: Band, card: Card) -> int:
    tokens = sum(count * rate for count, rate in zip(_counts(usage), band.rates, strict=True) if rate is not None)
    return tokens + usage.web_search_requests * card.web_search_pusd


def _output_started(served: Served) -> bool:
    return served.usage.output_tokens > 0 if served.output_started is None else served.output_started


def _server_tools(usage: Usage) -> int:
    return usage.web_search_requests + usage.web_fetch_requests + usage.code_execution_requests
