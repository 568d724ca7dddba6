"""
From journal to ledger: how many calls per second go through, at what CPU, in how many bytes.

    make bench SCRIPT=gateway/journal ARGS="[--calls 100000] [--rounds 3]"

Calls are made in memory first, then written as the gateway writes them (a record when a call begins, one when it ends)
and ingested in rounds of several sizes, each as the gateway does it: open the ledger, read on, close it.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from farthing.call import Call, Served, Usage
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Stored
from farthing.ledger.journal import Begun, JournalWriter, Settled, new_path
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

if TYPE_CHECKING:
    from farthing.prices.book import PriceBook

START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805", "claude-haiku-4-5-20251001")


class Spent(NamedTuple):
    """Seconds on the clock and of the CPU."""

    wall_s: float
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of the largest round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each size")
    options = parser.parse_args()
    book, rng, made = shipped_book(), random.Random(7), 0
    table = Table("calls per round", "journal: µs CPU/call", "ledger: calls/s", "ledger: µs CPU/call", "seconds/round")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = JournalWriter(new_path(folder, START), START, "never")
        for size in sorted({10, 1_000, options.calls // 10, options.calls}):
            written, read = [], []
            for _ in range(options.rounds):
                calls = [_call(rng, made + number, book) for number in range(size)]
                made += size
                written.append(_write(journal, calls))
                read.append(_ingest(folder / "ledger.duckdb", journal.path))
            wall_s, cpu_s = (sum(times) / options.rounds for times in zip(*read, strict=True))
            write_us = sum(spent.cpu_s for spent in written) / options.rounds / size * 1e6
            table.add_row(
                f"{size:,}", f"{write_us:.1f}", f"{size / wall_s:,.0f}", f"{cpu_s / size * 1e6:,.0f}", f"{wall_s:.2f}"
            )
        console = Console()
        console.print(table)
        bytes_of = [path.stat().st_size / made for path in (journal.path, folder / "ledger.duckdb")]
        console.print(
            f"{made:,} calls: {bytes_of[0]:.0f} bytes per call in the journal, {bytes_of[1]:.0f} in the ledger"
        )
        journal.close()
    if sys.platform.startswith("linux"):
        console.print(f"load average {Path('/proc/loadavg').read_text(encoding='ascii').split()[0]}")


def _write(journal: JournalWriter, calls: list[Stored]) -> Spent:
    before = _now()
    for stored in calls:
        journal.append(Begun(stored.call.call_id, stored.call.sent_at, stored.call.served.model))
        journal.append(Settled(stored.call.call_id, stored))
    return _since(before)


def _ingest(ledger: Path, journal: Path) -> Spent:
    before = _now()
    with DuckDBLedger(ledger) as opened:
        opened.ingest([journal])
    return _since(before)


def _now() -> Spent:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Spent(time.perf_counter(), used.ru_utime + used.ru_stime)


def _since(before: Spent) -> Spent:
    now = _now()
    return Spent(now.wall_s - before.wall_s, now.cpu_s - before.cpu_s)


def _call(rng: random.Random, number: int, book: PriceBook) -> Stored:
    """A call with the dimensions that the gateway gives one."""
    message = f"msg_{rng.getrandbits(110):028x}"
    usage = Usage(rng.randrange(5_000), rng.randrange(9_000), 0, rng.randrange(100_000), rng.randrange(3_000))
    request_id = f"req_{rng.getrandbits(110):028x}"
    served = Served(
        model=MODELS[number % 3], usage=usage, message_id=message, request_id=request_id, stop_reason="end_turn"
    )
    dims = {"api_key": f"key_{number % 20:016x}", "gateway_call": f"call_{rng.getrandbits(96):024x}"}
    call = Call(
        call_id=f"{message}:{request_id}",
        sent_at=START + timedelta(seconds=number),
        source="gateway",
        served=served,
        dims=dims,
        duration_ms=rng.randrange(500, 60_000),
    )
    return Stored(call, Posting.of(price_served(book, served, call.sent_at)))


if __name__ == "__main__":
    main()
