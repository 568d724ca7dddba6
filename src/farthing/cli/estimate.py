"""``farthing estimate``: what a plan would cost, how sure that is, and what would move it."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farthing import money
from farthing.cli import options, output
from farthing.cli.options import day
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from rich.console import Console
    from rich.table import Table

    from farthing.estimate.breakeven import CacheBreakEven
    from farthing.estimate.claims.claim import Claim
    from farthing.estimate.cost import Expected
    from farthing.estimate.result import Estimate

CLAIMS = "claims"
_SWINGS_SHOWN = 6
_TURNS_SHOWN = 12

WorkloadFile = Annotated[
    str | None, typer.Argument(metavar="WORKLOAD", help="A .toml or .json file, or 'claims' for published claims.")
]
Preset = Annotated[str | None, typer.Option("--preset", help="light, medium or heavy; a file goes over it.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, such as tokens.output=400.")
]
At = Annotated[str | None, typer.Option("--at", metavar="DATE", help="Prices of this day (YYYY-MM-DD).")]
Runs = Annotated[int, typer.Option("--runs", min=0, max=100_000, help="Draws for the range; 0 for none.")]


def estimate(  # noqa: PLR0917  flags are many
    workload: WorkloadFile = None,
    preset: Preset = None,
    settings: Settings = None,
    at: At = None,
    runs: Runs = 200,
    as_json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Estimate what a workload would cost, with ranges, levers and the rate limits it needs."""
    from farthing.estimate.reading import read_workload
    from farthing.estimate.result import estimate as estimated

    book = options.price_book(config)
    if workload == CLAIMS:
        from farthing.estimate.claims.table import recompute_claims

        return _show_claims(recompute_claims(book), as_json=as_json)
    plan = read_workload(path_of(workload), preset=preset, settings=settings or ())
    found = estimated(plan, day_of(at, plan.date), book, runs=runs)
    if as_json:
        output.print_json(found.to_json())
    else:
        _show(found)
    if found.expected.unpriced:
        raise typer.Exit(1)
    return None


def path_of(workload: str | None) -> Path | None:
    """The file that an argument names."""
    return None if workload is None else Path(workload)


def day_of(stated: str | None, planned: date | None) -> date:
    """
    The day whose prices apply: as asked for, else the workload's own, else today (UTC).

    Raises:
        BadInput: *stated* is no date.

    """
    return day(stated, "--at") or planned or datetime.now(UTC).date()


def dollars(pusd: Fraction | None) -> str:
    """An expected amount for a reader, rounded to cents; ``unpriced`` for None."""
    return output.usd(None if pusd is None else money.nearest(pusd))


def brief(pusd: Fraction) -> str:
    """As :func:`dollars`, in whole dollars from 100 on: for tables of estimates."""
    whole = pusd >= 100 * money.PUSD_PER_USD
    return f"${money.display(money.nearest(pusd), 0)}" if whole else dollars(pusd)


def table(console: Console, *columns: tuple[str, bool], title: str = "") -> Table:
    """A plain table with these (heading, right-aligned) columns, no wider than the terminal."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        width=min(console.width, 100),
        padding=(0, 1, 0, 0),
    )
    for heading, right in columns:
        made.add_column(heading, justify="right" if right else "left", overflow="fold")
    return made


def show_notes(console: Console, notes: Iterable[str]) -> None:
    """Notes, one to a line."""
    from rich.markup import escape

    for note in notes:
        console.print(f"[dim]-[/] {escape(note)}")


def _show(found: Estimate) -> None:
    from rich.markup import escape

    console = output.console()
    expected = found.expected
    _headline(console, found)
    for one in expected.unpriced:
        console.print(
            f"[bold white on red] UNPRICED [/] {float(one.share):.0%} of calls: {escape(one.reason)}", soft_wrap=False
        )
    _costs(console, expected)
    _turns(console, expected)
    _swings(console, found)
    _levers(console, found)
    _limits(console, found)
    show_notes(console, (*expected.notes, *found.needs.notes))


def _headline(console: Console, found: Estimate) -> None:
    from rich.markup import escape

    expected = found.expected
    kind = output.kind_markup(expected.kind)
    plan = expected.workload
    console.print(f"[bold]{escape(plan.name)}[/], list prices of {expected.on}, book {expected.book_version}")
    if plan.note:
        console.print(escape(plan.note))
    console.print(
        f"{float(expected.point.calls_per_month):,.0f} calls a month: [bold]{dollars(expected.pusd)}[/] expected {kind}"
    )
    if found.spread is not None and found.spread.runs:
        low, middle, high = (dollars(one) for one in found.spread[:3])
        runs = found.spread.runs
        console.print(f"p5 {low}, p50 {middle}, p95 {high} over {runs} draws {output.kind_markup(Kind.ASSUMED)}")
    elif found.spread is not None:
        console.print("no size has a range, or no draws were asked for: the figure stands alone")
    if len(expected.months) > 1:
        last = expected.months[-1]
        total = dollars(expected.total_pusd)
        console.print(f"{last.number} months: [bold]{total}[/] {kind}; the last one {dollars(last.pusd)}")


def _costs(console: Console, expected: Expected) -> None:
    total = expected.priced_pusd
    made = table(console, ("where the month goes", False), ("USD", True), ("share", True), ("kind", False))
    for sums in (expected.by(lambda line: line.model), expected.by(lambda line: str(line.unit))):
        for name, pusd in sums.items():
            share = f"{float(pusd / total):.1%}" if total else ""
            made.add_row(name, dollars(pusd), share, output.kind_markup(expected.kind))
        made.add_section()
    console.print(made)


def _turns(console: Console, expected: Expected) -> None:
    sums = expected.by(lambda line: f"{line.turn}")
    if len(sums) == 1:
        return
    bands = {(line.turn, line.prompt_tokens_over) for line in expected.lines}
    made = table(console, ("turn", True), ("USD", True), ("price band", False), ("kind", False))
    for name, pusd in list(sums.items())[:_TURNS_SHOWN]:
        over = sorted({over for turn, over in bands if str(turn) == name and over})
        band = ", ".join(f"prompt over {limit:,}" for limit in over)
        made.add_row(name, dollars(pusd), band, output.kind_markup(expected.kind))
    if len(sums) > _TURNS_SHOWN:
        rest = sum(list(sums.values())[_TURNS_SHOWN:], Fraction(0))
        made.add_row(f"{_TURNS_SHOWN + 1}-{len(sums)}", dollars(rest), "", output.kind_markup(expected.kind))
    console.print(made)


def _swings(console: Console, found: Estimate) -> None:
    if not found.swings:
        return
    made = table(console, ("what moves it most", False), ("from", True), ("to", True), ("month", True), ("kind", False))
    for one in found.swings[:_SWINGS_SHOWN]:
        name = one.key if one.is_stated else f"{one.key} (+-20 %)"
        month = f"{dollars(one.low_pusd)} to {dollars(one.high_pusd)}"
        made.add_row(name, f"{float(one.low):,g}", f"{float(one.high):,g}", month, output.kind_markup(Kind.ASSUMED))
    console.print(made)


def _levers(console: Console, found: Estimate) -> None:
    made = table(console, ("instead", False), ("month", True), ("saves", True), ("kind", False))
    for one in found.levers:
        kind = output.kind_markup(Kind.ASSUMED)
        made.add_row(one.change, dollars(one.pusd), "" if one.saved_pusd is None else dollars(one.saved_pusd), kind)
    console.print(made)
    _break_evens(console, found.break_evens)
    share = found.batch_share_to_match_cache
    if share is not None and found.expected.workload.cache.ttl != "none":
        reach = f"{float(share):.0%} of calls in batches" if share <= 1 else "no share of calls in batches"
        console.print(f"Without a cache, {reach} would save as much {output.kind_markup(Kind.ASSUMED)}")


def _break_evens(console: Console, found: Iterable[CacheBreakEven]) -> None:
    columns = (("a cached prefix pays", False), ("reads", True), ("hits", True), ("gap up to", True), ("kind", False))
    made = table(console, *columns)
    for one in found:
        band = f" over {one.prompt_tokens_over:,}" if one.prompt_tokens_over else ""
        cells = (f"{one.model}{band}, {one.ttl}", f"{float(one.hits):.3f}", f"{float(one.hit_share):.1%}")
        made.add_row(*cells, f"{one.gap_seconds_max:,} s", output.kind_markup(Kind.DERIVED))
    if made.row_count:
        console.print(made)


def _limits(console: Console, found: Estimate) -> None:
    needs = found.needs
    columns = (("per minute", False), ("mean", True), ("peak", True), ("tier", False), ("kind", False))
    made = table(
        console, *columns, title=f"Rate limits: tier {needs.tier or 'not known'}, by spend {needs.spend_tier or '-'}"
    )
    for one in needs.needs:
        mean, peak = f"{float(one.mean):,.1f}", f"{float(one.peak):,.1f}"
        made.add_row(f"{one.bucket} {one.limit}", mean, peak, one.tier or "none", output.kind_markup(Kind.ASSUMED))
    console.print(made)


def _show_claims(claims: list[Claim], *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            [
                {
                    "number": one.number,
                    "claim": one.claim,
                    "inputs": one.inputs,
                    "arithmetic": one.arithmetic,
                    "really": one.really,
                    "verdict": str(one.verdict),
                    "kind": str(one.kind),
                }
                for one in claims
            ]
        )
        return
    from rich.markup import escape

    console = output.console()
    styles = {"holds": "green", "wrong": "red", "depends": "yellow"}
    for one in claims:
        verdict = f"[bold {styles[one.verdict]}]{one.verdict}[/]"
        console.print(f"[bold]{one.number}.[/] {verdict} {output.kind_markup(one.kind)}  {escape(one.claim)}")
        for label, words in (("inputs", one.inputs), ("sum", one.arithmetic), ("really", one.really)):
            console.print(f"   [dim]{label}:[/] {escape(words)}")
