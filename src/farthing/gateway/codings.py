"""
Content codings of answers, undone in pieces of bounded size, whatever the ratio.

What a client accepts is passed on, so the upstream may pack an answer in whatever of these it likes; the client gets it
as it is, and the meter reads it here (RFC 9110 8.4.1, brotli RFC 7932, zstd RFC 8878 and 9659).
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

READABLE = frozenset({b"identity", b"gzip", b"x-gzip", b"deflate", b"br", b"zstd"})
_PIECE_BYTES = 64 * 2**10
_ZSTD_OPTIONS = {int(zstd.DecompressionParameter.window_log_max): 23}
"""8 MB, the most that a sender over HTTP may ask a reader to keep (RFC 9659)."""


class UnknownCoding(Exception):
    """A content coding that we cannot read."""


class Unpacker(Protocol):
    """Undoes one coding of one body."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """
        What the next bytes of the body come to, in pieces of about 64 kB.

        Raises:
            Exception: They are not what the coding says; of a type that each library chooses.

        """
        ...


def unpacker(coding: bytes) -> Unpacker | None:
    """
    What undoes a ``content-encoding``; None: there is nothing to undo.

    Raises:
        UnknownCoding: We cannot undo it, or there is more than one.

    """
    match coding.strip().lower():
        case b"" | b"identity":
            return None
        case b"gzip" | b"x-gzip" | b"deflate":
            return _Inflate()
        case b"br":
            return _Brotli()
        case b"zstd":
            return _Zstd()
    raise UnknownCoding


class _Inflate:
    """gzip and zlib, one member after the other."""

    def __init__(self) -> None:
        self._inflate = _new_inflate()

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        is_full = False
        while chunk or is_full:
            piece = self._inflate.decompress(chunk, _PIECE_BYTES)
            is_full = len(piece) == _PIECE_BYTES  # then there may be more, even where nothing is left to read
            chunk = self._inflate.unconsumed_tail
            if self._inflate.eof:
                chunk, is_full = self._inflate.unused_data, False
                self._inflate = _new_inflate()
            yield piece


class _Brotli:
    """Of one stream; what follows it is no part of the body."""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while not self._decompressor.is_finished():
            piece = self._decompressor.process(chunk, output_buffer_limit=_PIECE_BYTES)
            yield piece
            if not piece and self._decompressor.can_accept_more_data():
                return  # not before: it can take more while there is more to give
            chunk = b""


class _Zstd:
    """One frame after the other."""

    def __init__(self) -> None:
        self._decompressor = _new_zstd()

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk or not self._decompressor.needs_input:
            if self._decompressor.eof:
                self._decompressor = _new_zstd()
            piece = self._decompressor.decompress(chunk, _PIECE_BYTES)
            chunk = self._decompressor.unused_data if self._decompressor.eof else b""
            yield piece
            if self._decompressor.eof and not chunk:
                return


def _new_inflate() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # tells gzip from zlib by itself


def _new_zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
