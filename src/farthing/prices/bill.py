"""
A bill: exact lines, each with its rule and source, and their exact sum.

Most callers want only the total, so lines are written when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from farthing import money
from farthing.units import TOKEN_UNITS, Kind, Unit

if TYPE_CHECKING:
    from farthing.call import Usage
    from farthing.prices.card import Band, Card


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of a bill: ``count`` units at one rate.

    Attributes:
        unit: What was counted.
        count: How many, >= 0.
        usd_per_mtok: Rate in USD per million tokens with every multiplier in it; None for what is not a token.
        usd_per_unit: Rate in USD per thing for what is not a token, else None.
        pusd: Exact amount in picodollars; None where this line cannot be priced.
        rule: How the rate came to be, in the documented order.
        source: Where the rate was read.
        confidence: What the book says of that source.
        model: The model whose rate it is.
        part: ``request`` or the kind of an extra pass.

    """

    unit: Unit
    count: int
    usd_per_mtok: str | None
    usd_per_unit: str | None
    pusd: int | None
    rule: str
    source: str
    confidence: str
    model: str
    part: str = "request"

    def to_json(self) -> dict[str, Any]:
        """The line as JSON values; amounts are decimal strings."""
        return {
            "unit": str(self.unit),
            "count": self.count,
            "usd_per_mtok": self.usd_per_mtok,
            "usd": None if self.pusd is None else money.usd_text(self.pusd),
            "rule": self.rule,
            "source": self.source,
            "confidence": self.confidence,
            "model": self.model,
            "part": self.part,
            **({} if self.usd_per_unit is None else {"usd_per_unit": self.usd_per_unit}),
        }


class Component:
    """One priced pass of a request: the counts, the card and band that price them, and whether it is billed at all."""

    __slots__ = ("band", "billed", "card", "is_upper_bound", "part", "usage", "why_free")

    def __init__(
        self, usage: Usage, card: Card, band: Band, *, part: str = "request", billed: bool = True, why_free: str = ""
    ) -> None:
        self.usage = usage
        self.card = card
        self.band = band
        self.part = part
        self.billed = billed
        self.why_free = why_free
        self.is_upper_bound = False


class Bill:
    """
    The price of one request at list.

    Attributes:
        list_pusd: Exact list price in picodollars, or None where it cannot be known: then see ``unpriced``, or
            ``low_pusd`` and ``high_pusd`` where at least bounds are certain.
        low_pusd: Lower bound; equal to ``list_pusd`` where that is known; None where not even bounds are.
        high_pusd: Upper bound, likewise.
        kind: How the figure came to be.
        unpriced: Why something has no price, one sentence each; empty where all has one.
        notes: What a reader should know besides.
        book_version: Version of the price book that priced it.

    """

    __slots__ = ("_components", "book_version", "high_pusd", "kind", "list_pusd", "low_pusd", "notes", "unpriced")

    def __init__(
        self,
        components: tuple[Component, ...],
        *,
        list_pusd: int | None,
        low_pusd: int | None,
        high_pusd: int | None,
        kind: Kind,
        unpriced: tuple[str, ...],
        notes: tuple[str, ...],
        book_version: str,
    ) -> None:
        self._components = components
        self.list_pusd = list_pusd
        self.low_pusd = low_pusd
        self.high_pusd = high_pusd
        self.kind = kind
        self.unpriced = unpriced
        self.notes = notes
        self.book_version = book_version

    @property
    def list_usd(self) -> str | None:
        """The list price as exact decimal USD, or None where it cannot be known."""
        return None if self.list_pusd is None else money.usd_text(self.list_pusd)

    @property
    def lines(self) -> tuple[Line, ...]:
        """One line per unit with a count. Their amounts sum exactly to ``list_pusd`` wherever that is known."""
        return tuple(line for component in self._components for line in lines_of(component))

    @property
    def components(self) -> tuple[Component, ...]:
        """The priced passes, for whoever prices them under other terms."""
        return self._components

    def to_json(self) -> dict[str, Any]:
        """The bill as JSON values, in the shape ``farthing price`` prints."""
        bounded = self.list_pusd is None and self.low_pusd is not None and self.high_pusd is not None
        return {
            "cost_usd": self.list_usd,
            **(
                {"low_usd": money.usd_text(self.low_pusd or 0), "high_usd": money.usd_text(self.high_pusd or 0)}
                if bounded
                else {}
            ),
            "unpriced": list(self.unpriced),
            "lines": [line.to_json() for line in self.lines],
            "kind": str(self.kind),
            "notes": list(self.notes),
            "book_version": self.book_version,
        }

    def __repr__(self) -> str:
        total = self.list_usd or f"unpriced: {'; '.join(self.unpriced)}"
        return f"<Bill {total} USD, {self.kind}>"


def lines_of(component: Component) -> list[Line]:
    """One line per unit with a count."""
    usage, card, band = component.usage, component.card, component.band
    rule = _rule(component)
    counts = (
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
    )
    lines = []
    source = ", ".join(band.row.sources)
    for unit, count, rate, usd_per_mtok in zip(TOKEN_UNITS, counts, band.rates, band.usd_per_mtok, strict=True):
        if count:
            lines.append(
                Line(
                    unit=unit,
                    count=count,
                    usd_per_mtok=usd_per_mtok,
                    usd_per_unit=None,
                    pusd=_amount(component, count, rate),
                    rule=rule,
                    source=source,
                    confidence=band.row.confidence,
                    model=card.model.id,
                    part=component.part,
                )
            )
    if usage.web_search_requests:
        lines.append(_search_line(component))
    return lines


def _search_line(component: Component) -> Line:
    card, fee = component.card, component.card.web_search
    return Line(
        unit=Unit.WEB_SEARCH,
        count=component.usage.web_search_requests,
        usd_per_mtok=None,
        usd_per_unit=money.usd_text(card.web_search_pusd) if fee else None,
        pusd=_amount(component, component.usage.web_search_requests, card.web_search_pusd if fee else None),
        rule=component.why_free or "fee per search; no token multiplier applies",
        source=", ".join(fee.sources) if fee else "",
        confidence=fee.confidence if fee else "no fee was published on that day",
        model=card.model.id,
        part=component.part,
    )


def _amount(component: Component, count: int, rate: int | None) -> int | None:
    if not component.billed:
        return 0
    return None if rate is None else count * rate


def _rule(component: Component) -> str:
    if component.why_free:
        return component.why_free
    return f"upper bound: {component.band.rule}" if component.is_upper_bound else component.band.rule
