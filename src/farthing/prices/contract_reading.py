"""
A contract's TOML file, decoded strictly and checked when it is read.

Two terms that could both claim a line are refused here, not when a bill is made.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import msgspec

from farthing import money
from farthing.errors import BadConfig, BadInput, DataFault
from farthing.prices.contract_terms import ContractTerms
from farthing.prices.names import CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.prices.contract_terms import Discount, FixedRates, Term


def read_terms(path: Path) -> ContractTerms:
    """
    Read a contract file.

    Raises:
        BadConfig: It cannot be read, is not TOML, has an unknown key or a wrong type, or its terms contradict.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadConfig(f"read contract {path}: {reason}", "a TOML file, UTF-8") from error
    return parse_terms(text, path.name)


def parse_terms(text: str, name: str = "contract") -> ContractTerms:
    """
    Read contract terms from TOML.

    Raises:
        BadConfig: As :func:`read_terms`; *name* stands in the message.

    """
    try:
        terms = msgspec.convert(tomllib.loads(text), ContractTerms)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadConfig(f"read contract {name}: {error}", "terms as in docs/prices.md") from error
    try:
        _check(terms)
    except (BadInput, DataFault) as error:
        raise BadConfig(f"read contract {name}: {error}") from error
    return terms


def _check(terms: ContractTerms) -> None:
    every: list[Term] = [
        *terms.discount,
        *terms.fixed,
        *terms.marketplace,
        *terms.volume,
        *terms.commitment,
    ]
    for term in every:
        if term.valid_from and term.valid_to and term.valid_to <= term.valid_from:
            raise BadInput(f"valid_to {term.valid_to} is not after valid_from {term.valid_from}")
    for percent in _percents(terms):
        _check_percent(percent)
    for channel in _channels(terms):
        if channel not in CHANNELS:
            raise BadInput(f"channel {channel!r}", f"one of {', '.join(CHANNELS)}")
    _check_fixed(terms)
    _check_volume(terms)
    for commitment in terms.commitment:
        money.parse_usd(commitment.prepaid_usd)
        if commitment.valid_from is None or commitment.valid_to is None:
            raise BadInput(f"commitment {commitment.name!r} without its dates", "valid_from and valid_to")
    _check_rivals(terms)


def _percents(terms: ContractTerms) -> list[str]:
    tiers = [tier.percent for volume in terms.volume for tier in volume.tier]
    return [*tiers, *(term.percent for term in terms.discount), *(term.percent for term in terms.marketplace)]


def _channels(terms: ContractTerms) -> list[str]:
    listed = [*(term.channels for term in terms.discount), *(term.channels for term in terms.fixed)]
    return [*(channel for channels in listed for channel in channels), *(term.channel for term in terms.marketplace)]


def _check_percent(text: str) -> None:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"percent {text!r}", "a decimal number such as 12.5") from None
    if not (percent.is_finite() and 0 <= percent <= 100):
        raise BadInput(f"percent {text!r}", "0 to 100")


def _check_fixed(terms: ContractTerms) -> None:
    for row in terms.fixed:
        for rate in row.rates:
            if rate is not None and money.parse_usd_per_mtok(rate) < 0:
                raise BadInput(f"a fixed rate of {rate} for {row.model}", "0 or more")


def _check_volume(terms: ContractTerms) -> None:
    most = Fraction(0)
    for volume in terms.volume:
        begins = [money.parse_usd(tier.list_usd_over) for tier in volume.tier]
        if not begins or begins[0] != 0 or any(low >= high for low, high in pairwise(begins)):
            raise BadInput("volume tiers out of order", "ascending list_usd_over, the first 0")
        most = max(most, *(Fraction(tier.percent) for tier in volume.tier))
    kept = min((1 - Fraction(term.percent) / 100 for term in terms.discount), default=Fraction(1))
    kept *= min((market.factor for market in terms.marketplace), default=Fraction(1))
    if kept < most / 100:
        raise BadInput("discounts and volume credit of more than 100 % together", "terms that leave something to pay")


def _check_rivals(terms: ContractTerms) -> None:
    """No two terms of one kind may claim the same line."""
    rivals: list[tuple[Term, Term]] = [
        *(pair for pair in combinations(terms.discount, 2) if _rival_discounts(*pair)),
        *(pair for pair in combinations(terms.fixed, 2) if _rival_fixed(*pair)),
        *(pair for pair in combinations(terms.marketplace, 2) if pair[0].channel == pair[1].channel),
        *combinations(terms.volume, 2),
    ]
    for one, other in rivals:
        if one.overlaps(other):
            kind = type(one).__name__.lower()
            raise BadInput(f"two {kind} terms that claim the same line on one day", "one of them closed or narrowed")


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not one or not other or bool(set(one) & set(other))


def _rival_discounts(one: Discount, other: Discount) -> bool:
    return (
        one.specificity == other.specificity
        and _meet(one.models, other.models)
        and _meet(one.families, other.families)
        and _meet(one.channels, other.channels)
        and _meet(one.units, other.units)
    )


def _rival_fixed(one: FixedRates, other: FixedRates) -> bool:
    same = (one.model, one.speed) == (other.model, other.speed) and _meet(one.channels, other.channels)
    below = other.prompt_tokens_up_to is not None and other.prompt_tokens_up_to <= one.prompt_tokens_over
    above = one.prompt_tokens_up_to is not None and one.prompt_tokens_up_to <= other.prompt_tokens_over
    return same and not below and not above
