"""
Conversations that carry all they ever said.

What trimming would save is *assumed*: cutting what was said empties the cache from there on, and the vendor's own
measurements have it both ways: context editing cost 74 % more on short runs, compaction 32 % less on long ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind
from farthing.whatif.levers.saying import percent, usd, usd_a_day
from farthing.whatif.levers.traffic import TRIM_AFTER_TURNS
from farthing.whatif.playbook.advice import Finding, Guide

if TYPE_CHECKING:
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic

_SHOWN_TURNS = (2, 5, 10, 20, 40)
TRIMMED_SHARE = 0.1
"""Assumption: history that costs less than this share of the route's bill is not worth touching."""


def find(traffic: Traffic) -> list[Finding]:
    """A finding for each route whose history beyond ``TRIM_AFTER_TURNS`` is dear."""
    dear = (
        one
        for one in traffic.habits
        if one.trimmed_pusd >= TRIMMED_SHARE * one.pusd and traffic.is_worth_saying(one.trimmed_pusd)
    )
    return [_finding(traffic, one) for one in dear]


def history_share(one: Measures) -> list[tuple[int, int, float]]:
    """Per turn of a route's conversations: the turn (the last: or later), calls, and the prompt's share of history."""
    return [
        (turn, turns.calls, turns.history_tokens / turns.prompt_tokens if turns.prompt_tokens else 0.0)
        for turn, turns in sorted(one.turns.items())
    ]


def _growth(one: Measures) -> str:
    """How the prompt's share of history grows, at a few turns that the route has."""
    told = [f"{share:.0%} at turn {turn}" for turn, _, share in history_share(one) if turn in _SHOWN_TURNS]
    return f" ({', '.join(told)})" if told else ""


def _finding(traffic: Traffic, one: Measures) -> Finding:
    late = [turns for turn, turns in one.turns.items() if turn > TRIM_AFTER_TURNS]
    calls = sum(turns.calls for turns in late)
    prompt, history = (sum(getattr(turns, name) for turns in late) for name in ("prompt_tokens", "history_tokens"))
    return Finding(
        id=f"history {one.route.id}",
        title=f"Conversations of {one.route.label} carry all they ever said",
        guide=Guide.HOUSEKEEPING,
        cost_pusd=one.trimmed_pusd,
        kind=Kind.ASSUMED,
        why=(
            f"{calls:,} calls are later than turn {TRIM_AFTER_TURNS}; {percent(history, prompt)} of their prompts is "
            f"earlier messages{_growth(one)}. What they carry beyond turn {TRIM_AFTER_TURNS}'s history, "
            f"{one.trimmed_tokens:,} tokens, cost {usd(one.trimmed_pusd)} as it was paid "
            f"({usd_a_day(traffic, one.trimmed_pusd)}): the most that trimming could save, before what a summary "
            "costs and what each cut writes to the cache again."
        ),
        where=f"messages after turn {TRIM_AFTER_TURNS}",
        calls=calls,
        evidence=one.evidence["trimmed"].ids,
        change="try compaction on the longest conversations, seldom and much at once; on short ones it costs more",
        about=one.route.where,
    )
