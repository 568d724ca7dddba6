"""One model's share of a workload: its turns, how its cache splits each prompt, and what a reader must know of that."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.estimate.conversation import Split, Turn, split
from farthing.estimate.point import HitShares, Point, batch_hit_shares, hit_shares
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.estimate.workload import Workload
    from farthing.prices.card import Card

NEVER = 10**18
"""A minimum prefix that no prompt reaches: for models without a cache."""

_NO_HITS = HitShares(Fraction(0), Fraction(0))


class Step(NamedTuple):
    """One turn and the expected split of its prompt."""

    turn: Turn
    tokens: Split


def steps_of(
    workload: Workload,
    card: Card,
    point: Point,
    share_of_calls: Fraction,
    turns: list[Turn],
    *,
    in_batch: bool,
    notes: dict[str, Kind],
) -> list[Step]:
    """
    Every turn of the average conversation on one model, with its split.

    Args:
        workload: The plan.
        card: Any card of the model under this plan; tells whether it has a cache and its minimum prefix.
        point: The values of the plan's sizes.
        share_of_calls: The share of all calls that goes to this model: it has a cache of its own.
        turns: The turns of the average conversation, in this model's tokens.
        in_batch: Whether these calls go through Message Batches, where caches are hit less.
        notes: Gets a line for each thing a reader must know, with the kind it leaves a figure at best.

    """
    hits, tokens_min = _cache_of(workload, card, point, share_of_calls, notes)
    if in_batch and tokens_min < NEVER:
        hits = batch_hit_shares(point, hits)
        if point.stated_batch_hit_share is None:
            notes[
                f"{card.model.id}: caching in batches is best effort: {float(hits.turn):.0%} hits assumed, "
                "30 % to 98 % reported"
            ] = Kind.ASSUMED
    if 1 < tokens_min < NEVER:
        _say_short_prefix(card.model.id, turns, tokens_min, notes)
    earlier = [None, *turns[:-1]]
    return [Step(turn, split(turn, before, hits, tokens_min)) for turn, before in zip(turns, earlier, strict=True)]


def _cache_of(
    workload: Workload, card: Card, point: Point, share_of_calls: Fraction, notes: dict[str, Kind]
) -> tuple[HitShares, int]:
    """Hit shares and minimum prefix of a model under the plan."""
    ttl, model = workload.cache.ttl, card.model
    if ttl == "none":
        return _NO_HITS, NEVER
    _, write_5m, write_1h, read, _ = card.bands[0].rates
    if model.applies.prompt_caching is not True or read is None or (write_5m if ttl == "5m" else write_1h) is None:
        notes[f"{model.id}: no cache with a {ttl} lifetime is priced on that day: nothing is cached"] = Kind.MEASURED
        return _NO_HITS, NEVER
    hits = hit_shares(point, ttl, share_of_calls)
    if point.stated_hit_share is None:
        notes[
            f"{model.id}: hit shares derived from gaps and independent arrivals: {float(hits.shared):.1%} of the "
            f"shared prefix, {float(hits.turn):.1%} of the conversation's own"
        ] = Kind.ASSUMED
    if model.cacheable_prefix.tokens_min is None:
        notes[f"{model.id}: its minimum cacheable prefix is not published: taken as reached"] = Kind.ASSUMED
        return hits, 1
    return hits, model.cacheable_prefix.tokens_min


def _say_short_prefix(model_id: str, turns: list[Turn], tokens_min: int, notes: dict[str, Kind]) -> None:
    short = sum(1 for turn in turns if turn.marks[-1] < tokens_min)
    if not short:
        return
    prefix = math.floor(turns[0].marks[-1])
    until = "" if short == len(turns) else f" before turn {short + 1}"
    notes[
        f"{model_id}: a cacheable prefix of {prefix:,} tokens is below its minimum of {tokens_min:,}: not cached{until}"
    ] = Kind.MEASURED
