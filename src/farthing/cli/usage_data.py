"""What a usage report is made from: transcripts found, scanned and priced."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing import config
from farthing.cli.usage_budget import limits_of
from farthing.cli.usage_days import days_of, zone_of
from farthing.prices.installed import default_book
from farthing.reports.claude_code.budget import Budget, budgets_of
from farthing.reports.claude_code.costing import Costed, Mode, costed
from farthing.reports.claude_code.periods import Calendar, Days, midnight_before
from farthing.reports.claude_code.rows import in_project
from farthing.sources.claude_code import Bucket, Index, Root, ScanReport, discover, index_path, iter_buckets, scan
from farthing.sources.claude_code.coarser import coarser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farthing.cli.usage_flags import Flags
    from farthing.config import Loaded
    from farthing.prices.book import PriceBook

WHERE_TO_LOOK = (
    "looked in $XDG_CONFIG_HOME/claude, ~/.config/claude and ~/.claude, each with "
    "projects/ inside; set CLAUDE_CONFIG_DIR or name a folder: farthing daily PATH"
)


class Usage(NamedTuple):
    """
    Transcripts, read and priced.

    Attributes:
        items: Costed buckets, of the days and the project that were asked for.
        calendar: Which day each belongs to.
        book: What priced them.
        now: When.
        roots: Where transcripts were looked for; none where there was nowhere to look.
        scan: What was found there; None without roots.
        budgets: What was spent of each, whatever days and project were asked for.

    """

    items: list[Costed]
    calendar: Calendar
    book: PriceBook
    now: datetime
    roots: list[Root]
    scan: ScanReport | None
    budgets: list[Budget]


Apart = Literal["quarters", "sessions", "projects", "days"]
"""What a report tells apart: the less, the fewer buckets are priced."""


def now() -> datetime:
    """The time; tests put another in its place."""
    return datetime.now(UTC)


def settings_of(flags: Flags) -> Loaded:
    """
    Our settings; a ``ccusage.json`` that ``--config`` names is not among them.

    Raises:
        BadConfig: They cannot be read.

    """
    return config.load(None if flags.config is None or flags.config.suffix == ".json" else flags.config)


def read_usage(
    flags: Flags,
    *,
    week_start: str = "sunday",
    last: int | None = None,
    period: str = "daily",
    all_days: bool = False,
    apart: Apart = "quarters",
) -> Usage:
    """
    Find, scan and price transcripts.

    Args:
        flags: What was asked for.
        week_start: Where weeks begin.
        last: How many periods to go back; None: all.
        period: Which: ``daily``, ``weekly`` or ``monthly``.
        all_days: Keep every day: the caller filters.
        apart: What the report tells apart.

    Raises:
        BadInput: A flag or a path cannot be used.
        LedgerFault: The index cannot be used.

    """
    loaded = settings_of(flags)
    limits = limits_of(loaded, gate=flags.gate)
    calendar = Calendar(zone_of(flags, loaded), week_start)
    at = now()
    days = days_of(flags)
    if last is not None:
        days = Days(max(filter(None, (days.since, calendar.last(last, period, at)))), days.until)
    book = default_book()
    roots = discover(flags.paths or None)
    if not roots:
        return Usage([], calendar, book, at, [], None, budgets_of([], calendar, at, limits))
    since, until = (None, None) if all_days else days.instants()
    with Index(index_path(roots, loaded.config.claude_code.index_path)) as index:
        report = scan_with_progress(roots, index, flags)
        buckets = _merged(iter_buckets(index, since, until), apart, calendar, flags)
        items = list(costed(buckets, book, Mode(flags.mode), at))
        lately = iter_buckets(index, midnight_before(calendar.last(1, "monthly", at))) if limits else ()
        spent = list(costed(coarser(lately, _day(calendar)), book, Mode.AS_BILLED, at))
    if not all_days and (days.since or days.until):
        items = [one for one in items if calendar.day(one.bucket.quarter) in days]
    if flags.project is not None:
        items = in_project(items, flags.project)
    return Usage(items, calendar, book, at, roots, report, budgets_of(spent, calendar, at, limits))


def _merged(
    buckets: Iterator[Bucket], apart: Apart, calendar: Calendar, flags: Flags
) -> Iterator[Bucket] | list[Bucket]:
    """Fewer buckets to price, where the report tells less apart; ``--debug`` shows them as they are."""
    if apart == "quarters" or flags.debug:
        return buckets
    if apart == "sessions":
        return coarser(buckets, lambda one: (calendar.day(one.quarter), one.project, one.session))
    if apart == "projects" or flags.project is not None:
        return coarser(buckets, lambda one: (calendar.day(one.quarter), one.project))
    return coarser(buckets, _day(calendar))


def _day(calendar: Calendar) -> Callable[[Bucket], object]:
    return lambda one: calendar.day(one.quarter)


def scan_with_progress(roots: list[Root], index: Index, flags: Flags) -> ScanReport:
    """Scan, with a bar on a terminal."""
    workers = 1 if flags.single_thread else None
    with _bar(hidden=flags.json) as advance:
        return scan(roots, index, progress=advance, workers=workers)


@contextmanager
def _bar(*, hidden: bool) -> Iterator[_Advance | None]:
    if hidden or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from farthing.cli import output

    columns = (TextColumn("reading transcripts"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.console(stderr=True), transient=True) as bar:
        yield _Advance(bar)


class _Advance:
    """Bytes done and to do, on a bar that appears with the first of them."""

    def __init__(self, bar: object) -> None:
        self.bar = bar
        self.task: object = None

    def __call__(self, done: int, size: int) -> None:
        if self.task is None:
            self.task = self.bar.add_task("", total=size)  # type: ignore[attr-defined]
        self.bar.update(self.task, completed=done)  # type: ignore[attr-defined]
