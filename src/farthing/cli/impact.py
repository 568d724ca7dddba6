"""``farthing impact``: a price or model change, announced or real, against one's own month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from rich.console import Console

    from farthing.call import Call
    from farthing.ledger.interface import Ledger, Query
    from farthing.prices.book import PriceBook
    from farthing.whatif.changes import Change
    from farthing.whatif.impact import Impact, Line

Book = Annotated[
    Path | None, typer.Option("--book", metavar="FILE", help="Prices to come: a prices.toml, or a book's folder.")
]
ModelIds = Annotated[list[str] | None, typer.Option("--model", "-m", metavar="ID", help="The model that is replaced.")]
Becomes = Annotated[list[str] | None, typer.Option("--becomes", metavar="ID", help="By this one; once per --model.")]
On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="At the prices of this day.")]
DAYS = 30


class _Span(NamedTuple):
    """The calls that were asked for: their question, the first day, and how a reader would call the span."""

    query: Query
    first: date
    name: str


def impact(  # noqa: PLR0917  flags are many
    book: Book = None,
    model: ModelIds = None,
    becomes: Becomes = None,
    on: On = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    where: options.Where = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what a price or model change does to your month.

    Without a change, every dated change in the price book that touches your calls is listed: prices that moved or will,
    models that were released or go, and what each means in dollars. Calls are those of the ledger's last 30 days, if no
    span is given.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger

    if len(model or ()) != len(becomes or ()):
        raise BadInput(f"read {len(model or ())} of --model and {len(becomes or ())} of --becomes", "as many of both")
    now = datetime.now(UTC)
    day = options.day(on, "--on")
    prices = options.price_book(config)
    path = ledger_path(ledger, config)
    with open_ledger(path, must_exist=True) as opened:
        span = _span(opened, options.time_range(since, until, last, options.zone_of("UTC"), now), where)
        with output.progress("reading calls", hidden=as_json) as advance:
            calls = _read(opened, span.query, advance)
    if not calls:
        raise BadInput(f"found no calls of {span.name} in {path}", "a span with calls")
    if book is None and not model and day is None:
        from farthing.whatif.changes import dated_changes

        found = dated_changes(prices, calls, span.first, now.date())
        if as_json:
            told = [change.to_json() | {"ahead": change.day > now.date()} for change in found]
            output.print_json(_head(span, calls) | {"changes": told, "book_version": prices.version})
        else:
            _print_changes(output.console(), found, span, calls, now.date())
        return
    from farthing.whatif.impact import impact as weighed

    later = None if book is None else _later(prices, book)
    swaps = dict(zip(model or (), becomes or (), strict=True))
    if swaps and day is None:
        day = now.date()  # a new model has no price on the days of older calls
    result = weighed(calls, prices, after_book=later, on=day, becomes=swaps)
    if as_json:
        output.print_json(_head(span, calls) | {"on": None if day is None else str(day)} | result.to_json())
    else:
        _print_impact(output.console(), result, span, day)


def _span(ledger: Ledger, bounds: tuple[datetime | None, datetime | None], where: list[str] | None) -> _Span:
    """The span that the flags say; none: the 30 days up to the ledger's newest call."""
    from farthing.ledger.interface import Query

    since, until = bounds
    kept = options.filters(where)
    days = [row.start for row in ledger.report(Query(bucket="day", since=since, until=until, where=kept)) if row.start]
    if not days:
        return _Span(Query(since=since, until=until, where=kept), datetime.now(UTC).date(), "that span")
    newest = max(days).date()
    if since is None and until is None:
        first = newest - timedelta(days=DAYS - 1)
        since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    first = min(day for day in days if since is None or day >= since.replace(hour=0, minute=0)).date()
    return _Span(Query(since=since, until=until, where=kept), first, f"{first} to {newest}")


def _read(ledger: Ledger, query: Query, advance: Callable[[int], None]) -> list[Call]:
    calls = []
    for stored in ledger.calls(query):
        calls.append(stored.call)
        advance(1)
    return calls


def _later(book: PriceBook, path: Path) -> PriceBook:
    from farthing.prices.book import load_book
    from farthing.prices.overrides import layer, read_overrides

    if not path.exists():
        raise BadInput(f"found no price file {path}", "a prices.toml as in docs/prices.md, or a price book's folder")
    return load_book(path) if path.is_dir() else layer(book, read_overrides(path))


def _head(span: _Span, calls: Sequence[Call]) -> dict[str, object]:
    return {"span": span.name, "calls_read": len(calls)}


_WHAT = {
    "price": "price",
    "withdrawn": "withdrawn",
    "called off": "called off",
    "released": "newer model",
    "retired": "RETIRED",
    "retires": "RETIRES",
    "deprecated": "deprecated",
    "may retire": "may retire",
}


def _print_changes(console: Console, found: Sequence[Change], span: _Span, calls: Sequence[Call], today: date) -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{len(calls):,} calls[/], {span.name} [dim]list prices[/]")
    if not found:
        console.print("No dated change in the price book touches them: no price moved, no model they used goes.")
        return
    quiet = [change for change in found if change.what == "may retire" and not change.successor and change.day > today]
    found = [change for change in found if change not in quiet]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, justify in (("day", "left"), ("what", "left"), ("model", "left"), ("now", "right"), ("then", "right")):
        table.add_column(name, justify=justify, no_wrap=name != "model", overflow="fold")  # type: ignore[arg-type]
    table.add_column("moved", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for change in found:
        heir = f"\n[dim]-> {escape(change.successor)}[/]" if change.successor else ""
        table.add_row(
            f"[yellow]{change.day}[/]" if change.day > today else str(change.day),
            f"[bold red]{_WHAT[change.what]}[/]" if change.what in {"retired", "retires"} else _WHAT[change.what],
            f"{escape(change.model)}{heir}",
            output.usd(change.before_pusd),
            "-" if change.after_pusd is None else output.usd(change.after_pusd),
            "" if change.moved_pusd is None else _moved(change.moved_pusd),
            output.kind_markup(change.kind),
        )
    if found:
        console.print(table)
    if quiet:
        told = ", ".join(f"{escape(change.model)} {change.day}" for change in quiet)
        console.print(f"[dim]current, and stay at least until: {told}[/]", soft_wrap=True)
    notes = dict.fromkeys(
        note for change in found for note in change.notes if "tokenizer" in note or "left out" in note
    )
    for note in notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    believed = {change.model for change in found if change.successor and change.successor_kind.value == "assumed"}
    if believed:
        console.print(
            f"[dim]-> is the newest of the family where the vendor names none ({', '.join(sorted(believed))}); a model "
            "is taken to answer with the same text, and its quality is not known here[/]",
            soft_wrap=True,
        )


def _print_impact(console: Console, found: Impact, span: _Span, on: date | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    moved = found.after_pusd - found.before_pusd
    share = f" ({100 * moved / found.before_pusd:+.1f} %)" if found.before_pusd else ""
    at = f", at the prices of {on}" if on else ""
    console.print(
        f"[bold]{_moved(moved)}[/]{share} on {found.calls:,} calls, {span.name}{at} {output.kind_markup(found.kind)}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="fold")
    for name in ("calls", "before", "after", "moved", "range"):
        table.add_column(name, justify="right", no_wrap=True)
    touched = [line for line in found.lines if line.becomes != line.model or line.after_pusd != line.before_pusd]
    for line in touched:
        heir = f"\n[dim]-> {escape(line.becomes)}[/]" if line.becomes != line.model else ""
        table.add_row(f"{escape(line.model)}{heir}", *_cells(line))
    if touched:
        console.print(table)
    rest = [line for line in found.lines if line not in touched and line.before_pusd]
    if rest:
        together = output.usd(sum(line.before_pusd for line in rest))
        console.print(
            f"[dim]as before: {', '.join(escape(line.model) for line in rest)}, {together}[/]", soft_wrap=True
        )
    for line in found.lines:
        for count, when in ((line.unpriced_before, "before"), (line.unpriced_after, "after")):
            if count:
                lost = f", which cost {output.usd(line.lost_pusd)}" if when == "after" else ""
                console.print(
                    f"[bold white on red] UNPRICED [/] {count:,} of {line.calls:,} calls of {_clean(line.model)} have "
                    f"no exact price {when}{lost}, and are in no difference: {_clean(line.reason)}",
                    soft_wrap=True,
                )
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)


def _cells(line: Line) -> tuple[str, ...]:
    ranged = line.low_pusd != line.high_pusd
    low, high = (_moved(end - line.before_pusd) for end in (line.low_pusd, line.high_pusd))
    return (
        f"{line.calls:,}",
        output.usd(line.before_pusd),
        output.usd(line.after_pusd),
        _moved(line.after_pusd - line.before_pusd),
        f"{low} to {high}" if ranged else "",
    )


def _moved(pusd: int) -> str:
    return f"+{output.usd(pusd)}" if pusd > 0 else output.usd(pusd)


def _clean(text: str) -> str:
    """A stranger's text for a terminal: no control characters, no markup."""
    from rich.markup import escape

    return escape("".join(character if character.isprintable() else "?" for character in text))
