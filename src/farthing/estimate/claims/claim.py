"""The shape of one recomputed claim, and the tools that every recomputation shares."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.errors import BadInput
from farthing.estimate.cost import Expected, expect
from farthing.estimate.point import averages
from farthing.estimate.reading import decode
from farthing.prices.card import Facts, Unpriced
from farthing.units import TOKEN_UNITS, Kind, Unit

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook

MTOK = 10**6


class Verdict(StrEnum):
    """``holds`` as printed, ``wrong`` as printed, or ``depends`` on something that the claim leaves out."""

    HOLDS = "holds"
    WRONG = "wrong"
    DEPENDS = "depends"


class Claim(NamedTuple):
    """
    One published claim beside what it really is.

    Attributes:
        number: Its row in the table.
        claim: What was printed.
        inputs: What it rests on, with the day whose rates were used.
        arithmetic: The recomputation, in figures.
        really: What it really is.
        verdict: Whether it holds.
        figures: Every recomputed number by name: USD, tokens, shares or plain ratios.
        kind: ``derived`` where only published rates and the claim's own counts enter, else ``assumed``.

    """

    number: int
    claim: str
    inputs: str
    arithmetic: str
    really: str
    verdict: Verdict
    figures: dict[str, Fraction]
    kind: Kind = Kind.DERIVED


class Prices:
    """Rates and expected costs from one book, in USD: what claims are made of."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book

    def rate(self, model: str, unit: Unit, on: date, *, prompt: int = 1, tier: str = "standard") -> Fraction:
        """
        USD per million tokens.

        Raises:
            BadInput: No such rate is published on that day.

        """
        card = self.book.card(Facts(model, "claude_api", None, tier, "standard", None, on))
        band = None if isinstance(card, Unpriced) else card.band(prompt)
        rate = None if band is None else band.rates[TOKEN_UNITS.index(unit)]
        if rate is None:
            raise BadInput(f"read no {unit} rate of {model} on {on}", "a model and a day with a published rate")
        return Fraction(rate, money.PUSD_PER_TOKEN_PER_USD_PER_MTOK)

    def other_rate(self, vendor: str, model: str, on: date) -> tuple[Fraction, Fraction]:
        """
        Another vendor's list price for short prompts: USD per million input and output tokens.

        Raises:
            BadInput: No such rate is in the book on that day.

        """
        for one in self.book.competitors[vendor]:
            for row in one.rate:
                if one.id == model and row.prompt_tokens_over == 0 and row.applies(on, date.max):
                    return Fraction(row.input), Fraction(row.output)
        raise BadInput(f"read no rate of {vendor} {model} on {on}", "a model and a day with a published rate")

    def month(
        self, models: dict[str, str], on: date, *, calls: int, read: Fraction, made: Fraction, **plan: Any
    ) -> Expected:
        """A month of *calls* with *read* input and *made* output tokens in all, beside what *plan* states."""
        raw = {"models": {model: Decimal(share) for model, share in models.items()}, **plan}
        workload = decode({"volume": {"calls_per_month": Decimal(calls)}, **raw}, "a published claim")
        point = averages(workload)._replace(user=read / calls, output=made / calls)
        return expect(workload, on, self.book, point)


def usd_of(expected: Expected) -> Fraction:
    """
    The first month in USD.

    Raises:
        BadInput: A part of it has no price.

    """
    if expected.pusd is None:
        raise BadInput(f"priced a claim: {expected.unpriced[0].reason}", "models with a rate on the claim's day")
    return expected.pusd / money.PUSD_PER_USD


def usd(amount: Fraction, places: int = 2) -> str:
    """``$1,234.50``; whole dollars without places where the amount is whole and large."""
    if amount.denominator == 1 and abs(amount) >= 100:
        places = 0
    return f"${money.display(money.nearest(amount * money.PUSD_PER_USD), places)}"


def rate_text(usd_per_mtok: Fraction) -> str:
    """A rate per million tokens without trailing zeros: ``3.75``."""
    return money.usd_text(money.nearest(usd_per_mtok * money.PUSD_PER_USD))


def percent(share: Fraction, places: int = 1) -> str:
    """``78.5 %``; no places where the share is a whole percentage."""
    scaled = share * 100
    return f"{round(scaled) if scaled.denominator == 1 else f'{float(scaled):.{places}f}'} %"


def judge(claimed: Fraction | int, real: Fraction, tolerance: Fraction = Fraction(1, 50)) -> Verdict:
    """Whether a printed figure is within two per cent of the real one: what rounding in print explains."""
    return Verdict.HOLDS if abs(Fraction(claimed) - real) <= tolerance * abs(real) else Verdict.WRONG
