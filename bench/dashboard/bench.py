"""
How quickly the dashboard's pages come over a ledger of many calls, and what that takes in memory and on disk.

    python bench/dashboard/generate.py LEDGER --calls 100000000
    python bench/dashboard/bench.py LEDGER [--times 15] [--only NAME] [--owner]

The dashboard runs as its own process. A *cold* answer is to a question that was never asked, about other days and other
filters each time, of a ledger whose answers are all out of date; a *warm* one is the same question once more. Times are
from the request to its last byte; CPU is what the process worked for it, which other work on the machine does not
lengthen as much. With ``--owner`` 10,000 calls are added in a round of the gateway's owner, in a process of its own:
that changes the ledger.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from farthing.ledger.interface import Query
from farthing.ledger.reading import DuckDBReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_TIMEOUT_S = 600


class Days(NamedTuple):
    """Days that questions can be about, in order, and some calls and sessions of theirs."""

    first: date
    last: date
    call_ids: list[str]
    request_ids: list[str]
    sessions: list[str]


class Question(NamedTuple):
    """One page as it may be asked: its name, the aim for its 95th percentile in ms, and the n-th address of it."""

    name: str
    aim_ms: int
    address: Callable[[int, Days], str]


def _span(number: int, days: Days) -> str:
    """Days never asked for before: 7, 14, 30 or 45 of them, with as many before."""
    have = (days.last - days.first).days
    length = min((7, 30, 14, 45)[number % 4], have // 2)
    end = days.last - timedelta(days=number // 4 % max(1, have - 2 * length))
    return f"{end - timedelta(days=length - 1)}..{end}"


def _page(path: str, *, tenants: bool = False, **asked: str) -> Callable[[int, Days], str]:
    def address(number: int, days: Days) -> str:
        pairs = [("range", _span(number, days)), *asked.items()]
        if tenants:
            pairs.append(("where", f"tenant=tenant-{1 + number * 7 % 150}"))
        return f"{path}?{urlencode(pairs)}"

    return address


def _opened(path: str, names: Callable[[Days], list[str]]) -> Callable[[int, Days], str]:
    return lambda number, days: (
        f"{path}?" + urlencode({"open": names(days)[number % len(names(days))], "range": f"{days.first}..{days.last}"})
    )


ROLLUP_MS, DRILL_MS = 300, 1_000
QUESTIONS = (
    Question("overview", ROLLUP_MS, _page("/")),
    Question("overview, one tenant", DRILL_MS, _page("/", tenants=True)),
    Question("explore by tenant", ROLLUP_MS, _page("/explore", by="tenant")),
    Question("explore, one tenant", DRILL_MS, _page("/explore", tenants=True, by="feature")),
    Question("explore by model and feature", ROLLUP_MS, _page("/explore", by="model,feature")),
    Question("explore by hour", ROLLUP_MS, _page("/explore", by="feature", bucket="hour")),
    Question("explore, Berlin", ROLLUP_MS, _page("/explore", by="feature", tz="Europe/Berlin")),
    Question("explore by tenant, Berlin", ROLLUP_MS, _page("/explore", by="tenant", tz="Europe/Berlin")),
    Question("cache", ROLLUP_MS, _page("/cache")),
    Question("cache, one tenant", DRILL_MS, _page("/cache", tenants=True)),
    Question("models", ROLLUP_MS, _page("/models")),
    Question("outcomes", ROLLUP_MS, _page("/outcomes")),
    Question("outcomes, one tenant", DRILL_MS, _page("/outcomes", tenants=True)),
    Question("batches", ROLLUP_MS, _page("/batches")),
    Question("alerts", ROLLUP_MS, lambda *_: "/alerts"),
    Question("estimator", ROLLUP_MS, _page("/estimator")),
    Question("budgets", ROLLUP_MS, lambda *_: "/budgets"),
    Question("health", ROLLUP_MS, lambda *_: "/health"),
    Question("prices", ROLLUP_MS, lambda *_: "/prices"),
    Question("calls", DRILL_MS, _page("/calls")),
    Question("calls, one tenant", DRILL_MS, _page("/calls", tenants=True)),
    Question("calls, page 20", DRILL_MS, _page("/calls", page="20")),
    Question("one call", DRILL_MS, _opened("/call", lambda days: days.call_ids)),
    Question("one call, by its request id", DRILL_MS, _opened("/call", lambda days: days.request_ids)),
    Question("sessions", DRILL_MS, _page("/sessions")),
    Question("one session", DRILL_MS, _opened("/sessions", lambda days: days.sessions)),
    Question("explore by user", DRILL_MS, _page("/explore", by="user")),
    Question("explore by tag", DRILL_MS, _page("/explore", by="tag:team")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--times", type=int, default=15, help="questions of each kind")
    parser.add_argument("--only", default="", help="questions whose name begins so")
    parser.add_argument("--owner", action="store_true", help="add 10,000 calls as the gateway does, at the end")
    options = parser.parse_args()
    console = Console(width=120)
    calls, days = _days(options.ledger)
    console.print(
        f"{calls:,} calls of {(days.last - days.first).days + 1} days, "
        f"{options.ledger.stat().st_size / calls:.0f} bytes per call on disk; {_load()}"
    )
    table = Table(
        "page", "cold p50 ms", "p95 ms", "CPU ms", "warm p50 ms", "p95 ms", "kB", "memory MB", "peak MB", "aim p95 ms"
    )
    with _Dashboard(options.ledger) as dashboard:
        numbers = count()
        for question in QUESTIONS:
            if question.name.startswith(options.only):
                asked = [question.address(next(numbers), days) for _ in range(options.times)]
                _measure(dashboard, question, options.ledger, asked, table)
    console.print(table)
    if options.owner:
        console.print(_owner(options.ledger, days))
    console.print(_load())


def _measure(dashboard: _Dashboard, question: Question, ledger: Path, asked: list[str], table: Table) -> None:
    cold, cpu, warm, size = [], [], [], 0
    for address in asked:
        os.utime(ledger)  # as if it had been written: every answer from before is out of date
        before_ms = dashboard.cpu_ms()
        taken_ms, size = dashboard.get(address)
        cpu.append(dashboard.cpu_ms() - before_ms)
        cold.append(taken_ms)
        warm.append(dashboard.get(address)[0])
    now_mb, peak_mb = dashboard.memory_mb()
    middle, slow, worked, again, slow_again = (
        f"{ms:,.0f}" for ms in (_at(cold, 50), _at(cold, 95), _at(cpu, 50), _at(warm, 50), _at(warm, 95))
    )
    table.add_row(
        question.name, middle, slow, worked, again, slow_again, f"{size / 1e3:,.0f}", f"{now_mb:,}", f"{peak_mb:,}",
        f"{question.aim_ms:,}",
    )  # fmt: skip
    print(f"{question.name}: cold {middle}, {slow} ms, CPU {worked} ms; warm {again} ms", file=sys.stderr, flush=True)


class _Dashboard:
    """``farthing dashboard`` as a process of its own."""

    def __init__(self, ledger: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "farthing", "dashboard", "--ledger", str(ledger), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            cwd=ledger.parent,
        )
        assert self._process.stdout is not None
        told = b""
        while not told.rstrip().endswith(b"}"):
            line = self._process.stdout.readline()
            assert line, "the dashboard did not start"
            told += line
        self._host = json.loads(told)["url"].removeprefix("http://")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def get(self, address: str) -> tuple[float, int]:
        """Milliseconds and bytes of one page."""
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_S)
        began_s = time.perf_counter()
        connection.request("GET", address)
        answer = connection.getresponse()
        body = answer.read()
        taken_ms = (time.perf_counter() - began_s) * 1e3
        connection.close()
        assert answer.status == 200, f"{address} is {answer.status}: {body[:300]!r}"
        return taken_ms, len(body)

    def cpu_ms(self) -> int:
        """What all its threads have worked so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return 1_000 * (int(fields[11]) + int(fields[12])) // os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> tuple[int, int]:
        """What the process holds now, and at most so far."""
        return _memory_mb(self._process.pid)


def _memory_mb(pid: int | str) -> tuple[int, int]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return tuple(int(found[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def _days(ledger: Path) -> tuple[int, Days]:
    with DuckDBReader(ledger) as reader:
        rows = reader.report(Query(bucket="day"))
        calls = sum(row.calls for row in rows)
        connection = reader._connection  # noqa: SLF001 - a bench may
        assert connection is not None
        found = connection.execute(
            "SELECT call_id, request_id, session FROM calls "
            "WHERE call_no IN (SELECT 1 + n * $calls // 40 FROM range(40) t(n))",
            {"calls": calls},
        ).fetchall()
    starts = [row.start.date() for row in rows if row.start is not None]
    return calls, Days(starts[0], starts[-1], *([row[n] for row in found] for n in range(3)))


_OWNER = """
import sys, time, resource
from pathlib import Path
from farthing.gateway.metrics import Metrics
from farthing.gateway.owner import Owner
owner = Owner(Path(sys.argv[1]), Path(sys.argv[2]), Metrics(), lambda line: print(line, file=sys.stderr))
began = time.perf_counter()
owner.ingest()
print(f"{time.perf_counter() - began:.1f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")
"""


def _owner(ledger: Path, days: Days) -> Table:
    """Three rounds of the gateway's owner: of 10,000 calls twice, then of 10."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "gateway"))
    import random

    import journal
    import msgspec

    from farthing.ledger.interface import Stored
    from farthing.ledger.journal import JournalWriter, new_path
    from farthing.prices.book import shipped_book

    table = Table("a round of the owner", "seconds", "peak MB")
    rng, book = random.Random(time.time_ns()), shipped_book()
    start = datetime.combine(days.last, datetime.min.time(), UTC)
    for calls in (10_000, 10_000, 10):
        with tempfile.TemporaryDirectory() as name:
            writer = JournalWriter(new_path(Path(name), start), start, "never")
            made = (journal._call(rng, number, book) for number in range(calls))  # noqa: SLF001 - its sibling's
            journal._write(  # noqa: SLF001
                writer,
                [
                    Stored(msgspec.structs.replace(one.call, sent_at=start + timedelta(seconds=n)), one.posting)
                    for n, one in enumerate(made)
                ],
            )
            writer.close()
            done = subprocess.run(
                [sys.executable, "-c", _OWNER, str(ledger), name], capture_output=True, text=True, check=True
            )
        seconds, peak_mb = done.stdout.split()[-2:]  # DuckDB may draw a progress bar before
        table.add_row(f"{calls:,} calls", seconds, peak_mb)
        assert not done.stderr, done.stderr
    return table


def _at(values: list[float], percent: int) -> float:
    """The value that *percent* of a hundred do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _load() -> str:
    return f"load average {Path('/proc/loadavg').read_text(encoding='ascii').split()[0]}"


if __name__ == "__main__":
    main()
