"""
Output, thinking and effort, route by route.

No cap is advised here. In the vendor's own measurement (*Optimizing for cost and intelligence*, August 2026) a cap of
16,000 tokens ended 15 to 33 % of attempts unsolved and left the cost per solved task as it was; asking for a shorter
format did save. What a lower effort does to the output is published for two kinds of work only ("a third to a half
less" on research with 1 to 3 points lost, half the cost on coding with 2 points lost), so it is always *assumed*.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.units import Kind
from farthing.whatif.levers.models import model_of
from farthing.whatif.levers.saying import percent, policy, usd, usd_a_day
from farthing.whatif.playbook.advice import Effort, Finding, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.choice import Effort as EffortChoice

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.route import Route
    from farthing.whatif.levers.traffic import Traffic

TRUNCATED_SHARE = 0.02
"""Assumption: fewer cut answers than this are accidents."""
THINKING_SHARE = 0.6
THINKING_OF_BILL = 0.05
EFFORT_FACTOR = Fraction(2, 3)
"""Assumption: output tokens one effort lower, per token now: the modest end of what is published."""
_LOWER = {"max": "high", "xhigh": "high", "high": "medium"}
_DEFAULT_MEDIUM = frozenset({"claude-opus-5-5", "claude-haiku-5-5"})
"""Models whose default is ``medium``; the others' is ``high`` (facts: claude-api 0.3, checked 2026-11-20)."""


class Written(NamedTuple):
    """
    The output of one route.

    Attributes:
        route: Which. calls: how many.
        p50, p95: Output tokens per call, at most 9 % too large. asked_p50: ``max_tokens``; 0: never stated.
        output_pusd: What output cost. share_of_route, share_of_bill: of the route's and of the whole bill.
        thinking_pusd: Inside it.
        truncated, truncated_pusd: Answers cut at ``max_tokens``, and what those calls cost.

    """

    route: Route
    calls: int
    p50: int
    p95: int
    asked_p50: int
    output_pusd: int
    share_of_route: float
    share_of_bill: float
    thinking_pusd: int
    truncated: int
    truncated_pusd: int


def written(traffic: Traffic) -> list[Written]:
    """The output of every route, the dearest first: measured, but for rounding of quantiles."""
    rows = []
    for one in traffic.routes.values():
        pusd = one.sums.units_pusd[4]
        rows.append(
            Written(
                one.route,
                one.calls,
                one.outputs.quantile(0.5),
                one.outputs.quantile(0.95),
                one.asked.quantile(0.5),
                pusd,
                pusd / one.pusd if one.pusd else 0.0,
                pusd / traffic.pusd if traffic.pusd else 0.0,
                one.thinking_pusd,
                one.truncated,
                one.truncated_pusd,
            )
        )
    return sorted(rows, key=lambda row: (-row.output_pusd, row.route))


def find(traffic: Traffic) -> list[Proposal | Finding]:
    """Cut answers, thinking that is most of the output, and efforts above the default."""
    found: list[Proposal | Finding] = []
    for one in traffic.habits:
        each = (_truncated(traffic, one), _thinking(traffic, one), _effort(traffic, one))
        found += [advice for advice in each if advice is not None]
    return found


def _truncated(traffic: Traffic, one: Measures) -> Finding | None:
    if one.truncated < TRUNCATED_SHARE * one.calls or not traffic.is_worth_saying(one.truncated_pusd):
        return None
    return Finding(
        id=f"truncated {one.route.id}",
        title=f"{percent(one.truncated, one.calls)} of the answers of {one.route.label} are cut at max_tokens",
        guide=Guide.OUTPUT,
        cost_pusd=one.truncated_pusd,
        kind=Kind.MEASURED,
        why=(
            f"{one.truncated:,} of {one.calls:,} calls stopped at max_tokens, whose median is "
            f"{one.asked.quantile(0.5):,}; the median answer has {one.outputs.quantile(0.5):,} tokens, the 95th "
            f"percentile {one.outputs.quantile(0.95):,}. Calls with a cut answer cost "
            f"{usd(one.truncated_pusd)} ({usd_a_day(traffic, one.truncated_pusd)}), and again where they are repeated."
        ),
        calls=one.truncated,
        evidence=one.evidence["truncated"].ids,
        change=(
            "raise max_tokens, or ask for a shorter format; a lower cap saves nothing per solved task, by the vendor's "
            "own measurement"
        ),
        about=one.route.where,
    )


def _thinking(traffic: Traffic, one: Measures) -> Finding | None:
    output_pusd = one.sums.units_pusd[4]
    if one.thinking_pusd < THINKING_SHARE * output_pusd or one.thinking_pusd < THINKING_OF_BILL * traffic.pusd:
        return None
    if not one.thinking_pusd:
        return None
    return Finding(
        id=f"thinking {one.route.id}",
        title=f"Thinking is {percent(one.thinking_pusd, output_pusd)} of what {one.route.label} writes",
        guide=Guide.THINKING,
        cost_pusd=one.thinking_pusd,
        kind=Kind.MEASURED,
        why=(
            f"{one.thinking_tokens:,} of {one.sums.counts[4]:,} output tokens are thinking: {usd(one.thinking_pusd)}, "
            f"{percent(one.thinking_pusd, traffic.pusd)} of the whole bill. Nothing in the calls says what it is worth."
        ),
        calls=one.calls,
        evidence=one.evidence["thinking"].ids,
        change="try the next lower effort on labelled cases; with a checker, run low and repeat what fails",
        about=one.route.where,
    )


def _effort(traffic: Traffic, one: Measures) -> Proposal | None:
    """One effort lower, where most calls ask for more than the model's default."""
    asked, times = one.efforts.most_common(1)[0] if one.efforts else ("", 0)
    model = model_of(traffic.book, one)
    if asked not in _LOWER or model is None or times < one.calls / 2:
        return None
    if asked == "high" and model.id not in _DEFAULT_MEDIUM:
        return None
    lower, output_pusd = _LOWER[asked], one.sums.units_pusd[4]
    if not traffic.is_worth_saying(float(output_pusd * (1 - EFFORT_FACTOR))):
        return None
    route = one.route
    return Proposal(
        id=f"effort {route.id}",
        title=f"Try effort {lower} for {route.label}, now at {asked}",
        guide=Guide.THINKING,
        choice=Choice.of(
            f"{route.label} at effort {lower}", where=route.where, effort=EffortChoice(lower, EFFORT_FACTOR)
        ),
        effort=Effort.SWITCH,
        risk=Risk.QUALITY,
        why=(
            f"{times:,} of {one.calls:,} calls ask for effort {asked}, above the model's default; their output costs "
            f"{usd(output_pusd)}, {percent(output_pusd, one.pusd)} of the route's bill."
        ),
        calls=one.calls,
        evidence=one.evidence["dearest"].ids,
        prerequisite="labelled cases, or a checker that sends what fails at the lower effort again at the higher one",
        assumes=(
            f"{EFFORT_FACTOR} of the output tokens, the modest end of the vendor's published measurements on other "
            "work (a third to a half less)"
        ),
        policy=policy(route, effort=lower),
        caller_change=f"set output_config.effort to {lower}; do it between conversations, for it empties their cache",
        verify=f"output tokens per call of {route.label} fall by about a third, and its answers stay right",
    )
