"""
Rounds at an interval: judge the ledger, deliver, say a line, wait; between rounds send what is due again.

A round begins a little after the hours turn (or whatever the interval is), because only whole hours are judged and the
ledger gets its calls some seconds late. The ledger is opened for one question at a time and closed while the answers
are thought about, so whoever fills it never waits for us longer than for one page of the dashboard. What fails is said,
and tried again soon; nothing ends a watcher but being told to.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from farthing.alerts.evaluate import evaluate
from farthing.alerts.send import deliver
from farthing.alerts.store import AlertStore
from farthing.errors import FarthingError
from farthing.ledger.reading import DuckDBReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farthing.alerts.channels import Channel
    from farthing.alerts.evaluate import Round, Settings
    from farthing.alerts.send import Delivered
    from farthing.ledger.interface import Ledger, Query, Row
    from farthing.limits.budgets import Budget

AGAIN = timedelta(seconds=30)
"""After a round that failed; where rounds are closer, their distance."""
_LATE = timedelta(seconds=60)
_LOOKS_S = 20.0
_LOCK_S = 2.0
_WAIT_S = 5.0


class Given(NamedTuple):
    """What a round goes by: who is told, which budgets there are, how sharp the look is."""

    channels: tuple[Channel, ...]
    budgets: tuple[Budget, ...]
    settings: Settings


class Said(NamedTuple):
    """
    What a round, or a delivery between two, has to say.

    Attributes:
        at: When; aware, UTC.
        found: What was judged; None: nothing was (a delivery, or a fault).
        delivered: What was sent; None: it did not come to that.
        fault: Why it failed; empty: it did not.
        next_at: When the next round is.

    """

    at: datetime
    found: Round | None
    delivered: Delivered | None
    fault: str
    next_at: datetime


def next_round(now: datetime, every: timedelta) -> datetime:
    """
    When the next round begins: after the next whole multiple of *every* since 1970, by a minute or half of *every*.

    >>> next_round(datetime(2026, 11, 21, 16, 20, tzinfo=UTC), timedelta(hours=1)).strftime("%H:%M:%S")
    '17:01:00'
    """
    late = min(_LATE, every / 2)
    since = now - datetime(1970, 1, 1, tzinfo=UTC)
    found = now - since % every + late
    return found if found > now else found + every


class Glances:
    """
    A ledger's file as an open ledger that only reports, and is open no longer than one answer takes.

    Args:
        path: The file.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def report(self, query: Query) -> list[Row]:
        """
        As :meth:`farthing.ledger.interface.Ledger.report`.

        Raises:
            LedgerFault: It is not there, or is still being written after some seconds.

        """
        reader = DuckDBReader(self._path, wait_s=_WAIT_S)
        try:
            return reader.report(query)
        finally:
            reader.close()


@contextmanager
def alone(store: Path, *, wait: Callable[[float], bool], say: Callable[[int], None]) -> Iterator[bool]:
    """
    Be the only watcher of a store; whoever comes second waits until the first is gone, however that went.

    Args:
        store: The store's file; the lock is a file beside it, which stays.
        wait: Waits so many seconds; whether to give up.
        say: Told once with the other watcher's process number, 0 where it is not known.

    Yields:
        Whether we are; False: *wait* said to give up.

    """
    store.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(store.with_name(f"{store.name}.watcher"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        mine, told = _lock(descriptor), False
        while not mine:
            if not told:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace")
                say(int(holder) if holder.isdecimal() else 0)
                told = True
            if wait(_LOCK_S):
                break
            mine = _lock(descriptor)
        if mine:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield mine
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Watcher:
    """
    Rounds over one ledger and one store. Not for several threads.

    Args:
        ledger: The ledger's file; it need not be there yet.
        store: The store's file; made if it is not there.
        given: Reads what a round goes by, before each; a FarthingError fails that round alone.
        every: How far apart rounds are.
        clock: The time; aware, UTC.
        stop: Asked between messages: whether to leave the rest to the next watcher.

    Attributes:
        is_judging: Whether it may be interrupted anywhere: nothing is changed before all is judged.

    """

    def __init__(
        self,
        ledger: Path,
        store: Path,
        given: Callable[[], Given],
        every: timedelta,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger = cast("Ledger", Glances(ledger))
        self._path = store
        self._given = given
        self._every = every
        self._clock = clock
        self._stop = stop
        self._channels: tuple[Channel, ...] | None = (
            None  # as read last; a file that cannot be read now changes nothing
        )
        self._next_at: datetime | None = None
        self.is_judging = False

    def run(self, wait: Callable[[float], bool], say: Callable[[Said], None]) -> None:
        """
        Rounds until *wait*, which waits so many seconds, says to end; *say* gets what each has to say.

        Raises:
            Nothing for a fault of the ledger, the store, a file of the settings, or a channel.

        """
        while True:
            said = self.step()
            if said is not None:
                say(said)
            assert self._next_at is not None
            left_s = (self._next_at - self._clock()).total_seconds()
            if wait(max(0.0, min(_LOOKS_S, left_s))):
                return

    def step(self) -> Said | None:
        """What is to be done now: a round if it is time for one, else what is due again; None: nothing was."""
        now = self._clock()
        if self._next_at is None or now >= self._next_at:
            return self._round(now)
        try:
            return self._again(now, self._next_at)
        except FarthingError:
            return None  # the next round will say so

    def _round(self, now: datetime) -> Said:
        found, delivered, fault = None, None, ""
        self._next_at = next_round(now, self._every)
        try:
            given = self._given()
            self._channels = given.channels
            store = AlertStore(self._path)
            try:
                self.is_judging = True
                found = evaluate(
                    self._ledger,
                    now,
                    store=store,
                    budgets=given.budgets,
                    channels=given.channels,
                    settings=given.settings,
                )
                self.is_judging = False
                delivered = self._deliver(store, given.channels, self._clock())
            finally:
                self.is_judging = False
                store.close()
        except FarthingError as error:
            fault = " ".join(str(error).split())
            self._next_at = min(self._next_at, now + AGAIN)
        return Said(now, found, delivered, fault, self._next_at)

    def _again(self, now: datetime, next_at: datetime) -> Said | None:
        if self._channels is None:
            return None
        store = AlertStore(self._path)
        try:
            due_at = store.due_at()
            if due_at is None or due_at > now:
                return None
            delivered = self._deliver(store, self._channels, now)
        finally:
            store.close()
        return Said(now, None, delivered, "", next_at) if delivered.sent or delivered.faults else None

    def _deliver(self, store: AlertStore, channels: tuple[Channel, ...], now: datetime) -> Delivered:
        return deliver(store, channels, now, stop=self._stop, clock=lambda: self._clock().timestamp())
