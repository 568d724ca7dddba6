"""
Recorded calls as a trace of equal blocks, for the policies that are compared on traces.

A trace cuts every prompt into blocks of one size, wherever its content blocks end. So each trace block is known by the
content block that it ends in and by how far into the prompt: two prompts share it only where they share that content
and all before it. Tokens at the end of a shared content block that do not fill a trace block are taken as not shared.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING

from farthing.sources.traces import TraceCall
from farthing.whatif.replay.moved import microseconds
from farthing.whatif.replay.prompt import prompt_of, why_not_replayed

if TYPE_CHECKING:
    from farthing.call import Call
    from farthing.whatif.replay.lengths import Lengths

_ID_BYTES = 8


def trace_call(call: Call, block_tokens: int, start_us: int, lengths: Lengths) -> TraceCall | str:
    """
    *call* as a trace's, or why it cannot be one.

    Args:
        call: With the blocks of its prompt.
        block_tokens: Tokens of a trace block.
        start_us: When the trace starts, in microseconds since 1970.
        lengths: What the calls before have taught.

    """
    if why := why_not_replayed(call):
        return why
    prompt = prompt_of(call, lengths)
    scope = "\0".join((call.dims.get("organization", ""), call.dims.get("workspace", ""), call.served.channel))
    ids: array[int] = array("Q")
    total, end, block = sum(prompt.tokens), 0, -1
    for until in (*range(block_tokens, total, block_tokens), total):
        while end < until:
            block += 1
            end += prompt.tokens[block]
        named = f"{scope}\0{prompt.hashes[block]:x}\0{until}".encode()
        ids.append(int.from_bytes(hashlib.blake2b(named, digest_size=_ID_BYTES).digest()))
    return TraceCall((microseconds(call.sent_at) - start_us) // 1000, total, ids, call.served.usage.output_tokens)
