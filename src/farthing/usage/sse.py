"""
Server-sent events: chunks of bytes in, one metered response out.

Any split of the bytes gives the same answer. Lines end in CR, LF or CRLF; a byte order mark, comments, pings and
unknown events are ignored; several ``data`` lines make one event. An event cut off by the end of the stream counts if
its JSON is whole. Both API versions stream alike.

Memory is bounded: one event's data is held up to a limit and dropped beyond it, when the event is reported as lost by
the name in its ``event`` line. Only ``message_start`` and ``message_delta`` carry usage, and they are small; a lost
content event loses its characters from a recovery and nothing else.

Source: the WHATWG specification of server-sent events; facts 4 (streaming reference), checked 2026-11-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.usage.interface import NOTHING_KNOWN, InputCounts, Known, Quarantined, Shape
from farthing.usage.stream import EventMeter

if TYPE_CHECKING:
    from farthing.call import Served

SHAPE = Shape(name="messages stream", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False)

EVENT_BYTES_MAX = 4 * 2**20
"""How much of one event is held unless the caller says otherwise."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WITHOUT_USAGE = frozenset({b"ping", b"content_block_stop"})


class SseMeter:
    """
    Sans-I/O reader of one streamed response.

    Args:
        known: What the caller knows beside the stream.
        event_bytes_max: Longest line, and longest data of one event, that is held. It bounds memory, whatever comes.

    """

    def __init__(self, known: Known = NOTHING_KNOWN, *, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._events = EventMeter(known, shape=SHAPE.name)
        self._event_bytes_max = event_bytes_max
        self._line = bytearray()
        self._line_too_long = False
        self._first_line = True
        self._after_cr = False
        self._name = b""
        self._data = bytearray()
        self._data_too_long = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises nothing, whatever they are."""
        rest = chunk.removeprefix(b"\n") if self._after_cr else chunk
        if not rest:
            self._after_cr = self._after_cr and not chunk
            return
        self._after_cr = rest.endswith(b"\r")
        lines = rest.splitlines()
        unended = b"" if rest.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            if self._line or len(line) > self._event_bytes_max:
                self._hold(line)
                self._end_line()
            else:
                self._take_line(line)
        if unended:
            self._hold(unended)

    def finish(self) -> Served | Quarantined:
        """
        End the stream and say what was served; see :meth:`farthing.usage.stream.EventMeter.finish`.

        May be called again. Bytes fed afterwards start a new line.
        """
        self._end_line()
        self._end_event()
        return self._events.finish()

    @property
    def so_far(self) -> EventMeter:
        """The events that ended until now."""
        return self._events

    def _hold(self, piece: bytes) -> None:
        if self._line_too_long or len(self._line) + len(piece) > self._event_bytes_max:
            self._line_too_long = True
            self._line += piece[: max(0, _PREFIX_BYTES - len(self._line))]
            del self._line[_PREFIX_BYTES:]
        else:
            self._line += piece

    def _end_line(self) -> None:
        line, too_long = bytes(self._line), self._line_too_long
        self._line.clear()
        self._line_too_long = False
        self._take_line(line, too_long=too_long)

    def _take_line(self, line: bytes, *, too_long: bool = False) -> None:
        if self._first_line:
            self._first_line, line = False, line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self._end_event()
        elif line.startswith(b"data:"):
            self._add_data(line[6:] if line[5:6] == b" " else line[5:], too_long=too_long)
        elif line.startswith(b"event:") and not too_long:
            self._name = line[6:].strip()

    def _add_data(self, data: bytes, *, too_long: bool) -> None:
        if self._data:
            self._data += b"\n"
        self._data += data
        if too_long or self._data_too_long or len(self._data) > self._event_bytes_max:
            self._data_too_long = True
            self._data.clear()

    def _end_event(self) -> None:
        name, data, too_long = self._name, bytes(self._data), self._data_too_long
        self._name, self._data_too_long = b"", False
        self._data.clear()
        if too_long:
            self._events.lost_event(name.decode("ascii", "replace") or None)
        elif data and name not in _WITHOUT_USAGE:
            self._events.event(data)


_PREFIX_BYTES = 16
"""Enough of a line that is too long to hold to tell which field it is."""
