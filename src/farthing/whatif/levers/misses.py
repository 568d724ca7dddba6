"""
What the cache cost for nothing: writes that nobody read, and misses by cause with the exact place.

Costs of findings may overlap with one another and with what proposals save, so they are not to be added up. Each
finding has a remedy: a miss that no policy tried would have avoided is not mentioned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind
from farthing.whatif.levers.caching import judged
from farthing.whatif.levers.fronts import changing_place
from farthing.whatif.levers.policies import CANDIDATES, NONE, REPAIRED
from farthing.whatif.levers.saying import percent, usd, usd_a_day
from farthing.whatif.levers.traffic import CALLS_MIN
from farthing.whatif.playbook.advice import Finding, Guide
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.place import Place
    from farthing.whatif.levers.policies import Tried
    from farthing.whatif.levers.traffic import Traffic

UNREAD_SHARE = 0.5
"""Assumption: a conversation's last write is never read, which is no habit; more than this share of writes is one."""
MISSED_SHARE = 0.02
"""Assumption: misses that cost a smaller share of the route's bill are the weather."""
IGNORED_SHARE = 0.5
EXPIRED, NOT_READABLE_YET, BEYOND_LOOKBACK = 2, 3, 4
"""Positions in :data:`farthing.whatif.replay.rules.FATES`."""


def find(traffic: Traffic) -> list[Finding]:
    """What was found, route by route."""
    found = []
    for one in traffic.habits:
        tried = traffic.tried.get(one.route)
        if tried is None or tried.calls < CALLS_MIN:
            continue
        changing = _changing(traffic, one, tried)
        unread = _unread(traffic, one) if changing is None else None  # which is why
        each = (changing, unread, *_missed(traffic, one, tried), _ignored(one, tried))
        found += [finding for finding in each if finding is not None]
    return found


def _changing(traffic: Traffic, one: Measures, tried: Tried) -> Finding | None:
    """A block at the front that changes from call to call."""
    place = changing_place(one)
    if place is None:
        return None
    times, lost = one.breaks[place], one.breaks_tokens[place]
    if place.position < 0:
        return _rewritten(traffic, one, place)
    cost = tried.repaired_from_pusd - min(tried.repaired[name] for name in REPAIRED)
    if not traffic.is_worth_saying(cost):
        return None
    best = min(REPAIRED, key=lambda name: tried.repaired[name])
    clock = ", as a clock or an id at the top does" if place.number == 1 else ""
    return Finding(
        id=f"front-changes {one.route.id}",
        title=f"{place.told.capitalize()} of {one.route.label} changes from call to call: nothing after it is read",
        guide=Guide.CACHING,
        cost_pusd=cost,
        kind=Kind.ASSUMED,
        why=(
            f"In {times:,} of {one.pairs:,} calls the prompt differs from the one before it from {place.told} on, "
            f"though the block is as long as before{clock}; {lost // times:,} tokens follow from there. Replayed with "
            f"a constant block, the {tried.repaired_calls:,} calls after this was plain cost "
            f"{usd(tried.repaired[best])} instead of {usd(tried.repaired_from_pusd)}: {usd_a_day(traffic, cost)}. "
            "Later blocks of one section and length are taken to be the same."
        ),
        where=f"{place.told} (block {place.position + 1} of the prompt)",
        calls=tried.repaired_calls,
        evidence=one.evidence[f"break {place.position}"].ids,
        change=(
            "move what changes behind what stays the same, such as into the newest message, and put the breakpoint "
            "before it"
        ),
        about=one.route.where,
        position=place.position,
        repair=Choice.of(f"{one.route.label}: {best}", where=one.route.where, cache=CANDIDATES[best]),
    )


def _rewritten(traffic: Traffic, one: Measures, place: Place) -> Finding | None:
    """A history that is edited: dear only where the conversation is cached."""
    per_token = _miss_pusd_per_token(one)
    cost = round(one.breaks_tokens[place] * per_token)
    if not one.writes or not traffic.is_worth_saying(cost):
        return None
    return Finding(
        id=f"history-rewritten {one.route.id}",
        title=f"{one.route.label} rewrites what was said before, so the conversation is written to the cache again",
        guide=Guide.CACHING,
        cost_pusd=cost,
        kind=Kind.ASSUMED,
        why=(
            f"In {one.breaks[place]:,} of {one.pairs:,} calls an earlier message of the same session is no longer "
            f"what it was; {one.breaks_tokens[place]:,} tokens behind it could not be read: "
            f"{usd_a_day(traffic, cost)}, if they would have been."
        ),
        where=place.told,
        calls=one.breaks[place],
        evidence=one.evidence[f"break {place.position}"].ids,
        change="append to a conversation and leave what was said; trim it seldom, and then much at once",
        about=one.route.where,
    )


def _miss_pusd_per_token(one: Measures) -> float:
    """What a written token cost more than a read one, on this route on average; 0 where it never read."""
    counts, units = one.sums.counts, one.sums.units_pusd
    written, read = counts[1] + counts[2], counts[3]
    if not written or not read:
        return 0.0
    return max(0.0, (units[1] + units[2]) / written - units[3] / read)


def _unread(traffic: Traffic, one: Measures) -> Finding | None:
    """Writes that nobody ever read."""
    if one.unread_writes < UNREAD_SHARE * one.writes or not traffic.is_worth_saying(one.unread_pusd):
        return None
    return Finding(
        id=f"unread-writes {one.route.id}",
        title=f"{percent(one.unread_writes, one.writes)} of the cache writes of {one.route.label} are never read",
        guide=Guide.CACHING,
        cost_pusd=one.unread_pusd,
        kind=Kind.DERIVED,
        why=(
            f"{one.unread_writes:,} of {one.writes:,} calls that wrote to the cache wrote {one.unread_tokens:,} tokens "
            f"that no later call read while they lived. They cost {usd(one.unread_pusd)} more than plain input: "
            f"{usd_a_day(traffic, one.unread_pusd)}."
        ),
        calls=one.unread_writes,
        evidence=one.evidence["unread"].ids,
        change="put breakpoints where prompts are still alike, or nowhere",
        about=one.route.where,
    )


def _missed(traffic: Traffic, one: Measures, tried: Tried) -> list[Finding]:
    """Misses that the replay of the recorded breakpoints explains."""
    found = []
    recorded = sum(tried.recorded.sums)
    verdict = judged(tried)
    has_better = verdict is not None and verdict.name != NONE
    for at, (name, title, said, change) in _CAUSES.items():
        cost = tried.missed_pusd[at]
        has_remedy = at != EXPIRED or has_better
        if cost < MISSED_SHARE * recorded or not traffic.is_worth_saying(cost) or not has_remedy:
            continue
        begin = "" if tried.knows_begin else " Responses whose begin was not recorded are taken to begin at once."
        found.append(
            Finding(
                id=f"{name} {one.route.id}",
                title=title.format(label=one.route.label),
                guide=Guide.CACHING,
                cost_pusd=cost,
                kind=Kind.ASSUMED if tried.estimated or begin else Kind.DERIVED,
                why=(
                    f"{tried.fate[at]:,} prompt tokens were written again because {said}. Reading them would have cost "
                    f"{usd(cost)} less: {usd_a_day(traffic, cost)}.{begin}"
                ),
                calls=tried.marked,
                evidence=one.evidence["dearest"].ids,
                change=change,
                about=one.route.where,
            )
        )
    return found


_CAUSES = {
    EXPIRED: (
        "expired",
        "Cached prompts of {label} expire before they are used again",
        "the entry had ended less than an hour before",
        "take the lifetime that fits the pauses between calls; see the proposal for its cache",
    ),
    NOT_READABLE_YET: (
        "written-at-once",
        "Calls of {label} begin together and each writes the same prompt",
        "a call sent before was still writing them: an entry can be read when its first response begins",
        "send one call first and the others when its response begins",
    ),
    BEYOND_LOOKBACK: (
        "beyond-lookback",
        "Breakpoints of {label} stand too many blocks behind what was cached",
        "the live entry was more than 20 blocks before the breakpoint",
        "put a second breakpoint no more than 20 blocks before the last one",
    ),
}


def _ignored(one: Measures, tried: Tried) -> Finding | None:
    """Breakpoints that do nothing."""
    if tried.below_minimum < CALLS_MIN or tried.below_minimum < IGNORED_SHARE * tried.marked:
        return None
    return Finding(
        id=f"below-minimum {one.route.id}",
        title=f"Breakpoints of {one.route.label} do nothing: prompts are shorter than the model caches",
        guide=Guide.CACHING,
        cost_pusd=None,
        kind=Kind.DERIVED,
        why=(
            f"{tried.below_minimum:,} of {tried.marked:,} calls with breakpoints have none at or behind the shortest "
            "prefix that their model caches; the API ignores those without a word."
        ),
        calls=tried.below_minimum,
        evidence=one.evidence["dearest"].ids,
        change="nothing is lost by them; a cache needs a longer common front or a model with a smaller minimum",
        about=one.route.where,
    )
