"""
``usage.iterations``: where the top level is not the whole bill.

====================  ================================  ==========================================================
entry                 covered by the top level          what becomes of it
====================  ================================  ==========================================================
``message``           yes; after a fallback, of its     its prompt may be the largest of the loop; declined: a pass
                      model alone
``fallback_message``  yes: the attempt that served      its prompt may be the largest
``compaction``        no                                an extra pass at the price of the model that ran it
``advisor_message``   no                                an extra pass at the advisor's own price
====================  ================================  ==========================================================

Source: facts 3.4 (context editing, advisor tool, refusals and fallback) and the official SDK's description of
``fallback_message``: "the serving hop's earlier tool-loop iterations produce ``message`` entries"; checked 2026-11-20.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from farthing.call import ExtraPass, PassKind, Usage
from farthing.errors import BadInput
from farthing.usage.fields import CacheCreation, Iteration, split_pass

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXTRA = {
    "compaction": PassKind.COMPACTION,
    "advisor_message": PassKind.ADVISOR,
    "message": PassKind.DECLINED,  # only beside a fallback that served
}
_KNOWN = frozenset({"fallback_message", *_EXTRA})
_Totals = tuple[int, int, int, int]
"""Input, writes, reads, output: what the top level and its entries can be compared by."""


class Passes(NamedTuple):
    """
    What the entries add to the top level.

    Attributes:
        extra: Billable passes that the top level leaves out, in order.
        prompt_tokens_max: Largest prompt among the passes that the top level covers; None where none is listed.
        notes: What had to be decided.
        derived: Whether a split among the extra passes had to be worked out.

    """

    extra: tuple[ExtraPass, ...]
    prompt_tokens_max: int | None
    notes: tuple[str, ...]
    derived: bool


def read_iterations(
    entries: Sequence[Iteration],
    top: _Totals,
    *,
    model: str,
    requested_model: str | None,
    write_ttls: frozenset[str] | None,
    declined_for: Sequence[str] = (),
) -> Passes:
    """
    Sort the passes of one response into what its top level covers and what is billed beside it.

    Args:
        entries: As decoded, in the order they ran.
        top: Input, writes, reads and output of the top level.
        model: The model that served.
        requested_model: The model that was asked for: it ran the attempts before a fallback, unless an entry names
            its own. None where the caller does not know.
        write_ttls: As for :func:`farthing.usage.counts.split_writes`.
        declined_for: Category of each attempt that was declined, in order; empty text for none.

    Raises:
        BadInput: An entry of an unknown type with counts of its own that the top level does not provably cover, or a
            top level that already holds the passes it must leave out.

    """
    first_fallback = next((at for at, entry in enumerate(entries) if entry.type == "fallback_message"), None)
    covered = _covered(entries)
    extra, notes = [], []
    for position, entry in enumerate(entries):
        before_fallback = first_fallback is not None and position < first_fallback
        kind = None if entry in covered else _EXTRA.get(entry.type)
        if kind is None:
            continue
        usage, note = split_pass(entry, write_ttls)
        notes += [note] if note else []
        extra.append(ExtraPass(kind, usage, _model_of(entry, kind, requested_model if before_fallback else model)))
    derived = bool(notes)
    notes += _disagreements(entries, covered, top)
    prompts = [sum(_totals(entry)[:3]) for entry in covered]
    return Passes(_with_categories(extra, declined_for), max(prompts, default=None), tuple(notes), derived)


def _with_categories(extra: Sequence[ExtraPass], declined_for: Sequence[str]) -> tuple[ExtraPass, ...]:
    """Each declined attempt, which may be passes of one model, with its category; none where they do not pair."""
    attempts = [len(list(passes)) for _, passes in groupby(one.model for one in extra if one.kind is PassKind.DECLINED)]
    if len(attempts) != len(declined_for):
        return tuple(extra)
    of_passes = [category for category, passes in zip(declined_for, attempts, strict=True) for _ in range(passes)]
    categories = iter(of_passes)
    return tuple(
        replace(one, refusal_category=next(categories)) if one.kind is PassKind.DECLINED else one for one in extra
    )


def served_by(entries: Sequence[Iteration]) -> str | None:
    """The model of the last ``fallback_message``; None where no fallback served or it is not named."""
    return next((entry.model for entry in reversed(entries) if entry.type == "fallback_message"), None)


def stated_split(entries: Sequence[Iteration], written: int) -> CacheCreation | None:
    """
    The split of the top level's *written* tokens, where every pass that it covers states its own; None otherwise.

    Raises:
        BadInput: A pass contradicts itself.

    """
    readings = [split_pass(entry, None) for entry in _covered(entries)]
    if not readings or any(note for _, note in readings):
        return None
    write_5m = sum(usage.cache_write_5m_tokens for usage, _ in readings)
    write_1h = sum(usage.cache_write_1h_tokens for usage, _ in readings)
    return CacheCreation(write_5m, write_1h) if write_5m + write_1h == written else None


def totals(usage: Usage) -> _Totals:
    """The counts of *usage* by which entries are compared with it."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens, written, usage.cache_read_tokens, usage.output_tokens


def _covered(entries: Sequence[Iteration]) -> list[Iteration]:
    """The passes of the attempt that served: a fallback's are its last one, and its model's in a tool loop before."""
    if not any(entry.type == "fallback_message" for entry in entries):
        return [entry for entry in entries if entry.type == "message"]
    model = served_by(entries)
    loop = [model] if model is not None else []
    return [e for e in entries if e.type == "fallback_message" or (e.type == "message" and e.model in loop)]


def _model_of(entry: Iteration, kind: PassKind, otherwise: str | None) -> str | None:
    """An advisor is another model by nature, so it is never taken for the request's."""
    return entry.model or (None if kind is PassKind.ADVISOR else otherwise)


def _disagreements(entries: Sequence[Iteration], covered: Sequence[Iteration], top: _Totals) -> list[str]:
    outside = [entry for entry in entries if entry not in covered and any(_totals(entry))]
    unknown = [entry for entry in outside if entry.type not in _KNOWN]
    if unknown and _summed([*covered, *unknown]) != top:
        raise BadInput(
            f"read {len(unknown)} usage.iterations entries of a type we do not know, with counts that the top level "
            "does not cover",
            f"one of {', '.join(sorted(_KNOWN))}",
        )
    billed_beside = [entry for entry in outside if entry.type in _KNOWN]
    if not covered or _summed(covered) == top or unknown:
        return []
    if billed_beside and _summed([*covered, *billed_beside]) == top:
        raise BadInput(
            "read a top-level usage that is the sum of all its iterations",
            "a top level without its compaction, advisor and declined passes, which are billed beside it",
        )
    return [f"the {covered[0].type} entries of usage.iterations do not sum to the top level, which is what is billed"]


def _summed(entries: Sequence[Iteration]) -> _Totals:
    input_tokens, written, read, output = (sum(column) for column in zip(*map(_totals, entries), strict=True))
    return input_tokens, written, read, output


def _totals(entry: Iteration) -> _Totals:
    written = entry.cache_creation_input_tokens
    if written is None and (split := entry.cache_creation) is not None:
        written = (split.ephemeral_5m_input_tokens or 0) + (split.ephemeral_1h_input_tokens or 0)
    return entry.input_tokens or 0, written or 0, entry.cache_read_input_tokens or 0, entry.output_tokens or 0
