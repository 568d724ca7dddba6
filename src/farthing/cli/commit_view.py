"""What ``farthing commit`` puts on a terminal: demand, break-even, sizes, and what to do."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rich.table import Table

from farthing.cli import output
from farthing.reports import charts
from farthing.reports.sums import compact
from farthing.units import Kind
from farthing.whatif.commitment_draws import WEEK_H, Offer, quantiles
from farthing.whatif.commitment_units import unit_text
from farthing.whatif.commitments import break_even_units
from farthing.whatif.drift import DAY_H

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from farthing.whatif.commitment_demand import Collected
    from farthing.whatif.commitment_draws import Demand, Size
    from farthing.whatif.commitment_units import Draw
    from farthing.whatif.commitments import Verdict

_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def print_demand(console: Console, collected: Collected, draw: Draw) -> None:
    """How much history there is, what an hour takes, and the days as a line."""
    demand = collected.demand
    hours = len(demand.amounts)
    total = output.usd(sum(demand.worth_pusd))
    console.print(
        f"[bold]{hours / WEEK_H:.1f} weeks[/] from {demand.starts_at:%Y-%m-%d}, {total} on demand "
        f"{output.kind_markup(Kind.MEASURED)}"
    )
    amounts = quantiles(demand.amounts, _LEVELS)
    shown = [compact(amount) if draw.weights is not None else output.usd(amount) for amount in amounts]
    told = ", ".join(f"{level:.0%} {text}" for level, text in zip(_LEVELS, shown, strict=True))
    what = "weighted tokens" if draw.weights is not None else "dollars"
    console.print(f"[dim]{what} an hour, at most in this share of the hours:[/] {told}", soft_wrap=True)
    days = [sum(demand.amounts[start : start + DAY_H]) for start in range(0, hours, DAY_H)]
    room = max(10, console.width - 10)
    console.print(f"[dim]by day[/]  [cyan]{charts.sparkline(days[-room:])}[/]", no_wrap=True, overflow="crop")
    for count, why in (
        (collected.unpriced, "without a price"),
        (collected.batches, "as batches, which such capacity does not serve"),
        (collected.other_models, "of other models"),
    ):
        if count:
            console.print(f"[dim]left out: {count:,} {why}[/]")


def print_break_even(console: Console, demand: Demand, draw: Draw, discounts: Sequence[int], weeks: int) -> None:
    """Up to where each discount would break even, and what to give for a verdict."""
    table = _table("discount", "breaks even up to")
    for percent in discounts:
        units = break_even_units(demand, Offer(draw, Fraction(percent, 100), weeks))
        table.add_row(f"{percent} %", unit_text(draw, int(units)) if units >= 1 else "nothing")
    console.print()
    console.print(table)
    console.print(
        f"[dim]By the past alone, which is not enough: --discount PERCENT judges sizes for {weeks} weeks, with the "
        f"risk of losing.[/] {output.kind_markup(Kind.ASSUMED)}",
        soft_wrap=True,
    )
    _print_note(console, draw)


def print_verdict(console: Console, verdict: Verdict, *, loss_max: float) -> None:
    """Every size, and what to do."""
    offer, drift = verdict.offer, verdict.drift
    console.print(
        f"\n[bold]{float(offer.discount):.1%} off for {offer.term_weeks} weeks[/], which cost "
        f"{output.usd(verdict.on_demand_pusd)} on demand {output.kind_markup(Kind.ASSUMED)}",
        soft_wrap=True,
    )
    if verdict.sizes:
        table = _table("size", "cost", "saves", "range of 9 in 10", "risk of loss", "used")
        for size in verdict.sizes:
            best = size is verdict.recommended
            table.add_row(
                f"${size.units:,}" if offer.draw.unit_per_hour is None else f"{size.units:,}",
                output.usd(size.cost_pusd),
                output.usd(size.saving_pusd),
                f"{output.usd(size.low_pusd)} to {output.usd(size.high_pusd)}",
                _risk(size, loss_max),
                f"{size.used:.0%}",
                style="bold" if best else None,
            )
        console.print(table)
    console.print(
        f"[dim]drift: {drift.per_week:+.1%} a week, the last third of history {drift.recent - 1:+.0%} against the "
        "rest[/]"
    )
    if verdict.recommended is not None:
        console.print(
            f"[bold green]Commit to {unit_text(offer.draw, verdict.recommended.units)}[/]: saves "
            f"{output.usd(verdict.recommended.saving_pusd)} with a risk of loss of at most {loss_max:.0%}.",
            soft_wrap=True,
        )
    else:
        console.print("[bold yellow]Do not commit:[/]")
        for reason in verdict.refusals:
            console.print(f"  - {reason}", soft_wrap=True, markup=False)
    _print_note(console, offer.draw)


def _risk(size: Size, loss_max: float) -> str:
    text = f"{size.loss_probability:.0%}"
    return f"[red]{text}[/]" if size.loss_probability > loss_max else text


def _print_note(console: Console, draw: Draw) -> None:
    if draw.note:
        console.print(f"[dim]{draw.name}: {draw.note}[/]", soft_wrap=True)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
