"""
Refusals on their way to the log: counted in memory as they happen, and written behind the calls' backs.

A call costs a look into a dictionary, however many are refused. Once a second a thread opens the log, adds what was
counted since, in one transaction, and ends. Where that fails (the disk is full, the file locked or broken) these counts
are lost and ``farthing_refusals_lost_total`` says how many; who dies loses what the last second counted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.gateway.hidden import hide
from farthing.limits.refusal_store import HOUR_ROWS_MAX, RefusalStore
from farthing.limits.refusals import HOUR_S, one_call, place, together

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.gateway.metrics import Metrics
    from farthing.limits.refusals import Case, Key, Tally

_VALUE_CHARS_MAX = 300
_BUSY_S, _CLOSE_S = 2.0, 5.0
_SWITCH_S = 0.0005
"""How long the thread may go on while a call waits for its turn; a flood of ever new names takes it 20 ms."""


class RefusalLog:
    """
    The log, as one process writes it.

    Args:
        path: The file; made with the first refusal.
        metrics: Where lost counts are counted.
        log: Gets a line when the log cannot be written, and when it can again.
        cases_max: So many cases are held apart between two writes; those beyond, together.
        busy_s: How long a write waits for other processes.

    """

    def __init__(
        self,
        path: Path,
        metrics: Metrics,
        log: Callable[[str], None],
        *,
        cases_max: int = HOUR_ROWS_MAX,
        busy_s: float = _BUSY_S,
    ) -> None:
        self._path = path
        self._metrics = metrics
        self._log = log
        self._cases_max = cases_max
        self._busy_s = busy_s
        self._counted: dict[Key, Tally] = {}
        self._writing: threading.Thread | None = None
        self._outcomes: deque[tuple[str, int]] = deque()
        self._fault = ""

    def add(self, case: Case, worst_pusd: int | None, at: datetime) -> None:
        """
        Count a call that was refused.

        Args:
            case: As what.
            worst_pusd: The most it could have cost; None: not known.
            at: When; aware.

        """
        hour_s = int(at.timestamp()) // HOUR_S * HOUR_S
        key = hour_s, case._replace(value=_name_only(case.value))
        if key not in self._counted:
            key = hour_s, place(key[1], lambda one: (hour_s, one) in self._counted, len(self._counted), self._cases_max)
        self._counted[key] = together(self._counted.get(key), one_call(worst_pusd, at))

    def tick(self, now: datetime) -> None:
        """Have written what was counted, unless the last write goes on still; about once a second."""
        self._hear()
        if self._counted and (self._writing is None or not self._writing.is_alive()):
            self._begin(now)

    def close(self, now: datetime, seconds: float = _CLOSE_S) -> None:
        """Write all there is, for so long; what is left is lost."""
        end_s = time.monotonic() + seconds
        self._wait(seconds)
        if self._counted:
            self._begin(now)
            self._wait(max(0.0, end_s - time.monotonic()))
        self._hear()

    def _wait(self, seconds: float) -> None:
        if self._writing is not None:
            self._writing.join(seconds)

    def _begin(self, now: datetime) -> None:
        batch, self._counted = self._counted, {}
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
        self._writing = threading.Thread(target=self._write, args=(batch, now), name="farthing refusals", daemon=True)
        try:
            self._writing.start()
        except RuntimeError as error:  # no more threads
            self._writing = None
            self._outcomes.append((str(error), _calls(batch)))

    def _write(self, batch: dict[Key, Tally], now: datetime) -> None:
        """The thread's."""
        try:
            store = RefusalStore(self._path, busy_s=self._busy_s)
            try:
                store.add(batch, now)
            finally:
                store.close()
        except LedgerFault as fault:
            self._outcomes.append((str(fault), _calls(batch)))
        except Exception as error:  # noqa: BLE001 - a defect of ours must not print what was refused
            self._outcomes.append((f"{type(error).__name__}, a defect of farthing", _calls(batch)))
        else:
            self._outcomes.append(("", 0))

    def _hear(self) -> None:
        """What became of writes."""
        while self._outcomes:
            fault, lost = self._outcomes.popleft()
            if fault:
                self._metrics.count("farthing_refusals_lost_total", more=lost)
            if fault != self._fault:
                self._fault = fault
                self._log(f"refusals are not written down: {fault}" if fault else "refusals are written down again")


def _calls(batch: dict[Key, Tally]) -> int:
    return sum(tally.calls for tally in batch.values())


def _name_only(value: str) -> str:
    """An account's value, if it may be kept: a batch may call anything a model, its whole prompt too."""
    is_prose = not value.isprintable() or (value.startswith("model=") and " " in value)
    return "(not a name)" if is_prose else hide(value)[:_VALUE_CHARS_MAX]
