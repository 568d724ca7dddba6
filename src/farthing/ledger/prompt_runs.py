"""
Prompts as runs of blocks that calls share. Pure.

Calls of one conversation have nearly the same prompt, and conversations of one application begin alike. So a prompt is
kept as a chain of *runs*: each holds the blocks that its call added, and names the run before it. A run's name is a
digest of itself and of all before it, so that whoever packs the same run gives it the same name, and writing one twice
does no harm. Where a run is missing (its line in a journal was damaged), the prompt is unknown, not wrong.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.call import PromptBlock, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY_BYTES = 16
HASH_BYTES = 16
_DEPTH_MAX = 32
"""Longest chain; a longer one begins anew behind the tools and the system prompt, so that no prompt is slow to read."""
_SHALLOW = 3
_RECENT_MAX = 50_000

SECTIONS = ("tools", "system", "messages")
TTLS = (None, "5m", "1h")


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    Blocks of one section that follow one another.

    Attributes:
        key: Its name, :data:`KEY_BYTES` long. parent: that of the run before it; empty for none.
        section: Of all its blocks.
        hashes: Their prefix hashes, :data:`HASH_BYTES` each. tokens: their counts.
        uncacheable: Which of them, counted from 0 within the run, can have no breakpoint.

    """

    key: bytes
    parent: bytes
    section: str
    hashes: bytes
    tokens: tuple[int, ...]
    uncacheable: tuple[int, ...] = ()

    def link(self) -> Link:
        """The run as it is read."""
        hashes, size = self.hashes, HASH_BYTES
        blocks = tuple(
            PromptBlock(hashes[at * size : (at + 1) * size], tokens, self.section, None, at not in self.uncacheable)
            for at, tokens in enumerate(self.tokens)
        )
        return Link(self.parent, blocks)


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    One call's prompt.

    Attributes:
        leaf: The key of its last run; empty for a prompt that was not read.
        ttl_5m: Positions of its breakpoints of 5 minutes. ttl_1h: likewise.
        runs: Those of its runs that whoever packed it had not written yet, parents first.

    """

    leaf: bytes = b""
    ttl_5m: tuple[int, ...] = ()
    ttl_1h: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()


class PackedRequest(Request, frozen=True, kw_only=True, gc=False):
    """A request whose blocks are packed beside it, on its way into a ledger."""

    packed: Packed = Packed()


class Packer:
    """Packs prompts one after the other, and remembers which runs it gave out: those are not in later packages."""

    def __init__(self, recent_max: int = _RECENT_MAX) -> None:
        self._recent_max = recent_max
        self._recent: dict[int, tuple[bytes, int]] = {}

    def forget(self) -> None:
        """Take all runs as not written."""
        self._recent.clear()

    def pack(self, blocks: tuple[PromptBlock, ...]) -> Packed:
        """Pack one prompt; its blocks must be ones that a ledger can keep."""
        if not blocks:
            return Packed()
        marks = _marks(blocks)
        start, parent, depth = self._known(marks)
        runs: list[Run] = []
        for end in range(start + 1, len(blocks) + 1):
            if end < len(blocks) and blocks[end].section == blocks[start].section:
                continue
            run, depth = _run(parent, blocks[start:end]), depth + 1
            runs.append(run)
            self._remember(marks[end - 1], run.key, depth)
            start, parent = end, run.key
        marked = [(at, block.ttl) for at, block in enumerate(blocks) if block.ttl is not None]
        ttl_5m, ttl_1h = (tuple([at for at, found in marked if found == ttl]) for ttl in TTLS[1:])
        return Packed(parent, ttl_5m, ttl_1h, tuple(runs))

    def _known(self, marks: list[int]) -> tuple[int, bytes, int]:
        """Where the longest known chain ends, its key and depth."""
        depth_max = _DEPTH_MAX
        for at in range(len(marks) - 1, -1, -1):
            found = self._recent.get(marks[at])
            if found is None:
                continue
            if found[1] < depth_max or at == len(marks) - 1:
                self._remember(marks[at], *found)
                return at + 1, *found
            depth_max = _SHALLOW
        return 0, b"", 0

    def _remember(self, mark: int, key: bytes, depth: int) -> None:
        self._recent.pop(mark, None)
        self._recent[mark] = key, depth
        if len(self._recent) > self._recent_max:
            del self._recent[next(iter(self._recent))]


class Link(NamedTuple):
    """A run as it is read: the key of the one before it, and its blocks without breakpoints."""

    parent: bytes
    blocks: tuple[PromptBlock, ...]


def unpacked(
    leaf: bytes, ttl_5m: Iterable[int], ttl_1h: Iterable[int], runs: Mapping[bytes, Link]
) -> tuple[PromptBlock, ...]:
    """The blocks of a prompt; none where one of its runs is not in *runs*."""
    chain: list[Link] = []
    while leaf:
        run = runs.get(leaf)
        if run is None or len(chain) > len(runs):
            return ()
        chain.append(run)
        leaf = run.parent
    blocks = [block for run in reversed(chain) for block in run.blocks]
    for ttl, positions in (("5m", ttl_5m), ("1h", ttl_1h)):
        for at in positions:
            if at < len(blocks):
                blocks[at] = msgspec.structs.replace(blocks[at], ttl=ttl)
    return tuple(blocks)


def _marks(blocks: tuple[PromptBlock, ...]) -> list[int]:
    """
    A number for every prefix: equal where all its blocks are, breakpoints aside.

    Python's own hash is enough, for it never leaves the process and what it is made of is a hash already.
    """
    mark = 0
    marks = []
    for prefix_hash, tokens, section, _, cacheable in map(msgspec.structs.astuple, blocks):
        mark = hash((mark, prefix_hash, tokens, section, cacheable))
        marks.append(mark)
    return marks


def _run(parent: bytes, blocks: tuple[PromptBlock, ...]) -> Run:
    section = blocks[0].section
    hashes = b"".join([block.prefix_hash for block in blocks])
    tokens = tuple([block.tokens for block in blocks])
    uncacheable = tuple([at for at, block in enumerate(blocks) if not block.cacheable])
    named = blake2b(parent, digest_size=KEY_BYTES)
    named.update(repr((len(parent), section, tokens, uncacheable)).encode())
    named.update(hashes)
    return Run(named.digest(), parent, section, hashes, tokens, uncacheable)
