"""What ``farthing moved`` puts on a terminal: a waterfall, an opened bar, fair shares of cache writes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from farthing.cli import output
from farthing.reports import charts, sums

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from rich.console import Console

    from farthing.reports.movement import Bar, Movement
    from farthing.reports.movement_fair import FairInBoth
    from farthing.reports.movement_open import Opened
    from farthing.reports.movement_sums import Key, UnpricedCalls
    from farthing.reports.periods import Named

    Periods = tuple[Named, Named]

_BEFORE_AND_AFTER = "bold"
_CHART_MIN, _CHART_MAX = 12, 48
_VALUES_SHOWN = 12


def print_movement(console: Console, found: Movement, periods: Periods, *, under_contract: str | None = None) -> None:
    """Both totals and, between them, a bar for each cause that did something, the largest first."""
    before = found.before.charged_pusd
    share = f" ({100 * found.moved_pusd / before:+.1f} %)" if before > 0 else ""
    terms = f", under {escape(under_contract)}" if under_contract else ""
    console.print(
        f"[bold]{_signed(found.moved_pusd)}[/]{share} from {escape(periods[0].name)} to {escape(periods[1].name)}"
        f"{terms} {output.kind_markup(found.kind)}\n",
        soft_wrap=True,
    )
    console.print(_waterfall(console, found, periods))


def _waterfall(console: Console, found: Movement, periods: Periods) -> Table:
    bars = sorted((bar for bar in found.bars if bar.pusd), key=lambda bar: -abs(bar.pusd))
    levels = [found.before.charged_pusd]
    for bar in bars:
        levels.append(levels[-1] + bar.pusd)
    reach = (min(0, *levels), max(levels))
    largest = max(map(abs, levels))
    places = 2 if largest >= 10**12 else 4 if largest >= 10**10 else 6
    totals = [
        (escape(period.name), f"{side.calls:,} calls", output.usd(side.charged_pusd, places))
        for period, side in zip(periods, (found.before, found.after), strict=True)
    ]
    rows = [(f"  {bar.name}", _label(bar, found), _signed(bar.pusd, places)) for bar in bars]
    widths = [max(len(row[n]) for row in (*totals, *rows)) + 2 for n in range(3)]
    with_labels = console.width - sum(widths) >= _CHART_MIN
    width = min(_CHART_MAX, max(4, console.width - sum(widths) + (0 if with_labels else widths[1])))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for justify, style in (("left", ""), ("left", "dim"), ("right", ""), ("left", "")):
        if with_labels or style != "dim":
            table.add_column(justify=justify, style=style or None, no_wrap=True)  # type: ignore[arg-type]
    drawn = [f"[cyan]{charts.span(0, level, reach, width)}[/]" for level in (levels[0], levels[-1])]
    for before, bar in zip(levels, bars, strict=False):
        color = "red" if bar.pusd > 0 else "green"
        drawn.insert(-1, f"[{color}]{charts.span(before, before + bar.pusd, reach, width)}[/]")
    for n, (row, chart) in enumerate(zip([totals[0], *rows, totals[1]], drawn, strict=True)):
        cells = row if with_labels else (row[0], row[2])
        table.add_row(*cells, chart, style=_BEFORE_AND_AFTER if n in {0, len(rows) + 1} else None)
    return table


def _label(bar: Bar, found: Movement) -> str:
    if bar.name == "mix":
        return f"which {', '.join(found.by)}"
    return bar.label


def print_opened(console: Console, found: Movement, name: str, opened: Sequence[Opened]) -> None:
    """The segments that moved a bar most, what changed in them, and calls to look at."""
    bar = found.bar(name)
    console.print(f"\n[bold]{name}[/] {_signed(bar.pusd)} [dim]{escape(_label(bar, found))}[/]")
    if not opened:
        console.print("  nothing moved")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (*found.by, "model"):
        table.add_column(heading, overflow="fold")
    for heading in ("moved", "before", "after"):
        table.add_column(heading, justify="right", no_wrap=heading == "moved")
    for one in opened:
        table.add_row(*_key(found.by, one.key), _signed(one.pusd), one.before, one.after)
    console.print(table)
    left = len(bar.parts) - len(opened)
    if left > 0:
        rest = bar.pusd - sum(one.pusd for one in opened)
        console.print(f"[dim]and {left:,} more, {_signed(rest)} together[/]")
    calls = list(islice((call for one in opened for call in one.calls), 5))
    if calls:
        console.print(
            f"[dim]farthing explain shows a call; some of these:[/] {_clean(', '.join(calls))}", soft_wrap=True
        )


def print_fair(console: Console, fair: FairInBoth, periods: Periods) -> None:
    """What cache writes cost above plain input: who was billed, and who read them."""
    console.print(
        f"\n[bold]Cache writes by who read them[/] [dim]what writing cost above plain input, per "
        f"{escape(', '.join(fair.by)) or 'ledger'}[/]"
    )
    for period, shares, values in (
        (periods[0], fair.before, fair.before_by_value),
        (periods[1], fair.after, fair.after_by_value),
    ):
        console.print(
            f"\n{escape(period.name)}: {output.usd(shares.premium_pusd)} of premiums {output.kind_markup(shares.kind)}"
        )
        if not shares.premium_pusd:
            continue
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim")
        for name in fair.by:
            table.add_column(name, overflow="fold")
        for heading in ("billed", "fair share", "difference"):
            table.add_column(heading, justify="right", no_wrap=True)
        for key, (paid, share) in islice(values.items(), _VALUES_SHOWN):
            cells = [_clean(sums.key_cell(name, part)) for name, part in zip(fair.by, key, strict=True)]
            table.add_row(*cells, output.usd(paid), output.usd(share), _signed(share - paid))
        console.print(table)
        if len(values) > _VALUES_SHOWN:
            console.print(f"[dim]  and {len(values) - _VALUES_SHOWN:,} more; --json has all[/]")
        for reason, (calls, pusd) in shares.reasons.items():
            console.print(f"[dim]  {output.usd(pusd)} of {calls:,} calls: {reason}[/]", soft_wrap=True)


def print_footer(console: Console, found: Movement, periods: Periods, today: date, *, opened: bool) -> None:
    """What a reader should know: unequal lengths, notes, calls without a price, and how to open a bar."""
    console.print()
    a, b = periods
    running = [period for period in periods if period.first <= today < period.after]
    for period in running:
        day, of = (today - period.first).days + 1, period.days
        console.print(f"[yellow]{escape(period.name)} is not over: today is day {day} of {of}[/]")
    if a.days != b.days and not running:
        per_day = (found.before.calls / a.days, found.after.calls / b.days)
        console.print(
            f"[dim]{escape(a.name)} has {a.days} days and {escape(b.name)} {b.days}: {per_day[0]:,.0f} and "
            f"{per_day[1]:,.0f} calls a day[/]"
        )
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    for period, unpriced, calls in zip(periods, found.unpriced, (found.before.calls, found.after.calls), strict=True):
        _print_unpriced(console, period, unpriced, calls)
    touched = next((bar for bar in sorted(found.bars, key=lambda bar: -abs(bar.pusd)) if bar.parts), None)
    if touched is not None and not opened:
        console.print(f"[dim]--open {touched.name} shows which calls; docs/movement.md says how bars are made[/]")


def _print_unpriced(console: Console, period: Named, unpriced: Sequence[UnpricedCalls], priced: int) -> None:
    left_out = sum(one.calls for one in unpriced)
    if left_out:
        console.print(f"{escape(period.name)}: {output.unpriced_banner(left_out, left_out + priced)}", soft_wrap=True)
        for one in unpriced[:3]:
            console.print(f"  {one.calls:,} x {_clean(one.model)}: {_clean(one.reason)}", soft_wrap=True)


def _key(by: Sequence[str], key: Key) -> list[str]:
    cells = [_clean(sums.key_cell(name, part)) for name, part in zip(by, key, strict=False)]
    return [*cells, _clean(key[-1] or "")]


def _clean(text: str) -> str:
    """A stranger's text for a terminal: no control characters, no markup."""
    return escape("".join(character if character.isprintable() else "?" for character in text))


def _signed(pusd: int, places: int = 2) -> str:
    return f"+{output.usd(pusd, places)}" if pusd > 0 else output.usd(pusd, places)
