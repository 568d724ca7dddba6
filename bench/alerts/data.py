"""The public series: ServeGen's clients as tenants, hour by hour; NAB's as they are."""

from __future__ import annotations

import ast
import csv
import json
import math
import random
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.watch import Hour

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 43
HOURS = 336
USD_PER_MTOK = (3, 15)
"""Input and output of a Sonnet; only their ratio matters here."""


def volumes(folder: Path) -> list[list[Hour]]:
    """Calls per hour of each client."""
    return [[Hour(number, calls, 1) for number, calls in enumerate(one)] for one in calls_per_hour(folder)]


def calls_per_hour(folder: Path) -> list[list[int]]:
    found = []
    for client in range(CLIENTS):
        hours = [0.0] * HOURS
        with (folder / f"chunk-{client}-trace.csv").open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                hours[min(HOURS - 1, int(float(row[0])) // 3600)] += float(row[1]) * 600
        found.append([round(calls) for calls in hours])
    return found


def unit_costs(folder: Path, *, calm: bool) -> list[list[Hour]]:
    """
    Cost and calls per hour of each client.

    Only client 2 has lengths recorded for (nearly) every 6 hours. Each tenant takes them from another window on, so
    that what changes in one tenant changes in others at another time; the noise of few calls is drawn. Its lengths hold
    one change by themselves, twice and a half for three and a half days; *calm* leaves those days out.
    """
    windows = list(_lengths(folder / "chunk-2-dataset.json"))[20 if calm else 0 :]
    rng = random.Random(3)
    series = []
    for client, hours in enumerate(calls_per_hour(folder)):
        one = []
        for number, calls in enumerate(hours):
            mean, spread = windows[(number // 6 + client * 5) % len(windows)]
            noise = rng.gauss(0, 1) * spread * math.sqrt(calls)
            one.append(Hour(number, max(0.0, calls * mean + noise), calls))
        series.append(one)
    return series


def _lengths(file: Path) -> Iterator[tuple[float, float]]:
    """Mean cost of a call and its spread, per window; an empty window is like the one before."""
    last = (0.0, 0.0)
    for _, window in sorted(json.loads(file.read_text(encoding="utf-8")).items(), key=lambda item: int(item[0])):
        pairs = [ast.literal_eval(window[name]) for name in ("input_tokens", "output_tokens")]
        if all(pairs):
            moments = [_moments(counts, usd) for counts, usd in zip(pairs, USD_PER_MTOK, strict=True)]
            last = (sum(mean for mean, _ in moments), math.sqrt(sum(variance for _, variance in moments)))
        if last[0]:
            yield last


def _moments(counts: dict[float, float], usd: float) -> tuple[float, float]:
    total = sum(counts.values())
    mean = sum(float(length) * share for length, share in counts.items()) / total
    variance = sum(float(length) ** 2 * share for length, share in counts.items()) / total - mean**2
    return mean * usd, max(0.0, variance) * usd**2


class Labelled(NamedTuple):
    """
    One of NAB's series by the hour.

    Attributes:
        name: Of its file.
        is_gauge: Whether it is a level that was sampled, as a price per call is, and no count of what came.
        hours: A gauge's samples and how many they were; of the others the sum of the hour.
        windows: First and last hour of each labelled window.

    """

    name: str
    is_gauge: bool
    hours: list[Hour]
    windows: list[tuple[int, int]]


def labelled(folder: Path) -> Iterator[Labelled]:
    """NAB's series of CloudWatch, by name."""
    windows = json.loads((folder / "realAWSCloudwatch_windows.json").read_text(encoding="utf-8"))
    for name, spans in sorted(windows.items()):
        samples: dict[int, list[float]] = {}
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                samples.setdefault(_hour(row["timestamp"]), []).append(float(row["value"]))
        is_gauge = any(word in name for word in _GAUGES)
        numbers = range(min(samples), max(samples) + 1)
        found = [(n, samples.get(n, [])) for n in numbers]
        hours = [Hour(n, sum(one), len(one) if is_gauge else 1) for n, one in found]
        yield Labelled(Path(name).stem, is_gauge, hours, [(_hour(start), _hour(end)) for start, end in spans])


_GAUGES = ("cpu_utilization", "grok_asg")  # percent of a machine's time


def _hour(text: str) -> int:
    return round(datetime.fromisoformat(text + "+00:00").timestamp()) // 3600
