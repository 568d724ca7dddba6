"""
The prompt of a recorded call as a replay needs it: whole numbers that add up to what was measured.

Blocks carry the recorder's counts, which are estimates; the response says what the whole prompt was. Where the two
differ, each call's blocks are given the measured total in proportion to their estimates, by largest remainder, so that
they add up to the token. Where they agree, nothing is touched, and prompts that share a prefix share its length.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from farthing.prompts.dials import Dials, masks_of
from farthing.prompts.recorded import recorded_dials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from farthing.call import Call, Usage
    from farthing.prompts.breakpoints import Ttl

_SECTION = {"tools": 0, "system": 1, "messages": 2}


class Prompt(NamedTuple):
    """
    One prompt, as recorded.

    Attributes:
        hashes: Per block, of everything up to its end.
        tokens: Per block; they add up to the measured prompt.
        sections: Per block, 0 tools, 1 system, 2 messages.
        cacheable: Per block, whether a breakpoint may stand there.
        marks: Position and lifetime of each breakpoint as recorded.
        dials: Under which ``hashes`` stand.
        is_calibrated: Whether the recorder's counts had to be scaled.

    """

    hashes: list[int]
    tokens: list[int]
    sections: list[int]
    cacheable: list[bool]
    marks: list[tuple[int, Ttl]]
    dials: Dials
    is_calibrated: bool

    def keys(self, dials: Dials) -> list[int]:
        """The hashes of the same prompt under other dials."""
        if dials == self.dials:
            return self.hashes
        turned = [old ^ new for old, new in zip(masks_of(self.dials), masks_of(dials), strict=True)]
        return [one ^ turned[section] for one, section in zip(self.hashes, self.sections, strict=True)]

    def ends(self, factor: Fraction) -> list[int]:
        """Tokens from the start to the end of each block, where there are *factor* tokens for each recorded one."""
        tokens = self.tokens if factor == 1 else shared_out(scaled(sum(self.tokens), factor), self.tokens)
        return list(accumulate(tokens))


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


def prompt_of(call: Call) -> Prompt:
    """The prompt of a call with blocks, calibrated to the measured total where that is of one prompt."""
    request = call.request
    assert request is not None, "why_not_replayed says so"
    blocks = request.blocks
    tokens = [block.tokens for block in blocks]
    measured = call.served.usage.prompt_tokens
    off = sum(tokens) != measured
    return Prompt(
        [int.from_bytes(block.prefix_hash) for block in blocks],
        shared_out(measured, tokens) if off and any(tokens) else tokens,
        [_SECTION.get(block.section, 2) for block in blocks],
        [block.cacheable for block in blocks],
        [(at, "1h" if block.ttl == "1h" else "5m") for at, block in enumerate(blocks) if block.ttl is not None],
        recorded_dials(request),
        off,
    )


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """
    Split *total* in proportion to *weights*, in whole numbers; what is left over goes to the largest remainders.

    Of equal remainders the earlier one is served first. *weights* are >= 0 and not all 0.
    """
    whole = sum(weights)
    quotas = [divmod(total * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in quotas]
    left = total - sum(parts)
    if left:
        for at in sorted(range(len(quotas)), key=lambda at: -quotas[at][1])[:left]:
            parts[at] += 1
    return parts


def scaled(count: int, factor: Fraction) -> int:
    """*count* x *factor* as a whole number, halves up. In SQL: ``(count * n * 2 + d) // (2 * d)``."""
    n, d = factor.numerator, factor.denominator
    return count if n == d else (count * n * 2 + d) // (2 * d)


def _used_tools(usage: Usage) -> bool:
    return bool(usage.web_search_requests or usage.web_fetch_requests or usage.code_execution_requests)
