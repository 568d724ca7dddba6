"""
What a stretch of a journal tells, made ready for DuckDB: one pass over its lines, which needs no database.

It runs in a thread of its own while DuckDB takes the stretch before, so it keeps little: most of what it reads goes to
a temporary file at once, in the form that queries/stage.sql reads.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from farthing.errors import ErrorRecord, LedgerFault
from farthing.ledger import journal
from farthing.ledger.interface import Begun
from farthing.ledger.journal import Seen, Settled
from farthing.ledger.merge import in_range
from farthing.ledger.staging import StagingFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from farthing.ledger.journal import Opened
    from farthing.ledger.prompt_runs import Run

_LINES_BYTES = 2**17
"""About so much is decoded at once: what was just read is still in the processor's cache."""


class Told:
    """
    What some lines of one journal tell.

    Attributes:
        begun, seen: Of calls without an outcome in these lines, by entry.
        settled_later: Calls with an outcome whose beginning is not in these lines.
        calls: To be posted, in their order. runs: the runs of blocks of their prompts.
        errors: Lines that were damaged or hold what no ledger can keep.
        start, end: Offsets of the first line and behind the last one.

    Args:
        name: The journal's.
        start: Where the lines begin.
        is_careful: Look at every number of every call. Otherwise numbers are left to queries/stretch.sql, for which it
            costs less, and calls go to the file as they stand.

    """

    def __init__(self, name: str, start: int, *, is_careful: bool = False) -> None:
        self.name = name
        self.begun: dict[str, Begun] = {}
        self.seen: dict[str, Seen] = {}
        self.settled_later: list[str] = []
        self.calls = StagingFile()
        self.runs: list[Run] = []
        self.errors: list[ErrorRecord] = []
        self.start = self.end = start
        self.is_careful = is_careful

    def take(self, batch: journal.Batch) -> None:
        """Add lines that follow those before."""
        self.errors += batch.errors
        begun, gather = self.begun, self.gather
        for record, body in zip(batch.records, batch.bodies, strict=True):
            if type(record) is Settled:
                if begun.pop(record.entry, None) is None:
                    self.settled_later.append(record.entry)
                if self.seen:
                    self.seen.pop(record.entry, None)
                gather(record, body)
            elif type(record) is Begun:
                begun[record.entry] = record
            else:
                self._see(record)
        self.calls.flush()
        self.end = batch.end

    def gather(self, record: Seen | Settled, body: bytes = b"") -> None:
        """Have a record's call posted; *body* is its line's JSON, where it has one."""
        stored, prompt = record.stored, record.prompt
        if prompt is not None:
            self.runs += prompt.runs
        if stored is None:
            return
        call = stored.call
        # Beside these, queries/stretch.sql looks at everything, and a line is kept in UTC.
        is_plain = call.sent_at.tzinfo is UTC and not call.served.extra_passes
        if self.is_careful or not is_plain or (call.request is not None and call.request.blocks):
            try:
                kept = in_range(stored)
            except LedgerFault as fault:
                self.errors.append(ErrorRecord(source=self.name, error=str(fault)))
                return
            if kept is not stored:
                stored, body = kept, b""
        self.calls.put(stored, prompt, body)

    def _see(self, record: Begun | Seen | Opened | Settled) -> None:
        if isinstance(record, Seen):
            self.seen[record.entry] = record
            if record.prompt is not None:
                self.runs += record.prompt.runs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.calls.close()


def stretches(path: Path, offset: int, bytes_max: int) -> Iterator[Told]:
    """
    What a journal tells from *offset* on, about *bytes_max* of it at a time. Whoever takes one closes it.

    Raises:
        LedgerFault: As :func:`farthing.ledger.journal.read`; what came before it was given out.

    """
    told = Told(path.name, offset)
    fault: LedgerFault | None = None
    try:
        lines = journal.batches(path, offset, min(bytes_max, _LINES_BYTES))
        while True:
            try:
                batch = next(lines, None)
            except LedgerFault as error:
                batch, fault = None, error
            if batch is not None:
                told.take(batch)
            if told.end > told.start and (batch is None or told.end - told.start >= bytes_max):
                given, told = told, Told(path.name, told.end)
                yield given
            if batch is None:
                break
    finally:
        told.calls.close()
    if fault is not None:
        raise fault


def careful(path: Path, start: int, end: int) -> Told:
    """
    The lines between two offsets once more, looking at every number.

    Raises:
        LedgerFault: As :func:`farthing.ledger.journal.between`.

    """
    told = Told(path.name, start, is_careful=True)
    told.take(journal.between(path, start, end))
    return told
