"""
How many pages a PDF has, as far as its bytes show without a PDF library: page objects, and the page tree's own count.

Objects packed into compressed object streams are unpacked up to a bound. Encrypted files keep object streams closed.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

PAGES_MAX = 600
"""Most pages of one request (100 on models with a 200 k window); facts: claude-api 7.3."""

_UNPACKED_BYTES_MAX = 32 * 1024 * 1024
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_TREE_COUNT = re.compile(
    rb"/Type\s*/Pages\b[^>]{0,4000}?/Count\s+(\d{1,7})|/Count\s+(\d{1,7})[^>]{0,4000}?/Type\s*/Pages\b"
)
_OBJECT_STREAM = re.compile(rb"/Type\s*/ObjStm\b.{0,400}?>>\s*stream\r?\n", re.DOTALL)


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
    tree = max((int(one or other) for body in bodies for one, other in _TREE_COUNT.findall(body)), default=0)
    if objects and objects == tree:
        return PageCount(objects, objects, proven=True, basis="page objects and page tree agree")
    seen = [count for count in (objects, tree) if count >= 1]
    if not seen:
        return PageCount(1, PAGES_MAX, proven=False, basis="no page object is visible in the file")
    return PageCount(min(seen), max(seen), proven=False, basis=f"{objects} page objects, page tree says {tree}")


def _unpacked(data: bytes) -> list[bytes]:
    """The contents of Flate-compressed object streams, as many as fit the bound; broken ones are left out."""
    room, found = _UNPACKED_BYTES_MAX, []
    for match in _OBJECT_STREAM.finditer(data):
        if room <= 0:
            break
        try:
            body = zlib.decompressobj().decompress(data[match.end() :], room)
        except zlib.error:
            continue
        room -= len(body)
        found.append(body)
    return found
