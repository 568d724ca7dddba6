"""Width and height from the first bytes of a PNG, JPEG, GIF or WebP: the header only, nothing is decoded."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX_BASE64_CHARS = 64 * 1024
"""Enough for every header but that of a JPEG with large metadata, which is then read whole."""

_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; not tables or reserved
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})  # no length follows


def image_size(head: bytes) -> tuple[int, int] | None:
    """
    Width and height in pixels, as stored; None where *head* is another format, broken, or too short to tell.

    A GIF's or WebP's size is that of its canvas, which every frame shares.
    """
    for read in (_png, _gif, _webp, _jpeg):
        size = read(head)
        if size is not None:
            return size if min(size) >= 1 else None
    return None


def base64_image_size(data: str) -> tuple[int, int] | None:
    """As :func:`image_size`, of base64 text; decodes only a prefix where that is enough."""
    if len(data) > _PREFIX_BASE64_CHARS:
        size = image_size(_decode(data[:_PREFIX_BASE64_CHARS]))
        if size is not None:
            return size
    return image_size(_decode(data))


def _decode(data: str) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except (binascii.Error, ValueError):
        return b""


def _png(head: bytes) -> tuple[int, int] | None:
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _gif(head: bytes) -> tuple[int, int] | None:
    if len(head) < 10 or head[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    chunk, body = head[12:16], head[20:30]
    if chunk == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    if not head.startswith(b"\xff\xd8"):
        return None
    for marker, at in _jpeg_segments(head):
        if marker in _JPEG_SIZE_MARKERS and at + 7 <= len(head):
            return int.from_bytes(head[at + 5 : at + 7], "big"), int.from_bytes(head[at + 3 : at + 5], "big")
    return None


def _jpeg_segments(head: bytes) -> Iterator[tuple[int, int]]:
    """Marker and offset of its length field, one by one; ends where the structure does."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_BARE_MARKERS:
            at += 2
        else:
            yield marker, at + 2
            at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4], "big"))
