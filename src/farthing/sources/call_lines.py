"""Calls as JSON lines, one :class:`~farthing.call.Call` each as farthing encodes it: hashes of prompts in base64."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import msgspec

from farthing.call import Call
from farthing.errors import ErrorRecord
from farthing.sources.lines import LINE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_call_lines(stream: BinaryIO, name: str) -> Iterator[Call | ErrorRecord]:
    """
    Every call, in file order, with an error record for each line that is none.

    Args:
        stream: JSON lines; read one by one.
        name: What error records call it.

    """
    decoder = msgspec.json.Decoder(Call)
    number = 0
    while raw := stream.readline(LINE_BYTES_MAX):
        number += 1
        if not raw.strip():
            continue
        try:
            call = decoder.decode(raw.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = "read a line that is no call; expected one with call_id, sent_at, source and served"
            yield ErrorRecord(source=name, line=number, error=told)
            continue
        if call.sent_at.tzinfo is None:
            told = "read a call whose time has no zone; expected one such as 2026-11-20T09:00:00Z"
            yield ErrorRecord(source=name, line=number, error=told)
            continue
        yield call
