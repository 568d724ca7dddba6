"""
Whether and how what was said is kept: ``none``, ``hash``, ``redacted`` or ``full``, per call.

The operator's settings say what is kept, rules say it anew for whom they match, and a caller may lower it but never
raise it. Where it comes to ``none`` nothing of a body is held, hashed or copied. Headers, and so credentials, are kept
in no mode.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing.gateway.content_redact import TOO_DEEP, redact
from farthing.gateway.content_stream import assembled
from farthing.ledger.content import Content, Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.gateway.wire import Headers

Mode = Literal["none", "hash", "redacted", "full"]

_ORDER: tuple[Mode, ...] = ("none", "hash", "redacted", "full")
_WORDS = {mode.encode(): mode for mode in _ORDER}
_HEADER = b"x-farthing-content"
_PERSON = b"farthing content"
READ_TIMES = 4
"""A body that is to be redacted is held up to so many times what may be kept: most of a stream is not text."""

CUT, TOO_LONG, PACKED, BROKEN, UNSEEN = "cut", "too long to redact", "packed", "broken off", "not held"


def mode_under(allowed: Mode, headers: Headers) -> Mode:
    """
    *allowed*, or what the caller lowers it to by ``x-farthing-content``; a word that means nothing lowers it to none.

    >>> mode_under("full", [(b"x-farthing-content", b"hash")]), mode_under("hash", [(b"x-farthing-content", b"full")])
    ('hash', 'hash')
    """
    return lowest([allowed, *(_WORDS.get(value.strip().lower(), "none") for name, value in headers if name == _HEADER)])


def lowest(modes: Iterable[Mode]) -> Mode:
    """The one of them that keeps least."""
    return min(modes, key=_ORDER.index)


class Said(NamedTuple):
    """
    What one call said, on its way to the store.

    Attributes:
        row: What is kept, its parts still empty.
        request: The body; None where it was not held whole.
        answer: Pieces of the body, unpacked, as far as they are held.
        answer_hash: Of the whole answer; None where that was not seen.
        answer_bytes: Of the whole answer, unpacked. answer_note: see :class:`~farthing.ledger.content.Part`.
        is_stream: Whether the answer is a stream of events.

    """

    row: Content
    request: bytes | None
    answer: list[bytes]
    answer_hash: str | None
    answer_bytes: int
    answer_note: str
    is_stream: bool

    def __repr__(self) -> str:
        return f"<Said {self.row.gateway_call}>"  # fields carry prompts


class Terms(NamedTuple):
    """
    How bodies are kept.

    Attributes:
        bytes_max: Kept of one body. secret: key of the hashes.

    """

    bytes_max: int
    secret: bytes

    def __repr__(self) -> str:
        return f"<Terms {self.bytes_max}>"

    def held_max(self, mode: str) -> int:
        """How much of a body has to be held."""
        return {"full": self.bytes_max, "redacted": READ_TIMES * self.bytes_max}.get(mode, 0)


def new_hash(secret: bytes) -> blake2b:
    """A hash that nobody can make elsewhere, so that a body cannot be guessed from it."""
    return blake2b(key=secret, digest_size=16, person=_PERSON)


def kept_of(said: Said, terms: Terms) -> Content:
    """What is written down of a call: hashed, redacted and cut as its mode says. Heavy; not for the forwarder."""
    mode = said.row.mode
    return said.row._replace(request=_request_part(said.request, mode, terms), answer=_answer_part(said, mode, terms))


def _request_part(body: bytes | None, mode: str, terms: Terms) -> Part:
    if body is None:
        return Part(note=UNSEEN)
    digest = new_hash(terms.secret)
    digest.update(body)
    part = Part(digest.hexdigest(), len(body))
    if mode == "hash":
        return part
    if mode == "redacted" and len(body) > terms.held_max("redacted"):
        return part._replace(note=TOO_LONG)
    return _cut(part, redact(body) if mode == "redacted" else body, terms)


def _answer_part(said: Said, mode: str, terms: Terms) -> Part:
    part = Part(said.answer_hash, said.answer_bytes, said.answer_note)
    if mode == "hash" or said.answer_note == PACKED:
        return part
    body = b"".join(said.answer)
    if mode == "full":
        return _cut(part, body, terms)
    if said.answer_note == CUT:
        return part._replace(note=TOO_LONG)
    return _cut(part, _redacted_stream(body) if said.is_stream else redact(body), terms)


def _redacted_stream(stream: bytes) -> bytes:
    try:
        return redact(json.dumps(assembled(stream), separators=(",", ":")).encode())
    except RecursionError:
        return TOO_DEEP


def _cut(part: Part, body: bytes, terms: Terms) -> Part:
    note = CUT if len(body) > terms.bytes_max else part.note
    return part._replace(note=note, body=body[: terms.bytes_max])
