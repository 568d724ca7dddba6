"""
Our cold and warm scan against ``ccusage daily --json --offline``, side by side in one run.

    npm install --prefix SCRATCH ccusage@20.0.24
    python bench/transcripts/generate.py TREE --mb 1000 --files 4000
    python bench/transcripts/bench.py TREE --ccusage SCRATCH/node_modules/@ccusage/*/bin/ccusage

Method: whole commands as a user starts them, in turn (ours cold, ccusage, ours warm), the median of the rounds; the
file cache of the system is warm for all. ``cpu`` is user and system time with child processes. Every difference in
totals is then put down to a reason, counted by this script itself with the json module and nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

FIELDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_creation_input_tokens": "cacheCreationTokens",
    "cache_read_input_tokens": "cacheReadTokens",
}
OURS = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('daily.py')))}"


AGAIN = "main-chain lines without requestId, counted again"


class Run(NamedTuple):
    """One command's run: seconds on the clock, seconds of processor, standard output."""

    wall_s: float
    cpu_s: float
    out: bytes


def run(command: list[str], env: dict[str, str]) -> Run:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(command, env=env, check=True, capture_output=True).stdout
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, out)


def measure(tree: Path, ours: list[str], ccusage: list[str], rounds: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {"ours cold": [], "ccusage": [], "ours warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            env = os.environ | {"CLAUDE_CONFIG_DIR": str(tree), "HOME": scratch, "XDG_CACHE_HOME": scratch, "TZ": "UTC"}
            runs["ours cold"].append(run(ours, env))
            runs["ccusage"].append(run(ccusage, env))
            runs["ours warm"].append(run(ours, env))
    return runs


def table(runs: dict[str, list[Run]]) -> None:
    base = statistics.median(one.wall_s for one in runs["ccusage"])
    print(f"{'':12}{'median s':>10}{'best s':>10}{'cpu s':>10}{'ccusage / it':>14}")
    for name, some in runs.items():
        wall = statistics.median(one.wall_s for one in some)
        cpu = statistics.median(one.cpu_s for one in some)
        print(f"{name:12}{wall:10.3f}{min(one.wall_s for one in some):10.3f}{cpu:10.3f}{base / wall:13.2f}x")


def counted(tree: Path) -> dict[str, Counter[str]]:
    """Totals by the rule (the largest count of each response, once), and what single wrong rules add to them."""
    best: dict[tuple[str, str], Counter[str]] = {}
    nameless: Counter[str] = Counter()
    main: set[tuple[str, str]] = set()
    for path in sorted(tree.rglob("*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                if b'"usage"' not in line:
                    continue
                entry = json.loads(line)
                message = entry.get("message") or {}
                if not message.get("usage") or message.get("model") == "<synthetic>":
                    continue
                counts = Counter({FIELDS[name]: message["usage"].get(name) or 0 for name in FIELDS})
                key = (message["id"], entry.get("requestId") or "")
                best[key] = best[key] | counts if key in best else counts
                if not key[1] and not entry.get("isSidechain"):
                    nameless += counts
                    main.add(key)
    rule = sum(best.values(), Counter())
    once = sum((counts for key, counts in best.items() if key in main), Counter())
    return {"rule": rule, AGAIN: Counter({name: nameless[name] - once[name] for name in rule})}


def differences(tree: Path, ours: bytes, ccusage: bytes) -> None:
    facts, theirs, our = counted(tree), _summed(json.loads(ccusage)), _summed(json.loads(ours))
    again = facts[AGAIN]
    print(f"\n{'':22}{'by the rule':>16}{'ours':>16}{'ccusage':>16}{'ccusage over':>14}{'of it (a)':>12}{'else':>10}")
    for name in FIELDS.values():
        over = theirs[name] - facts["rule"][name]
        print(
            f"{name:22}{facts['rule'][name]:16,}{our[name]:16,}{theirs[name]:16,}{over:14,}{again[name]:12,}"
            f"{over - again[name]:10,}"
        )
    print(f"(a) {AGAIN}: ccusage keys on (message id, request id) and merges nothing without both")
    if unpriced := json.loads(ccusage)["totals"].get("unpricedModels"):
        print(f"    models ccusage does not price, counted as $0: {', '.join(unpriced)}")


def _summed(report: dict[str, Any]) -> Counter[str]:
    return Counter({name: sum(row[name] for row in report["daily"]) for name in FIELDS.values()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--ccusage", required=True, help="its native binary")
    parser.add_argument("--ours", default=OURS, help="our command, for instance 'farthing daily --json'")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peer = [args.ccusage, "claude", "daily", "--json", "--offline", "--timezone", "UTC"]
    runs = measure(args.tree, shlex.split(args.ours), peer, args.rounds)
    table(runs)
    differences(args.tree, runs["ours cold"][-1].out, runs["ccusage"][-1].out)


if __name__ == "__main__":
    main()
