"""
Farthing's gateway beside LiteLLM's, Portkey's and nginx, one after the other in one run.

    make bench SCRIPT=gateway/bench ARGS="[--quick] [--only farthing,nginx] [--rounds 2] [--json FILE]
        [--litellm EXECUTABLE] [--portkey FOLDER_OF_NODE_MODULES] [--nginx EXECUTABLE]"

The gateway has core 1 to itself, the stub upstream and the load core 0; every answer is checked. Per gateway and kind:
CPU of its whole process tree per call, calls per second, added time at a low fixed rate (calls to the gateway and
straight to the upstream take turns), memory. With and without TLS to the upstream. See bench/gateway/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import certificates
import peers
import shapes
from processes import GATEWAY_CORE, LOAD_CORE, Tree, free_port, pinned, wait_ready

HERE = Path(__file__).parent
SLOW_START_S = 120.0


class Depth(NamedTuple):
    """How long things are measured: seconds of load, calls of the low rate per shape."""

    warm_s: float
    flood_s: float
    paced_calls: int


class Plan(NamedTuple):
    """What one run measures."""

    paths: peers.Paths
    names: list[str]
    kinds: list[shapes.Shape]
    depth: Depth


REST_S, REST_CPU_S, REST_TRIES_MAX = 6.0, 0.05, 5
"""A gateway is at rest that took less CPU than this in so many seconds: more than lie between two rounds of ours."""
QUICK, FULL = Depth(0.7, 2.0, 25), Depth(1.5, 5.0, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter: good for ratios over 2 only")
    parser.add_argument("--only", default=",".join(peers.NAMES), help="gateways to measure, by comma")
    parser.add_argument("--shapes", default=",".join(shapes.SHAPES), help="kinds of call, by comma")
    parser.add_argument("--plain-only", action="store_true", help="leave out TLS to the upstream")
    parser.add_argument("--rounds", type=int, default=1, help="how often all of it is done; medians are shown")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--litellm", help="its executable, in an environment of its own")
    parser.add_argument("--portkey", help="folder in which npm installed @portkey-ai/gateway")
    parser.add_argument("--nginx", help="its executable")
    options = parser.parse_args()
    plan = Plan(
        peers.find(options.litellm, options.portkey, options.nginx),
        [name for name in peers.NAMES if name in options.only.split(",")],
        [shapes.SHAPES[name] for name in options.shapes.split(",")],
        QUICK if options.quick else FULL,
    )
    load_before = os.getloadavg()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        for number in range(options.rounds):
            for tls in (False,) if options.plain_only else (False, True):
                place = Path(folder, f"{number}{'tls' if tls else ''}")
                place.mkdir()
                found += _round(plan, place, tls=tls)
    report = {"load_before": load_before, "load_after": os.getloadavg(), "cpus": os.cpu_count(), "rows": found}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    _show(found, report)


def _round(plan: Plan, folder: Path, *, tls: bool) -> list[dict[str, Any]]:
    found = []
    files = certificates.make(folder) if tls else None
    stub = [sys.executable, str(HERE / "upstream.py")]
    stub_plain = Tree(stub, LOAD_CORE)
    stub_tls = Tree([*stub, "--cert", str(files.chain), "--key", str(files.key)], LOAD_CORE) if files else None
    try:
        direct = _port_of(stub_plain)
        upstream = peers.Upstream(_port_of(stub_tls), files.ca) if files and stub_tls else peers.Upstream(direct, None)
        for name in plan.names:
            place = folder / name
            place.mkdir()
            rows = _gateway(name, plan, place, upstream, direct)
            found += [{"gateway": name, "tls": tls, **row} for row in rows]
    finally:
        for tree in (stub_plain, stub_tls):
            if tree is not None:
                tree.end()
    return found


def _port_of(stub: Tree) -> int:
    assert stub.process.stdout is not None
    return int(stub.process.stdout.readline())


def _gateway(name: str, plan: Plan, folder: Path, upstream: peers.Upstream, direct: int) -> list[dict[str, Any]]:
    port = free_port()
    start = peers.start(name, plan.paths, upstream, port, folder)
    if start is None:
        _say(f"{name}: not installed here, left out")
        return [{"missing": "not installed"}]
    _say(f"{name}: starting ({'TLS' if upstream.ca else 'plain'} upstream)")
    tree = Tree(start.command, GATEWAY_CORE, start.environment, folder / "log")
    try:
        if not wait_ready(tree, port, start.ready, SLOW_START_S):
            tail = (folder / "log").read_text(errors="replace")[-600:]
            _say(f"{name}: did not start: {tail}")
            return [{"missing": "did not start"}]
        rss_idle = tree.rss_mb()
        target = {"port": port, "headers": start.headers, "path": peers.MESSAGES, "exact": start.exact}
        straight = {"port": direct, "headers": {}, "path": peers.MESSAGES, "exact": True}
        return [{**_shape(tree, shape, plan.depth, target, straight), "rss_idle_mb": rss_idle} for shape in plan.kinds]
    finally:
        tree.end()


def _come_to_rest(tree: Tree) -> None:
    """Wait until what was put off is done, such as rounds of the ledger: it belongs to the calls that caused it."""
    for _ in range(REST_TRIES_MAX):
        before_s = tree.cpu_s()
        time.sleep(REST_S)
        if tree.cpu_s() - before_s < REST_CPU_S:
            return


def _shape(
    tree: Tree, shape: shapes.Shape, depth: Depth, target: dict[str, Any], straight: dict[str, Any]
) -> dict[str, Any]:
    flood = {"what": "flood", "shape": shape.name, "target": target, "connections": shape.connections}
    warm = run_load({**flood, "seconds": depth.warm_s})
    if not warm["calls"]:
        _say(f"  {shape.name}: no good answer: {warm['wrong'][:1]}")
        return {"shape": shape.name, "wrong": warm["wrong"][:1]}
    _come_to_rest(tree)
    cpu_s, main_s = tree.cpu_s(), tree.main_thread_cpu_s()
    done = run_load({**flood, "seconds": depth.flood_s})
    busy_s, rss_mb = tree.cpu_s() - cpu_s, tree.rss_mb()
    _come_to_rest(tree)
    cpu_s, main_s = tree.cpu_s() - cpu_s, tree.main_thread_cpu_s() - main_s
    calls, gap_s = max(1, done["calls"]), 0.02
    paced_calls = depth.paced_calls // 4 if shape.streamed else depth.paced_calls  # a stream lasts a third of a second
    orders = {"what": "pace", "shape": shape.name, "targets": [straight, target], "calls": paced_calls}
    paced = run_load({**orders, "gap_s": gap_s})
    row = {
        "shape": shape.name,
        "calls": done["calls"],
        "cpu_ms_per_call": cpu_s / calls * 1000,
        "main_thread_ms_per_call": main_s / calls * 1000,
        "calls_per_s": done["calls"] / done["seconds"],
        "core_busy": busy_s / done["seconds"],
        "rss_mb": rss_mb,
        "wrong": done["wrong"][:1] + paced["wrong"][:1],
        **_added(paced["times_ms"]),
    }
    _say(
        f"  {shape.name}: {row['cpu_ms_per_call']:.3f} CPU-ms/call, {row['calls_per_s']:.0f} calls/s, "
        f"+{row['added_first_p50_ms']:.2f} ms p50 {row['wrong'] or ''}"
    )
    return row


def _added(times: list[list[list[float]]]) -> dict[str, float]:
    """Differences of quantiles, first byte and whole, between through and straight."""
    found = {}
    for index, what in ((0, "first"), (1, "whole")):
        straight, through = ([pair[index] for pair in side] for side in times)
        for name, at in (("p50", 49), ("p99", 98)):
            through_ms, straight_ms = (statistics.quantiles(side, n=100)[at] for side in (through, straight))
            found[f"added_{what}_{name}_ms"] = through_ms - straight_ms
    return found


def run_load(orders: dict[str, Any]) -> dict[str, Any]:
    """Let the load generator do something; see load.py."""
    command = pinned(LOAD_CORE, [sys.executable, str(HERE / "load.py")])
    done = subprocess.run(command, input=json.dumps(orders).encode(), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        return {"calls": 0, "seconds": 1.0, "wrong": ["the load generator failed"], "times_ms": [[[0.0, 0.0]] * 2] * 2}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _show(rows: list[dict[str, Any]], report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    head = (
        "upstream",
        "call",
        "gateway",
        "CPU-ms/call",
        "x farthing",
        "calls/s",
        "core",
        "+p50 ms",
        "+p99 ms",
        "RSS MB",
    )
    table = Table(*head, title="one core for the gateway; added time to the first byte")
    for tls in (False, True):
        for shape in shapes.SHAPES:
            ours = 0.0
            for name in peers.NAMES:
                same = [row for row in rows if (row["tls"], row.get("shape"), row["gateway"]) == (tls, shape, name)]
                good = [row for row in same if "cpu_ms_per_call" in row]
                if not good:
                    if same:
                        table.add_row("TLS" if tls else "plain", shape, name, "failed", "", "", "", "", "", "")
                    continue
                middle = {key: statistics.median(row[key] for row in good) for key in _SHOWN}
                cpu_ms = middle["cpu_ms_per_call"]
                ours = cpu_ms if name == "farthing" else ours
                table.add_row(
                    "TLS" if tls else "plain",
                    shape,
                    name,
                    f"{cpu_ms:.3f}",
                    f"{cpu_ms / ours:.2f}" if ours else "",
                    f"{middle['calls_per_s']:,.0f}",
                    f"{middle['core_busy']:.0%}",
                    f"{middle['added_first_p50_ms']:.2f}",
                    f"{middle['added_first_p99_ms']:.2f}",
                    f"{middle['rss_mb']:.0f}",
                )
    console = Console(width=140)
    console.print(table)
    for row in rows:
        if "missing" in row:
            console.print(f"{row['gateway']}: {row['missing']}")
        elif row["wrong"]:
            console.print(f"{row['gateway']}, {row['shape']}: wrong answers: {row['wrong']}")
    before, after = report["load_before"], report["load_after"]
    console.print(f"load average {before[0]:.1f} before, {after[0]:.1f} after, {report['cpus']} cores")


_SHOWN = ("cpu_ms_per_call", "calls_per_s", "core_busy", "added_first_p50_ms", "added_first_p99_ms", "rss_mb")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
