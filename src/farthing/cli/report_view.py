"""What ``farthing report`` puts on a terminal: tables that fit 80 columns and say more at 120, charts under them."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table
from rich.text import Text

from farthing.cli import output
from farthing.reports import charts, sums
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from farthing.ledger.interface import Query, Row
    from farthing.reports.contract import UnderContract
    from farthing.reports.pareto import Pareto

_BAR_WIDTH = 10
_DAY = timedelta(days=1)


class _Layout(NamedTuple):
    """Which columns a table has, widest first. *exact*: whole counts; *classes*: a column for each token class."""

    exact: bool
    classes: bool
    bars: bool
    share: bool = True


_LAYOUTS = (
    _Layout(exact=True, classes=True, bars=True),
    _Layout(exact=False, classes=True, bars=True),
    _Layout(exact=False, classes=True, bars=False),
    _Layout(exact=False, classes=False, bars=True),
    _Layout(exact=False, classes=False, bars=False),
    _Layout(exact=False, classes=False, bars=False, share=False),
)


def print_report(
    console: Console, query: Query, rows: Sequence[Row], total: Row, *, under_contract: bool = False
) -> None:
    """The table of a report, in the fullest layout that the console has room for."""
    contract = under_contract or total.contract_pusd != total.list_pusd
    if query.limit is not None:  # a reader looks for the rest at the end, however much it is
        rows = sorted(
            rows, key=lambda row: (row.start is not None and row.start.timestamp(), set(row.key) == {"other"})
        )
    tables = (_report_table(layout, query, rows, total, contract=contract) for layout in _LAYOUTS)
    table = next(tables)
    while console.measure(table, options=console.options.update(width=1000)).maximum > console.width:
        wider, table = table, next(tables, table)
        if table is wider:
            break
    console.print(table)


def _report_table(layout: _Layout, query: Query, rows: Sequence[Row], total: Row, *, contract: bool) -> Table:
    kinds = len({row.kind for row in rows}) > 1
    table = _table()
    if query.bucket:
        table.add_column(query.bucket, no_wrap=True)
    for name in query.by:
        table.add_column(name, overflow="fold")
    numbers = ["calls", *(("input", "write", "read") if layout.classes else ("prompt",)), "output", "list"]
    numbers += [name for name, shown in (("contract", contract), ("share", layout.share)) if shown]
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for shown in (layout.bars, kinds):
        if shown:
            table.add_column("", no_wrap=True)
    amounts = [row.list_pusd for row in rows]
    places, largest = _places(amounts), max(amounts, default=0)
    for row in [*rows, total]:
        is_total = row is total
        cells = [*_keys(query, row, is_total=is_total), *_counts(row, layout), _money(row, row.list_pusd, places)]
        cells += [_money(row, row.contract_pusd, places)] if contract else []
        cells += [sums.percent(row.list_pusd, total.list_pusd)] if layout.share else []
        cells += ["" if is_total else f"[cyan]{charts.bar(row.list_pusd, largest, _BAR_WIDTH)}[/]"] * layout.bars
        cells += [output.kind_markup(row.kind)] * kinds
        table.add_row(*cells, style="bold" if is_total else None)
    return table


def print_contract(console: Console, contract: UnderContract) -> None:
    """What the contract adds to the rows, down to the total under it; then commitments, and what is left out."""
    from farthing import money

    amounts = [Fraction(contract.calls_pusd), *(credit.pusd for credit in contract.credits), contract.total_pusd]
    first, *middle, last = _exact_column(amounts)
    console.print(f"\n[bold]{_escaped(contract.name)}[/]")
    if middle:
        console.print(f"  {first}  calls")
    for credit, text in zip(contract.credits, middle, strict=True):
        on = output.usd(credit.on_list_pusd, _places([credit.on_list_pusd]))
        console.print(
            f"  {text}  volume credit {credit.month:%Y-%m} [dim]{credit.why}, on {on}[/] "
            f"{output.kind_markup(Kind.DERIVED)}",
            soft_wrap=True,
        )
    console.print(f"  [bold]{last}  total under contract[/]")
    for name, period in contract.drawdowns:
        drawn, left, beyond = (
            output.usd(money.nearest(amount), 2) for amount in (period.drawn, period.remaining, period.beyond)
        )
        more = f", {beyond} beyond it" if period.beyond else ""
        console.print(
            f"  commitment {_escaped(name)} [dim]{period.begins} to {period.ends - _DAY}[/]: {drawn} drawn, "
            f"{left} left{more} {output.kind_markup(Kind.DERIVED)}",
            soft_wrap=True,
        )
    for note in contract.notes:
        console.print(f"  [yellow]{_escaped(note)}[/]", soft_wrap=True)


def _exact_column(amounts: Sequence[Fraction]) -> list[str]:
    """Amounts in full, under each other by their points: a reader adds them up and must come to the last one."""
    from farthing import money

    parts = [(money.exact_usd_text(abs(amount)) or "").partition(".") for amount in amounts]
    signs = ["-" if amount < 0 else "" for amount in amounts]
    wholes = [f"{sign}${int(whole):,}" for sign, (whole, _, _) in zip(signs, parts, strict=True)]
    cents = [fraction.ljust(2, "0") for _, _, fraction in parts]
    width, places = max(map(len, wholes)), max(map(len, cents))
    return [f"{whole:>{width}}.{fraction:0<{places}}" for whole, fraction in zip(wholes, cents, strict=True)]


def print_days(console: Console, days: Sequence[Row]) -> None:
    """One line: the list price of each day, quiet days as blanks."""
    starts = {row.start.date(): row.list_pusd for row in days if row.start is not None}
    if len(starts) < 2:
        return
    first, last = min(starts), max(starts)
    count = (last - first).days + 1
    step = -(-count // max(10, console.width - 34))
    values = [
        sum(starts.get(first + timedelta(days=begin + more), 0) for more in range(step))
        for begin in range(0, count, step)
    ]
    each = "a day" if step == 1 else f"per {step} days"
    console.print(f"[dim]{first} [/][cyan]{charts.sparkline(values)}[/][dim] {last}  {each}[/]")


def print_pareto(console: Console, query: Query, found: Pareto, total: Row) -> None:
    """The dearest call types, with what they cost together."""
    table = _table()
    for name in query.by:
        table.add_column(name, overflow="fold")
    for name in ("calls", "list", "share", "together"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", width=12, no_wrap=True)
    places = _places([row.list_pusd for row in found.top])
    for row, together in zip(found.top, found.cumulative_pusd, strict=True):
        table.add_row(
            *_keys(query, row, is_total=False),
            f"{row.calls:,}",
            _money(row, row.list_pusd, places),
            sums.percent(row.list_pusd, found.total_pusd),
            sums.percent(together, found.total_pusd),
            f"[cyan]{charts.bar(row.list_pusd, found.top[0].list_pusd, 12)}[/]",
        )
    console.print(table)
    few, of = len(found.top), found.groups
    console.print(
        f"[bold]{few} of {of}[/] call types ({sums.percent(few, of)}) cost 80 % of "
        f"[bold]{output.usd(found.total_pusd)}[/] {output.kind_markup(total.kind)}"
    )


def print_time_of_day(console: Console, query: Query, rows: Sequence[Row], total: Row) -> None:
    """Weekday by hour: the darker, the dearer."""
    cells = {(int(row.key[0] or 0), int(row.key[1] or 0)): row.list_pusd for row in rows}
    header, *lines = charts.heatmap(cells)
    console.print(Text(header, style="dim"), no_wrap=True, overflow="crop")
    for line in lines:
        console.print(Text(line, style="cyan"), no_wrap=True, overflow="crop")
    dearest = max(cells, key=lambda cell: cells[cell])
    console.print(
        f"Dearest hour: {charts.WEEKDAYS[dearest[0]]} {dearest[1]:02d}:00 {query.timezone}, "
        f"{output.usd(cells[dearest])} of {output.usd(total.list_pusd)}"
    )


def print_footer(console: Console, query: Query, total: Row, unpriced_models: Sequence[str]) -> None:
    """The kind of the figures, and the banner about calls without a price."""
    where = f"; days of {query.timezone}" if query.timezone != "UTC" else ""
    console.print(
        f"[dim]List price in USD, {total.kind}: {_MEANING[total.kind]}{where}. farthing explain CALL shows the sum.[/]"
    )
    if total.unpriced_calls:
        bounds = ""
        if total.high_pusd is not None and total.high_pusd != total.list_pusd:
            bounds = f" The whole lies between {output.usd(total.low_pusd)} and {output.usd(total.high_pusd)}."
        models = f" Models: {_escaped(', '.join(unpriced_models[:5]))}."
        console.print(output.unpriced_banner(total.unpriced_calls, total.calls) + models + bounds)


_MEANING = {
    Kind.MEASURED: "from the facts of the responses",
    Kind.DERIVED: "an exact consequence of measured facts",
    Kind.ASSUMED: "at least one call needs a belief, such as an endpoint that nobody stated",
}


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _keys(query: Query, row: Row, *, is_total: bool) -> list[str]:
    count = len(query.by) + bool(query.bucket)
    if is_total:
        return ["total", *[""] * (count - 1)] if count else []
    start = [sums.start_cell(query, row)] if query.bucket else []
    return [*start, *(_escaped(sums.key_cell(name, key)) for name, key in zip(query.by, row.key, strict=True))]


def _counts(row: Row, layout: _Layout) -> list[str]:
    usage = row.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    prompt = [usage.input_tokens, written, usage.cache_read_tokens] if layout.classes else [usage.prompt_tokens]
    return [f"{row.calls:,}", *(f"{n:,}" if layout.exact else sums.compact(n) for n in (*prompt, usage.output_tokens))]


def _money(row: Row, pusd: int, places: int) -> str:
    if row.unpriced_calls == row.calls:
        return "[bold red]unpriced[/]"
    plus = "[bold red]+?[/]" if row.unpriced_calls else ""
    return f"{output.usd(pusd, places)}{plus}"


def _places(amounts: Sequence[int]) -> int:
    """Cents, or as many places as the largest amount needs to be told from nothing."""
    largest = max((abs(amount) for amount in amounts), default=0)
    return 2 if largest >= 10**12 else 4 if largest >= 10**10 else 6


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape("".join(character if character.isprintable() else "?" for character in text))
