"""
The prompts of a trace as a tree of prefixes.

Neighbouring blocks that every call of the trace has or has not together are one *segment*: they are written, read and
forgotten together under every policy, so a replay counts segments, not blocks. The tree is built once; after that each
call is one node, and its path to the root is its prompt. Memory grows with the distinct blocks while the tree is built,
with segments and calls afterwards.

Conventions: the first ``ceil(prefix_tokens_min / block_tokens)`` blocks are one unit, for nothing shorter can be
cached; a call shorter than ``prefix_tokens_min`` has no node; a partial last block is a segment of its own, equal only
to a partial block with the same id and the same length.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from farthing.sources.traces import TraceCall

ROOT = 0
_BYTES = 8


class Blocks(NamedTuple):
    """
    How a trace cuts prompts.

    Attributes:
        block_tokens: Tokens of a full block.
        prefix_tokens_min: Shortest cacheable prefix; what is shorter is never cached.

    """

    block_tokens: int = 512
    prefix_tokens_min: int = 1024

    @property
    def first_blocks(self) -> int:
        """Full blocks that only together can be cached."""
        return max(1, -(-self.prefix_tokens_min // self.block_tokens))


class Visit(NamedTuple):
    """
    One call on the tree.

    Attributes:
        at_ms: When it was sent.
        input_tokens: Its whole prompt.
        path: Its segments from the front, without the root; empty where nothing can be cached.
        full: How many of them end with a full block: all, or all but the partial last one.

    """

    at_ms: int
    input_tokens: int
    path: list[int]
    full: int


class PrefixTree:
    """
    The segments of a trace and, per call, where its prompt ends.

    Args:
        calls: In time order.
        blocks: How prompts are cut.

    Attributes:
        tokens: Per node, the tokens of its segment; the root has none.
        parent: Per node, the node before it.

    """

    def __init__(self, calls: Iterable[TraceCall], blocks: Blocks | None = None) -> None:
        self.blocks = blocks or Blocks()
        self.tokens = array("q", [0])
        self.parent = array("q", [ROOT])
        self._at_ms = array("q")
        self._input_tokens = array("q")
        self._end = array("q")  # the last segment of full blocks
        self._tail = array("q")  # the partial last block, or the root for none
        grower = _Grower(self.tokens, self.parent, self.blocks.block_tokens)
        for call in calls:
            self._add(call, grower)

    def __len__(self) -> int:
        return len(self._at_ms)

    @property
    def nodes(self) -> int:
        """Nodes, the root included."""
        return len(self.tokens)

    def calls_from(self, start_ms: int) -> int:
        """How many calls were sent at *start_ms* or later."""
        return len(self) - bisect_left(self._at_ms, start_ms)

    def visits(self) -> Iterator[Visit]:
        """Every call in time order."""
        parent = self.parent
        for at_ms, input_tokens, end, tail in zip(self._at_ms, self._input_tokens, self._end, self._tail, strict=True):
            path = []
            node = end
            while node:
                path.append(node)
                node = parent[node]
            path.reverse()
            full = len(path)
            if tail:
                path.append(tail)
            yield Visit(at_ms, input_tokens, path, full)

    def _add(self, call: TraceCall, grower: _Grower) -> None:
        full, tail_tokens = divmod(call.input_tokens, self.blocks.block_tokens)
        skipped = self.blocks.first_blocks
        end = tail = ROOT
        if call.input_tokens >= self.blocks.prefix_tokens_min and full >= skipped:
            end = grower.grow(call.block_ids[skipped - 1 : full].tobytes(), skipped * self.blocks.block_tokens)
            if tail_tokens:
                tail = grower.tail(end, call.block_ids[full], tail_tokens)
        self._at_ms.append(call.at_ms)
        self._input_tokens.append(call.input_tokens)
        self._end.append(end)
        self._tail.append(tail)


class _Grower:
    """Splits segments where prompts part. Keeps the ids of every segment, which the finished tree does not need."""

    def __init__(self, tokens: array[int], parent: array[int], block_tokens: int) -> None:
        self._tokens = tokens
        self._parent = parent
        self._block_tokens = block_tokens
        self._ids: list[bytes] = [b""]
        self._children: dict[int, int] = {}
        self._tails: dict[tuple[int, int, int], int] = {}

    def grow(self, ids: bytes, first_tokens: int) -> int:
        """The node at which a prompt of these full blocks ends; its first block counts *first_tokens*."""
        node, at = ROOT, 0
        while at < len(ids):
            key = node << 64 | int.from_bytes(ids[at : at + _BYTES])
            child = self._children.get(key)
            if child is None:
                return self._leaf(node, key, ids[at:], first_tokens)
            mine = self._ids[child]
            if not ids.startswith(mine, at):
                child = self._split(child, key, _common(mine, ids[at : at + len(mine)]), first_tokens)
            node = child
            at += len(self._ids[child])
        return node

    def tail(self, node: int, block_id: int, tokens: int) -> int:
        """The node of a partial last block after *node*."""
        key = (node, block_id, tokens)
        found = self._tails.get(key)
        if found is None:
            found = self._tails[key] = self._new(node, b"", tokens)
        return found

    def _leaf(self, parent: int, key: int, ids: bytes, first_tokens: int) -> int:
        self._children[key] = node = self._new(parent, ids, self._tokens_of(parent, ids, first_tokens))
        return node

    def _split(self, node: int, key: int, kept: int, first_tokens: int) -> int:
        """Cut *node* after *kept* bytes of its ids: the front is new and takes its place, the rest keeps its number."""
        ids, parent = self._ids[node], self._parent[node]
        front = self._leaf(parent, key, ids[:kept], first_tokens)
        self._ids[node] = ids[kept:]
        self._parent[node] = front
        self._tokens[node] -= self._tokens[front]
        self._children[front << 64 | int.from_bytes(ids[kept : kept + _BYTES])] = node
        return front

    def _tokens_of(self, parent: int, ids: bytes, first_tokens: int) -> int:
        blocks = len(ids) // _BYTES
        return first_tokens + (blocks - 1) * self._block_tokens if parent == ROOT else blocks * self._block_tokens

    def _new(self, parent: int, ids: bytes, tokens: int) -> int:
        self._ids.append(ids)
        self._parent.append(parent)
        self._tokens.append(tokens)
        return len(self._ids) - 1


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two lists of ids share at the front, in whole ids: at least one id, by the caller's look-up."""
    low, high = 1, min(len(one), len(other)) // _BYTES
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[: middle * _BYTES]):
            low = middle
        else:
            high = middle - 1
    return low * _BYTES
