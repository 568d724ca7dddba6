"""
Small questions on big models: a few tokens of answer, no tools, no thinking.

A short answer is no proof that a question is easy. So this proposes a candidate and says what evidence it lacks; it
proposes nothing for routes that call tools or write at length.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from farthing.whatif.levers.models import current, factor_of, last_day, model_of, on_model, per_mtok
from farthing.whatif.levers.saying import percent, policy, usd
from farthing.whatif.playbook.advice import Effort, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from farthing.prices.schema import Model
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic

OUTPUT_P95_MAX = 64
"""Assumption: an answer of so few tokens is a label, a number or a yes: something that can be marked right or wrong."""
ASKED_P95_MAX = 512
"""Assumption: who leaves no more room than this does not expect an argument."""
TOOLS_SHARE = 0.01
SMALLER = "haiku"
LARGER = frozenset({"sonnet", "opus", "fable", "mythos"})
MARGIN = 0.02
DISCORDANT_SHARE = 0.05
_Z_ALPHA, _Z_POWER = 1.6449, 0.8416
"""One-sided 5 %, power 80 %."""


def find(traffic: Traffic) -> list[Proposal]:
    """A proposal for each route that asks a large model for a few tokens."""
    small = current(traffic.book, SMALLER, last_day(traffic))
    if small is None:
        return []
    found = []
    for one in traffic.habits:
        old = model_of(traffic.book, one)
        if old is None or old.family not in LARGER or not _is_small_question(one):
            continue
        after = on_model(traffic, one, small, factor_of(old, small).typical)
        if after is not None and traffic.is_worth_saying(one.pusd - after):
            found.append(_proposal(traffic, one, (old, small), after))
    return found


def cases_needed(margin: float = MARGIN, discordant_share: float = DISCORDANT_SHARE) -> int:
    """
    Labelled cases that show a model to be no more than *margin* worse, where the two differ on *discordant_share*.

    Paired, one-sided 5 %, power 80 %, both equally good in truth: (z_alpha + z_power)^2 x discordant / margin^2.
    """
    return math.ceil((_Z_ALPHA + _Z_POWER) ** 2 * discordant_share / margin**2)


def _is_small_question(one: Measures) -> bool:
    return (
        one.outputs.quantile(0.95) <= OUTPUT_P95_MAX
        and one.asked.count == one.calls
        and one.asked.quantile(0.95) <= ASKED_P95_MAX
        and one.tool_calls <= TOOLS_SHARE * one.calls
        and not one.with_tools
        and not one.thinking_tokens
    )


def _proposal(traffic: Traffic, one: Measures, models: tuple[Model, Model], after: int) -> Proposal:
    old, new = models
    route = one.route
    low, typical, high = factor_of(old, new)
    tokenizer = f" and {typical:.2f} tokens of its tokenizer for one ({low:.2f} to {high:.2f})" if typical != 1 else ""
    needed, rough = cases_needed(), cases_needed(margin=0.05)
    return Proposal(
        id=f"smaller-model {route.id}",
        title=f"Try {new.id} for {route.label}, now on {old.id}",
        guide=Guide.ROUTING,
        choice=Choice.of(f"{route.label} on {new.id}", where=route.where, model=new.id),
        effort=Effort.PROJECT,
        risk=Risk.QUALITY,
        why=(
            f"{one.calls:,} calls ask {old.id} for answers of {one.outputs.quantile(0.5):,} tokens (median; 95th "
            f"percentile {one.outputs.quantile(0.95):,}), without tools or thinking; they cost "
            f"{usd(one.pusd)}, {percent(one.pusd, traffic.pusd)} of the bill, and would cost about {usd(after)} "
            f"at {per_mtok(traffic, new)}."
        ),
        calls=one.calls,
        evidence=one.evidence["dearest"].ids,
        prerequisite=(
            f"no quality evidence is in the calls: about {needed:,} labelled cases would show that it is wrong at most "
            f"2 in 100 times more often, {rough:,} for 5 in 100 (paired, if the two differ on 5 in 100)"
        ),
        assumes=f"answers of the same length and as good{tokenizer}",
        policy=policy(route, model=new.id),
        caller_change=f"ask for {new.id}",
        verify="the share of right answers on labelled cases stays within the margin, on a part of the calls first",
    )
