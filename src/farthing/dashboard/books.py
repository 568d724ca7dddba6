"""
The ledger, opened for one answer at a time, and answers kept until it changes.

``farthing serve`` fills the file in short rounds. So no page holds it open: each request opens it for reading when it
first has to, and closes it at its end. What was answered is kept as long as the file has not changed, so most pages
open nothing at all. Where the file has changed but cannot be opened now, a page is made of what was answered before,
all of it from the same moment, and says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from farthing.errors import LedgerFault

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from farthing.ledger.interface import Begun, Ledger

_T = TypeVar("_T")
ANSWERS_MAX = 500
_WAIT_S, _SOON_S = 5.0, 0.3


class Books:
    """
    One ledger.

    Args:
        opened: Opens it for reading; the caller of that closes it.
        stamp: Something that is another thing when the ledger has changed.
        soon: Opens it likewise, but waits no longer than is worth it where there are answers from before.

    """

    def __init__(
        self, opened: Callable[[], Ledger], stamp: Callable[[], Hashable], soon: Callable[[], Ledger] | None = None
    ) -> None:
        self._opened = opened
        self._soon = soon or opened
        self._stamp = stamp
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._read: Hashable = None

    @contextmanager
    def shelf(self) -> Iterator[Shelf]:
        """The ledger for one request."""
        shelf = self._shelf(self._stamp())
        try:
            yield shelf
        finally:
            shelf.close()

    def _shelf(self, stamp: Hashable) -> Shelf:
        if self._read is None or stamp == self._read:
            return Shelf(self, self._opened, stamp)
        shelf = Shelf(self, self._soon, stamp)
        try:
            shelf.ledger()
        except LedgerFault as fault:
            return Shelf(self, self._opened, self._read, fault)
        return shelf

    def was_read(self, stamp: Hashable) -> None:
        """The ledger was opened when it had that stamp."""
        self._read = stamp

    def answer(self, key: Hashable) -> tuple[Any, bool]:
        """What is kept under *key*, and whether there is any."""
        with self._lock:
            if key not in self._answers:
                return None, False
            self._answers.move_to_end(key)
            return self._answers[key], True

    def keep(self, key: Hashable, answer: Any) -> None:
        """Keep an answer, in the place of the one that was used longest ago."""
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > ANSWERS_MAX:
                self._answers.popitem(last=False)


class Shelf:
    """The ledger during one request: opened when first needed, or as it was where it cannot be opened (*fault*)."""

    def __init__(
        self, books: Books, opened: Callable[[], Ledger], stamp: Hashable, fault: LedgerFault | None = None
    ) -> None:
        self._fault = fault
        self._books = books
        self._open = opened
        self._stamp = stamp
        self._ledger: Ledger | None = None

    def ledger(self) -> Ledger:
        """
        The ledger itself.

        Raises:
            LedgerFault: It cannot be opened.

        """
        if self._fault is not None:
            raise self._fault
        if self._ledger is None:
            self._ledger = self._open()
            self._books.was_read(self._stamp)
        return self._ledger

    @property
    def is_old(self) -> bool:
        """Whether the ledger has changed since these answers were made."""
        return self._fault is not None

    def kept(self, key: Hashable, make: Callable[[Ledger], _T]) -> _T:
        """What *make* makes of the ledger, made once until it changes."""
        full = (self._stamp, key)
        answer, there = self._books.answer(full)
        if not there:
            answer = make(self.ledger())
            self._books.keep(full, answer)
        return answer  # type: ignore[no-any-return]

    def unsettled(self) -> list[Begun]:
        """Calls that began in a journal and have no outcome yet."""

        def asked(ledger: Ledger) -> list[Begun]:
            unsettled: Callable[[], list[Begun]] = getattr(ledger, "unsettled", list)  # only some engines own journals
            return unsettled()

        return self.kept(("unsettled",), asked)

    def read_to(self) -> dict[str, int]:
        """How far each journal was read, in bytes, by its file's name."""

        def asked(ledger: Ledger) -> dict[str, int]:
            read_to: Callable[[], dict[str, int]] = getattr(ledger, "read_to", dict)  # as above
            return read_to()

        return self.kept(("read to",), asked)

    def close(self) -> None:
        """Release the file."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def books_of(path: Path) -> Books:
    """The books of a ledger file; empty ones while it is not there."""
    from farthing.ledger.memory import MemoryLedger  # noqa: PLC0415 - heavy, as the next
    from farthing.ledger.reading import DuckDBReader  # noqa: PLC0415

    def opened(wait_s: float) -> Ledger:
        return DuckDBReader(path, wait_s=wait_s) if path.exists() else MemoryLedger()

    return Books(lambda: opened(_WAIT_S), lambda: _stamp(path), lambda: opened(_SOON_S))


def _stamp(path: Path) -> Hashable:
    """Size and time of the file and of what was written beside it but not yet into it."""
    found = []
    for file in (path, path.with_name(path.name + ".wal")):
        try:
            at = file.stat()
            found.append((at.st_size, at.st_mtime_ns))
        except OSError:
            found.append((0, 0))
    return tuple(found)
