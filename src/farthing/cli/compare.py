"""``farthing compare``: the same workload on every model, channel and vendor of the price book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.cli.estimate import At, Preset, Settings, brief, day_of, dollars, path_of, show_notes, table
from farthing.units import Kind

if TYPE_CHECKING:
    from rich.console import Console

    from farthing.estimate.compare import Comparison, Row

WorkloadFile = Annotated[str | None, typer.Argument(metavar="WORKLOAD", help="A .toml or .json file.")]
EveryPlace = Annotated[bool, typer.Option("--all", help="Show every channel, not the cheapest of each model alone.")]


def compare(  # noqa: PLR0917  flags are many
    workload: WorkloadFile = None,
    preset: Preset = None,
    settings: Settings = None,
    at: At = None,
    every_place: EveryPlace = False,
    as_json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Compare a workload over Claude models, channels, other vendors, own GPUs and seats."""
    from farthing.estimate.compare import compare as compared
    from farthing.estimate.compare_json import comparison_json
    from farthing.estimate.reading import read_workload

    plan = read_workload(path_of(workload), preset=preset, settings=settings or ())
    found = compared(plan, day_of(at, plan.date), options.price_book(config))
    if as_json:
        output.print_json(comparison_json(found))
    else:
        _show(found, every_place=every_place)
    if found.now.unpriced:
        raise typer.Exit(1)


def _show(found: Comparison, *, every_place: bool) -> None:
    from rich.markup import escape

    console = output.console()
    now = found.now
    kind = output.kind_markup(now.kind)
    console.print(f"[bold]{escape(now.workload.name)}[/], list prices of {now.on}, book {now.book_version}")
    console.print(f"as planned: [bold]{dollars(now.pusd)}[/] a month {kind}")
    for one in now.unpriced:
        console.print(f"[bold white on red] UNPRICED [/] {float(one.share):.0%} of calls: {escape(one.reason)}")
    console.print(_rows(console, found, every_place=every_place))
    _beside(console, found)
    beliefs = {note: None for row in found.rows if row.vendor != "anthropic" for note in row.notes}
    show_notes(console, [*now.notes, *(f"other vendors: {note}" for note in beliefs)])
    if found.missing:
        count = len(found.missing)
        have = "1 place has" if count == 1 else f"{count} places have"
        console.print(f"{have} no price for this workload; --json says why")


def _rows(console: Console, found: Comparison, *, every_place: bool) -> object:
    made = table(console, ("model", False), ("month", True), ("range", True), ("x now", True), ("kind", False))
    seen: set[str] = set()
    for row in found.rows:
        if row.vendor == "anthropic" and row.model in seen and not every_place:
            continue
        seen.add(row.model)
        now = found.now.pusd
        share = f"{float(row.pusd / now):,.2f}" if now else ""
        made.add_row(
            _name(row, every_place=every_place), brief(row.pusd), _range(row), share, output.kind_markup(row.kind)
        )
    return made


def _name(row: Row, *, every_place: bool) -> str:
    return f"{row.model}\n  [dim]{', '.join(row.places)}[/]" if every_place and row.places else row.model


def _range(row: Row) -> str:
    return "" if row.low_pusd == row.high_pusd else f"{brief(row.low_pusd)} to {brief(row.high_pusd)}"


def _beside(console: Console, found: Comparison) -> None:
    assumed = output.kind_markup(Kind.ASSUMED)
    own = found.hosting
    more = ", or more: whether they are enough for it is not known" if own.is_lower_bound else ""
    console.print(
        f"own GPUs ({own.gpus}, always on): {dollars(own.low_pusd)} to {dollars(own.high_pusd)} a month{more}; they "
        f"cannot pay below that API spend {assumed}"
    )
    if found.seats is not None:
        console.print(f"{float(found.seats.seats):,.0f} seats: {dollars(found.seats.pusd)} a month {assumed}")
