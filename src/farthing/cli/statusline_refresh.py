"""
The status line's other half: scan, price, and write the digest that it reads.

Runs in a process of its own, started by a status line that found its digest out of date, so nobody waits for it:
``python -m farthing.cli.statusline_refresh DIGEST``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import msgspec

from farthing import config
from farthing.cli.usage_budget import limits_of
from farthing.cli.usage_data import now
from farthing.errors import FarthingError
from farthing.prices.installed import default_book
from farthing.reports.claude_code.blocks import HOUR_US
from farthing.reports.claude_code.costing import Mode, costed
from farthing.reports.claude_code.summary import KEPT_US, summary_of
from farthing.sources.claude_code import Index, discover, index_path, iter_buckets, scan
from farthing.sources.claude_code.buckets import bucketed, to_us

RECENT_US = 3 * HOUR_US
_NS_PER_US = 1000


def refresh(digest: Path) -> None:
    """
    Bring the index and *digest* up to date. The digest is replaced in one step: a reader sees the old or the new one.

    Raises:
        FarthingError: Transcripts, index, settings or price book cannot be used.

    """
    loaded = config.load()
    (setting,) = (one for one in loaded.settings if one.key == "report.timezone")
    at, book, roots = now(), default_book(), discover()
    now_us = to_us(at)
    with Index(index_path(roots, loaded.config.claude_code.index_path) if roots else ":memory:") as index:
        scan(roots, index, workers=1)
        items = list(costed(iter_buckets(index), book, Mode.AS_BILLED, at))
        recent = [
            (key[0], one)
            for key, sighting, origin in index.calls(now_us - RECENT_US, to_us(at + timedelta(minutes=1)))
            for one in costed(
                bucketed([(key, msgspec.structs.replace(sighting, origin=0))], [origin]), book, Mode.AS_BILLED, at
            )
        ]
        changed_since_ns = (now_us - KEPT_US) * _NS_PER_US
        offsets = {
            path: state.offset for path, state in index.file_states().items() if state.file.mtime_ns >= changed_since_ns
        }
    zone = None if setting.origin == "default" else str(setting.value)
    budgets = limits_of(loaded, gate=False)
    summary = summary_of(items, recent, book, now=at, offsets=offsets, zone=zone, budgets=budgets)
    digest.parent.mkdir(parents=True, exist_ok=True)
    new = digest.with_suffix(f".{os.getpid()}.new")
    new.write_text(json.dumps(summary, separators=(",", ":")), encoding="utf-8")
    new.replace(digest)


def main(arguments: list[str]) -> int:
    """Refresh the digest that is named, then take away its lock."""
    digest = Path(arguments[0])
    try:
        refresh(digest)
    except FarthingError:
        return 1  # nobody listens; the next report on a terminal says the same aloud
    finally:
        with contextlib.suppress(OSError):
            digest.with_suffix(".lock").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
