"""``farthing moved``: why the bill of one period differs from that of another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from farthing.call import Call
    from farthing.ledger.interface import Ledger
    from farthing.prices.book import PriceBook
    from farthing.reports.movement import Movement
    from farthing.reports.movement_sums import Contract
    from farthing.reports.periods import Named

Before = Annotated[str, typer.Argument(metavar="A", help="The first period, e.g. 2026-09 or 2026-09-01..2026-09-14.")]
After = Annotated[str, typer.Argument(metavar="B", help="The second, e.g. 2026-10, this-month, last-week.")]
By = Annotated[str, typer.Option("--by", "-b", metavar="NAMES", help="Tell these apart besides models, e.g. tenant.")]
Open = Annotated[str | None, typer.Option("--open", metavar="BAR", help="Open a bar: its segments and calls.")]
FairCache = Annotated[bool, typer.Option("--fair-cache", help="Share cache writes among the calls that read them.")]
AtList = Annotated[bool, typer.Option("--list", help="List prices, though the settings name a contract.")]


class _Asked(NamedTuple):
    """What the command line asked for, read."""

    periods: tuple[Named, Named]
    by: tuple[str, ...]
    where: dict[str, tuple[str, ...]]
    zone: ZoneInfo
    bar: str | None


def moved(  # noqa: PLR0917  flags are many
    before: Before = "last-month",
    after: After = "this-month",
    by: By = "feature",
    open_bar: Open = None,
    fair_cache: FairCache = False,
    where: options.Where = None,
    timezone: options.Timezone = None,
    at_list: AtList = False,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show why the bill moved from one period to another, in bars that sum to the picodollar.

    Volume, mix, models, tokens per call, caching, batches, searches, prices, long prompts, fast mode, regions,
    contract: each bar is what that alone did, as the mean over all orders in which the changes could have come.
    """
    from farthing.cli.ledger_file import contract_price, contract_terms, ledger_path, open_ledger
    from farthing.reports.movement import BARS, movement

    if open_bar is not None and open_bar not in BARS:
        raise BadInput(f"read --open {open_bar!r}", f"one of {', '.join(BARS)}")
    zone = options.zone_of(timezone or options.settings(config).config.report.timezone)
    periods = _periods(before, after, zone)
    asked = _Asked(periods, options.names(by), options.filters(where), zone, open_bar)
    terms = None if at_list else contract_terms(config)
    contract: Contract | None = None if terms is None else contract_price(terms)
    book = options.price_book(config)
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        with output.progress("reading calls", hidden=as_json) as advance:
            a_calls, b_calls = (_calls(opened, asked, which, advance) for which in (0, 1))
            found = movement(a_calls, b_calls, book, by=asked.by, contract=contract, zone=asked.zone)
        if not found.before.calls and not found.after.calls and not any(found.unpriced):
            raise BadInput(_nothing(opened, asked), "two periods with calls", "farthing report --bucket day shows them")
        answer = _more(opened, asked, found, book, fair_cache=fair_cache)
    if as_json:
        output.print_json(_json(asked, found, answer))
        return
    from farthing.cli import moved_view

    console = output.console()
    moved_view.print_movement(console, found, asked.periods, under_contract=terms.name if terms else None)
    if answer.opened is not None and asked.bar is not None:
        moved_view.print_opened(console, found, asked.bar, answer.opened)
    if answer.fair is not None:
        moved_view.print_fair(console, answer.fair, asked.periods)
    today = datetime.now(UTC).astimezone(asked.zone).date()
    moved_view.print_footer(console, found, asked.periods, today, opened=asked.bar is not None)


class _Answer(NamedTuple):
    """What goes under the bars."""

    opened: Any = None
    fair: Any = None


def _periods(before: str, after: str, zone: ZoneInfo) -> tuple[Named, Named]:
    from farthing.reports.periods import read_period

    today = datetime.now(UTC).astimezone(zone).date()
    return read_period(before, today), read_period(after, today)


def _calls(
    ledger: Ledger, asked: _Asked, which: int, advance: Callable[[int], None] = lambda _more: None
) -> Iterator[Call]:
    from farthing.ledger.interface import Query

    since, until = asked.periods[which].bounds(asked.zone)
    for stored in ledger.calls(Query(since=since, until=until, where=asked.where, timezone=asked.zone.key)):
        advance(1)
        yield stored.call


def _more(ledger: Ledger, asked: _Asked, found: Movement, book: PriceBook, *, fair_cache: bool) -> _Answer:
    """What needs the calls once more."""
    opened = fair = None
    if asked.bar is not None:
        from farthing.reports.movement_open import open_bar

        a_calls, b_calls = (_calls(ledger, asked, which) for which in (0, 1))
        opened = open_bar(found, asked.bar, a_calls, b_calls, book, zone=asked.zone)
    if fair_cache:
        from farthing.reports.movement_fair import fair_in_both

        fair = fair_in_both(list(_calls(ledger, asked, 0)), list(_calls(ledger, asked, 1)), book, asked.by, asked.zone)
    return _Answer(opened, fair)


def _json(asked: _Asked, found: Movement, answer: _Answer) -> dict[str, Any]:
    from farthing.reports.movement_json import fair_json, movement_json, opened_json

    told = movement_json(found)
    for name, period in zip(("before", "after"), asked.periods, strict=True):
        told[name] = {"period": period.name, "first": str(period.first), "days": period.days} | told[name]
    if answer.opened is not None:
        told["opened"] = {"bar": asked.bar, "segments": opened_json(found, answer.opened)}
    if answer.fair is not None:
        told["fair_cache"] = fair_json(answer.fair)
    return told


def _nothing(ledger: Ledger, asked: _Asked) -> str:
    from farthing.ledger.interface import Query

    days = [row.start for row in ledger.report(Query(bucket="day", where=asked.where)) if row.start is not None]
    names = f"{asked.periods[0].name} and {asked.periods[1].name}"
    if not days:
        return f"found no calls in {names}, nor on any other day"
    return f"found no calls in {names}; there are some from {min(days).date()} to {max(days).date()}"
