"""
The terms of a contract: the shape of its TOML file, decoded strictly and checked when it is read.

Percentages and amounts are decimal strings. Dates are whole days, UTC: ``valid_from`` inclusive, ``valid_to``
exclusive. Two terms that could both claim a line are refused when the file is read, not when a bill is made.
"""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Literal

import msgspec

from farthing import money
from farthing.errors import BadConfig, BadInput, DataFault
from farthing.prices.names import CHANNELS
from farthing.prices.schema import Speed
from farthing.units import Unit

if TYPE_CHECKING:
    from pathlib import Path


class _Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anything with dates. ``valid_from`` None: from the beginning; ``valid_to`` None: without end."""

    valid_from: date | None = None
    valid_to: date | None = None
    note: str = ""

    def in_force(self, day: date) -> bool:
        """Whether it holds on *day*."""
        begins, ends = self.valid_from or date.min, self.valid_to or date.max
        return begins <= day < ends

    def overlaps(self, other: _Term) -> bool:
        """Whether both hold on some day."""
        begins = max(self.valid_from or date.min, other.valid_from or date.min)
        return begins < min(self.valid_to or date.max, other.valid_to or date.max)


class Discount(_Term, frozen=True, kw_only=True):
    """
    A percentage off list for what it names; empty lists mean everything.

    Attributes:
        percent: Off list, 0 to 100.
        models: Claude API ids.
        families: Such as ``opus``.
        channels: As in :data:`farthing.prices.names.CHANNELS`.
        units: Units; empty: every token class, but no fee.

    """

    percent: str
    models: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """Of discounts that match one line the greatest applies, alone: model, then family, channel, unit."""
        return (bool(self.models), bool(self.families), bool(self.channels), bool(self.units))

    @property
    def scope(self) -> str:
        """What it is on, for a reader."""
        named = [*self.models, *self.families, *self.channels, *self.units]
        return ", ".join(named) if named else "everything"


class FixedRates(_Term, frozen=True, kw_only=True):
    """
    Agreed rates of one model in USD per million tokens, at the standard tier and the global endpoint.

    The usual multipliers (batch, US-only, regional) apply on top. A class without a rate stays at list and may take
    discounts. *prompt_tokens_over* and *prompt_tokens_up_to* as in the price book.
    """

    model: str
    speed: Speed = "standard"
    channels: tuple[str, ...] = ()
    prompt_tokens_over: int = 0
    prompt_tokens_up_to: int | None = None
    input: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    cache_read: str | None = None
    output: str | None = None

    @property
    def rates(self) -> tuple[str | None, ...]:
        """In the order of :data:`farthing.units.TOKEN_UNITS`."""
        return (self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read, self.output)


class Marketplace(_Term, frozen=True, kw_only=True):
    """What a marketplace adds or takes off, on every line of one channel."""

    channel: str
    kind: Literal["markup", "discount"]
    percent: str

    @property
    def factor(self) -> Fraction:
        """What an amount is multiplied by."""
        share = Fraction(self.percent) / 100
        return 1 + share if self.kind == "markup" else 1 - share


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From *list_usd_over* of list volume in a month, *percent* is credited."""

    list_usd_over: str
    percent: str


class Volume(_Term, frozen=True, kw_only=True):
    """
    A credit on the month's list volume (calendar month, UTC); lines at fixed rates neither count nor get it.

    Attributes:
        mode: ``marginal``: each tier's percentage on the volume inside it; ``whole-month``: the percentage of the tier
            reached on all of it.
        tier: Ascending, the first from 0.

    """

    mode: Literal["marginal", "whole-month"]
    tier: tuple[Tier, ...]

    @property
    def spans_pusd(self) -> list[tuple[int, int | None, Fraction]]:
        """Begin, end (None: without) and percentage of each tier."""
        begins = [money.parse_usd(tier.list_usd_over) for tier in self.tier]
        ends: list[int | None] = [*begins[1:], None]
        return list(zip(begins, ends, (Fraction(tier.percent) for tier in self.tier), strict=True))

    def percent_at(self, volume_pusd: int) -> Fraction:
        """The percentage of the tier this volume reaches; a limit is reached by passing it."""
        spans = self.spans_pusd
        return next((percent for begin, _, percent in reversed(spans) if volume_pusd > begin), spans[0][2])


class Commitment(_Term, frozen=True, kw_only=True):
    """
    An amount paid in advance per period and drawn down by spend. Needs both dates.

    Attributes:
        name: What it is called.
        period: Periods begin on ``valid_from``; ``term`` is the whole of it.
        prepaid_usd: Per period.
        counts: Whether spend at list or under the contract draws it down.
        carries_over: Whether what is left goes into the next period.

    """

    name: str
    period: Literal["month", "quarter", "year", "term"]
    prepaid_usd: str
    counts: Literal["contract", "list"] = "contract"
    carries_over: bool = False


class ContractTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contract: its name and terms, any of which may be missing."""

    name: str
    discount: tuple[Discount, ...] = ()
    fixed: tuple[FixedRates, ...] = ()
    marketplace: tuple[Marketplace, ...] = ()
    volume: tuple[Volume, ...] = ()
    commitment: tuple[Commitment, ...] = ()

    def volume_on(self, day: date) -> Volume | None:
        """The volume term in force, or None."""
        return next((term for term in self.volume if term.in_force(day)), None)


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
    every: list[_Term] = [
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
    rivals: list[tuple[_Term, _Term]] = [
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
