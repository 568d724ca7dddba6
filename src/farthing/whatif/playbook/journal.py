"""
The journal of decisions: who applied or took back which step, when, and what it was predicted to save. Append-only.

A line is ``CRC32 JSON``, as in the gateway's journals: a line that is damaged or not whole counts as not written, and
is never overwritten. The journal is written before the policy, and an entry holds all it takes to write the policy, so
whoever is killed in between leaves something that the next command finishes.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from zlib import crc32

import msgspec

from farthing.errors import LedgerFault
from farthing.units import Kind
from farthing.whatif.playbook.policy import HEADER, StepTable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a step was predicted to save, and on what.

    Attributes:
        a_month_pusd: Per 30 days, after the steps before it in its plan. low_pusd, high_pusd: nine in ten; None: not
            known well. kind: how sure.
        since, until: First and last day that were judged, UTC, both inclusive. calls: how many it was about.

    """

    a_month_pusd: int
    low_pusd: int | None
    high_pusd: int | None
    kind: Kind
    since: datetime
    until: datetime
    calls: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One decision.

    Attributes:
        number: From 1. at: when; aware, UTC. who: the user of the machine.
        action: ``applied`` or ``undone``.
        step: What is turned; its id names it. predicted: see there. caller_change, verify: the proposal's.
        policy: The file. block: the text that is put into it or taken out; empty where callers change alone.
        created: Whether there was no policy before.
        before, after: CRC32 of the whole file; None where there is none.
        undoes: Number of the entry that is taken back; None where it is none.

    """

    number: int
    at: datetime
    who: str
    action: Literal["applied", "undone"]
    step: StepTable
    predicted: Predicted
    policy: str
    block: str
    created: bool
    before: int | None
    after: int | None
    undoes: int | None = None
    caller_change: str = ""
    verify: str = ""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


class Journal(msgspec.Struct, frozen=True):
    """What was read: whole entries in order, and how many lines are damaged."""

    entries: tuple[Entry, ...]
    damaged: int

    @property
    def live(self) -> list[Entry]:
        """Steps that are applied and not taken back, in the order in which they were applied."""
        undone = {entry.undoes for entry in self.entries}
        return [one for one in self.entries if one.action == "applied" and one.number not in undone]


def read_journal(path: Path) -> Journal:
    """
    The journal at *path*; an empty one where there is none.

    Raises:
        LedgerFault: It cannot be read.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error
    entries, damaged = [], 0
    for line in data.split(b"\n"):
        if line:
            entry = _read(line)
            entries += [] if entry is None else [entry]
            damaged += entry is None
    return Journal(tuple(entries), damaged)


def append(path: Path, entry: Entry) -> None:
    """
    Write one entry to the disk.

    Raises:
        LedgerFault: It cannot be written. Then nothing has happened.

    """
    body = _ENCODER.encode(entry)
    line = b"%08x " % crc32(body) + body + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # somebody was killed in the middle of a line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LedgerFault(f"cannot write the journal {path}: {error.strerror}") from error


def _read(line: bytes) -> Entry | None:
    checksum, _, body = line.partition(b" ")
    try:
        return _DECODER.decode(body) if int(checksum, 16) == crc32(body) else None
    except (ValueError, msgspec.MsgspecError):
        return None


def checksum_of(data: bytes | None) -> int | None:
    """By which an entry knows a policy again; None for no file."""
    return None if data is None else crc32(data)


def changed(entries: Iterable[Entry], entry: Entry, data: bytes | None) -> bytes | None:
    """
    The policy after *entry*, given it before; None: no file. Pure.

    A block is put at the end, and taken out wherever it stands, so the rest keeps every byte. What is left of a policy
    that began with a step and has none any more is no file, as before.

    Raises:
        LookupError: The block is not there, or twice: somebody edited it.

    """
    block = entry.block.encode()
    if not block:
        return data
    if entry.action == "applied":
        return (HEADER if data is None else data) + block
    parts = (data or b"").split(block)
    if len(parts) != 2:
        raise LookupError(entry.step.id)
    left = b"".join(parts)
    return None if left == HEADER and _is_ours(entries, entry.policy) else left


def _is_ours(entries: Iterable[Entry], policy: str) -> bool:
    """Whether the policy began with one of our steps, and was not there before."""
    ours = False
    for one in entries:
        if one.policy == policy and one.block:
            ours = one.created or (ours and one.before is not None)
            ours = ours and one.after is not None
    return ours
