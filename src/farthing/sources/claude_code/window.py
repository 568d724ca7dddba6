"""
Lines of a file through one reused buffer.

A transcript tree is gigabytes, and few lines of it matter. Reading into the same quarter megabyte keeps the bytes in
the processor's cache and asks the system for no new memory; a line is copied out only when somebody wants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

WINDOW_BYTES = 256 << 10
LINE_BYTES_MAX = 256 << 20
"""A longer line is no transcript line. It is cut there, so that memory stays bounded."""
_OPEN, _CLOSE = b"{}"


class Window:
    """
    A buffer to read lines through; one serves any number of files in turn.

    Attributes:
        offset: Where in the file the bytes after the last complete line begin, once :meth:`lines` is through.

    """

    def __init__(self) -> None:
        self.offset = 0
        self._data = bytearray(WINDOW_BYTES)
        self._filled = 0

    def lines(self, stream: FileIO, offset: int, needle: bytes) -> Iterator[tuple[int, bytes, bool]]:
        """
        Lines from *offset* on that hold *needle*, and any that do not begin and end as a JSON object does.

        Yields:
            The line's offset in the file, the line without its end, and whether it holds *needle*. What follows the
            last line end is not a line yet: see :meth:`rest`.

        """
        stream.seek(offset)
        self.offset, self._filled = offset, 0
        while self._fill(stream):
            data, filled, start = self._data, self._filled, 0
            find, rfind, view = data.find, data.rfind, memoryview(data)
            while (end := find(b"\n", start, filled)) >= 0:
                if rfind(needle, start, end) >= 0:  # from the end, because usage stands behind the content
                    yield self.offset + start, bytes(view[start:end]), True
                elif data[start] != _OPEN or data[end - 1] != _CLOSE:
                    yield self.offset + start, bytes(view[start:end]), False
                start = end + 1
            if start == 0 and filled >= LINE_BYTES_MAX:
                yield self.offset, b"{", False
                start = filled
            self._forget(start)

    def rest(self) -> bytes:
        """The bytes after the last line end."""
        return bytes(memoryview(self._data)[: self._filled])

    def _fill(self, stream: FileIO) -> bool:
        """Read once behind what is there; a line that fills the whole buffer makes it grow."""
        if self._filled == len(self._data):
            self._data = self._data + bytearray(len(self._data))
        count = stream.readinto(memoryview(self._data)[self._filled :])
        self._filled += count
        return bool(count)

    def _forget(self, count: int) -> None:
        rest = self._filled - count
        self._data[:rest] = self._data[count : self._filled]
        self._filled = rest
        self.offset += count
