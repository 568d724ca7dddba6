"""
Two or more farthings in turn, a second each: which costs less CPU per call, whatever else the machine does meanwhile.

    python bench/gateway/variants.py before=/elsewhere/.venv/bin/farthing now=.venv/bin/farthing [--rounds 8]

All are started at once on one core and called one after the other, round after round, so that neighbours slow all of
them alike: good to about 5 %. ``main`` is the thread that serves alone, without the one that fills the ledger.

Where neighbours hold the cores, events of many streams wait for each other and cost less than one by one. With few
clients (``--connections 4``) each event wakes the gateway by itself, as it does on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import peers
import shapes
from bench import HERE, run_load
from processes import GATEWAY_CORE, LOAD_CORE, Tree, free_port, wait_ready


class Variant(NamedTuple):
    """One that runs."""

    name: str
    tree: Tree
    target: dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", metavar="NAME=EXECUTABLE")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.2, help="of each turn")
    parser.add_argument("--shapes", default=",".join(shapes.SHAPES), help="kinds of call, by comma")
    parser.add_argument("--connections", type=int, help="clients at once; as many as the kind of call has by default")
    options = parser.parse_args()
    upstream, running = Tree([sys.executable, str(HERE / "upstream.py")], LOAD_CORE), []
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        try:
            assert upstream.process.stdout is not None
            port = int(upstream.process.stdout.readline())
            for text in options.variants:
                name, _, executable = text.partition("=")
                running.append(_start(name, str(Path(executable).absolute()), port, Path(folder, name)))
            for name in options.shapes.split(","):
                shape = shapes.SHAPES[name]
                shape = shape._replace(connections=options.connections or shape.connections)
                _compare(running, shape, options.rounds, options.seconds)
        finally:
            for variant in running:
                variant.tree.end()
            upstream.end()
    print(f"load average {os.getloadavg()[0]:.1f}")


def _start(name: str, executable: str, upstream: int, folder: Path) -> Variant:
    folder.mkdir()
    os.environ["BENCH_FARTHING"] = executable
    port = free_port()
    start = peers.start("farthing", peers.Paths(None, None, None), peers.Upstream(upstream, None), port, folder)
    assert start is not None
    tree = Tree(start.command, GATEWAY_CORE, start.environment, folder / "log")
    if not wait_ready(tree, port, start.ready, 60):
        tree.end()
        sys.exit(f"{name} did not start: {(folder / 'log').read_text(errors='replace')[-400:]}")
    return Variant(name, tree, {"port": port, "headers": {}, "path": peers.MESSAGES, "exact": True})


def _compare(running: list[Variant], shape: shapes.Shape, rounds: int, seconds: float) -> None:
    calls, whole_s, main_s = ([0.0] * len(running) for _ in range(3))
    for turn in range(rounds + 1):
        for number, variant in enumerate(running):
            before = variant.tree.cpu_s(), variant.tree.main_thread_cpu_s()
            orders = {"what": "flood", "shape": shape.name, "target": variant.target, "seconds": seconds}
            done = run_load({**orders, "connections": shape.connections})
            if turn:  # the first one warms up
                calls[number] += done["calls"]
                whole_s[number] += variant.tree.cpu_s() - before[0]
                main_s[number] += variant.tree.main_thread_cpu_s() - before[1]
    for number, variant in enumerate(running):
        per_call = [seconds_of[number] / max(1.0, calls[number]) * 1000 for seconds_of in (whole_s, main_s)]
        figures = f"{per_call[0]:.3f} CPU-ms/call, main thread {per_call[1]:.3f}"
        print(f"{shape.name:8}{variant.name:12}{figures}, {calls[number]:.0f} calls")


if __name__ == "__main__":
    main()
