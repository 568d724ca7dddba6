"""
Outcomes on their way into a ledger: whole files in a folder, each on the disk before anybody is told that it is kept.

A file is written under another name, put on the disk and renamed, so one that is there is whole, and none is ever
written to again: whoever fills a ledger reads files, and deletes them once the ledger has them. Nothing else is needed
for several writers, several readers and any of them killed at any step: a ledger keeps an outcome once, however often
it is told. The first line says the format's version and the CRC32 of the others; those are JSON, one outcome each.

Names sort by time, because of two words about one outcome the later one wins.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from farthing.errors import LedgerFault
from farthing.ledger.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = "outcomes"
"""In the folder of journals."""
SUFFIX = ".outcomes"
VERSION = 1

_PART, _DAMAGED = ".part", ".damaged"
_PART_S_MAX = 3_600
"""A file that was not renamed for so long never will be: its writer was killed, and nobody was told that it is kept."""
_BYTES_MAX = 2**30
_LOOK_S = 1.0
_NAME = re.compile(rf"(\d{{20}})-(\d+)-[0-9a-f]{{32}}{re.escape(SUFFIX)}")
_FIRST_LINE = re.compile(rb"farthing outcomes (\d+) ([0-9a-f]{8})\n")


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One outcome without its amounts, and those: JSON numbers of many readers end at 64 bits, ours do not."""

    outcome: Outcome
    value_pusd: str | None = None
    revenue_pusd: str | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)


class Damaged(LedgerFault):
    """A file of outcomes is not what was written."""


def line(outcome: Outcome) -> bytes:
    """An outcome as it is written, newline included; *outcome* as ``checked_outcome`` returns it."""
    value, revenue = (None if amount is None else str(amount) for amount in (outcome.value_pusd, outcome.revenue_pusd))
    bare = msgspec.structs.replace(outcome, value_pusd=None, revenue_pusd=None)
    return _ENCODER.encode(_Line(bare, value, revenue)) + b"\n"


class Spool:
    """
    Writes files of outcomes; for one thread at a time.

    Args:
        folder: Where; made with the first file.
        bytes_max: So much may lie there, of all writers together, give or take what comes in a second.

    """

    def __init__(self, folder: Path, bytes_max: int = _BYTES_MAX) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._last_ns = 0
        self._bytes = 0
        self._looked_s = -_LOOK_S

    def put(self, lines: Sequence[bytes]) -> None:
        """
        Keep outcomes, all in one file that is on the disk when this returns.

        Args:
            lines: Each of :func:`line`; at least one.

        Raises:
            LedgerFault: The disk is full or gone, or too many wait already. The file may be there all the same.

        """
        try:
            _make(self._folder)
            self._look()
            if self._bytes > self._bytes_max:
                raise LedgerFault("too many outcomes wait for the ledger, which does not take them")
            self._write(b"".join(lines), len(lines))
        except OSError as error:
            raise LedgerFault(f"the disk does not take outcomes: {error.strerror}") from error

    def _look(self) -> None:
        """How much lies there, and, so that a clock set back between two lives mixes nothing up, the latest name."""
        if time.monotonic() - self._looked_s < _LOOK_S:
            return
        names = _names(self._folder)
        self._bytes = sum(_size(self._folder / name) for name in names)
        self._last_ns = max([self._last_ns, *(int(name[:20]) for name in names)])
        self._looked_s = time.monotonic()

    def _write(self, body: bytes, count: int) -> None:
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        path = self._folder / f"{self._last_ns:020d}-{count}-{uuid.uuid4().hex}{SUFFIX}"
        part = path.with_name(path.name + _PART)
        data = b"farthing outcomes %d %08x\n%b" % (VERSION, crc32(body), body)
        try:
            _write_whole(part, data)
            part.rename(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        _sync_folder(self._folder)
        self._bytes += len(data)


def waiting(folder: Path) -> list[Path]:
    """
    The files that are there, first told first; none where there is no folder.

    A listing may miss a file that comes while it is made, and have a later one. So it is made until it stays the same:
    a file was there before anybody sent what comes after it, and each is then in the list with all that are before it.

    Raises:
        LedgerFault: The folder cannot be read.

    """
    try:
        found = _names(folder)
        last = max(found, default="")
        while (again := {name for name in _names(folder) if name <= last}) != found:
            found = again
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerFault(f"cannot read the folder {folder}: {error.strerror}") from error
    return [folder / name for name in sorted(found)]


def count(paths: Sequence[Path]) -> int:
    """How many outcomes files hold, by their names."""
    return sum(int(found[2]) for path in paths if (found := _NAME.fullmatch(path.name)))


def read(path: Path) -> list[Outcome]:
    """
    The outcomes of a file; none where it is gone, because another owner has taken it.

    Raises:
        Damaged: It is not what was written.
        LedgerFault: It cannot be read, or a newer farthing wrote it.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerFault(f"cannot read the outcomes {path}: {error.strerror}") from error
    head = _FIRST_LINE.match(data)
    if head is None:
        raise Damaged(f"the outcomes {path} are damaged (they do not begin as such a file does)")
    if not 1 <= int(head[1]) <= VERSION:
        raise LedgerFault(f"the outcomes {path} are of version {head[1].decode()}; upgrade farthing")
    body = data[head.end() :]
    if b"%08x" % crc32(body) != head[2]:
        raise Damaged(f"the outcomes {path} are damaged (their checksum does not match)")
    try:
        return [_outcome(one) for one in _DECODER.decode_lines(body)]
    except (msgspec.DecodeError, ValueError) as error:
        raise Damaged(f"the outcomes {path} are none of version {VERSION}") from error


def set_aside(path: Path) -> None:
    """Give a damaged file a name under which nobody reads it again; what it holds is kept."""
    with suppress(OSError):
        path.rename(path.with_name(path.name + _DAMAGED))


def delete(path: Path) -> None:
    """Delete a file whose outcomes a ledger has; where that fails, it will be read once more."""
    with suppress(OSError):
        path.unlink()


def delete_parts(folder: Path) -> None:
    """Delete what killed writers left half written."""
    before_s = time.time() - _PART_S_MAX
    for path in folder.glob(f"*{_PART}"):
        with suppress(OSError):
            if path.stat().st_mtime < before_s:
                path.unlink()


def _outcome(one: _Line) -> Outcome:
    value, revenue = (None if amount is None else int(amount) for amount in (one.value_pusd, one.revenue_pusd))
    return msgspec.structs.replace(one.outcome, value_pusd=value, revenue_pusd=revenue)


def _make(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _names(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if _NAME.fullmatch(name)}  # noqa: PTH208 - names are all we need


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was deleted since
        return 0


def _write_whole(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
