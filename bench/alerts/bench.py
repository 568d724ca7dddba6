"""
How well alerts see what rose, how often they are wrong, and how far off the forecast is.

    python bench/alerts/bench.py DATA [--split HOURS] [--false-per-week 0.25]

DATA holds ``servegen/m-small`` and ``nab`` as published (docs/measurements.md, Alerts). Nothing is fitted to a label:
the threshold is set on the natural traffic before the split, and judged on the rest.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import data
import spikes
from rich.console import Console
from rich.table import Table

from farthing.alerts.forecast import hourly
from farthing.alerts.outlook import outlook
from farthing.alerts.series import BY_NAME
from farthing.alerts.threshold import calibrated, episodes
from farthing.alerts.watch import SHARE, VOLUME, WEEK_H

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.alerts.watch import Hour, Score, Tuning

SHARE_MAX, VOLUME_MAX = BY_NAME["unit_cost"].threshold_max, BY_NAME["volume"].threshold_max
DAY_H = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=int, default=240, help="hours that the threshold is set on; the rest is judged")
    parser.add_argument("--false-per-week", type=float, default=0.25)
    options = parser.parse_args()
    clients = options.data / "servegen" / "m-small"
    console = Console(width=150)
    console.print(_spikes(clients, options.split, options.false_per_week))
    console.print(_labelled(options.data / "nab", options.false_per_week))
    console.print(*_forecasts(clients))


def _spikes(clients: Path, split: int, per_week: float) -> Table:
    table = Table("series", "clients", "threshold", "false/tenant-week", title="injected spikes")
    for times, hours in spikes.SPIKES:
        table.add_column(f"{times:g}x {hours} h")
    kinds: list[tuple[str, list[list[Hour]], Tuning, float]] = [
        ("unit cost, as recorded", data.unit_costs(clients, calm=False), SHARE, SHARE_MAX),
        ("unit cost, without its one change", data.unit_costs(clients, calm=True), SHARE, SHARE_MAX),
        ("volume", data.volumes(clients), VOLUME, VOLUME_MAX),
    ]
    for name, series, tuning, at_most in kinds:
        for half, some in (("all", series), ("even", series[::2]), ("odd", series[1::2])):
            for matched in (False, True):
                found = spikes.judged(some, tuning, split, per_week, at_most=at_most, matched=matched)
                cells = [f"{share:.2f} of {tried}, {wait:.1f} h" for share, tried, wait in found.recall.values()]
                label = f"{found.threshold:.2f}" + (" (matched)" if matched else "")
                table.add_row(name, half, label, f"{found.false_per_week:.2f} ({found.false})", *cells)
    return table


def _labelled(folder: Path, per_week: float) -> Table:
    """
    NAB: gauges as a cost per call, counts as a volume, each with a threshold from the first third of all its kind.

    Found is a window after that third with an alarm in it, false an episode that touches none. With "(matched)" the
    threshold is set on the judged two thirds, episodes in windows included.
    """
    table = Table("series, of over a week", "threshold", "windows found", "false", "per series-week", title="NAB")
    for kind, tuning, at_most in (("gauge", SHARE, SHARE_MAX), ("count", VOLUME, VOLUME_MAX)):
        series = [one for one in data.labelled(folder) if one.is_gauge is (tuning is SHARE) and len(one.hours) > WEEK_H]
        scores = [spikes.natural(one.hours, tuning) for one in series]
        splits = [max(spikes.WARM_H + 48, len(one.hours) // 3) for one in series]
        early = [one[spikes.WARM_H : split] for one, split in zip(scores, splits, strict=True)]
        late = [one[split:] for one, split in zip(scores, splits, strict=True)]
        weeks = sum(map(len, late)) / WEEK_H
        for label, used, bound in ((kind, early, at_most), (f"{kind} (matched)", late, math.inf)):
            threshold = calibrated(used, sum(map(len, used)) / WEEK_H, per_week, at_most=bound)
            assert threshold is not None
            judged = [_found(one.windows, found, threshold) for one, found in zip(series, late, strict=True)]
            found, windows, false = (sum(column) for column in zip(*judged, strict=True))
            cells = (f"{found} of {windows}", str(false), f"{false / weeks:.2f}")
            table.add_row(label, f"{threshold:.2f}", *cells)
            if used is early:
                for one, (hits, of, wrong), heard in zip(series, judged, late, strict=True):
                    peak = max(score.score for score in heard)
                    table.add_row(f"  {one.name}", f"highest {peak:.2f}", f"{hits} of {of}", str(wrong), "")
    return table


def _found(windows: Sequence[tuple[int, int]], scores: Sequence[Score], threshold: float) -> tuple[int, int, int]:
    """How many of the judged windows have an alarm in them, of how many, and how many alarms touch none."""
    alarms = episodes(scores, threshold)
    judged = [window for window in windows if window[0] >= scores[0].number]
    hits = sum(any(one.first <= end and one.last >= start for one in alarms) for start, end in judged)
    return hits, len(judged), sum(not any(one.first <= e and one.last >= s for s, e in windows) for one in alarms)


def _forecasts(clients: Path) -> tuple[Table, Table]:
    each = [[float(calls) for calls in one] for one in data.calls_per_hour(clients)]
    whole = [sum(hour) for hour in zip(*each, strict=True)]
    rules: dict[str, Callable[[Sequence[float]], list[float]]] = {
        "farthing": lambda past: hourly(past, DAY_H),
        "persistence": lambda past: [past[-1]] * DAY_H,
        "the day before": lambda past: list(past[-DAY_H:]),
        "the week before": lambda past: list(past[-WEEK_H : -WEEK_H + DAY_H]),
    }
    errors = Table("rule", "all clients as one", "each client, pooled", title="day-ahead hourly WAPE, second week")
    for name, rule in rules.items():
        errors.add_row(name, f"{_wape([whole], rule):.3f}", f"{_wape(each, rule):.3f}")
    cover = Table(
        "days to come", "inside 80 % (n)", "width over the sum, median", "seconds each", title="sum to the end"
    )
    busy = [one for one in each if any(one[:WEEK_H])]
    for days in (1, 3, 5, 7):
        inside, widths, tried, began = 0, [], 0, time.perf_counter()
        for one in [whole, *busy]:
            for start in range(len(one) - 24 * days - 24 * 3, len(one) - 24 * days + 1, 24):
                low, expected, high = outlook(one[:start]).total(24 * days)
                inside, tried = inside + (low <= sum(one[start : start + 24 * days]) <= high), tried + 1
                widths.append((high - low) / expected if expected else math.inf)
        seconds = (time.perf_counter() - began) / tried
        cover.add_row(
            str(days), f"{inside / tried:.2f} ({tried})", f"{sorted(widths)[tried // 2]:.2f}", f"{seconds:.4f}"
        )
    return errors, cover


def _wape(series: Sequence[Sequence[float]], rule: Callable[[Sequence[float]], list[float]]) -> float:
    off = came = 0.0
    for one in series:
        for start in range(WEEK_H, len(one) - DAY_H + 1, DAY_H):
            truth = one[start : start + DAY_H]
            off += sum(abs(said - is_) for said, is_ in zip(rule(one[:start]), truth, strict=True))
            came += sum(truth)
    return off / came


if __name__ == "__main__":
    main()
