"""
A workload at another vendor's list prices, for comparison only.

Tokens are the workload's own times a factor that is only believed. Where the plan caches, the vendor's automatic cache
is taken to be hit as often as Anthropic's 5-minute one; where it does not, none is. Batches are priced without cache
hits. Fees for searches and other tools are left out.
"""

from __future__ import annotations

import math
import tomllib
from datetime import date
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.estimate.conversation import Split, Turn, split, turns_of
from farthing.estimate.point import HitShares, averages, hit_shares
from farthing.money import parse_usd_per_mtok

if TYPE_CHECKING:
    from farthing.estimate.point import Point
    from farthing.estimate.workload import Workload
    from farthing.prices.schema import CompetitorModel, CompetitorRate

VENDORS_FILE = Path(__file__).parent / "data" / "vendors.toml"


class OffPeak(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From *valid_from* to before *valid_to* (None: still), quiet hours cost *factor* of the list price."""

    valid_from: date
    factor: str
    valid_to: date | None = None


class VendorRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a vendor's rates do not say.

    Attributes:
        cache_tokens_min: Shortest prefix that is cached.
        cache_step_tokens: Cached tokens are rounded down to a multiple of this.
        batch_factor: Price of a batch where a rate row has none; None: no batches.
        off_peak: Quiet hours.
        note: What a reader should know.

    """

    cache_tokens_min: int = 1
    cache_step_tokens: int = 1
    batch_factor: str | None = None
    off_peak: tuple[OffPeak, ...] = ()
    note: str = ""


class Elsewhere(NamedTuple):
    """
    Expected picodollars of the first month at another vendor.

    ``low`` is in quiet hours throughout where the vendor has them, ``high`` at list; equal where there are none.
    """

    low: Fraction
    high: Fraction


class NotOffered(NamedTuple):
    """Why a model has no price for this workload on that day."""

    reason: str


@lru_cache(maxsize=1)
def vendor_rules() -> dict[str, VendorRules]:
    """The rules that ship with farthing, by vendor, read once."""
    return msgspec.convert(tomllib.loads(VENDORS_FILE.read_text("utf-8")), dict[str, VendorRules])


def price_elsewhere(
    workload: Workload, vendor: str, model: CompetitorModel, on: date, tokens_factor: Fraction
) -> Elsewhere | NotOffered:
    """The whole workload on one model of another vendor, its sizes times *tokens_factor*."""
    rows = [row for row in model.rate if row.applies(on, date.max)]
    if not rows:
        return NotOffered(f"no rate on {on}")
    rules = vendor_rules().get(vendor, VendorRules())
    point = averages(workload)
    hits = HitShares(Fraction(0), Fraction(0))
    if workload.cache.ttl != "none":
        hits = hit_shares(point, "5m")
    total = Fraction(0)
    before: Turn | None = None
    for whole_turn in turns_of(workload, point, tokens_factor):
        turn = _stepped(whole_turn, rules.cache_step_tokens)
        row = _row(rows, math.ceil(turn.prompt))
        if row is None or _too_long(model, turn.prompt):
            return NotOffered(f"turn {turn.number} sends {math.ceil(turn.prompt):,} tokens, more than it takes")
        tokens = split(turn, before, hits, rules.cache_tokens_min)
        total += turn.weight * _call_pusd(row, rules, turn, tokens, point)
        before = turn
    month = total * point.calls_per_month
    quiet = [Fraction(one.factor) for one in rules.off_peak if _holds(one, on)]
    return Elsewhere(month * min(quiet, default=Fraction(1)), month)


def _call_pusd(row: CompetitorRate, rules: VendorRules, turn: Turn, tokens: Split, point: Point) -> Fraction:
    """Expected picodollars of one call, some of which go through batches."""
    fresh, made = parse_usd_per_mtok(row.input), parse_usd_per_mtok(row.output)
    read = fresh if row.cached_input is None else parse_usd_per_mtok(row.cached_input)
    write = fresh if row.cache_write is None else parse_usd_per_mtok(row.cache_write)
    now = tokens.fresh * fresh + tokens.written * write + tokens.read * read + turn.output * made
    batch_fresh, batch_made = _batch_rates(row, rules)
    if not point.batch_share or batch_fresh is None or batch_made is None:
        return now
    later = turn.prompt * batch_fresh + turn.output * batch_made
    return (1 - point.batch_share) * now + point.batch_share * later


def _batch_rates(row: CompetitorRate, rules: VendorRules) -> tuple[Fraction | None, Fraction | None]:
    if row.batch_input is not None and row.batch_output is not None:
        return Fraction(parse_usd_per_mtok(row.batch_input)), Fraction(parse_usd_per_mtok(row.batch_output))
    if rules.batch_factor is None:
        return None, None
    factor = Fraction(rules.batch_factor)
    return parse_usd_per_mtok(row.input) * factor, parse_usd_per_mtok(row.output) * factor


def _row(rows: list[CompetitorRate], prompt_tokens: int) -> CompetitorRate | None:
    """The row of a prompt's band; of overlapping days the later start holds."""
    inside = [
        row
        for row in rows
        if row.prompt_tokens_over < max(prompt_tokens, 1)
        and (row.prompt_tokens_up_to is None or prompt_tokens <= row.prompt_tokens_up_to)
    ]
    return max(inside, key=lambda row: row.valid_from or date.min, default=None)


def _stepped(turn: Turn, step: int) -> Turn:
    if step == 1 or not turn.marks:
        return turn
    marks = tuple(Fraction(mark // step * step) for mark in turn.marks)
    return turn._replace(marks=marks, shared=Fraction(turn.shared // step * step))


def _too_long(model: CompetitorModel, prompt: Fraction) -> bool:
    return model.context_window.isdigit() and prompt > int(model.context_window)


def _holds(one: OffPeak, on: date) -> bool:
    return one.valid_from <= on and (one.valid_to is None or on < one.valid_to)
