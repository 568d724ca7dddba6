"""
Who wrote and who read each cached prefix among a few calls: from hashes of their blocks, without any text. Pure.

Two calls share a prefix exactly where they have the same hash. A response says how much was read, not what: of the
prefixes that were written before and are in a prompt, the one whose length is nearest to what was read is taken.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.call import Call, PromptBlock


class PrefixUse:
    """
    One cached prefix.

    Attributes:
        section: In which it ends. block: number of its last block, from 1. ttl: as it was last written.
        tokens: Its length: measured where a call wrote it as the end of its cached part, else the recorder's count.
        writers: Numbers of the calls that wrote it, from 1. readers: of those that read it.
        read_tokens: How many tokens they read of it together.

    """

    __slots__ = ("block", "read_tokens", "readers", "section", "tokens", "ttl", "writers")

    def __init__(self, section: str, block: int, ttl: str, tokens: int) -> None:
        self.section = section
        self.block = block
        self.ttl = ttl
        self.tokens = tokens
        self.writers: list[int] = []
        self.readers: list[int] = []
        self.read_tokens = 0


class Uses(NamedTuple):
    """
    What was found.

    Attributes:
        prefixes: In the order in which they were first written.
        read: Per number of a call that read something, the prefix; None: it was written by none of these calls, or the
            call's prompt is not known.

    """

    prefixes: list[PrefixUse]
    read: dict[int, PrefixUse | None]


def prefix_uses(calls: Sequence[Call]) -> Uses:
    """Go through *calls*, which are in order of time and numbered from 1."""
    known: dict[bytes, PrefixUse] = {}
    read: dict[int, PrefixUse | None] = {}
    for number, call in enumerate(calls, 1):
        usage = call.served.usage
        blocks = call.request.blocks if call.request is not None else ()
        ends = list(accumulate(block.tokens for block in blocks))
        if usage.cache_read_tokens:
            there = [(abs(end - usage.cache_read_tokens), -end, block) for block, end in _in(blocks, ends, known)]
            found = known[min(there, key=lambda one: one[:2])[2].prefix_hash] if there else None
            read[number] = found
            if found is not None:
                found.readers.append(number)
                found.read_tokens += usage.cache_read_tokens
        if usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:
            _write(number, call, ends, known, read.get(number))
    return Uses(list(known.values()), read)


def _in(
    blocks: Sequence[PromptBlock], ends: Sequence[int], known: dict[bytes, PrefixUse]
) -> list[tuple[PromptBlock, int]]:
    return [(block, end) for block, end in zip(blocks, ends, strict=True) if block.prefix_hash in known]


def _write(number: int, call: Call, ends: Sequence[int], known: dict[bytes, PrefixUse], read: PrefixUse | None) -> None:
    """The breakpoints behind what was read were written."""
    assert call.request is not None or not ends
    blocks = call.request.blocks if call.request is not None else ()
    marks = [at for at, block in enumerate(blocks) if block.ttl is not None]
    if not marks and call.request is not None and call.request.cache_automatic:
        marks = [at for at, block in enumerate(blocks) if block.cacheable][-1:]
    behind = -1 if read is None else read.block - 1
    written = [at for at in marks if at > behind]
    usage = call.served.usage
    whole = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    for at in written:
        block = blocks[at]
        tokens = whole if at == written[-1] else ends[at]
        ttl = block.ttl or ("1h" if usage.cache_write_1h_tokens else "5m")
        use = known.setdefault(block.prefix_hash, PrefixUse(block.section, at + 1, ttl, tokens))
        use.ttl, use.tokens = ttl, tokens
        use.writers.append(number)
