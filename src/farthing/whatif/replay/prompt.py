"""
The prompt of a recorded call as a replay needs it: whole numbers that add up to what was measured.

Blocks carry the recorder's counts, which are estimates; responses say how long some prefixes were. Where the two
differ, :mod:`farthing.whatif.replay.lengths` gives each block its part of what was measured.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from farthing.prompts.dials import Dials, masks_of
from farthing.prompts.recorded import recorded_dials
from farthing.whatif.replay.moved import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from farthing.call import Call, Usage
    from farthing.prompts.breakpoints import Ttl
    from farthing.whatif.replay.lengths import Lengths

_SECTION = {"tools": 0, "system": 1, "messages": 2}


class Prompt(NamedTuple):
    """
    One prompt, as recorded.

    Attributes:
        hashes: Per block, of everything up to its end.
        tokens: Per block; they add up to the measured prompt. recorded_ends: from the start to the end of each.
        sections: Per block, 0 tools, 1 system, 2 messages.
        cacheable: Per block, whether a breakpoint may stand there.
        marks: Position and lifetime of each breakpoint as recorded.
        dials: Under which ``hashes`` stand.
        sure: Positions up to which the length was measured; None: the recorder's counts are right, and so is each.

    """

    hashes: list[int]
    tokens: list[int]
    recorded_ends: list[int]
    sections: list[int]
    cacheable: list[bool]
    marks: list[tuple[int, Ttl]]
    dials: Dials
    sure: frozenset[int] | None

    @property
    def is_calibrated(self) -> bool:
        """Whether the recorder's counts had to be changed."""
        return self.sure is not None

    def is_sure_of(self, positions: Iterable[int]) -> bool:
        """Whether the lengths up to these blocks were measured."""
        return self.sure is None or self.sure.issuperset(positions)

    def keys(self, dials: Dials) -> list[int]:
        """The hashes of the same prompt under other dials."""
        recorded, wanted = masks_of(self.dials), masks_of(dials)
        if recorded == wanted:
            return self.hashes
        turned = [old ^ new for old, new in zip(recorded, wanted, strict=True)]
        return [one ^ turned[section] for one, section in zip(self.hashes, self.sections, strict=True)]

    def ends(self, factor: Fraction) -> list[int]:
        """Tokens from the start to the end of each block, where there are *factor* tokens for each recorded one."""
        return self.recorded_ends if factor == 1 else [scaled(end, factor) for end in self.recorded_ends]


def why_not_replayed(call: Call) -> str | None:
    """Why the cache of a call cannot be replayed from its blocks; None where it can."""
    served = call.served
    if served.calls_in_total != 1:
        return "a total of several calls"
    if call.request is None or not call.request.blocks:
        return "no blocks of the prompt were recorded"
    if served.extra_passes or served.prompt_tokens_max_in_one_pass is not None or _used_tools(served.usage):
        return "several passes: the counts are a sum over prompts that were not recorded"
    if not served.usage.prompt_tokens or not any(block.tokens for block in call.request.blocks):
        return "the prompt has no tokens"
    return None


def prompt_of(call: Call, lengths: Lengths) -> Prompt:
    """The prompt of a call with blocks, as long as *lengths* knows; calls must come in order of time."""
    request = call.request
    assert request is not None, "why_not_replayed says so"
    blocks = request.blocks
    hashes = [int.from_bytes(block.prefix_hash) for block in blocks]
    marks: list[tuple[int, Ttl]] = [
        (at, "1h" if block.ttl == "1h" else "5m") for at, block in enumerate(blocks) if block.ttl is not None
    ]
    measured = lengths.of(
        hashes,
        [block.tokens for block in blocks],
        marks,
        call.served.usage,
        microseconds(call.sent_at),
        is_one_prompt=why_not_replayed(call) is None,
    )
    return Prompt(
        hashes,
        measured.tokens,
        list(accumulate(measured.tokens)),
        [_SECTION.get(block.section, 2) for block in blocks],
        [block.cacheable for block in blocks],
        marks,
        recorded_dials(request),
        measured.sure,
    )


def scaled(count: int, factor: Fraction) -> int:
    """*count* x *factor* as a whole number, halves up. In SQL: ``(count * n * 2 + d) // (2 * d)``."""
    n, d = factor.numerator, factor.denominator
    return count if n == d else (count * n * 2 + d) // (2 * d)


def _used_tools(usage: Usage) -> bool:
    return bool(usage.web_search_requests or usage.web_fetch_requests or usage.code_execution_requests)
