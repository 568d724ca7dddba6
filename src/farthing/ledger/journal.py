"""
The journal: an append-only file per process that survives being killed at any byte.

A line is ``CRC32 JSON``: eight hexadecimal digits over the JSON's bytes, a space, one JSON object, a newline. JSON text
holds no raw newline, so a reader that meets a damaged line finds the next one by itself, which a length prefix could
not promise; and a person can read the file with ``less``. A line without its newline is not written yet, or never will
be: a reader stops before it. Nothing is ever overwritten or cut off, so an offset that was read stays right.

The first line says the format's version. Then there is one line when a call begins, before its first upstream byte, one
when a stream has told what it was asked, and one when its outcome is known. No line holds prompt text or a key; prompts
are runs of blocks (:mod:`farthing.ledger.prompt_runs`), each written once in a file.

A writer locks its file as long as it lives, so that anybody can see whether more may come. One that could not write a
record marks its file, by a bit of its mode: that needs no room on a disk that is full.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from farthing.errors import ErrorRecord, LedgerFault
from farthing.ledger.interface import Begun, Stored
from farthing.ledger.prompt_runs import Packed, Packer
from farthing.ledger.text import valid_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = [
    "SUFFIX",
    "VERSION",
    "Batch",
    "Begun",
    "Fsync",
    "JournalWriter",
    "Opened",
    "Read",
    "Record",
    "Seen",
    "Settled",
]
__all__ += ["batches", "between", "is_whole", "is_written", "line", "new_path", "read"]

VERSION = 2
SUFFIX = ".journal"
_BUFFER_BYTES = 2**18
"""What is read of the file at once: the usual 8 kB cost half as much time again."""
_MODE, _LACKING = 0o600, 0o100
"""A file's mode, and the bit of one that may lack a record."""
Fsync = Literal["each", "never"]
"""``each``: a record is on the disk when ``append`` returns; ``never``: when the system, or ``sync``, writes it."""


class Opened(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="opened"):
    """The first line: the version of the format, and when the process began it (aware, UTC)."""

    version: int
    opened_at: datetime


class Settled(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="settled", omit_defaults=True):
    """
    The outcome of a begun call: what was billed; None where nothing was, and *why* says so in one sentence.

    As it is written, the call's request has no blocks: they are packed in *prompt*. A writer packs by itself.
    """

    entry: str
    stored: Stored | None = None
    why: str = ""
    prompt: Packed | None = None


class Seen(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="seen", omit_defaults=True):
    """
    What is known of a begun call while its answer is still coming.

    It is posted only where the outcome never comes because the writer is gone. *prompt* as in :class:`Settled`.
    """

    entry: str
    stored: Stored
    prompt: Packed | None = None


Record = Opened | Begun | Seen | Settled

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class Read(msgspec.Struct, frozen=True, gc=False):
    """One complete line: a record, or what is wrong with it, and the offset after it."""

    record: Record | None
    error: ErrorRecord | None
    end: int


class Batch(NamedTuple):
    """Lines that follow one another: each sound record and its JSON, what is wrong with the others, and the end."""

    records: list[Record]
    bodies: list[bytes]
    errors: list[ErrorRecord]
    end: int


def new_path(folder: Path, at: datetime) -> Path:
    """A path for a new journal that no other process has, here or elsewhere; names sort by time."""
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return folder / f"{stamp}-{uuid.uuid4().hex}{SUFFIX}"


class JournalWriter:
    """
    Writes one new journal.

    Args:
        path: Where; see :func:`new_path`.
        opened_at: Now; aware, UTC.
        fsync: When a record is safe from a power cut. A killed process loses nothing under either policy.

    Raises:
        LedgerFault: The file exists already or cannot be made.

    """

    def __init__(self, path: Path, opened_at: datetime, fsync: Fsync = "each") -> None:
        self.path = path
        self._fsync = fsync
        self._torn = False
        self._packer = Packer()
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerFault(f"cannot begin the journal {path}: {error.strerror}") from error
        self.append(Opened(VERSION, opened_at))

    def append(self, record: Record) -> None:
        """
        Write one record.

        Raises:
            LedgerFault: The disk is full or gone. The record may be missing; those before it and after it are safe.

        """
        # After a failed write the file may end in half a line: a newline makes that a damaged line of its own.
        data = (b"\n" if self._torn else b"") + line(self._packed(record))
        self._torn = True
        try:
            while data:
                data = data[os.write(self._file, data) :]
            if self._fsync == "each":
                os.fsync(self._file)
        except OSError as error:
            self._packer.forget()  # what this record held may be missing
            with suppress(OSError):
                os.fchmod(self._file, _MODE | _LACKING)
            raise LedgerFault(f"cannot write the journal {self.path}: {error.strerror}") from error
        self._torn = False

    def _packed(self, record: Record) -> Record:
        """The record with its prompt packed, where it has one."""
        if not isinstance(record, (Settled, Seen)) or record.stored is None:
            return record
        call = record.stored.call
        if call.request is None or not call.request.blocks:
            return record
        bare = Stored(replace(call, request=replace(call.request, blocks=())), record.stored.posting)
        return replace(record, stored=bare, prompt=self._packer.pack(call.request.blocks))

    def sync(self) -> None:
        """Put everything written so far on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Sync and close the file."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_written(path: Path) -> bool:
    """
    Whether the process that writes a journal is alive. Killed or ended: nothing will be added to it any more.

    Raises:
        LedgerFault: The file cannot be opened.

    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error
    return False


def is_whole(path: Path) -> bool:
    """
    Whether all that its writer meant to write is there: no record failed, not even one that was written later.

    Raises:
        LedgerFault: The file cannot be found.

    """
    try:
        return not path.stat().st_mode & _LACKING
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error


def read(path: Path, offset: int = 0) -> Iterator[Read]:
    """
    Every complete line from *offset*, which is 0 or the ``end`` of a line read before.

    A damaged line comes as an error between the good ones. A torn last line is left for the next time.

    Raises:
        LedgerFault: The file cannot be read, or a newer farthing wrote it.

    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                start, offset = offset, offset + len(raw)
                if raw != b"\n":
                    yield _read_line(path, raw, start)
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error


def batches(path: Path, offset: int, bytes_max: int) -> Iterator[Batch]:
    """
    The same lines, about *bytes_max* at a time, where speed matters.

    Raises:
        LedgerFault: As :func:`read`.

    """
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            file.seek(offset)
            while lines := file.readlines(bytes_max):
                is_torn = not lines[-1].endswith(b"\n")
                if is_torn:
                    lines.pop()
                if lines:
                    batch = _read_all(path, lines, offset)
                    yield batch
                    offset = batch.end
                if is_torn:
                    return  # the rest of that line may be written by now, and is none by itself
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error


def between(path: Path, start: int, end: int) -> Batch:
    """
    The same lines once more, from one offset where a line begins to another.

    Raises:
        LedgerFault: As :func:`read`, or the file is not what it was.

    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
    except OSError as error:
        raise LedgerFault(f"cannot read the journal {path}: {error.strerror}") from error
    if len(data) < end - start or not data.endswith(b"\n"):
        raise LedgerFault(f"the journal {path} was cut or replaced while it was read; restore it and read it again")
    return _read_all(path, [line + b"\n" for line in data[:-1].split(b"\n")], start)


def _read_all(path: Path, lines: list[bytes], start: int) -> Batch:
    """All lines in a few steps where all are sound, else one by one."""
    bodies = [line[9:-1] for line in lines]
    if b"%08x " * len(lines) % tuple(map(crc32, bodies)) == b"".join([line[:9] for line in lines]):
        with suppress(msgspec.DecodeError):
            records = list(map(_DECODER.decode, bodies))
            _check_versions(path, records)
            return Batch(records, bodies, [], start + sum(map(len, lines)))
    batch = Batch([], [], [], start + sum(map(len, lines)))
    for line, body in zip(lines, bodies, strict=True):
        if line != b"\n":
            found = _read_line(path, line, start)
            if found.record is not None:
                batch.records.append(found.record)
                batch.bodies.append(body)
            if found.error is not None:
                batch.errors.append(found.error)
        start += len(line)
    return batch


def _check_versions(path: Path, records: list[Record]) -> None:
    for record in records:
        if type(record) is Opened and not 1 <= record.version <= VERSION:
            raise LedgerFault(
                f"the journal {path} is of version {record.version}, this farthing reads 1 to {VERSION}; "
                "upgrade farthing"
            )


def line(record: Record) -> bytes:
    """A record as it is written, newline included; text that is not valid Unicode is mended."""
    try:
        body = _ENCODER.encode(record)
    except UnicodeEncodeError:
        body = _ENCODER.encode(valid_record(record))
    return b"%08x %b\n" % (crc32(body), body)


def _read_line(path: Path, raw: bytes, start: int) -> Read:
    end = start + len(raw)
    body = raw[9:-1]
    if raw[:9] != b"%08x " % crc32(body):
        return _bad(path, start, end, "the line is damaged (its checksum does not match)")
    try:
        record = _DECODER.decode(body)
    except msgspec.DecodeError:
        return _bad(path, start, end, f"the line is no record of a journal of version {VERSION}")
    _check_versions(path, [record])
    return Read(record, None, end)


def _bad(path: Path, start: int, end: int, what: str) -> Read:
    return Read(None, ErrorRecord(source=path.name, error=f"bytes {start} to {end}: {what}; it was left out"), end)
