"""
JSON lines of strangers: every line read on its own, so that a bad one costs itself and nothing else.

A line is read up to its newline; CRLF, blank lines and a byte order mark at the start are fine. Memory is bounded by
the longest line, which itself is bounded.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from farthing.usage.interface import type_name
from farthing.usage.surrogates import without_lone_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE_BYTES_MAX = 64 * 2**20
"""A longer line is an error and is skipped: no response is near it, and memory must not depend on the input."""

WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
"""How a file begins that is in none of the encodings read here."""
IS_WIDE = "read a file in UTF-16 or UTF-32; expected UTF-8; convert it first (iconv -t UTF-8)"
_KEY = re.compile(rb'"([^"]*)"\s*:')
_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){1,200}"|-?[0-9]{1,18}\b)')


class Line(NamedTuple):
    """One line: its object, or what is wrong with it (then ``value`` is None) and its id where that can be told."""

    number: int
    value: dict[str, Any] | None
    error: str = ""
    id: Any = None


def read_lines(
    stream: BinaryIO, line_bytes_max: int = LINE_BYTES_MAX, decode: Callable[[bytes], Any] = msgspec.json.decode
) -> Iterator[Line]:
    """
    Every line of *stream* that is not blank, in order, numbered from 1 as an editor would.

    *decode* turns a line into values and raises what :func:`msgspec.json.decode` raises.

    Yields:
        A line for each; one that is not a JSON object says so in one sentence, without its content.

    """
    number = 0
    while raw := stream.readline(line_bytes_max):
        number += 1
        if number == 1:
            if raw.startswith(WIDE):
                yield Line(1, None, IS_WIDE)
                return
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) == line_bytes_max and not raw.endswith(b"\n"):
            _skip_rest(stream, line_bytes_max)
            yield Line(number, None, f"read a line of more than {line_bytes_max:,} bytes; expected a shorter one")
            continue
        raw = raw.strip()
        if raw:
            yield decode_line(raw, number, decode)


def decode_line(raw: bytes, number: int, decode: Callable[[bytes], Any] = msgspec.json.decode) -> Line:
    """Decode one line that is neither blank nor padded."""
    try:
        value = _decoded(raw, decode)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, None, _fault(raw, error), _id_of(raw))
    if not isinstance(value, dict):
        hint = "; if the file is one JSON array, put one object on each line (jq -c '.[]')" if raw[:1] == b"[" else ""
        return Line(number, None, f"read {type_name(value)}; expected one JSON object per line{hint}")
    keys = _KEY.findall(raw)
    doubtful = len(set(keys)) != len(keys) or b"\\" in b"".join(keys)
    if doubtful and (twice := _first_twice(raw)) is not None:
        told = f"read the key {twice!r} twice in one object; expected it once, for the two may disagree"
        return Line(number, None, told, value.get("id"))
    return Line(number, value)


def _decoded(raw: bytes, decode: Callable[[bytes], Any]) -> Any:
    try:
        return decode(raw)
    except msgspec.DecodeError:
        if (mended := without_lone_surrogates(raw)) is raw:
            raise
        return decode(mended)


def _skip_rest(stream: BinaryIO, chunk_bytes: int) -> None:
    while (rest := stream.readline(chunk_bytes)) and not rest.endswith(b"\n"):
        pass


def _fault(raw: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "read JSON that is nested too deeply; expected one JSON object per line"
    if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error).lower():
        return "read bytes that are not UTF-8; expected one JSON object per line in UTF-8"
    if "truncated" in str(error):
        ends = "is one line of a JSON document spread over several" if raw in (b"{", b"[") else "ends too early"
        return f"read a line that {ends}; expected one whole JSON object per line"
    if "out of range" in str(error):
        return "read a number too large for any count; expected one JSON object per line"
    return f"read a line that is not JSON ({_position(str(error))}); expected one JSON object per line"


def _position(message: str) -> str:
    """Only what is safe to repeat of a decoder's message: what is wrong and at which byte, never content."""
    return message.removeprefix("JSON is malformed: ")


def _id_of(raw: bytes) -> Any:
    found = _ID.search(raw)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class _TwiceError(Exception):
    pass


def _first_twice(raw: bytes) -> str | None:
    """
    The first key that one object has twice, or None.

    That every name in the line is different rules it out at once; a name that returns may be in another object, or
    inside a string, and this decides.
    """

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) != len(seen := dict(pairs)):
            names = [name for name, _ in pairs]
            raise _TwiceError(next(name for name in seen if names.count(name) > 1))
        return seen

    try:
        json.loads(raw, object_pairs_hook=check)
    except _TwiceError as twice:
        return str(twice)[:80]
    except (ValueError, RecursionError):
        return None
    return None
