"""
A scan: look at every file, read what is new, keep the index up to date.

Files are read by worker processes where that saves time; this process merges and commits. Memory is bounded: a batch
is committed whenever enough distinct responses have come together.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.errors import ErrorRecord
from farthing.sources.claude_code.discovery import Found, Root, files_under
from farthing.sources.claude_code.entries import Entry, entry
from farthing.sources.claude_code.shown import FileState

if TYPE_CHECKING:
    from concurrent.futures import Future
    from multiprocessing.context import BaseContext

    from farthing.sources.claude_code.index import Index

BYTES_PER_COMMIT = 4 << 20
"""
Of what was found, not of transcripts: the most that waits in memory. Small enough that a large scan commits while its
workers still read, which is a tenth of its time.
"""
WORKERS_FROM_BYTES = 64 << 20
"""Below this a scan is over before workers would have started."""
_BYTES_PER_TASK = 8 << 20
_WORKERS_MAX = 8

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes to do, now and then; an exception it raises ends the scan."""


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a scan found.

    Attributes:
        files: Transcripts that exist now.
        files_read: Those that were opened, being new or changed.
        bytes_read: Bytes read by this scan.
        calls: Calls in the index, those of transcripts since deleted included.
        duplicates: Lines that showed a call once more.
        skipped_synthetic: Lines that Claude Code wrote itself and nobody was billed for.
        unprovable: Calls whose output the transcripts never counted.
        errors: One record per line, file or folder that could not be read.

    """

    files: int
    files_read: int
    bytes_read: int
    calls: int
    duplicates: int
    skipped_synthetic: int
    unprovable: int
    errors: tuple[ErrorRecord, ...]


_Changed = tuple[Found, FileState | None]


class _Task(NamedTuple):
    files: list[_Changed]
    size: int


def scan(
    roots: Sequence[Root], index: Index, *, progress: Progress | None = None, workers: int | None = None
) -> ScanReport:
    """
    Bring *index* up to date with the transcripts under *roots*.

    Args:
        roots: See :func:`~farthing.sources.claude_code.discovery.discover`.
        index: Belongs to these roots alone; see :func:`~farthing.sources.claude_code.default_index_path`.
        progress: See :data:`Progress`.
        workers: Processes to read with; 1: this one alone; None: as many as pay.

    Raises:
        LedgerFault: The index cannot be written.

    """
    files, errors = files_under(roots)
    states = index.file_states()
    changed = [(file, states.get(file.path)) for file in files if not _is_unchanged(file, states.get(file.path))]
    bytes_read = 0
    if changed or index.is_dirty:  # a scan that was killed may have left buckets to compute
        batch = _Batch(index, states)
        with _without_collector():
            for outcome in _outcomes(changed, progress, workers):
                bytes_read += outcome.bytes_read
                errors += outcome.failures
                batch.add(outcome.entries)
            batch.flush(last=True)
    return _report(index, files, states, errors, files_read=len(changed), bytes_read=bytes_read)


def forget_deleted(roots: Sequence[Root], index: Index) -> int:
    """
    Count no more what only transcripts showed that no longer exist.

    Returns:
        How many files were forgotten. Without this, calls stay counted after Claude Code deletes their transcripts.

    """
    here = {file.path for file in files_under(roots)[0]}
    gone = [path for path in index.file_states() if path not in here]
    index.forget(gone)
    return len(gone)


class _Outcome(msgspec.Struct, array_like=True):
    """What reading one task's files gave."""

    entries: list[Entry]
    failures: list[ErrorRecord]
    bytes_read: int


class _Batch:
    """Entries on their way into the index."""

    def __init__(self, index: Index, states: dict[str, FileState]) -> None:
        self.index = index
        self.states = states
        self.entries: list[Entry] = []
        self.size = 0

    def add(self, entries: list[Entry]) -> None:
        self.entries += entries
        self.size += sum(len(one.shown) for one in entries)
        self.states |= {one.state.file.path: one.state for one in entries}
        if self.size >= BYTES_PER_COMMIT:
            self.flush(last=False)

    def flush(self, *, last: bool) -> None:
        self.index.commit(self.entries, last=last)
        self.entries, self.size = [], 0


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing that a scan makes has cycles, and looking for them takes an eighth of what this process does in one."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _is_unchanged(file: Found, state: FileState | None) -> bool:
    return state is not None and state.file == file


def _tasks(changed: Iterable[_Changed]) -> Iterator[_Task]:
    """Files in groups worth a message to a worker."""
    group: list[_Changed] = []
    size = 0
    for file, state in changed:
        new = file.size - (state.offset if state is not None and state.offset <= file.size else 0)
        group.append((file, state))
        size += new
        if size >= _BYTES_PER_TASK:
            yield _Task(group, size)
            group, size = [], 0
    if group:
        yield _Task(group, size)


def _worker_count(wanted: int | None, size: int) -> int:
    if wanted is not None:
        return max(1, wanted)
    return 1 if size < WORKERS_FROM_BYTES else min(os.cpu_count() or 1, _WORKERS_MAX)


def _outcomes(changed: list[_Changed], progress: Progress | None, workers: int | None) -> Iterator[_Outcome]:
    tasks = list(_tasks(changed))
    size, done = sum(task.size for task in tasks), 0
    count = min(_worker_count(workers, size), len(tasks))
    with closing(_in_workers(tasks, count) if count > 1 else _here(tasks)) as outcomes:
        for task, outcome in outcomes:
            yield outcome
            done += task.size
            if progress is not None:
                progress(done, size)


def _here(tasks: list[_Task]) -> Generator[tuple[_Task, _Outcome], None, None]:
    for task in tasks:
        yield task, _read(task.files)


def _in_workers(tasks: list[_Task], count: int) -> Generator[tuple[_Task, _Outcome], None, None]:
    """Each task with its outcome, in any order; few of them wait at once, so that memory is bounded."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait  # noqa: PLC0415 - slow to load
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    import farthing.sources.claude_code.files  # noqa: F401, PLC0415 - once, before forking

    executor = ProcessPoolExecutor(count, _context(), initializer=gc.disable)
    waiting: dict[Future[bytes], _Task] = {}
    upcoming = deque(tasks)
    try:
        while upcoming or waiting:
            while upcoming and len(waiting) < 3 * count:
                waiting[executor.submit(_read_encoded, upcoming[0].files)] = upcoming[0]
                upcoming.popleft()
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                outcome = _decode(future.result())
                yield waiting.pop(future), outcome
    except BrokenProcessPool:  # a worker was killed, or cannot start here: go on alone
        yield from _here([*waiting.values(), *upcoming])
    finally:
        executor.shutdown(cancel_futures=True)


def _read_encoded(files: list[_Changed]) -> bytes:
    """Runs in a worker; bytes travel faster than objects."""
    return _encode(_read(files))


def _read(files: list[_Changed]) -> _Outcome:
    from farthing.sources.claude_code.files import read_files  # noqa: PLC0415 - a warm scan reads nothing

    outcome = _Outcome([], [], 0)
    for reading in read_files(files):
        outcome.bytes_read += reading.bytes_read
        if reading.state is not None:
            outcome.entries.append(entry(reading.state, reading.shown))
        if reading.failure is not None:
            outcome.failures.append(reading.failure)
    return outcome


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Outcome).decode


def _context() -> BaseContext:
    """Forking starts at once; it is safe only while no other thread holds a lock, and on Linux."""
    import multiprocessing  # noqa: PLC0415 - slow to load

    can_fork = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if can_fork else "spawn")


def _report(
    index: Index,
    files: list[Found],
    states: dict[str, FileState],
    errors: list[ErrorRecord],
    *,
    files_read: int,
    bytes_read: int,
) -> ScanReport:
    calls, unprovable = index.totals()
    errors = errors + [error for state in states.values() for error in state.errors]
    return ScanReport(
        files=len(files),
        files_read=files_read,
        bytes_read=bytes_read,
        calls=calls,
        duplicates=max(0, sum(state.usage_lines for state in states.values()) - calls),
        skipped_synthetic=sum(state.skipped for state in states.values()),
        unprovable=unprovable,
        errors=tuple(sorted(errors, key=lambda error: (error.source, error.line or 0))),
    )
