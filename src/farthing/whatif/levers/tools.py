"""Tools that are defined in every prompt and hardly ever called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind
from farthing.whatif.levers.saying import percent, usd, usd_a_day
from farthing.whatif.playbook.advice import Finding, Guide

if TYPE_CHECKING:
    from farthing.whatif.levers.traffic import Traffic

CALLED_SHARE = 0.005
"""Assumption: tools that fewer answers call are carried for nothing."""
CALLS_MIN = 100
"""With so many calls and none of them calling a tool, it is fewer than 3 in 100 with 95 % confidence."""


def find(traffic: Traffic) -> list[Finding]:
    """A finding for each route whose tools (almost) nobody calls."""
    found = []
    for one in traffic.habits:
        is_unused = one.with_tools >= CALLS_MIN and one.tool_calls <= CALLED_SHARE * one.with_tools
        if not is_unused or not traffic.is_worth_saying(one.tools_pusd):
            continue
        found.append(
            Finding(
                id=f"unused-tools {one.route.id}",
                title=f"{one.route.label} defines tools that it does not call",
                guide=Guide.HOUSEKEEPING,
                cost_pusd=one.tools_pusd,
                kind=Kind.DERIVED,
                why=(
                    f"{one.with_tools:,} calls define tools and {one.tool_calls:,} answers called one. The definitions "
                    f"took {one.tools_tokens // one.with_tools:,} tokens of each prompt and cost "
                    f"{usd(one.tools_pusd)}, {percent(one.tools_pusd, one.pusd)} of the route's bill: "
                    f"{usd_a_day(traffic, one.tools_pusd)}. "
                    "They are paid for at the place they have in the prompt, read from the cache or not."
                ),
                where="tools",
                calls=one.with_tools,
                evidence=one.evidence["dearest"].ids,
                change="leave out tools that are not called, or let them be found when needed (deferred loading)",
                about=one.route.where,
            )
        )
    return found
