"""
How many pages a PDF has, as far as its bytes show without a PDF library: page objects, and the page tree's own count.

Objects packed into compressed object streams are unpacked up to a bound. Encrypted files keep object streams closed.
"""

from __future__ import annotations

import re
import zlib
from itertools import islice
from typing import NamedTuple

PAGES_MAX = 600
"""Most pages of one request (100 on models with a 200 k window); facts: claude-api 7.3."""

# Files come from strangers: every search below is bounded, so that none can be made slow.
_UNPACKED_BYTES_MAX = 32 * 1024 * 1024
_STREAMS_MAX = 20_000
_TREE_NODES_MAX = 5_000
_NODE_BYTES_MAX = 8_000

_PAGE = re.compile(rb"/Type\s{0,9}/Page(?![a-zA-Z])")
_TREE_NODE = re.compile(rb"/Type\s{0,9}/Pages\b")
_COUNT = re.compile(rb"/Count\s{1,9}(\d{1,7})")
_OBJECT_STREAM = re.compile(rb"/Type\s{0,9}/ObjStm\b")
_STREAM_START = re.compile(rb"stream\r?\n")
_STREAM_HEAD_BYTES_MAX = 400


class PageCount(NamedTuple):
    """
    What the bytes say.

    Attributes:
        low: Fewest pages there can be; high: most.
        proven: The page objects and the page tree agree. Otherwise the file was updated, packed or encrypted in a way
            that hides one of them, and the true count is only likely to be in the range.
        basis: What was seen.

    """

    low: int
    high: int
    proven: bool
    basis: str


def pdf_pages(data: bytes) -> PageCount:
    """
    Count the pages of a PDF; a range where the two ways of counting differ, 1 to 600 where neither works.

    Bytes that are no PDF give the same wide range: their count cannot be known.
    """
    if b"%PDF-" not in data[:1024]:
        return PageCount(1, PAGES_MAX, proven=False, basis="bytes are not a PDF's")
    bodies = [data, *_unpacked(data)]
    objects = sum(len(_PAGE.findall(body)) for body in bodies)
    tree = max((_tree_count(body) for body in bodies), default=0)
    if objects and objects == tree:
        return PageCount(objects, objects, proven=True, basis="page objects and page tree agree")
    seen = [count for count in (objects, tree) if count >= 1]
    if not seen:
        return PageCount(1, PAGES_MAX, proven=False, basis="no page object is visible in the file")
    low, high = (min(end(seen), PAGES_MAX) for end in (min, max))  # more pages than that are refused, not billed
    return PageCount(low, high, proven=False, basis=f"{objects} page objects, page tree says {tree}")


def _tree_count(body: bytes) -> int:
    """The largest count that a node of the page tree states: the root's, which counts all. 0 where none is seen."""
    return max((_node_count(body, node) for node in islice(_TREE_NODE.finditer(body), _TREE_NODES_MAX)), default=0)


def _node_count(body: bytes, node: re.Match[bytes]) -> int:
    """The count beside a node's type, inside the same dictionary: after it, or else before it."""
    after = body[node.end() : node.end() + _NODE_BYTES_MAX].partition(b">>")[0]
    before = body[max(0, node.start() - _NODE_BYTES_MAX) : node.start()].rpartition(b"<<")[2]
    found = _COUNT.search(after) or _COUNT.search(before)
    return int(found[1]) if found else 0


def _unpacked(data: bytes) -> list[bytes]:
    """The contents of Flate-compressed object streams, as many as fit the bound; broken ones are left out."""
    room, found = _UNPACKED_BYTES_MAX, []
    for match in islice(_OBJECT_STREAM.finditer(data), _STREAMS_MAX):
        start = _STREAM_START.search(data, match.end(), match.end() + _STREAM_HEAD_BYTES_MAX)
        end = data.find(b"endstream", start.end()) if start else -1
        if room <= 0 or (start and end < 0):
            break
        if start is None:
            continue
        try:
            body = zlib.decompressobj().decompress(data[start.end() : end], room)
        except zlib.error:
            continue
        room -= len(body)
        found.append(body)
    return found
