"""
Our cold and warm scan against ``ccusage daily --json --offline``, side by side in one run.

    npm install --prefix SCRATCH ccusage@20.0.24
    python bench/transcripts/generate.py TREE --mb 1000 --files 4000
    python bench/transcripts/bench.py TREE --ccusage SCRATCH/node_modules/@ccusage/*/bin/ccusage

Method: whole commands as a user starts them, in turn (ours cold, ccusage, ours warm), the median of the rounds; the
file cache of the system is warm for all. ``cpu`` is user and system time with child processes. Every day on which a
tool differs from the rule is then shown with its reasons, counted by this script itself with the json module and
nothing of ours.
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
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_creation_input_tokens": "cacheCreationTokens",
    "cache_read_input_tokens": "cacheReadTokens",
}
OURS = f"{shlex.quote(str(Path(sys.executable).with_name('farthing')))} daily --json --timezone UTC"
Days = defaultdict[str, Counter[str]]


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


class Response(NamedTuple):
    """What the lines of one response say together: largest counts, and the day of its first line."""

    counts: Counter[str]
    at: str
    is_side: bool


def read(tree: Path) -> Iterator[tuple[tuple[str, str], Response]]:
    """Each line that reports usage, by (message id, request id)."""
    for path in sorted(tree.rglob("*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                entry = json.loads(line) if b'"usage"' in line else {}
                message = entry.get("message") or {}
                if message.get("usage") and message.get("model") != "<synthetic>":
                    counts = Counter({FIELDS[name]: message["usage"].get(name) or 0 for name in FIELDS})
                    key = (message["id"], entry.get("requestId") or "")
                    yield key, Response(counts, entry["timestamp"], bool(entry.get("isSidechain")))


def counted(tree: Path) -> tuple[Days, Days, Days]:
    """
    Counts by day: by the rule; what (a) adds to them; what (b) moves between days.

    The rule: the largest count of each response, once, on the day of its first line (outside side chains where it has
    one). (a) each main-chain line without a request id counts again. (b) a response counts on the day of its largest
    line, the later of equals.
    """
    best: dict[tuple[str, str], Response] = {}
    largest: dict[tuple[str, str], Response] = {}
    nameless: list[tuple[tuple[str, str], Response]] = []
    for key, one in read(tree):
        known = best.get(key, one)
        first = min(known, one, key=lambda response: (response.is_side, response.at))
        best[key] = Response(known.counts | one.counts, first.at, first.is_side)
        if key not in largest or sum(one.counts.values()) > sum(largest[key].counts.values()):
            largest[key] = one
        if not key[1] and not one.is_side:
            nameless.append((key, one))
    rule, again, moved = Days(Counter), Days(Counter), Days(Counter)
    for key, one in best.items():
        rule[one.at[:10]].update(one.counts)
        if largest[key].at[:10] != one.at[:10]:
            moved[one.at[:10]].subtract(one.counts)
            moved[largest[key].at[:10]].update(one.counts)
    for _, one in nameless:
        again[one.at[:10]].update(one.counts)
    for key in {key for key, _ in nameless}:
        again[best[key].at[:10]].subtract(best[key].counts)
    return rule, again, moved


def differences(tree: Path, ours: bytes, ccusage: bytes) -> None:
    """Days on which a tool differs from the rule, and why; nothing about all others."""
    rule, again, moved = counted(tree)
    our, their = by_day(ours), by_day(ccusage)
    days = sorted({*rule, *our, *their})
    wrong = [day for day in days if any(our[day][name] != rule[day][name] for name in FIELDS.values())]
    print(f"\nours: {len(days) - len(wrong)} of {len(days)} days are as the rule says", *wrong)
    print("ccusage, where it differs, in tokens:")
    print(f"{'':12}{'over':>16}{'of it (a)':>16}{'of it (b)':>16}{'else':>10}")
    for day in days:
        over = their[day].copy()
        over.subtract(rule[day])
        rest = [over[name] - again[day][name] - moved[day][name] for name in FIELDS.values()]
        if any(over.values()):
            sums = [sum(part.values()) for part in (over, again[day], moved[day])]
            print(f"{day:12}{sums[0]:16,}{sums[1]:16,}{sums[2]:16,}{sum(map(abs, rest)):10,}")
    print("(a) main-chain lines without requestId count again: nothing is merged without both ids")
    print("(b) a response counts on the day of its largest line, not of its first")
    if unpriced := json.loads(ccusage)["totals"].get("unpricedModels"):
        print(f"(c) dollars: models that ccusage does not price count as $0: {', '.join(unpriced)}")


def by_day(report: bytes) -> Days:
    days = Days(Counter)
    for row in json.loads(report)["daily"]:
        days[row["date"]].update({name: row[name] for name in FIELDS.values()})
    return days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--ccusage", required=True, help="its native binary")
    parser.add_argument("--ours", default=OURS, help="our command, if it is to be another one")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peer = [args.ccusage, "claude", "daily", "--json", "--offline", "--timezone", "UTC"]
    runs = measure(args.tree, shlex.split(args.ours), peer, args.rounds)
    table(runs)
    differences(args.tree, runs["ours cold"][-1].out, runs["ccusage"][-1].out)


if __name__ == "__main__":
    main()
