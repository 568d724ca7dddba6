"""
Content on its way to the store: pieces are held as they pass, and a thread does all the rest.

The forwarder only notes where bytes are. What is under way is bounded, over all calls, and what has no room there is
dropped and counted: content, never the call. A store that is broken, full or locked drops content as well, and is tried
anew with the next call.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.gateway.codings import UnknownCoding
from farthing.gateway.content import BROKEN, CUT, PACKED, Said, kept_of, new_hash
from farthing.gateway.meters import decoded
from farthing.ledger.content import CONTENT_NAME, ContentStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from farthing.config import GatewaySettings
    from farthing.gateway.content import Terms
    from farthing.gateway.meters import Meter
    from farthing.gateway.metrics import Metrics
    from farthing.ledger.content import Content

_MEMORY_BYTES_MAX = 64 * 2**20
_CALLS_MAX = 1_000
_AT_ONCE = 64
_SWITCH_S = 0.0005
"""How long the thread may go on while the forwarder waits for its turn; Python's own 5 ms are many calls."""


class Keeper:
    """
    Takes what calls said and writes it down behind their backs.

    Args:
        path: The store's file; made with the first call that is kept.
        terms: How bodies are kept.
        metrics: Where it is counted what was kept and what was dropped.
        log: Gets one line when the store cannot be written, from another thread.
        memory_bytes_max: Held at once, over all calls. calls_max: how many may wait to be written.

    """

    def __init__(
        self,
        path: Path,
        terms: Terms,
        metrics: Metrics,
        log: Callable[[str], None],
        *,
        memory_bytes_max: int = _MEMORY_BYTES_MAX,
        calls_max: int = _CALLS_MAX,
    ) -> None:
        self.terms = terms
        self._path = path
        self._metrics = metrics
        self._log = log
        self._memory_bytes_max = memory_bytes_max
        self._calls_max = calls_max
        self._waiting: SimpleQueue[tuple[Said, int] | None] = SimpleQueue()
        # Each of these is written by one side only: the forwarder takes, the thread gives back.
        self._taken_bytes = self._taken_calls = 0
        self._given_bytes = self._given_calls = 0
        self._outcomes: deque[tuple[str, int]] = deque()
        self._thread: threading.Thread | None = None
        self._store: ContentStore | None = None
        self._said = ""

    # -- the forwarder's side -------------------------------------------------------------------------------------

    def begin(self, row: Content, request: bytes | None, coding: bytes, *, is_stream: bool) -> Capture | None:
        """
        Hold what a call says; None where there is no room for it.

        Args:
            row: What is known of it.
            request: Its body; None where it was not held whole.
            coding: The answer's content coding.
            is_stream: Whether the answer is a stream of events.

        """
        size = 0 if request is None else len(request)
        if self._taken_calls - self._given_calls >= self._calls_max or not self.take(size):
            self._metrics.count("farthing_content_dropped_total", "no room")
            return None
        self._taken_calls += 1
        return Capture(self, row, request, coding, is_stream=is_stream)

    def take(self, size: int) -> bool:
        """Whether so many more bytes may be held; then they are counted as held."""
        if self._taken_bytes - self._given_bytes + size > self._memory_bytes_max:
            return False
        self._taken_bytes += size
        return True

    def drop(self, held_bytes: int) -> None:
        """Keep nothing of a call, of which so much was held: there was no room for more."""
        self._taken_bytes -= held_bytes
        self._taken_calls -= 1
        self._metrics.count("farthing_content_dropped_total", "no room")

    def put(self, said: Said, held_bytes: int) -> None:
        """Have a call written."""
        if self._thread is None:
            sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
            self._thread = threading.Thread(target=self._run, name="farthing content", daemon=True)
            self._thread.start()
        self._waiting.put((said, held_bytes))

    def tick(self) -> None:
        """Count what the thread did since."""
        while self._outcomes:
            why, calls = self._outcomes.popleft()
            if why:
                self._metrics.count("farthing_content_dropped_total", why, calls)
            else:
                self._metrics.count("farthing_content_kept_total", more=calls)

    def close(self, seconds: float) -> None:
        """Write what waits, for so long; what is left is dropped."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(seconds)
            if left := self._taken_calls - self._given_calls:
                self._outcomes.append(("no time", left))
        self.tick()

    # -- the thread's side ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            batch = [self._waiting.get()]
            while len(batch) < _AT_ONCE and batch[-1] is not None:
                try:
                    batch.append(self._waiting.get_nowait())
                except Empty:
                    break
            goes_on = batch[-1] is not None
            self._write([one for one in batch if one is not None])
        if self._store is not None:
            self._store.close()

    def _write(self, batch: list[tuple[Said, int]]) -> None:
        rows = []
        for said, _ in batch:
            try:
                rows.append(kept_of(said, self.terms))
            except Exception:  # noqa: BLE001 - whatever a body does to us, the next one is kept
                self._outcomes.append(("not readable", 1))
        try:
            if rows:
                if self._store is None:
                    self._store = ContentStore(self._path)
                self._store.add(rows)
                self._outcomes.append(("", len(rows)))
                self._say("")
        except LedgerFault as fault:
            self._outcomes.append(("store", len(rows)))
            self._say(f"{fault}; calls go on, what they say is not kept")
            self._forget()
        self._given_calls += len(batch)
        self._given_bytes += sum(size for _, size in batch)

    def _forget(self) -> None:
        """Open the file anew next time: it may be another one by then."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _say(self, line: str) -> None:
        if line and not self._said:
            self._log(line)
        self._said = line


class Capture:
    """
    What one call says, while it passes. Made by :meth:`Keeper.begin`.

    Nothing in here raises: what cannot be unpacked is noted.
    """

    def __init__(self, keeper: Keeper, row: Content, request: bytes | None, coding: bytes, *, is_stream: bool) -> None:
        self._keeper = keeper
        self._row = row
        self._request = request
        self._is_stream = is_stream
        self._answer = _Answer(keeper, row.mode)
        self._held_request = 0 if request is None else len(request)
        self._note = ""
        try:
            self._meter: Meter | None = decoded(self._answer, coding)
        except UnknownCoding:
            self._meter, self._note = None, PACKED

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the answer, as they came."""
        if self._meter is None:
            return
        try:
            self._meter.feed(data)
        except Exception:  # noqa: BLE001 - content never breaks the user's call
            self._meter, self._note = None, PACKED

    def end(self, call_id: str, *, whole: bool) -> None:
        """
        Hand it over.

        Args:
            call_id: Its name in the ledger; empty where it has none.
            whole: Whether the answer came to its end.

        """
        answer, held = self._answer, self._held_request + self._answer.held_bytes
        if answer.no_room:
            self._keeper.drop(held)
            return
        note = self._note or (CUT if answer.is_cut else "" if whole else BROKEN)
        digest = None if self._note or not whole else answer.digest.hexdigest()
        row = self._row._replace(call_id=call_id or self._row.gateway_call)
        said = Said(row, self._request, answer.pieces, digest, answer.length_bytes, note, self._is_stream)
        self._keeper.put(said, held)


class _Answer:
    """An answer's body, unpacked: all of it hashed, and its beginning held."""

    def __init__(self, keeper: Keeper, mode: str) -> None:
        self._keeper = keeper
        self._held_max = keeper.terms.held_max(mode)
        self._keeps = mode != "hash"
        self.digest = new_hash(keeper.terms.secret)
        self.pieces: list[bytes] = []
        self.length_bytes = self.held_bytes = 0
        self.is_cut = self.no_room = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.digest.update(chunk)
        self.length_bytes += len(chunk)
        if not self._keeps or self.no_room or not chunk:
            return
        room = self._held_max - self.held_bytes
        if len(chunk) > room:
            self.is_cut, chunk = True, chunk[:room]
        if not self._keeper.take(len(chunk)):
            self.no_room = True
            return
        self.held_bytes += len(chunk)
        self.pieces.append(chunk)


class Retention:
    """
    Ends what is too old, and what is too much, for whoever owns the ledger.

    Args:
        path: The store's file; where it is not there, there is nothing to do.
        days: How long content is kept; 0: for ever. disk_bytes_max: how large the store may be.
        log: Gets one line where the store cannot be used.
        now: The time; aware, UTC.

    """

    def __init__(
        self, path: Path, *, days: int, disk_bytes_max: int, log: Callable[[str], None], now: Callable[[], datetime]
    ) -> None:
        self._path = path
        self._days = days
        self._disk_bytes_max = disk_bytes_max
        self._log = log
        self._now = now
        self._said = ""

    def round(self) -> None:
        """Look once; raises nothing that a store can cause."""
        try:
            if not self._path.exists():
                return
            with ContentStore(self._path) as store:
                store.tidy(self._now(), days=self._days, disk_bytes_max=self._disk_bytes_max)
        except (LedgerFault, OSError) as error:
            if str(error) != self._said:
                self._said = str(error)
                self._log(f"old content could not be deleted: {error}")
        else:
            self._said = ""


def retention(
    settings: GatewaySettings, ledger: Path, log: Callable[[str], None], now: Callable[[], datetime]
) -> Retention:
    """What the settings say of the store beside a ledger."""
    path = ledger.with_name(CONTENT_NAME)
    days, disk_bytes_max = settings.content_days, settings.content_total_bytes_max
    return Retention(path, days=days, disk_bytes_max=disk_bytes_max, log=log, now=now)
