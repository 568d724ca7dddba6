"""
How fast caching policies are replayed: all of them with the ceiling, on made-up traces of growing size.

    python bench/whatif/bench.py [--calls 1000000] [--trace FILE] [--folder FOLDER]

Each trace is written as a file in Mooncake's format and replayed by the command itself, ``farthing whatif cache``, in a
process of its own: reading, every policy, the ceiling and its proof, and the peak of that process's memory. The shape
is that of the published conversation trace: three calls a second, two thirds of them first turns of 12,000 tokens on
average, all behind one shared block; a conversation goes on with a few blocks more after about two minutes.
``--trace`` adds a file of one's own.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
CALLS_PER_SECOND = 3.0
GOES_ON = 0.33
GAP_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls of the largest trace")
    parser.add_argument("--trace", type=Path, help="a Mooncake trace of one's own")
    parser.add_argument("--folder", type=Path, help="where to keep the traces meanwhile; default: a temporary folder")
    options = parser.parse_args()
    table = Table("trace", "calls", "blocks", "seconds", "peak MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.trace is not None:
            table.add_row(options.trace.stem, *measured(options.trace))
        for calls in (options.calls // 100, options.calls // 10, options.calls):
            file = Path(folder) / f"{calls}.jsonl"
            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(row) + "\n" for row in islice(rows(), calls))
            table.add_row("made up", *measured(file))
            file.unlink()
    Console().print(table)


def rows() -> Iterator[dict[str, object]]:
    """Calls without end, in time order."""
    rng, ids, order = random.Random(11), count(1), count()
    now = 0.0
    due: list[tuple[float, int, list[int], int]] = []
    while True:
        now += rng.expovariate(CALLS_PER_SECOND * (1 - GOES_ON))
        while due and due[0][0] <= now:
            at, _, before, tokens = heapq.heappop(due)
            yield _turn(rng, ids, order, due, at, before, tokens + int(rng.expovariate(1 / 900)) + 20)
        yield _turn(rng, ids, order, due, now, [0], min(120_000, int(rng.lognormvariate(8.8, 1.1)) + 50))


def _turn(  # noqa: PLR0917  the state of the generator
    rng: random.Random,
    ids: count[int],
    order: count[int],
    due: list[tuple[float, int, list[int], int]],
    at: float,
    before: list[int],
    tokens: int,
) -> dict[str, object]:
    """One call; perhaps its conversation goes on, with all of its full blocks."""
    blocks = [*before, *islice(ids, max(0, -(-tokens // BLOCK) - len(before)))]
    output = int(rng.expovariate(1 / 350)) + 1
    if rng.random() < GOES_ON:
        later = at + rng.expovariate(1 / GAP_S)
        heapq.heappush(due, (later, next(order), blocks[: max(1, tokens // BLOCK)], tokens + output))
    return {"timestamp": int(at * 1000), "input_length": tokens, "output_length": output, "hash_ids": blocks}


def measured(file: Path) -> tuple[str, str, str, str]:
    """Calls, blocks, seconds and megabytes of one replay of *file*."""
    with file.open("rb") as stream:
        lengths = [json.loads(line)["input_length"] for line in stream]
    command = [sys.executable, "-m", "farthing", "whatif", "cache", str(file), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert (status, told["calls"]) == (0, len(lengths))
    blocks = sum(-(-length // BLOCK) for length in lengths)
    return f"{len(lengths):,}", f"{blocks:,}", f"{seconds:.1f}", f"{used.ru_maxrss // 1024:,}"


if __name__ == "__main__":
    main()
