"""
What a commitment is counted in: published weights at which each kind of token draws on it.

Their prices are not published (facts: prices 4.8 and 7, checked 2026-11-20), so discounts are the user's.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing import money
from farthing.errors import BadInput

if TYPE_CHECKING:
    from farthing.prices.bill import Bill

SPEND = "spend"
HOUR_S = 3600


class Draw(NamedTuple):
    """
    A way of counting.

    Attributes:
        name: What ``--unit`` calls it.
        what: One unit of it, for a reader.
        weights: Per token, in the order of :data:`farthing.units.TOKEN_UNITS`; None: dollars at list.
        unit_per_hour: What one unit covers in an hour, in weighted tokens; None where a model decides.
        units_min: The least that can be bought; increment: and in which steps.
        one_model: Whether it is bought for one model alone.
        still_sold: Whether it can be bought.
        us_weight: What US-only inference multiplies the weights by.
        note: What a reader should know, with where it was read.

    """

    name: str
    what: str
    weights: tuple[Fraction, ...] | None
    unit_per_hour: int | None
    units_min: int = 1
    increment: int = 1
    one_model: bool = False
    still_sold: bool = True
    us_weight: Fraction = Fraction(1)
    note: str = ""


def _weights(fresh: str, write_5m: str, write_1h: str, read: str, output: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(text) for text in (fresh, write_5m, write_1h, read, output))


_KTPM = 1000 * 60
"""A thousand tokens a minute, in tokens an hour."""

UNITS: dict[str, Draw] = {
    one.name: one
    for one in (
        Draw(
            SPEND,
            "USD at list over the term",
            None,
            None,
            note="negotiated volume and marketplace commitments: a prepaid sum that list spend draws down",
        ),
        Draw(
            "gsu",
            "GSU of Google Cloud provisioned throughput",
            _weights("1", "1.25", "2", "0.1", "5"),
            None,
            one_model=True,
            note="weights and tokens per second of a GSU as published about August 2026; its price is not",
        ),
        Draw(
            "bedrock-input",
            "1,000 input tokens a minute of Bedrock's reserved tier",
            _weights("1", "1", "1", "0", "0"),
            _KTPM,
            units_min=100,
            one_model=True,
            note="fresh input and cache writes count, reads do not; at least 100,000 tokens a minute",
        ),
        Draw(
            "bedrock-output",
            "1,000 output tokens a minute of Bedrock's reserved tier",
            _weights("0", "0", "0", "0", "1"),
            _KTPM,
            units_min=10,
            one_model=True,
            note="at least 10,000 tokens a minute",
        ),
        Draw(
            "priority-input",
            "1,000 input tokens a minute of the Priority Tier",
            _weights("1", "1.25", "2", "0.1", "0"),
            _KTPM,
            one_model=True,
            still_sold=False,
            us_weight=Fraction("1.1"),
            note="no longer sold; commitments made before run to the end of their contract",
        ),
        Draw(
            "priority-output",
            "1,000 output tokens a minute of the Priority Tier",
            _weights("0", "0", "0", "0", "1"),
            _KTPM,
            one_model=True,
            still_sold=False,
            us_weight=Fraction("1.1"),
            note="no longer sold; commitments made before run to the end of their contract",
        ),
    )
}

GSU: dict[str, tuple[int, int]] = {
    "claude-sonnet-5": (350, 25),
    "claude-fable-5": (105, 1),
    "claude-opus-4-8": (210, 35),
    "claude-opus-4-7": (210, 35),
    "claude-sonnet-4-6": (350, 25),
    "claude-opus-4-6": (210, 35),
    "claude-opus-4-5-20251101": (210, 35),
    "claude-sonnet-4-5-20250929": (350, 25),
    "claude-opus-4-1-20250805": (70, 35),
    "claude-haiku-4-5-20251001": (1050, 8),
    "claude-opus-4-20250514": (70, 35),
    "claude-sonnet-4-20250514": (350, 25),
}
"""Weighted tokens per second of a GSU, and the fewest that can be bought, by canonical id (facts: prices 7.1)."""


def unit_named(name: str, model_id: str | None) -> Draw:
    """
    A unit by its name, with what one of it covers for that model.

    Raises:
        BadInput: There is none such, it needs a model, or nothing is published for that model.

    """
    draw = UNITS.get(name)
    if draw is None:
        raise BadInput(f"read unit {name!r}", f"one of {', '.join(UNITS)}")
    if draw.one_model and model_id is None:
        raise BadInput(f"read unit {name!r} without a model", "--model ID: it is bought for one model alone")
    if name != "gsu":
        return draw
    if model_id not in GSU:
        raise BadInput(
            f"looked for the throughput of a GSU for {model_id}, which is not published", f"one of {', '.join(GSU)}"
        )
    tokens_per_s, least = GSU[model_id or ""]
    return draw._replace(unit_per_hour=tokens_per_s * HOUR_S, units_min=least)


def drawn(draw: Draw, bill: Bill, inference_geo: str | None = None) -> tuple[Fraction, int]:
    """
    What a call takes of a commitment, and what it would cost on demand: weighted tokens (or picodollars), picodollars.

    Only the parts that draw are in the second figure, so output is in neither where a unit counts input alone. What was
    not billed takes nothing.
    """
    if draw.weights is None:
        worth = bill.list_pusd or 0
        return Fraction(worth), worth
    amount, worth = Fraction(0), 0
    for component in bill.components:
        usage, rates = component.usage, component.band.rates
        if not component.billed:
            continue
        counts = (
            usage.input_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
        )
        for count, rate, weight in zip(counts, rates, draw.weights, strict=True):
            amount += count * weight
            worth += count * (rate or 0) if weight else 0
    return amount * (draw.us_weight if inference_geo == "us" else 1), worth


def unit_text(draw: Draw, units: int) -> str:
    """So many units for a reader."""
    if draw.name == SPEND:
        return f"${money.display(units * money.PUSD_PER_USD, 0)} over the term"
    return f"{units:,} x {draw.what}"
