"""
A hundred long streams at once through farthing's gateway: memory over time, delay of each event, time to a first byte.

    python bench/gateway/streams.py [--minutes 3] [--streams 100] [--gap-ms 100] [--gateway farthing] [--json FILE]

Each event states when the upstream sent it, so its delay is known when it comes. Some more streams go straight to the
upstream at the same time, and so do small calls, in turn with calls through the gateway: what the gateway adds is the
difference. See bench/gateway/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, cast

import httptools
import load
import peers
import shapes
import uvloop
from processes import GATEWAY_CORE, LOAD_CORE, Tree, free_port, wait_ready

HERE = Path(__file__).parent
STRAIGHT = 20
PROBE_GAP_S = 0.1


class Stream(asyncio.Protocol):
    """One stream that is read to its end; ``delays_ms`` per event, ``first_ms`` until its first byte."""

    def __init__(self, request: bytes) -> None:
        self.delays_ms: list[float] = []
        self.first_ms = 0.0
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._sent_ns = 0
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open: ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Some events, or parts of them."""
        now_ns = time.monotonic_ns()
        self.first_ms = self.first_ms or (now_ns - self._sent_ns) / 1e6
        whole, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        self.delays_ms += [(now_ns - sent_ns) / 1e6 for sent_ns in shapes.stamps(whole + end)]

    def on_message_complete(self) -> None:
        """The stream is whole."""
        self.ended.set_result(True)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        del exc
        if not self.ended.done():
            self.ended.set_result(False)


class Seen(NamedTuple):
    """What one side saw."""

    streams: list[Stream]
    probes_ms: list[float]


async def _open(target: load.Target, count: int, seconds: float) -> list[Stream]:
    loop, request = asyncio.get_running_loop(), load.request(target, shapes.SHAPES["stream"])
    found = []
    for _ in range(count):
        _, stream = await loop.create_connection(lambda: Stream(request), "127.0.0.1", target.port)
        found.append(stream)
        await asyncio.sleep(seconds / count)
    return found


async def _probe(targets: list[load.Target], until_s: float) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in targets]
    callers = [await load.connect(target) for target in targets]
    small = shapes.SHAPES["small"]
    while time.monotonic() < until_s:
        for times, caller, target in zip(found, callers, targets, strict=True):
            answer = await caller.call(load.request(target, small))
            assert answer.body == small.answer
            times.append(answer.first_s * 1000)
            await asyncio.sleep(PROBE_GAP_S / 2)
    return found


async def _watch(tree: Tree, until_s: float) -> list[tuple[float, float]]:
    started_s, found = time.monotonic(), []
    while time.monotonic() < until_s:
        found.append((time.monotonic() - started_s, tree.rss_mb()))
        await asyncio.sleep(2.0)
    return found


async def _run(
    options: argparse.Namespace, tree: Tree, through: load.Target, straight: load.Target
) -> dict[str, object]:
    opening_s = 4.0
    cpu_s, until_s = tree.cpu_s(), time.monotonic() + options.minutes * 60
    many, few, memory, probes = await asyncio.gather(
        _open(through, options.streams, opening_s),
        _open(straight, STRAIGHT, opening_s),
        _watch(tree, until_s),
        _probe([straight, through], until_s),
    )
    whole = await asyncio.gather(*(stream.ended for stream in (*many, *few)))
    cpu_s = tree.cpu_s() - cpu_s
    sides = {"straight": Seen(few, probes[0]), "through": Seen(many, probes[1])}
    events = sum(len(stream.delays_ms) for stream in many)
    settled = [mb for at, mb in memory if at > opening_s + 10] or [mb for _, mb in memory]
    third = max(1, len(settled) // 3)
    return {
        "streams": options.streams,
        "whole": sum(whole),
        "events": events,
        "events_missing": options.streams * options.events - events,
        "cpu_us_per_event": cpu_s / events * 1e6,
        "rss_mb": memory,
        "rss_mb_first_third": statistics.median(settled[:third]),
        "rss_mb_last_third": statistics.median(settled[-third:]),
        **{f"{side}_{name}": value for side, seen in sides.items() for name, value in _figures(seen).items()},
    }


def _figures(seen: Seen) -> dict[str, float]:
    delays = [delay for stream in seen.streams for delay in stream.delays_ms]
    cuts = statistics.quantiles(delays, n=1000)
    probes = statistics.quantiles(seen.probes_ms, n=100)
    return {
        "delay_p50_ms": cuts[499],
        "delay_p99_ms": cuts[989],
        "delay_p999_ms": cuts[998],
        "delay_max_ms": max(delays),
        "first_p50_ms": statistics.median(stream.first_ms for stream in seen.streams),
        "call_p50_ms": probes[49],
        "call_p99_ms": probes[98],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--gap-ms", type=float, default=100.0)
    parser.add_argument("--gateway", default="farthing", choices=peers.NAMES)
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--litellm", help="its executable")
    parser.add_argument("--portkey", help="folder in which npm installed @portkey-ai/gateway")
    parser.add_argument("--nginx", help="its executable")
    options = parser.parse_args()
    options.events = int(options.minutes * 60_000 / options.gap_ms)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    stub = [sys.executable, str(HERE / "upstream.py"), "--events", str(options.events), "--gap-ms", str(options.gap_ms)]
    upstream = Tree(stub, LOAD_CORE)
    try:
        assert upstream.process.stdout is not None
        direct, port = int(upstream.process.stdout.readline()), free_port()
        with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
            paths = peers.find(options.litellm, options.portkey, options.nginx)
            start = peers.start(options.gateway, paths, peers.Upstream(direct, None), port, Path(folder))
            if start is None:
                sys.exit(f"{options.gateway} is not installed here")
            tree = Tree(start.command, GATEWAY_CORE, start.environment, Path(folder, "log"))
            try:
                if not wait_ready(tree, port, start.ready, 120):
                    sys.exit(f"{options.gateway} did not start")
                through = load.Target(port, start.headers, peers.MESSAGES, start.exact)
                straight = load.Target(direct, {}, peers.MESSAGES, exact=True)
                found = uvloop.run(_run(options, tree, through, straight))
            finally:
                tree.end()
    finally:
        upstream.end()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    _show(options.gateway, found)


def _show(name: str, found: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "straight", f"through {name}", title=f"{found['streams']} streams, {found['events']:,} events")
    for key in [key.removeprefix("straight_") for key in found if key.startswith("straight_")]:
        table.add_row(key.replace("_", " "), f"{found[f'straight_{key}']:.2f}", f"{found[f'through_{key}']:.2f}")
    console = Console()
    console.print(table)
    first, last = found["rss_mb_first_third"], found["rss_mb_last_third"]
    console.print(f"memory: {first:.1f} MB in the first third, {last:.1f} MB in the last")
    console.print(f"CPU per event: {found['cpu_us_per_event']:.0f} µs; events missing: {found['events_missing']}")
    console.print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
