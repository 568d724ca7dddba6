"""Calls that were paid for and not used: sent again within minutes, or left by their client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind
from farthing.whatif.levers.saying import percent, usd, usd_a_day
from farthing.whatif.playbook.advice import Finding, Guide

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic

REPEATED_SHARE = 0.01
TIMES_MIN = 5
"""Assumption: fewer are the weather of a network."""


def find(traffic: Traffic) -> list[Finding]:
    """A finding for each route whose calls are repeated, and for each whose clients leave without asking again."""
    found = []
    for one in traffic.habits:
        if _is_habit(one, one.repeated):  # said however little it costs: it is a fault, and grows with traffic
            found.append(_repeated(traffic, one))
        elif _is_habit(one, one.left) and traffic.is_worth_saying(one.left_pusd):
            found.append(_left(traffic, one))
    return found


def _is_habit(one: Measures, times: int) -> bool:
    return times >= max(TIMES_MIN, REPEATED_SHARE * one.calls)


def _repeated(traffic: Traffic, one: Measures) -> Finding:
    left = f" Of {one.left:,} calls the client left before the end." if one.left else ""
    return Finding(
        id=f"repeated {one.route.id}",
        title=f"{percent(one.repeated, one.calls)} of the calls of {one.route.label} are sent again within minutes",
        guide=Guide.HOUSEKEEPING,
        cost_pusd=one.repeated_pusd,
        kind=Kind.MEASURED,
        why=(
            f"{one.repeated:,} calls have the very prompt of one that the same session or user sent up to 10 minutes "
            f"before. The earlier ones cost {usd(one.repeated_pusd)}: {usd_a_day(traffic, one.repeated_pusd)}.{left}"
        ),
        calls=one.repeated,
        evidence=one.evidence["repeated"].ids,
        change="wait longer for the first try, and repeat only what failed; what was begun is paid for",
        about=one.route.where,
    )


def _left(traffic: Traffic, one: Measures) -> Finding:
    return Finding(
        id=f"abandoned {one.route.id}",
        title=f"Clients leave {percent(one.left, one.calls)} of the answers of {one.route.label} before their end",
        guide=Guide.HOUSEKEEPING,
        cost_pusd=one.left_pusd,
        kind=Kind.MEASURED,
        why=(
            f"Of {one.calls:,} calls {one.left:,} were left by their client; they cost {usd(one.left_pusd)}: "
            f"{usd_a_day(traffic, one.left_pusd)}."
        ),
        calls=one.left,
        evidence=one.evidence["left"].ids,
        change="find out whether the wait or the answer is too long: what was written until then is paid for",
        about=one.route.where,
    )
