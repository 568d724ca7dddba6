"""
The terms of a contract: the shape of its TOML file. :mod:`farthing.prices.contract_reading` reads and checks it.

Percentages and amounts are decimal strings. Dates are whole days, UTC: ``valid_from`` inclusive, ``valid_to``
exclusive.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

import msgspec

from farthing import money
from farthing.prices.schema import Speed
from farthing.units import Unit


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anything with dates. ``valid_from`` None: from the beginning; ``valid_to`` None: without end."""

    valid_from: date | None = None
    valid_to: date | None = None
    note: str = ""

    def in_force(self, day: date) -> bool:
        """Whether it holds on *day*."""
        begins, ends = self.valid_from or date.min, self.valid_to or date.max
        return begins <= day < ends

    def overlaps(self, other: Term) -> bool:
        """Whether both hold on some day."""
        begins = max(self.valid_from or date.min, other.valid_from or date.min)
        return begins < min(self.valid_to or date.max, other.valid_to or date.max)


class Discount(Term, frozen=True, kw_only=True):
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


class FixedRates(Term, frozen=True, kw_only=True):
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


class Marketplace(Term, frozen=True, kw_only=True):
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


class Volume(Term, frozen=True, kw_only=True):
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


class Commitment(Term, frozen=True, kw_only=True):
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
