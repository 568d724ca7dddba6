"""
One move of a model, found on several routes, as one step: nobody migrates feature by feature. Pure.

Only where the conditions differ in one name, so that one rule says it all, and where no cache is replayed, so that what
the parts save alone adds up.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import msgspec

from farthing.whatif.playbook.advice import Effort, Proposal
from farthing.whatif.replay.choice import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVIDENCE_MAX = 5


def merged(proposals: Sequence[Proposal], alone: Mapping[str, int]) -> tuple[list[Proposal], dict[str, int]]:
    """
    Proposals with equal moves put together, and what each saves alone.

    Args:
        proposals: Each pays by itself.
        alone: What each saves, by id.

    """
    groups: list[list[Proposal]] = []
    for one in sorted(proposals, key=lambda one: (-alone[one.id], one.id)):
        home = next((group for group in groups if _differ_in(group, one)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    found, saved = [], {}
    for group in groups:
        one = _merged(group) if len(group) > 1 else group[0]
        found.append(one)
        saved[one.id] = sum(alone[each.id] for each in group)
    return found, saved


def _differ_in(group: Sequence[Proposal], one: Proposal) -> str:
    """The one name in whose values the conditions differ, for all of the group; empty where they stay apart."""
    names = {_name(each, one) for each in group}
    return names.pop() if len(names) == 1 else ""


def _name(one: Proposal, other: Proposal) -> str:
    if len(one.choice.rules) != 1 or len(other.choice.rules) != 1 or one.effort is Effort.PROJECT:
        return ""
    mine, its = one.choice.rules[0], other.choice.rules[0]
    likewise = (one.id.split()[0], one.guide, one.effort, one.risk, bool(one.assumes), set(one.policy))
    likewise_there = (
        other.id.split()[0],
        other.guide,
        other.effort,
        other.risk,
        bool(other.assumes),
        set(other.policy),
    )
    is_move = mine.levers.model is not None and mine.levers.cache is None and mine.levers == its.levers
    if not is_move or likewise != likewise_there or mine.where.keys() != its.where.keys():
        return ""
    differ = [name for name, values in mine.where.items() if values != its.where[name]]
    return differ[0] if len(differ) == 1 and differ[0] != "model" else ""


def _merged(group: Sequence[Proposal]) -> Proposal:
    first, *others = group
    name = _name(first, others[0])
    values = [", ".join(one.choice.rules[0].where[name]) for one in group]
    rule = first.choice.rules[0]
    where = {**rule.where, name: tuple(chain.from_iterable(one.choice.rules[0].where[name] for one in group))}
    policy = {**first.policy, "where": {key: list(one) for key, one in where.items()}} if first.policy else {}
    own, told = values[0], f"{', '.join(values[:-1])} and {values[-1]}"
    likewise = "; ".join(f"{value}, {one.calls:,} calls" for value, one in zip(values[1:], others, strict=False))
    rest = " ".join(f"{key}={'|'.join(sorted(one))}" for key, one in where.items() if one != ("",))
    evidence = chain.from_iterable(zip_longest(*(one.evidence for one in group)))
    title = first.title.replace(own, told, 1)
    return msgspec.structs.replace(
        first,
        id=f"{first.id.split()[0]} {rest}",
        title=title,
        choice=msgspec.structs.replace(first.choice, rules=(Rule(rule.levers, where),), name=title),
        why=f"{own}: {first.why} Likewise: {likewise}.",
        calls=sum(one.calls for one in group),
        evidence=tuple(one for one in evidence if one is not None)[:_EVIDENCE_MAX],
        policy=policy,
        verify=first.verify.replace(own, told),
    )
