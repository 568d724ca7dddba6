"""
Prompts whose front changes from call to call: where, and what calls would be if it did not.

A recorded prompt is a chain of hashes, each of everything up to its block, so of two prompts that differ early nobody
can tell from the hashes whether their later blocks are the same. :func:`with_stable_front` takes blocks behind the
change to be the same where they have the same section and the same length, and in messages where they are in the same
session besides. That is a belief, so what is computed with it is *assumed*.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from farthing.prompts.dials import MASK_BYTES, masks_of
from farthing.prompts.recorded import recorded_dials
from farthing.whatif.levers.place import Place
from farthing.whatif.replay.choice import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from farthing.call import Call, PromptBlock
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.streams import Seen

PAIRS_MIN = 10
"""So many calls with an earlier one to compare with, before a place is said to change."""
BREAKS_SHARE = 0.5
"""Assumption: a front that changes in fewer of them was edited or is somebody else's; one that changes in more has
something in it that moves by itself, as a clock or an id does."""
LENGTH_TOLERANCE = 0.02
"""Assumption: a block that changes in place keeps its length within this share, or 8 tokens."""
_SECTIONS = ("tools", "system", "messages")


def note_break(measures: Measures, call: Call, seen: Seen) -> None:
    """Count one call beside the one before it: whether, and where, its front was changed in place."""
    blocks = call.request.blocks if call.request is not None else ()
    before, at = seen.last.blocks, seen.shared
    if not blocks or not before:
        return
    measures.pairs += 1
    if at >= len(blocks) or at >= len(before):
        return
    old, new = before[at], blocks[at]
    if old.section != new.section:
        return
    if new.section == "messages":
        rewritten = _is_session(call) and at > 0 and before[at - 1].section == "messages"
        in_place = rewritten and at < len(before) - 1 and len(blocks) > len(before)
    else:
        in_place = abs(old.tokens - new.tokens) <= max(8, LENGTH_TOLERANCE * old.tokens)
    if in_place:
        lost = sum(block.tokens for block in blocks[at:])
        place = _place(blocks, at)
        measures.breaks[place] += 1
        measures.breaks_tokens[place] += lost
        measures.evidence[f"break {place.position}"].add(lost, call.call_id)


def changing_place(measures: Measures) -> Place | None:
    """The block that changes from call to call; None where none does, or too few calls were seen."""
    if measures.pairs < PAIRS_MIN or not measures.breaks:
        return None
    place, times = measures.breaks.most_common(1)[0]
    return place if times >= BREAKS_SHARE * measures.pairs else None


def with_stable_front(
    calls: Iterable[Call], position: int, where: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[Call]:
    """
    The same calls as if the block at *position* were the same in all of them: a caller's change, to be replayed.

    Args:
        calls: Calls.
        position: Of the block that changes, from 0.
        where: Which calls are changed, as in a rule of a choice; the rest pass as they are. None: all.

    """
    for call in calls:
        is_about = where is None or all(value_of(call, name) in values for name, values in where.items())
        yield stable(call, position) if is_about else call


def stable(call: Call, position: int) -> Call:
    """One call with a constant block at *position*; as it is where its prompt is not that long."""
    request = call.request
    if request is None or not 0 <= position < len(request.blocks):
        return call
    masks = masks_of(recorded_dials(request))
    blocks = list(request.blocks)
    chain = b"front"
    if position:
        before = blocks[position - 1]
        chain = _masked(before.prefix_hash, masks[_section(before)])
    sender = (call.dims.get("session") or call.call_id).encode()
    for at in range(position, len(blocks)):
        block = blocks[at]
        same_for = sender if block.section == "messages" else b""
        length = b"" if at == position else block.tokens.to_bytes(8)
        said = b"\0".join((chain, block.section.encode(), length, same_for))
        chain = hashlib.blake2b(said, digest_size=MASK_BYTES).digest()
        blocks[at] = msgspec.structs.replace(block, prefix_hash=_masked(chain, masks[_section(block)]))
    return msgspec.structs.replace(call, request=msgspec.structs.replace(request, blocks=tuple(blocks)))


def _place(blocks: Sequence[PromptBlock], at: int) -> Place:
    section = blocks[at].section
    if section == "messages":
        return Place(section, -1, 0)
    first = next(number for number, block in enumerate(blocks) if block.section == section)
    return Place(section, at, at - first + 1)


def _section(block: PromptBlock) -> int:
    return _SECTIONS.index(block.section) if block.section in _SECTIONS else 2


def _masked(prefix_hash: bytes, mask: int) -> bytes:
    return (int.from_bytes(prefix_hash) ^ mask).to_bytes(MASK_BYTES)


def _is_session(call: Call) -> bool:
    return bool(call.dims.get("session"))
