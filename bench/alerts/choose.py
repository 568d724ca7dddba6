"""
Choose how much a series' bursts must be known before they are judged, without looking at the days that are judged.

    python bench/alerts/choose.py DATA

Everything here ends with hour 240 of ServeGen's m-small, where ``alerts/bench`` begins to judge: threshold and spikes
are both within the first ten days, which nobody labelled. The value with the highest mean recall at 2x and 5x is the
one to ship.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import data
import spikes
from rich.console import Console
from rich.table import Table

from farthing.alerts.watch import VOLUME

LEARNT_H = 240
SPLITS = (144, 168)
TRIED = (3, 6, 9, 12, 18, 24)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    series = [one[:LEARNT_H] for one in data.volumes(options.data / "servegen" / "m-small")]
    table = Table("bursts_before", "2x", "5x", "mean", title="volume, first ten days, at 0.25 false per tenant-week")
    for bursts in TRIED:
        tuning = VOLUME._replace(bursts_before=bursts)
        each = [spikes.judged(series, tuning, split, 0.25, at_most=math.inf, matched=True) for split in SPLITS]
        twice, fivefold = (sum(one.recall[times][0] for one in each) / len(each) for times in (2.0, 5.0))
        table.add_row(str(bursts), f"{twice:.3f}", f"{fivefold:.3f}", f"{(twice + fivefold) / 2:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
