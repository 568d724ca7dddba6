"""
One transcript file: read from where the last scan stopped, block by block.

The state of a file is where reading stopped and a digest of the bytes before that point, so an appended file is told
from a rewritten one. A last line without its line end is being written: it is left for the next time, unless it is a
whole JSON object already.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.errors import BadInput, ErrorRecord
from farthing.sources.claude_code.lines import NEEDLE, SKIPPED, check_shape, read_line
from farthing.sources.claude_code.shown import ERRORS_PER_FILE_MAX, FileState, Shown
from farthing.sources.claude_code.sighting import Key, Origin, Sighting, merge
from farthing.sources.claude_code.window import WINDOW_BYTES, Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import FileIO

    from farthing.sources.claude_code.discovery import Found

_TAIL_BYTES = 1024
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


class FileReading(NamedTuple):
    """
    What one reading of a file gave.

    Attributes:
        state: None where the file could not be read: it will be tried again.
        shown: What its new lines show.
        failure: Why it could not be read; None also where it was deleted meanwhile.
        bytes_read: How many.

    """

    state: FileState | None
    shown: Shown
    failure: ErrorRecord | None = None
    bytes_read: int = 0


def read_files(files: Iterable[tuple[Found, FileState | None]]) -> list[FileReading]:
    """Read what is new in each file since the state beside it; everything where it was rewritten or never read."""
    window = Window()
    return [_read_file(file, before, window) for file, before in files]


def _read_file(file: Found, before: FileState | None, window: Window) -> FileReading:
    try:
        with open(file.path, "rb", buffering=0) as stream:  # noqa: PTH123 - thousands of files
            if before is None or not _continues(stream, before):
                before = FileState(file)
            return _Reader(file, before, stream, window).read()
    except FileNotFoundError:
        return FileReading(None, Shown())  # deleted since it was listed
    except OSError as error:
        failure = ErrorRecord(source=file.name, error=f"cannot be read: {error.strerror}")
        return FileReading(None, Shown(), failure)


class _Reader:
    """Reads one file, gathering what its lines say."""

    def __init__(self, file: Found, before: FileState, stream: FileIO, window: Window) -> None:
        self.file = file
        self.before = before
        self.stream = stream
        self.window = window
        self.is_subagent = file.is_subagent
        self.found: dict[Key, Sighting] = {}
        self.origins: list[Origin] = []
        self.by_session: dict[str | None, int] = {}
        self.errors: list[ErrorRecord] = list(before.errors)
        self.usage_lines = before.usage_lines
        self.skipped = before.skipped
        self.counted = (0, 0)

    def read(self) -> FileReading:
        offset, rest = self._begin(), b""
        if offset is None:
            offset = self.stream.seek(0, 2)
        else:
            for at, line, has_usage in self.window.lines(self.stream, offset, NEEDLE):
                self._line(at, line, has_usage)
            offset, rest = self.window.offset, self.window.rest()
            if rest and self._finished(offset, rest):
                offset += len(rest)
                rest = b""
        state = FileState(
            self.file, offset, _tail(self.stream, offset), self.usage_lines, self.skipped, tuple(self.errors)
        )
        bytes_read = offset - self.before.offset + len(rest)
        return FileReading(state, Shown(self.origins, list(self.found.items())), bytes_read=bytes_read)

    def _begin(self) -> int | None:
        """Where to begin: behind a byte order mark. None for a file in UTF-16: one error stands for all its lines."""
        if self.before.offset:
            return self.before.offset
        mark = self.stream.read(3)
        if mark[:2] in _UTF16_MARKS:
            self._error(0, BadInput("read a file in UTF-16", "one JSON object per line, in UTF-8"))
            return None
        return 3 if mark == _UTF8_MARK else 0

    def _finished(self, offset: int, rest: bytes) -> bool:
        """Take a last line without its end if it is whole after all: only a whole object closes its first brace."""
        try:
            msgspec.json.decode(rest, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        self._line(offset, rest, NEEDLE in rest)
        return True

    def _line(self, offset: int, line: bytes, has_usage: bool) -> None:  # noqa: FBT001 - hot
        try:
            if not has_usage:
                check_shape(line)
                return
            reading = read_line(line, self.is_subagent, (self.file.name, offset))
        except BadInput as error:
            self._error(offset, error)
            return
        if reading is SKIPPED:
            self.skipped += 1
        elif reading is not None:
            self._add(*reading)

    def _add(self, key: Key, sighting: Sighting, session: str | None) -> None:
        self.usage_lines += 1
        origin = self.by_session.get(session)
        sighting.origin = self._origin(session) if origin is None else origin
        seen = self.found.get(key)
        self.found[key] = sighting if seen is None else merge(seen, sighting, self.origins)

    def _origin(self, session: str | None) -> int:
        number = self.by_session[session] = len(self.origins)
        file = self.file
        self.origins.append(Origin(file.name, file.path, session or file.session, file.project))
        return number

    def _error(self, offset: int, error: BadInput) -> None:
        if len(self.errors) < ERRORS_PER_FILE_MAX:
            text = str(error)
            if len(self.errors) == ERRORS_PER_FILE_MAX - 1:
                text += "; further lines of this file are not listed"
            self.errors.append(ErrorRecord(source=self.file.name, line=self._line_number(offset), error=text))

    def _line_number(self, offset: int) -> int:
        """1-based. Lines are counted only here, because errors are rare."""
        here = self.stream.tell()
        counted_to, lines = self.counted
        lines += _newlines(self.stream, counted_to, offset)
        self.stream.seek(here)
        self.counted = (offset, lines)
        return lines + 1


def _continues(stream: FileIO, before: FileState) -> bool:
    return before.offset <= stream.seek(0, 2) and _tail(stream, before.offset) == before.tail


def _tail(stream: FileIO, offset: int) -> bytes:
    """Digest of the bytes just before *offset*: a digest, because the bytes may be a prompt."""
    stream.seek(max(0, offset - _TAIL_BYTES))
    return hashlib.blake2b(stream.read(min(offset, _TAIL_BYTES)), digest_size=16).digest()


def _newlines(stream: FileIO, start: int, end: int) -> int:
    stream.seek(start)
    count = 0
    while start < end and (block := stream.read(min(end - start, WINDOW_BYTES))):
        count += block.count(b"\n")
        start += len(block)
    return count
