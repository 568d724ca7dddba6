"""
In which order proposals are done, and which of them cannot both be: pure, from what each saves by itself.

Free wins come first. Then trade-offs, the most dollars per risk first; the weights of risks are ours, and *assumed*.
Two proposals are rivals where they turn the same lever for calls that both may be about. Of rivals that risk as much,
one is done. Where they do not, the milder one is done first and the other may take its place later, by what it saves
on top: somebody who never takes the risk keeps the milder step.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from farthing.whatif.playbook.advice import Risk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farthing.whatif.playbook.advice import Proposal
    from farthing.whatif.replay.choice import Levers

RISK_WEIGHT = {Risk.NONE: 1, Risk.DELAY: 2, Risk.QUALITY: 4}
ASSUMED_WEIGHT = 2
"""Assumption: a dollar that hangs on a belief counts half, one with late answers half, one at a risk a fourth."""
_BESIDE = {"tokenizer_factor", "turnaround_s", "location"}
"""These only say more about another lever."""
SETS_MAX = 12
"""How many ways out of one knot of rivals are tried."""


def weight(proposal: Proposal) -> int:
    """What a dollar of it is divided by; 1 for a free win."""
    return RISK_WEIGHT[proposal.risk] * (ASSUMED_WEIGHT if proposal.assumes else 1)


def are_rivals(one: Proposal, other: Proposal) -> bool:
    """Whether both turn the same lever for calls that both may be about."""
    return any(
        _turned(mine.levers) & _turned(its.levers) and _may_meet(mine.where, its.where)
        for mine in one.choice.rules
        for its in other.choice.rules
    )


def _turned(levers: Levers) -> set[str]:
    return {name for name in levers.__struct_fields__ if name not in _BESIDE and getattr(levers, name) is not None}


def _may_meet(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """False only where a dimension keeps them apart for certain."""
    return all(set(values) & set(other[name]) for name, values in one.items() if name in other)


def knots(proposals: Sequence[Proposal]) -> list[list[int]]:
    """Numbers of proposals that are tied together as rivals of one weight; of each such list some cannot be done."""
    tied: dict[int, set[int]] = {number: set() for number in range(len(proposals))}
    for number, one in enumerate(proposals):
        for later in range(number + 1, len(proposals)):
            if weight(one) == weight(proposals[later]) and are_rivals(one, proposals[later]):
                tied[number].add(later)
                tied[later].add(number)
    seen: set[int] = set()
    found = []
    for number in tied:
        knot, ahead = set[int](), [number] if number not in seen else []
        while ahead:
            at = ahead.pop()
            if at not in knot:
                knot.add(at)
                ahead.extend(tied[at] - knot)
        seen |= knot
        if len(knot) > 1:
            found.append(sorted(knot))
    return found


def ways_out(knot: Sequence[int], proposals: Sequence[Proposal], saved: Sequence[int]) -> list[tuple[int, ...]]:
    """
    Sets of proposals of a knot without rivals among them, none of which could take in another one.

    Args:
        knot: Numbers of proposals.
        proposals: All of them.
        saved: What each saves by itself: the best are taken first.

    """
    dearest = sorted(knot, key=lambda number: (-saved[number], proposals[number].id))
    found = []
    for first in dearest[:SETS_MAX]:
        chosen = [first]
        for number in dearest:
            if number not in chosen and not any(are_rivals(proposals[number], proposals[one]) for one in chosen):
                chosen.append(number)
        found.append(tuple(sorted(chosen)))
    return list(dict.fromkeys(found))


def in_order(proposals: Sequence[Proposal], saved: Mapping[str, int]) -> list[Proposal]:
    """
    Free wins first, then by dollars per risk; a proposal never before a milder rival.

    Args:
        proposals: Without rivals of one weight.
        saved: What each saves by itself, by id.

    """
    wanted = sorted(proposals, key=lambda one: (not one.is_free, -Fraction(saved[one.id], weight(one)), one.id))
    placed: list[Proposal] = []
    for one in wanted:
        _place(one, wanted, placed, lambda mild, than: weight(mild) < weight(than) and are_rivals(mild, than))
    return placed


def _place(
    one: Proposal, wanted: Sequence[Proposal], placed: list[Proposal], goes_before: Callable[[Proposal, Proposal], bool]
) -> None:
    if one in placed:
        return
    for other in wanted:
        if goes_before(other, one):
            _place(other, wanted, placed, goes_before)
    placed.append(one)


def taken_place_of(step: Proposal, before: Sequence[Proposal]) -> tuple[int, ...]:
    """Numbers, from 1, of earlier steps whose lever it turns again."""
    return tuple(number for number, one in enumerate(before, 1) if are_rivals(one, step))
