"""
Caching per route: the policy that was cheapest on the first part of the time, if it is cheaper on the rest as well.

What each would have cost is a replay of the route's own prompts by the rules of the cache. A gain has to hold against
what was paid and against the same replay of what was done, so that no error of the replay is taken for a saving.
"""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.levers.fronts import changing_place
from farthing.whatif.levers.policies import AS_MARKED, CANDIDATES, NONE
from farthing.whatif.levers.saying import percent, policy, usd, usd_a_day
from farthing.whatif.levers.traffic import CALLS_MIN
from farthing.whatif.playbook.advice import Effort, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.policies import Tried
    from farthing.whatif.levers.traffic import Traffic
    from farthing.whatif.replay.choice import Caching

LEARN_SHARE = 0.6
"""The first part of the time, on which a policy is chosen; on the rest it is judged."""
PARTS_MIN = 6
"""Fewer parts of time with calls are too few to learn on some and to judge on others."""
GAIN_SHARE = 0.02
"""Assumption: a smaller gain, as a share of the route's bill, is not worth a change."""
SURE = 1.645
"""The mean gain over the parts it is judged on is at least so many of its standard errors: 95 %, one-sided."""
JUDGED_MIN = 3
NEARLY = 0.97
"""A simpler policy with this share of the best one's gain is taken instead."""
_SIMPLEST_FIRST = (
    NONE,
    "automatic 5m",
    "system 5m",
    "system 1h",
    "automatic 1h",
    "system and end",
    "system 1h and end 5m",
    "second sight",
    "system kept warm",
)


class Verdict(NamedTuple):
    """
    A policy, chosen and judged.

    Attributes:
        name: A key of :data:`farthing.whatif.levers.policies.CANDIDATES`.
        learnt_pusd, learnt_share: What it saved where it was chosen.
        judged_pusd, judged_share: What it saved afterwards.
        parts, parts_saved: Parts of time it was judged on, and those in which it saved.

    """

    name: str
    learnt_pusd: int
    learnt_share: float
    judged_pusd: int
    judged_share: float
    parts: int
    parts_saved: int


def find(traffic: Traffic) -> list[Proposal]:
    """A proposal for each route that another caching policy serves better, out of time."""
    found = []
    for one in traffic.habits:
        tried = traffic.tried.get(one.route)
        verdict = judged(tried) if tried is not None and tried.calls >= CALLS_MIN else None
        if tried is not None and verdict is not None:
            gain = verdict.learnt_pusd + verdict.judged_pusd
            if traffic.is_worth_saying(gain):
                found.append(_proposal(traffic, one, tried, verdict))
    return found


def judged(tried: Tried) -> Verdict | None:
    """The policy that was cheapest on the first part and holds on the rest; None where there is none."""
    recorded = tried.recorded.sums
    busy = [at for at, pusd in enumerate(recorded) if pusd]
    if len(busy) < PARTS_MIN:
        return None
    cut = busy[round(LEARN_SHARE * len(busy))]
    paid = sum(recorded[:cut]), sum(recorded[cut:])
    again = tried.under[AS_MARKED].sums
    gains = {name: min(paid[0], sum(again[:cut])) - sum(tried.under[name].sums[:cut]) for name in _SIMPLEST_FIRST}
    best = max(gains.values())
    if best < GAIN_SHARE * paid[0]:
        return None
    name = next(name for name in _SIMPLEST_FIRST if gains[name] >= NEARLY * best)
    under = tried.under[name].sums
    later = min(paid[1], sum(again[cut:])) - sum(under[cut:])
    each = [recorded[at] - under[at] for at in busy if at >= cut]
    if later < GAIN_SHARE * paid[1] or not _is_sure(each):
        return None
    saved = sum(1 for gain in each if gain > 0)
    return Verdict(name, gains[name], gains[name] / paid[0], later, later / paid[1], len(each), saved)


def _is_sure(gains: list[int]) -> bool:
    """Whether the mean of several gains is too large to be luck."""
    if len(gains) < JUDGED_MIN:
        return False
    return mean(gains) >= SURE * stdev(gains) / math.sqrt(len(gains))


_TOLD = {
    NONE: "Stop writing {label} to the cache",
    "automatic 5m": "Cache {label} automatically",
    "automatic 1h": "Cache {label} automatically, for an hour",
    "system 5m": "Cache the instructions of {label}, and nothing after them",
    "system 1h": "Cache the instructions of {label} for an hour, and nothing after them",
    "system and end": "Cache the instructions and the conversation of {label}",
    "system 1h and end 5m": "Cache the instructions of {label} for an hour and the conversation for 5 minutes",
    "second sight": "Cache for {label} what was seen within the last hour, and nothing else",
    "system kept warm": "Keep the cached instructions of {label} warm",
}


def _proposal(traffic: Traffic, one: Measures, tried: Tried, verdict: Verdict) -> Proposal:
    route, caching = one.route, CANDIDATES[verdict.name]
    place = changing_place(one)
    gain = verdict.learnt_pusd + verdict.judged_pusd
    return Proposal(
        id=f"cache {route.id}",
        title=_TOLD[verdict.name].format(label=route.label),
        guide=Guide.CACHING,
        choice=Choice.of(f"cache {route.label}: {verdict.name}", where=route.where, cache=caching),
        effort=Effort.SWITCH,
        risk=Risk.NONE,
        why=(
            f"{_now(one, tried)} Replayed, this saves {percent(verdict.learnt_share, 1)} of the route's bill on the "
            f"first part of the time, where it was chosen, and {percent(verdict.judged_share, 1)} on the rest, in "
            f"{verdict.parts_saved} of {verdict.parts} spans of time: {usd_a_day(traffic, gain)}."
            + (" Lengths of blocks are estimates, fitted to what responses measured." if tried.estimated else "")
            + ("" if tried.knows_begin else " Responses whose begin was not recorded are taken to begin at once.")
        ),
        calls=tried.calls,
        evidence=one.evidence["dearest"].ids,
        prerequisite=(
            f"until {place.told}, which changes from call to call, is moved behind what stays the same: see the finding"
            if place is not None and verdict.name == NONE
            else ""
        ),
        policy=policy(route, cache=_as_table(caching)),
        caller_change=_CALLERS[verdict.name],
        verify=(
            f"cache writes of {route.label} fall to nothing"
            if verdict.name == NONE
            else f"cache reads of {route.label} outweigh its writes, and its cost per call falls"
        ),
    )


def _now(one: Measures, tried: Tried) -> str:
    if not one.writes:
        return f"{tried.calls:,} calls, {usd(sum(tried.recorded.sums))}, write nothing to the cache."
    reads, writes = one.sums.units_pusd[3], one.sums.units_pusd[1] + one.sums.units_pusd[2]
    unread = f", {percent(one.unread_writes, one.writes)} of them never read" if one.unread_writes else ""
    return f"{tried.calls:,} calls pay {usd(writes)} for cache writes{unread}, and {usd(reads)} for reads."


def _as_table(caching: Caching) -> dict[str, object]:
    table: dict[str, object] = {"policy": caching.policy}
    if caching.places:
        table["places"] = list(caching.places)
    if caching.ttl is not None:
        table["ttl"] = caching.ttl
    if caching.pings:
        table |= {"pings": caching.pings, "ping_every_s": caching.ping_every_s}
    return table


_ON_SYSTEM = "put cache_control on the last tool and on the last block of the instructions"
_CALLERS = {
    NONE: "leave out cache_control",
    "automatic 5m": "set cache_control at the top level of the request",
    "automatic 1h": "set cache_control with ttl 1h at the top level of the request",
    "system 5m": _ON_SYSTEM,
    "system 1h": f"{_ON_SYSTEM}, each with ttl 1h",
    "system and end": f"{_ON_SYSTEM}, and on the last block of the request",
    "system 1h and end 5m": f"{_ON_SYSTEM}, each with ttl 1h, and on the last block of the request with ttl 5m",
    "second sight": (
        "put cache_control on the last block up to which a prompt is one that was sent within the last hour, "
        "and nowhere where there is none"
    ),
    "system kept warm": (
        f"{_ON_SYSTEM}, and send the request again with max_tokens 0 every 4 minutes, up to 12 times after its last use"
    ),
}
