"""What ``farthing outcomes`` puts on a terminal: a table that fits, and under it where every cent is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.markup import escape
from rich.table import Table

from farthing import money
from farthing.cli import output
from farthing.ledger.outcome import STATUSES
from farthing.reports import sums
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from farthing.ledger.outcome import Outcome, Replaced, Share
    from farthing.reports.outcome_rows import OutcomeReport, OutcomeRow

_DEAREST = 5
_NAMES = 12
_UNKNOWN = "[dim]-[/]"
_CALLS = ("call", "calls")


class _Column(NamedTuple):
    """A column: its head, its cell, and how soon it goes where there is no room: 0 never, then the highest first."""

    head: str
    cell: Callable[[OutcomeRow], str]
    goes: int


def print_outcomes(console: Console, report: OutcomeReport) -> None:
    """The report: its table, then sums, what is unknown, and the tail."""
    total = report.total
    if not total.calls and not total.outcomes:
        console.print(
            "No call and no outcome in the ledger matches. "
            "[dim]farthing outcomes import puts outcomes in; --where and --last narrow.[/]"
        )
        return
    console.print(_table(console, report))
    _print_sums(console, report)
    _print_names(console, report)
    _print_unknown(console, total)
    if not total.outcomes:
        console.print("[dim]There is no outcome yet: farthing outcomes import FILE.csv puts some in.[/]")
        return
    _print_tail(console, report)


def print_outcome(console: Console, outcome: Outcome, former: Sequence[Replaced], shares: Sequence[Share]) -> None:
    """One outcome in full, and what was told before."""
    console.print(f"[bold]{_plain(outcome.outcome_id)}[/]  {_told(outcome)}", soft_wrap=True)
    if shares:
        calls, cost = sum(share.calls for share in shares), sum(share.pusd for share in shares)
        by = sorted({str(share.joined_by) for share in shares})
        sure = Kind.MEASURED if by == ["request"] else Kind.DERIVED
        kind = weakest(sure, *(share.kind for share in shares))
        unpriced = sum(share.unpriced_calls for share in shares)
        more = f", [bold red]{unpriced:,} of them unpriced[/]" if unpriced else ""
        console.print(
            f"{calls:,} {_CALLS[calls != 1]} by {' and '.join(by)}, {output.usd(cost)} {output.kind_markup(kind)}{more}"
        )
    else:
        console.print("No call belongs to it: its cost is unknown.")
    for one in former:
        console.print(f"[dim]until {one.replaced_at:%Y-%m-%d %H:%M} UTC:[/] {_told(one.outcome)}", soft_wrap=True)


def _table(console: Console, report: OutcomeReport) -> Table:
    """The fullest table that the console has room for."""
    columns = _columns(report)
    while True:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in report.query.by:
            table.add_column(name, overflow="fold")
        for column in columns:
            table.add_column(column.head, justify="right", no_wrap=True)
        for row in report.rows if report.query.by else ():
            keys = (_plain(sums.key_cell(name, key)) for name, key in zip(report.query.by, row.key, strict=True))
            table.add_row(*keys, *(column.cell(row) for column in columns))
        head = ["total", *[""] * (len(report.query.by) - 1)] if report.query.by else []
        table.add_row(*head, *(column.cell(report.total) for column in columns), style="bold")
        wide = console.measure(table, options=console.options.update(width=1000)).maximum > console.width
        last = max(columns, key=lambda column: column.goes)
        if not wide or not last.goes:
            return table
        columns.remove(last)


def _columns(report: OutcomeReport) -> list[_Column]:
    total = report.total
    columns = [
        _Column("calls", lambda row: f"{row.calls:,}", 5),
        _Column("cost", lambda row: _money(row.pusd, row.unpriced_calls), 0),
        _Column("no outcome", lambda row: _money(row.free_pusd, row.free_unpriced_calls), 3),
        _Column("outcomes", lambda row: f"{row.outcomes:,}", 0),
        _Column("ok", lambda row: sums.percent(row.by_status["success"].outcomes, row.outcomes), 2),
        _Column("failures", lambda row: _money(row.by_status["failure"].pusd, 0), 4),
        _Column("per outcome", lambda row: _mean(row, row.per_outcome_pusd), 6),
        _Column("per success", lambda row: _mean(row, row.per_success_pusd), 0),
    ]
    if total.valued:
        columns.append(_Column("value", lambda row: _told_money(row.value_pusd, row.valued), 7))
    if total.paid:
        columns.append(_Column("revenue", lambda row: _told_money(row.revenue_pusd, row.paid), 1))
        columns.append(_Column("margin", _margin, 0))
    return columns


def _print_sums(console: Console, report: OutcomeReport) -> None:
    total = report.total
    price = "under contract" if report.basis == "contract" else "at list"
    joined = sum(report.joined.values())
    by = ", ".join(f"{calls:,} by {name}" for name, calls in report.joined.items() if calls)
    of_outcomes, free, whole = (money.usd_text(pusd) for pusd in (total.outcome_pusd, total.free_pusd, total.pusd))
    console.print(
        f"[dim]Outcomes ${of_outcomes} ({joined:,} calls{': ' + by if by else ''}) + calls "
        f"without one ${free} ({total.free_calls:,}) = ${whole} {price},[/] "
        f"{output.kind_markup(total.kind)}[dim]; what is joined by session or tag, and every mean, is[/] "
        f"{output.kind_markup(weakest(Kind.DERIVED, total.outcome_kind))}[dim]. per success: all outcomes' cost by "
        f"successes.{' Revenue is as told; margin: revenue less the cost of all calls.' if total.paid else ''}[/]"
    )


def _print_names(console: Console, report: OutcomeReport) -> None:
    """What each kind of outcome takes, where there are several."""
    if len(report.names) < 2:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("outcome", overflow="fold")
    for head in ("outcomes", "ok", "cost", "per outcome", "per success"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in report.names[:_NAMES]:
        table.add_row(
            _plain(sums.key_cell("outcome", row.key[0])),
            f"{row.outcomes:,}",
            sums.percent(row.by_status["success"].outcomes, row.outcomes),
            _money(row.outcome_pusd, row.outcome_unpriced_calls),
            _mean(row, row.per_outcome_pusd),
            _mean(row, row.per_success_pusd),
        )
    console.print(table)


def _print_unknown(console: Console, total: OutcomeRow) -> None:
    if total.without_calls:
        console.print(
            f"[yellow]{_outcomes(total.without_calls)} of {total.outcomes:,} found no call:[/] "
            "cost unknown, in no mean."
        )
    if total.partial:
        console.print(f"[yellow]{_outcomes(total.partial)} also had calls outside this range:[/] part of their cost.")
    if total.elsewhere:
        console.print(
            f"[dim]{_outcomes(total.elsewhere)} had calls in several rows, and stand with all they cost in one.[/]"
        )
    if total.unpriced_calls:
        console.print(output.unpriced_banner(total.unpriced_calls, total.calls))


def _print_tail(console: Console, report: OutcomeReport) -> None:
    tail, whole = report.calls_tail, report.outcomes_pusd
    if tail.pusd > 0:
        one, five = (sums.percent(part, tail.pusd) for part in (tail.top_1_pusd, tail.top_5_pusd))
        text = f"The dearest 1 % of calls carry [bold]{one}[/] of the cost, 5 % carry {five}"
        if whole > 0:
            one, five = (sums.percent(report.top_outcomes_pusd(part), whole) for part in (1, 5))
            text += f"; of outcomes, 1 % carry [bold]{one}[/], 5 % {five}"
        console.print(f"{text}.")
    if not report.dearest:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, justify in (
        ("dearest", "left"),
        ("outcome", "left"),
        ("status", "left"),
        ("calls", "right"),
        ("cost", "right"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for dear in report.dearest[:_DEAREST]:
        outcome = dear.outcome
        table.add_row(
            _plain(outcome.outcome_id),
            _plain(outcome.name),
            outcome.status,
            f"{dear.calls:,}",
            _money(dear.pusd, dear.unpriced_calls),
        )
    console.print(table)


def _told(outcome: Outcome) -> str:
    """What was told, on one line."""
    facts = [_plain(outcome.name)] if outcome.name else []
    facts.append(outcome.status if outcome.status in STATUSES else "")
    facts.append(f"{outcome.happened_at:%Y-%m-%d %H:%M} UTC" + (" (when it was told)" if outcome.at_assumed else ""))
    for name, pusd in (("value", outcome.value_pusd), ("revenue", outcome.revenue_pusd)):
        facts += [f"{name} {output.usd(pusd)}"] if pusd is not None else []
    tag = f"{outcome.tag_name}={outcome.tag_value}" if outcome.tag_name else None
    names = {"session": outcome.session, "request": outcome.request, "tag": tag, **outcome.dims}
    return "  ".join([*facts, *(f"{name} {_plain(text)}" for name, text in names.items() if text)])


def _money(pusd: int, unpriced: int) -> str:
    return output.usd(pusd, _places(pusd)) + ("[bold red]+?[/]" if unpriced else "")


def _mean(row: OutcomeRow, pusd: int | None) -> str:
    return _UNKNOWN if pusd is None else _money(pusd, row.outcome_unpriced_calls)


def _told_money(pusd: int, told: int) -> str:
    return output.usd(pusd) if told else _UNKNOWN


def _margin(row: OutcomeRow) -> str:
    if row.margin_pusd is None:
        return _UNKNOWN
    text = output.usd(row.margin_pusd)
    at_most = "[bold red]-?[/]" if row.unpriced_calls else ""
    return f"[red]{text}[/]{at_most}" if row.margin_pusd < 0 else f"{text}{at_most}"


def _places(pusd: int) -> int:
    return 2 if abs(pusd) >= 10**12 or not pusd else 4


def _outcomes(count: int) -> str:
    return "1 outcome" if count == 1 else f"{count:,} outcomes"


def _plain(text: str) -> str:
    return escape("".join(character if character.isprintable() else "?" for character in text))
