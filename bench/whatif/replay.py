"""
How fast calls are replayed: choices of price from a ledger's sums, choices of caching call by call.

    python bench/whatif/replay.py [--ledger-calls 10000000] [--calls 1000000] [--folder FOLDER]

The ledger's calls are made inside DuckDB from ten thousand added ones, at other times and with other ids and counts, a
tenth of them with a request whose ``max_tokens`` is known. The calls with blocks are conversations of a few turns on a
shared prefix, six calls a second, 19 blocks on average; they are made while they are replayed, in a process of its
own, and its peak memory and the seconds of making alone are told beside. Prints one table.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.whatif.replay.grouped import replay_ledger
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 10, 20, tzinfo=UTC)
MODELS = ("claude-sonnet-4-6", "claude-opus-4-6", "claude-haiku-4-5-20251001", "claude-haiku-5-5")
SEED = 10_000
PRICE_CHOICES = (
    ("geo=us",),
    ("batch=true",),
    ("model=claude-sonnet-5-5",),
    ("model=claude-haiku-5-5 where feature=feature-1", "batch=true where tag:team=team-2", "geo=us"),
)
CACHE_CHOICES = ("cache=none", "cache=automatic", "cache=automatic,pings=3,model=claude-haiku-4-5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledger-calls", type=int, default=10_000_000)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls with blocks, at most")
    parser.add_argument("--folder", type=Path, help="where to keep the ledger meanwhile; default: a temporary folder")
    parser.add_argument("--one", nargs=2, metavar=("CHOICE", "CALLS"), help="replay once and print the figures")
    options = parser.parse_args()
    if options.one:
        print(*_one(options.one[0], int(options.one[1])))
        return
    table = Table("what", "calls", "seconds", "peak MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        _from_sums(Path(folder) / "ledger.duckdb", options.ledger_calls, table)
    for choice in CACHE_CHOICES:
        for calls in (options.calls // 100, options.calls // 10, options.calls):
            command = [sys.executable, __file__, "--one", choice, str(calls)]
            replayed, made, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            table.add_row(f"{choice} (of it making calls {made})", f"{calls:,}", replayed, peak)
    Console().print(table)


def _from_sums(path: Path, count: int, table: Table) -> None:
    book = shipped_book()
    with DuckDBLedger(path, memory_mb_max=2_000) as ledger:
        rng = random.Random(8)
        ledger.add([_call(rng, number) for number in range(SEED)])
        _multiply(ledger, count // SEED)
        for texts in PRICE_CHOICES:
            choices = [parse_choice(text, book) for text in texts]
            start = time.perf_counter()
            found = replay_ledger(ledger, Query(), choices, book)
            table.add_row(
                "; ".join(texts), f"{found.backtest.calls:,}", f"{time.perf_counter() - start:.1f}", _peak_mb()
            )


def _call(rng: random.Random, number: int) -> Stored:
    served = Served(
        model=MODELS[number % 4],
        usage=Usage(rng.randrange(5_000), rng.randrange(9_000), 0, rng.randrange(100_000), rng.randrange(3_000)),
        message_id=f"msg_{rng.getrandbits(110):028x}",
        stop_reason=rng.choice(("end_turn", "tool_use", "tool_use", "max_tokens")),
        service_tier="batch" if number % 10 == 0 else "standard",
    )
    call = Call(
        call_id=served.message_id or "",
        sent_at=START + timedelta(seconds=number),
        source="gateway",
        served=served,
        dims={"feature": f"feature-{number % 7}", "team": f"team-{number % 3}"},
        request=Request(model=served.model, max_tokens=4096) if number % 10 == 1 else None,
    )
    return Stored(call, Posting.of(price_served(shipped_book(), served, call.sent_at)))


def _multiply(ledger: DuckDBLedger, times: int) -> None:
    """Repeat the ledger's calls, each copy with its own ids, times and counts, spread over 30 days."""
    connection = ledger._connection  # noqa: SLF001 - a bench may
    assert connection is not None
    parameters = {"seed": SEED, "times": times}
    connection.execute(
        """
        INSERT INTO calls
        SELECT calls.* REPLACE (
            call_no + copy * $seed AS call_no,
            md5(call_id || copy) AS call_id,
            md5(message_id || copy) AS message_id,
            sent_at + to_seconds(copy * 2592000 // $times) AS sent_at,
            input_tokens + copy % 1000 AS input_tokens
        )
        FROM calls, range(1, $times) AS copies(copy)
        """,
        parameters,
    )
    connection.execute(
        """
        INSERT INTO requests
        SELECT requests.* REPLACE (call_no + copy * $seed AS call_no) FROM requests, range(1, $times) AS copies(copy)
        """,
        parameters,
    )


def _one(choice: str, calls: int) -> tuple[str, str, str]:
    book = shipped_book()
    start = time.perf_counter()
    for _ in islice(conversations(), calls):
        pass
    made = time.perf_counter() - start
    start = time.perf_counter()
    replay(islice(conversations(), calls), [parse_choice(choice, book)], book)
    return f"{time.perf_counter() - start:.1f}", f"{made:.1f}", _peak_mb()


def conversations() -> Iterator[Call]:
    """Calls without end, in time order: 3,000 conversations take turns, and one that ends makes room for another."""
    rng, number = random.Random(5), 0
    prefix = [PromptBlock(_hash("prefix", at), 400, "system") for at in range(8)]
    live = [list(prefix) for _ in range(3000)]
    while True:
        at = rng.randrange(len(live))
        if len(live[at]) > 40 or rng.random() < 0.1:
            live[at] = list(prefix)
        blocks = live[at]
        for _ in range(2):
            number += 1
            blocks.append(PromptBlock(_hash("turn", number), rng.randrange(100, 900), "messages"))
        prompt = [*blocks[:-1], PromptBlock(blocks[-1].prefix_hash, blocks[-1].tokens, "messages", "5m")]
        tokens = sum(block.tokens for block in prompt)
        yield Call(
            call_id=str(number),
            sent_at=START + timedelta(milliseconds=number * 333 // 2),
            source="bench",
            served=Served(model="claude-sonnet-4-6", usage=Usage(input_tokens=tokens, output_tokens=300)),
            request=Request(model="claude-sonnet-4-6", max_tokens=4096, blocks=tuple(prompt)),
            ttft_ms=900,
        )


def _hash(what: str, number: int) -> bytes:
    return hashlib.blake2b(f"{what}{number}".encode(), digest_size=16).digest()


def _peak_mb() -> str:
    """Of this process alone: what getrusage tells is inherited from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return str(int(status.partition("VmHWM:")[2].split()[0]) // 1024)


if __name__ == "__main__":
    main()
