"""What is paid on top of the plain rate: US-only inference and fast mode."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from farthing.whatif.levers.models import last_day
from farthing.whatif.levers.saying import percent, policy, usd, usd_a_day
from farthing.whatif.playbook.advice import Effort, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic

FAST_FACTOR = 2
"""Fast mode doubles every rate of the models that have it today (facts: prices, rates); a replay prices it exactly."""
WATCHED_SHARE = 0.5
"""Assumption: where most answers are streamed, somebody watches them come."""


def find(traffic: Traffic) -> list[Proposal]:
    """A proposal for each route that pays a premium."""
    found = []
    us = _us_factor(traffic)
    for one in traffic.habits:
        us_premium = one.us_pusd * (1 - 1 / float(us))
        if traffic.is_worth_saying(us_premium):
            found.append(_geo(traffic, one, round(us_premium)))
        fast_premium = one.fast_pusd * (1 - 1 / FAST_FACTOR)
        if traffic.is_worth_saying(fast_premium):
            found.append(_fast(traffic, one, round(fast_premium)))
    return found


def _us_factor(traffic: Traffic) -> Fraction:
    on = last_day(traffic)
    rows = [row for row in traffic.book.modifiers.multiplier if row.name == "inference_geo_us" and row.applies(on, on)]
    return Fraction(rows[0].factor) if rows else Fraction(1)


def _geo(traffic: Traffic, one: Measures, premium: int) -> Proposal:
    route = one.route
    return Proposal(
        id=f"geo {route.id}",
        title=f"Let {route.label} be served anywhere, not in the US alone",
        guide=Guide.HOUSEKEEPING,
        choice=Choice.of(f"{route.label} served anywhere", where=route.where, inference_geo="global"),
        effort=Effort.SWITCH,
        risk=Risk.NONE,
        why=(
            f"{one.us:,} of {one.calls:,} calls were served in the US alone and cost {usd(one.us_pusd)}; the premium "
            f"in that is {usd(premium)}, {usd_a_day(traffic, premium)}."
        ),
        calls=one.us,
        evidence=one.evidence["us"].ids,
        prerequisite="whoever answers for compliance confirms that no law, contract or customer asks for it",
        assumes="nothing requires US-only inference here; the calls cannot tell",
        policy=policy(route, inference_geo="global"),
        caller_change="leave inference_geo out, or change the workspace's default where that sets it",
        verify=f"calls of {route.label} report inference_geo global",
    )


def _fast(traffic: Traffic, one: Measures, premium: int) -> Proposal:
    route, watched = one.route, one.watched["fast"]
    most = max(one.minutes)
    by_timer = (
        f" {percent(most, one.calls)} begin in one and the same minute of the hour, as a timer's do."
        if (most >= one.calls / 2)
        else ""
    )
    if watched >= WATCHED_SHARE * one.fast:
        waits = f"{percent(watched, one.fast)} of the answers are streamed, so somebody may watch them come."
    else:
        waits = f"{percent(one.fast - watched, one.fast)} of them are not streamed: nobody watches them come."
    return Proposal(
        id=f"fast {route.id}",
        title=f"Send {route.label} at standard speed",
        guide=Guide.HOUSEKEEPING,
        choice=Choice.of(f"{route.label} at standard speed", where=route.where, speed="standard"),
        effort=Effort.SWITCH,
        risk=Risk.DELAY,
        why=(
            f"{one.fast:,} of {one.calls:,} calls ran in fast mode, at twice the rates, for {usd(one.fast_pusd)}; the "
            f"premium is about {usd(premium)}, {usd_a_day(traffic, premium)}. {waits}{by_timer}"
        ),
        calls=one.fast,
        evidence=one.evidence["fast"].ids,
        prerequisite="nobody who waits for these answers needs them sooner" if watched else "",
        policy=policy(route, speed="standard"),
        caller_change="leave speed out of the request",
        verify=f"calls of {route.label} report standard speed, at half the rate",
    )
