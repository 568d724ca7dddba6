"""
The tokens of each turn, and how a cache plan splits them.

A prompt is tools, system, documents, then messages. With full history turn t sends everything of the turns before it
again. Breakpoints are taken where a careful client puts them: after what all conversations share, after a
conversation's own documents, and on the newest message. An entry is written only at a breakpoint, and a breakpoint
below the model's minimum prefix is ignored without an error.

Rules: facts on the Claude API, 5.1 to 5.4, checked 2026-11-20.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.estimate.point import HitShares, Point
    from farthing.estimate.workload import Workload


class Turn(NamedTuple):
    """
    One turn of the average conversation.

    Attributes:
        number: 1 for the first.
        weight: Share of all calls that are this turn; weights add up to 1.
        shared: Tokens of the cached prefix that all conversations send.
        marks: Cumulative tokens at each breakpoint of this turn, ascending.
        prompt: All tokens of the prompt.
        output: Tokens billed as output: visible and thinking.

    """

    number: int
    weight: Fraction
    shared: Fraction
    marks: tuple[Fraction, ...]
    prompt: Fraction
    output: Fraction


class Split(NamedTuple):
    """Expected tokens of one call: neither read nor written, written, read. They add up to the prompt."""

    fresh: Fraction
    written: Fraction
    read: Fraction


def turns_of(workload: Workload, point: Point, tokenizer_factor: Fraction = Fraction(1)) -> Iterator[Turn]:
    """Every turn of the average conversation, each size times *tokenizer_factor*."""
    tools, system, documents, user = (size * tokenizer_factor for size in point.prompt_sizes)
    visible, thinking = point.output * tokenizer_factor, point.thinking * tokenizer_factor
    before = tools + system + documents
    replayed = visible + thinking if workload.conversation.replay_thinking else visible
    growth = user + replayed if workload.conversation.history == "full" else Fraction(0)
    for number in range(1, math.ceil(point.turns) + 1):
        prompt = before + (number - 1) * growth + user
        shared, marks = _marks(workload, tools, system, documents, prompt)
        weight = min(Fraction(1), point.turns - (number - 1)) / point.turns
        yield Turn(number, weight, shared, marks, prompt, visible + thinking)


def split(turn: Turn, before: Turn | None, hits: HitShares, tokens_min: int) -> Split:
    """
    Expected split of one call's prompt.

    A later turn finds what its own conversation wrote with ``hits.turn``; failing that, as on a first turn, what other
    conversations wrote of the shared prefix with ``hits.shared``; failing that it writes everything up to its last
    breakpoint.
    """
    end = _last(turn.marks, tokens_min)
    if not end:
        return Split(turn.prompt, Fraction(0), Fraction(0))
    shared = turn.shared if turn.shared >= max(tokens_min, 1) else Fraction(0)
    own = Fraction(0) if before is None else _last(before.marks, tokens_min)
    if own > shared:
        read = hits.turn * own + (1 - hits.turn) * hits.shared * shared
    else:
        read = (hits.shared if before is None else max(hits)) * shared
    return Split(turn.prompt - end, end - read, read)


def _last(marks: tuple[Fraction, ...], tokens_min: int) -> Fraction:
    end = marks[-1] if marks else Fraction(0)
    return end if end >= max(tokens_min, 1) else Fraction(0)


def _marks(
    workload: Workload, tools: Fraction, system: Fraction, documents: Fraction, prompt: Fraction
) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Cumulative tokens of the shared prefix, and of every breakpoint."""
    if workload.cache.ttl == "none":
        return Fraction(0), ()
    through = workload.cache.through
    shared = tools if through == "tools" else tools + system
    with_documents = tools + system + documents
    if through in {"documents", "history"} and workload.conversation.documents_shared:
        shared = with_documents
    marks = [shared]
    if through in {"documents", "history"}:
        marks.append(with_documents)
    if through == "history" and workload.conversation.history == "full":
        # Without history the next turn does not begin with this one: marking the message would only cost writes.
        marks.append(prompt)
    return shared, tuple(marks)
