"""
How long commands take to start: the best of several cold processes, beside a bare interpreter.

    python bench/start_time.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = (
    ("python -c pass", ["-c", "pass"]),
    ("import farthing", ["-c", "import farthing"]),
    ("import farthing; farthing.price", ["-c", "import farthing; farthing.price"]),
    ("farthing --version", ["-m", "farthing", "--version"]),
    ("farthing --help", ["-m", "farthing", "--help"]),
    ("farthing price (nothing in)", ["-m", "farthing", "price"]),
    ("farthing report (demo month)", ["-m", "farthing", "report", "--ledger", "{ledger}"]),
)


def best_ms(arguments: list[str], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "farthing", "demo", "--no-own", "--json", "--folder", folder]
        subprocess.run(demo, capture_output=True, check=True)
        ledger = str(Path(folder) / "ledger.duckdb")
        for name, arguments in COMMANDS:
            filled = [argument.replace("{ledger}", ledger) for argument in arguments]
            print(f"{name:<34}{best_ms(filled, options.rounds):>8.0f} ms")


if __name__ == "__main__":
    main()
