"""
The factors of one period's bill, segment by segment, with what is taken from the other period where this one has none.

:mod:`farthing.reports.movement` says how a bill is made of them, and what a segment of one period alone takes.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from farthing.reports.movement_rates import STEPS, standard_rates
from farthing.reports.movement_sums import Key, Segment
from farthing.units import PROMPT_UNITS, TOKEN_UNITS

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook
    from farthing.reports.movement_sums import Period

Sizes = dict[Key, dict[str, Fraction]]
"""What :func:`sizes_of` says of each segment of a period."""


class View:
    """One period's factors, with the other period to take from what this one lacks."""

    def __init__(self, own: Period, other: Period, book: PriceBook, own_sizes: Sizes, other_sizes: Sizes) -> None:
        self._own, self._other, self._book = own, other, book
        self._own_sizes, self._other_sizes = own_sizes, other_sizes
        self._values, self._other_values = _by_value(own), _by_value(other)
        self._without_price: dict[str, None] = {}

    def notes(self) -> list[str]:
        """What had to be taken from elsewhere."""
        if not self._without_price:
            return []
        models = ", ".join(sorted(self._without_price))
        return [f"no price on {self._own.middle_day}: {models}; there they are taken at the other period's price"]

    def terms(self, key: Key) -> list[list[tuple[str, Fraction]]]:
        """The products that this segment's bill is the sum of, each as factors with the bar they belong to."""
        own, other = self._own.segments.get(key), self._other.segments.get(key)
        of_value = {} if own else sizes_of(self._values.get(key[:-1]))
        of_value.pop("contract", None)  # terms are a model's
        sizes = _DEFAULTS | self._other_sizes.get(key, {}) | of_value | self._own_sizes.get(key, {})
        prices = self._prices(key, own, other)
        head = self._shares(key, own, other)
        contract = ("contract", sizes["contract"])
        prompt_steps = [(step, sizes[f"prompt {step}"]) for step in STEPS]
        output_steps = [(step, sizes[f"output {step}"]) for step in STEPS]
        prompts = [
            [*head, ("input", sizes["input"]), ("cache", sizes[unit]), ("price", price), *prompt_steps, contract]
            for unit, price in zip(PROMPT_UNITS, prices, strict=False)
        ]
        return [
            *prompts,
            [*head, ("output", sizes["output"]), ("price", prices[-1]), *output_steps, contract],
            [*head, ("tools", sizes["searches"]), ("price", sizes["fee"]), contract],
            [*head, ("other", sizes["extra"]), contract],
            [*head, ("contract", sizes["unlisted"])],
        ]

    def _shares(self, key: Key, own: Segment | None, other: Segment | None) -> list[tuple[str, Fraction]]:
        total, value, part = self._own.calls, self._values.get(key[:-1]), own
        if value is None:
            value, part = self._other_values[key[:-1]], other
        of_value = 0 if key[:-1] not in self._values else value.calls
        if not total:
            total, of_value = self._other.calls, self._other_values[key[:-1]].calls
        return [
            ("volume", Fraction(self._own.calls)),
            ("mix", Fraction(of_value, total)),
            ("models", Fraction(0 if part is None else part.calls, value.calls)),
        ]

    def _prices(self, key: Key, own: Segment | None, other: Segment | None) -> list[Fraction]:
        """Standard prices per token: as paid, or the mean over this period's calls, or the book's, or the other's."""
        if own is not None:
            prices = _mean_prices(own)
        else:
            assert other is not None
            prices = self._listed(key, other)
        fallback = prices if all(prices) else _mean_prices(other)
        chosen = (mine or spare for mine, spare in zip(prices, fallback, strict=True))
        return [Fraction(0) if price is None else price for price in chosen]

    def _listed(self, key: Key, segment: Segment) -> list[Fraction | None]:
        day = self._own.middle_day
        if day is not None:
            model_id, channel = min(segment.asked, key=lambda asked: (-segment.asked[asked], asked))
            rates = standard_rates(self._book, model_id, channel, day)
            if rates is not None:
                return [None if rate is None else Fraction(rate) for rate in rates]
            self._without_price[key[-1] or ""] = None
        return [None] * len(TOKEN_UNITS)


_DEFAULTS: dict[str, Fraction] = {
    **dict.fromkeys((*PROMPT_UNITS, "input", "output", "searches", "fee", "extra", "unlisted"), Fraction(0)),
    **{f"{side} {step}": Fraction(1) for side in ("prompt", "output") for step in STEPS},
    "contract": Fraction(1),
}
"""Factors of a segment that neither period says anything about."""


def sizes_of(segment: Segment | None) -> dict[str, Fraction]:
    """Everything about a segment that is neither a share nor a price; nothing of what has no meaning there."""
    if segment is None:
        return {}
    ratios: dict[str, tuple[int, int]] = {
        "input": (segment.prompt_tokens, segment.calls),
        "output": (segment.output_tokens, segment.calls),
        "searches": (segment.searches, segment.calls),
        "fee": (segment.search_pusd, segment.searches),
        "extra": (segment.extra_pusd, segment.calls),
        "contract": (segment.charged_pusd, segment.list_pusd),
        "unlisted": (0 if segment.list_pusd else segment.charged_pusd, segment.calls),
    }
    for n, unit in enumerate(PROMPT_UNITS):
        ratios[unit] = segment.counts[n], segment.prompt_tokens
    for n, step in enumerate(STEPS):
        ratios[f"prompt {step}"] = segment.prompt[n + 1], segment.prompt[n]
        ratios[f"output {step}"] = segment.output[n + 1], segment.output[n]
    return {name: Fraction(part, whole) for name, (part, whole) in ratios.items() if whole}


def _by_value(period: Period) -> dict[Key, Segment]:
    """All models of each value together."""
    values: defaultdict[Key, Segment] = defaultdict(Segment)
    for key, segment in period.segments.items():
        values[key[:-1]].add(segment)
    return dict(values)


def _mean_prices(segment: Segment | None) -> list[Fraction | None]:
    if segment is None:
        return [None] * len(TOKEN_UNITS)
    return [
        Fraction(base, count) if count else Fraction(rates, segment.rated_calls) if rates else None
        for base, count, rates in zip(segment.base, segment.counts, segment.rate_sums, strict=True)
    ]
