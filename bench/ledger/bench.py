"""
How fast the ledger is: adding calls, pricing millions again, reporting.

    python bench/ledger/bench.py [--calls 10000000] [--folder FOLDER]

Calls to add are made in memory first, so their making is not measured. The millions for re-pricing are made inside
DuckDB from ten thousand added ones, at other times and with other ids and counts. Prints one table.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from farthing.call import Call, Served, Usage
from farthing.ledger import rollup
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.prices.book import PriceBook, shipped_book
from farthing.prices.engine import price_served

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805", "claude-haiku-4-5-20251001", "claude-haiku-5-5")
ADDED = 300_000
SEED = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000_000, help="calls to price again")
    parser.add_argument("--folder", type=Path, help="where to keep the files; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        table = Table("what", "seconds", "figure")
        _adding(Path(folder) / "added.duckdb", table)
        _millions(Path(folder) / "millions.duckdb", options.calls, table)
        table.add_row("peak memory of this process", "", f"{_memory_mb():,} MB")
        Console().print(table)


def _adding(path: Path, table: Table) -> None:
    book, rng = shipped_book(), random.Random(7)
    calls = [_call(rng, number, book) for number in range(ADDED)]
    with DuckDBLedger(path) as ledger:
        for what in ("add, new", "add, all known"):
            seconds = _timed(lambda: ledger.add(calls))
            table.add_row(f"{what} ({ADDED:,} calls)", f"{seconds:.2f}", f"{ADDED / seconds:,.0f} calls/s")
        final = [_finished(stored) for stored in calls[: ADDED // 10]]
        seconds = _timed(lambda: ledger.add(final))
        table.add_row(f"add, improved ({len(final):,} calls)", f"{seconds:.2f}", f"{len(final) / seconds:,.0f} calls/s")
    table.add_row("file", "", f"{path.stat().st_size / ADDED:.0f} bytes/call")


def _millions(path: Path, count: int, table: Table) -> None:
    book, rng = shipped_book(), random.Random(8)
    with DuckDBLedger(path) as ledger:
        ledger.add([_call(rng, number, book) for number in range(SEED)])
        _multiply(ledger, count // SEED)
        calls = ledger.report(Query())[0].calls
        few = _timed(lambda: ledger.add([_call(rng, count + n, book) for n in range(100)]))
        table.add_row(f"add 100 new calls to {calls:,}", f"{few:.2f}", "")
        before = _memory_mb()
        # The calls' counts were changed in SQL, so all postings are wrong: the first correction changes every one.
        for what, preview in (("preview, all change", True), ("correction, all change", False)):
            seconds = _timed(lambda p=preview: _reprice(ledger, book, p))
            table.add_row(f"re-price {calls:,}: {what}", f"{seconds:.1f}", f"{calls / seconds / 1e6:.2f} M calls/s")
        seconds = _timed(lambda: _reprice(ledger, book, preview=False))
        table.add_row(
            f"re-price {calls:,}: nothing changes", f"{seconds:.1f}", f"{calls / seconds / 1e6:.2f} M calls/s"
        )
        ledger.revert(2)
        seconds = _timed(lambda: ledger.revert(1))
        table.add_row(f"revert {calls:,}", f"{seconds:.1f}", f"{calls / seconds / 1e6:.2f} M calls/s")
        table.add_row("memory peak before and after re-pricing", "", f"{before:,} MB, {_memory_mb():,} MB")
        _reports(ledger, table)
    table.add_row("file, with two generations of postings", "", f"{path.stat().st_size / calls:.0f} bytes/call")


def _reports(ledger: DuckDBLedger, table: Table) -> None:
    queries = {
        "totals": Query(),
        "by day and model": Query(by=("model",), bucket="day"),
        "by day and tenant, Europe/Berlin": Query(by=("tenant",), bucket="day", timezone="Europe/Berlin"),
        "by day, Asia/Kolkata (calls)": Query(bucket="day", timezone="Asia/Kolkata"),
        "20 dearest sessions (calls)": Query(by=("session",), limit=20),
        "by tag (calls)": Query(by=("tag:team",)),
    }
    for name, query in queries.items():
        rows = len(ledger.report(query))
        seconds = _timed(lambda q=query: ledger.report(q))
        table.add_row(f"report {name}", f"{seconds:.3f}", f"{rows:,} rows")


def _call(rng: random.Random, number: int, book: PriceBook) -> Stored:
    message, request = f"msg_{rng.getrandbits(110):028x}", f"req_{rng.getrandbits(110):028x}"
    served = Served(
        model=MODELS[number % 4],
        usage=Usage(rng.randrange(5_000), rng.randrange(9_000), 0, rng.randrange(100_000), rng.randrange(3_000)),
        message_id=message,
        request_id=request,
        stop_reason=rng.choice(("end_turn", "tool_use", "tool_use", "max_tokens")),
        service_tier="batch" if number % 10 == 0 else "standard",
    )
    call = Call(
        call_id=f"{message}:{request}",
        sent_at=START + timedelta(seconds=number),
        source="gateway",
        served=served,
        dims={
            "tenant": f"tenant-{number % 20}",
            "feature": f"feature-{number % 7}",
            "session": f"session-{number // 40}",
            "team": f"team-{number % 3}",
        },
        duration_ms=rng.randrange(500, 60_000),
        ttft_ms=rng.randrange(200, 3_000),
    )
    return Stored(call, Posting.of(price_served(book, served, call.sent_at)))


def _finished(stored: Stored) -> Stored:
    usage = stored.call.served.usage
    more = msgspec.structs.replace(usage, output_tokens=usage.output_tokens + 1)
    served = msgspec.structs.replace(stored.call.served, usage=more)
    return Stored(msgspec.structs.replace(stored.call, served=served), stored.posting)


def _multiply(ledger: DuckDBLedger, times: int) -> None:
    """Repeat the ledger's calls, each copy with its own ids, times and counts, spread over 300 days."""
    connection = ledger._connection  # noqa: SLF001 - a bench may
    assert connection is not None
    connection.execute(
        """
        INSERT INTO calls
        SELECT calls.* REPLACE (
            call_no + copy * $seed AS call_no,
            md5(call_id || copy) AS call_id,
            (call_key + copy * 2654435761) % 4294967296 AS call_key,
            md5(message_id || copy) AS message_id,
            (message_key + copy * 2654435761) % 4294967296 AS message_key,
            md5(request_id || copy) AS request_id,
            sent_at + to_seconds(copy * 25920000 // $times) AS sent_at,
            session || '-' || copy AS session,
            input_tokens + copy % 1000 AS input_tokens
        )
        FROM calls, range(1, $times) AS copies(copy)
        """,
        {"seed": SEED, "times": times},
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE touched AS SELECT call_no FROM calls WHERE call_no > ?", [SEED])
    rollup.add(connection, 1)
    rollup.tidy(connection)
    ledger._next_no = 1 + ledger._number("SELECT max(call_no) FROM calls")  # noqa: SLF001 - as above


def _reprice(ledger: DuckDBLedger, book: PriceBook, preview: bool) -> None:  # noqa: FBT001 - two cases of one bench
    ledger.reprice(book, reason="bench", made_at=START, preview=preview)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
