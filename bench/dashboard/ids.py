"""
Ids that look like the API's, made inside SQL together with the CRC-32 by which the ledger finds them.

DuckDB has no CRC-32. But over texts of one length it is a sum (XOR) of what each piece adds, so ids are put together
from pieces of three letters, 16 bits each, and every piece brings its part of two checksums: of the message id, and of
the call id that is made of both ids. Pure, but for the table of pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import duckdb

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh"
_VALUES = 2**16
_MESSAGE, _REQUEST = "msg_01", "req_011C"
_MESSAGE_PIECES, _REQUEST_PIECES = 8, 7
PIECES = _MESSAGE_PIECES + _REQUEST_PIECES
"""How many pieces one call's ids take; piece *n* is ``(hash >> 16 * (n % 4)) & 65535`` of the hash ``n // 4``."""


def make_pieces(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables ``piece_0`` and so on: (value, text, what it adds to the message's key, and to the call's)."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE texts AS SELECT value::USMALLINT AS value, "
        "substr($l, value // 1681 % 41 + 1, 1) || substr($l, value // 41 % 41 + 1, 1) || substr($l, value % 41 + 1, 1) "
        "AS text FROM range($n) AS every(value)",
        {"l": _LETTERS, "n": _VALUES},
    )
    for number in range(PIECES):
        adds = [
            "list_value("
            + ", ".join(str(_add(number, place, letter, of_call=of_call)) for place in range(3) for letter in _LETTERS)
            + ")"
            for of_call in (False, True)
        ]
        at = ("value // 1681 % 41 + 1", "value // 41 % 41 + 42", "value % 41 + 83")
        keys = [f"xor(xor(({one})[{at[0]}], ({one})[{at[1]}]), ({one})[{at[2]}])::UINTEGER" for one in adds]
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE piece_{number} AS "
            f"SELECT value, text, {keys[0]} AS message_key, {keys[1]} AS call_key FROM texts"
        )


def joins() -> str:
    """The joins of a relation with hashes ``id_0`` to ``id_3`` to its pieces."""
    return "\n".join(
        f"JOIN piece_{n} ON piece_{n}.value = ((id_{n // 4} >> {16 * (n % 4)}) & 65535)::USMALLINT"
        for n in range(PIECES)
    )


def columns() -> str:
    """``message_id``, ``message_key``, ``request_id`` and ``call_key`` over such joins."""
    message, request = range(_MESSAGE_PIECES), range(_MESSAGE_PIECES, PIECES)
    return ",\n".join(
        (
            f"concat('{_MESSAGE}', {_texts(message)}) AS message_id",
            f"{_keys('message_key', message, of_call=False)} AS message_key",
            f"concat('{_REQUEST}', {_texts(request)}) AS request_id",
            f"{_keys('call_key', range(PIECES), of_call=True)} AS call_key",
        )
    )


def _texts(pieces: range) -> str:
    return ", ".join(f"piece_{n}.text" for n in pieces)


def _keys(name: str, pieces: range, *, of_call: bool) -> str:
    key = f"{_plain(of_call)}::UINTEGER"
    for n in pieces:
        key = f"xor({key}, piece_{n}.{name})"
    return key


def _template(*, of_call: bool) -> list[str]:
    letters = [*_MESSAGE, *("1" * 3 * _MESSAGE_PIECES)]
    return [*letters, ":", *_REQUEST, *("1" * 3 * _REQUEST_PIECES)] if of_call else letters


def _plain(of_call: bool) -> int:  # noqa: FBT001 - two cases of one sum
    return crc32("".join(_template(of_call=of_call)).encode())


def _add(piece: int, place: int, letter: str, *, of_call: bool) -> int:
    """What *letter* at one place changes in the checksum of an id of nothing but the first letter."""
    if piece >= _MESSAGE_PIECES and not of_call:
        return 0
    in_request = piece >= _MESSAGE_PIECES
    at = len(_MESSAGE) + 3 * piece + (1 + len(_REQUEST) if in_request else 0) + place
    template = _template(of_call=of_call)
    template[at] = letter
    return crc32("".join(template).encode()) ^ _plain(of_call)
