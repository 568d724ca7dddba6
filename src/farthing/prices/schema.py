"""
The shape of the price book's files, decoded strictly: an unknown key, a wrong type or a bad date is refused.

Rates are USD per million tokens as decimal strings. Dates are whole days, UTC; the vendor publishes no hours.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

Speed = Literal["standard", "fast"]


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every record of the book."""


class Dated(_Data, frozen=True, kw_only=True):
    """
    Something with two time axes.

    Attributes:
        valid_from: First day it applied; None: as far back as anyone remembers.
        valid_to: First day it no longer applied; None: still in force.
        known_from: Day the book learnt of it; None: the day it began to apply.
        end_known_from: Day the book learnt of its end; None: the day it ended.
        retracted_on: Day on which it was called off, so that it never applied; None: it stands.
        valid_from_approximate: The day is uncertain; likewise valid_to_approximate.
        confidence: ``confirmed``, ``third-party``, ``UNCONFIRMED`` or a sentence.
        sources: Keys of ``sources.toml``.
        checked_on: Age of the newest source read (a day or a month).

    """

    valid_from: date | None = None
    valid_to: date | None = None
    known_from: date | None = None
    end_known_from: date | None = None
    retracted_on: date | None = None
    valid_from_approximate: bool = False
    valid_to_approximate: bool = False
    confidence: str = "confirmed"
    sources: tuple[str, ...] = ()
    checked_on: str | None = None
    note: str = ""

    def applies(self, valid_on: date, known_on: date) -> bool:
        """Whether, as known on *known_on*, this applied on *valid_on*."""
        if self.valid_from is not None and valid_on < self.valid_from:
            return False
        known_from = self.known_from or self.valid_from
        if known_from is not None and known_on < known_from:
            return False
        if self.retracted_on is not None and known_on >= self.retracted_on:
            return False
        if self.valid_to is None:
            return True
        end_known = known_on >= (self.end_known_from or self.valid_to)
        return valid_on < self.valid_to or not end_known


class RateRow(Dated, frozen=True, kw_only=True):
    """
    One row of rates: a model at one speed, in one prompt band, over one stretch of time.

    It applies to requests with ``prompt_tokens_over < prompt <= prompt_tokens_up_to`` (None: no upper end), and on
    *channel* alone where one is named. A rate of None means none was published.

    Attributes:
        unusual: Why the row is right although it breaks a sanity bound (:mod:`farthing.prices.sanity`); empty: it
            breaks none.
        reason: Why somebody set this row by hand; such a row goes before the book's own. Empty in the book's files.

    """

    speed: Speed = "standard"
    prompt_tokens_over: int = 0
    prompt_tokens_up_to: int | None = None
    channel: str | None = None
    input: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    cache_read: str | None = None
    output: str | None = None
    unusual: str = ""
    reason: str = ""

    @property
    def rates(self) -> tuple[str | None, ...]:
        """USD per million tokens in the order of :data:`farthing.units.TOKEN_UNITS`."""
        return (self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read, self.output)


class ModelIds(_Data, frozen=True, kw_only=True):
    """Exact ids per channel; the first of each list is the canonical one, the rest are aliases."""

    claude_api: tuple[str, ...] = ()
    claude_platform_aws: tuple[str, ...] = ()
    bedrock: tuple[str, ...] = ()
    bedrock_profile_prefixes_seen: tuple[str, ...] = ()
    bedrock_note: str = ""
    google_cloud: tuple[str, ...] = ()
    google_anthropic: tuple[str, ...] = ()
    foundry: tuple[str, ...] = ()
    note: str = ""


Trit = bool | Literal["unconfirmed"]


class Applies(_Data, frozen=True, kw_only=True):
    """Which modifiers a model takes. ``unconfirmed`` is said, never guessed."""

    batch: Trit
    prompt_caching: Trit
    inference_geo_us: Trit
    regional_premium: Trit
    note: str = ""


class CacheablePrefix(_Data, frozen=True, kw_only=True):
    """The shortest prefix that is cached, in tokens; None where nobody published it."""

    tokens_min: int | None = None
    confidence: str = "confirmed"
    sources: tuple[str, ...] = ()
    checked_on: str | None = None
    note: str = ""


class Model(_Data, frozen=True, kw_only=True):
    """One Claude model: its ids, traits and every rate it ever had."""

    name: str
    family: str
    status: str
    ids: ModelIds
    applies: Applies
    cacheable_prefix: CacheablePrefix
    rate: tuple[RateRow, ...]
    context_window_tokens: int
    output_tokens_max: int
    tokenizer: Literal["4.7", "pre-4.7"]
    released: date | None = None
    deprecated: date | None = None
    retired: date | None = None
    retires_on: date | None = None
    retire_not_before: date | None = None
    replacement: str = ""
    release_note: str = ""
    deprecated_note: str = ""
    context_window_note: str = ""
    output_tokens_max_note: str = ""
    output_tokens_max_batch_beta: int | None = None
    sources: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The canonical Claude API id: the model's name everywhere in farthing."""
        return self.ids.claude_api[0]

    def has_retired(self, on: date) -> bool:
        """Whether the Claude API serves it no longer on that day; other platforms keep some models for longer."""
        return self.retired is not None and self.retired <= on


class ModelFile(_Data, frozen=True, kw_only=True):
    """One file of ``data/anthropic``."""

    model: tuple[Model, ...]


class Multiplier(Dated, frozen=True, kw_only=True):
    """A dated factor on token rates."""

    name: Literal["batch", "inference_geo_us", "regional_endpoint"]
    factor: str


class Fee(Dated, frozen=True, kw_only=True):
    """A dated price per counted thing that is not a token."""

    unit: str
    usd_per_unit: str


class TimeMeter(Dated, frozen=True, kw_only=True):
    """Something billed by the hour, per organisation and month; it appears in no single call's usage."""

    name: str
    usd_per_hour: str
    free_hours_per_month: str = "0"
    minutes_min: int = 0


class RefusalRule(Dated, frozen=True, kw_only=True):
    """
    Whether a refusal before any output is billed.

    Attributes:
        billed: For categories not named in *billed_categories*.
        free_categories: Where not empty, the categories known to be free: any other is neither.
        channels: Where the rule is confirmed; empty: everywhere.

    """

    billed: bool
    billed_categories: tuple[str, ...] = ()
    free_categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class ModifierFile(_Data, frozen=True, kw_only=True):
    """``data/modifiers.toml``."""

    as_of: date
    multiplier: tuple[Multiplier, ...]
    fee: tuple[Fee, ...]
    time_meter: tuple[TimeMeter, ...]
    refusal: tuple[RefusalRule, ...]


class Source(_Data, frozen=True, kw_only=True):
    """Where a fact was read, and how old that copy was."""

    url: str
    kind: str
    as_of: str


class CompetitorRate(Dated, frozen=True, kw_only=True):
    """One row of another vendor's list price. ``cached_input`` and the rest are None where none was published."""

    prompt_tokens_over: int = 0
    prompt_tokens_up_to: int | None = None
    input: str
    output: str
    cached_input: str | None = None
    cache_write: str | None = None
    batch_input: str | None = None
    batch_output: str | None = None


class CompetitorModel(_Data, frozen=True, kw_only=True):
    """Another vendor's model, for comparison only."""

    id: str
    rate: tuple[CompetitorRate, ...]
    context_window: str = ""
    shutdown: str = ""
    shutdown_source: str = ""
    replacement: str = ""
    note: str = ""


class CompetitorFile(_Data, frozen=True, kw_only=True):
    """One file of ``data/competitors``."""

    model: tuple[CompetitorModel, ...]
