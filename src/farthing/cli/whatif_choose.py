"""``farthing whatif --choose``: the ledger's calls under other choices, with the back-test before any advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.cli import options, output
from farthing.errors import BadInput
from farthing.units import Kind, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from farthing.ledger.interface import Query
    from farthing.prices.book import PriceBook
    from farthing.whatif.replay.ceiling import Caught, Found
    from farthing.whatif.replay.choice import Choice
    from farthing.whatif.replay.totals import Backtest, Replayed, Step, Sums

REASONS_SHOWN = 6
_SHORT = dict(zip(Unit, ("input", "5m writes", "1h writes", "reads", "output", "searches"), strict=True))


def choose(
    texts: Sequence[str],
    span: tuple[datetime | None, datetime | None],
    where: list[str] | None,
    *,
    as_json: bool,
    files: tuple[Path | None, Path | None],
) -> None:
    """
    Replay and print.

    Args:
        texts: One choice each; several are steps, each on top of the ones before it. One alone is taken lever by lever.
        span: First instant in and first instant out.
        where: Filters, as ``--where`` takes them.
        as_json: Print JSON.
        files: The ledger and the settings, as named on the command line.

    """
    from farthing.cli.ledger_file import contract_in_force, ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.whatif.replay.grouped import replay_ledger

    ledger, config = files
    book = options.price_book(config)
    choices = read_choices(texts, book)
    query: Query = Query(since=span[0], until=span[1], where=options.filters(where))
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        found = replay_ledger(opened, query, choices, book, terms=contract_in_force(config))
    if not found.backtest.calls:
        raise BadInput("found no call in range", "some", "farthing report shows which days have calls")
    if as_json:
        output.print_json(found.to_json())
    else:
        show(output.console(), found)


def read_choices(texts: Sequence[str], book: PriceBook) -> list[Choice]:
    """The steps to replay."""
    from farthing.whatif.replay.parse import parse_choice

    choices = [parse_choice(text, book) for text in texts]
    return choices[0].lever_by_lever() if len(choices) == 1 else choices


def show(console: Console, found: Replayed) -> None:
    """Back-test, steps, what the difference is made of, and what was left alone."""
    for line in backtest_lines(found.backtest):
        console.print(line)
    if banner := output.unpriced_banner(found.backtest.unpriced_calls, found.backtest.calls):
        console.print(banner)
    console.print()
    last = found.steps[-1]
    _show_steps(console, found)
    _show_units(console, found.before, last)
    if last.replayed_calls:
        _show_fate(console, last)
    _show_kept(console, last)


def backtest_lines(backtest: Backtest) -> list[str]:
    """What the replay makes of the calls as they were."""
    cost = f"{backtest.calls:,} calls cost {output.usd(backtest.pusd)}"
    lines = [f"Back-test: {cost} by the facts of their responses {output.kind_markup(Kind.MEASURED)}"]
    if backtest.posted_calls:
        off = backtest.posted_facts_pusd - backtest.posted_pusd
        if backtest.off_posting_calls:
            lines.append(
                f"  off by {output.usd(off)} from what the ledger posted ({backtest.off_posting_calls:,} calls "
                "at most); farthing reprice --preview shows why"
            )
        else:
            lines.append("  the ledger posted the same, call by call")
    if backtest.replayed_calls:
        lines.append(
            f"  caching as it was, replayed on {backtest.replayed_calls:,} calls with blocks: "
            f"{output.usd(backtest.replayed_pusd)} where {output.usd(backtest.measured_pusd)} was measured, "
            f"off by {_share(backtest.error_share)}"
        )
    if backtest.calibrated_calls:
        lines.append(
            f"  lengths of blocks in {backtest.calibrated_calls:,} of them are estimates, fitted to the prefixes that "
            "responses measured"
        )
    if (ceiling := backtest.ceiling) is not None and ceiling.all.calls:
        lines.append(f"  {ceiling_line(ceiling.all, 'was', ceiling)}")
    return lines


def ceiling_line(caught: Caught, did: str, found: Found | None = None) -> str:
    """How much of what any caching could save a policy catches."""
    capture = caught.capture
    if capture is None:
        return f"no caching could save anything on these {caught.calls:,} prompts"
    told = (
        f"caching as it {did} makes {output.usd(caught.none_pusd)} of prompts {output.usd(caught.paid_pusd)}, the best "
        f"plan in hindsight {output.usd(caught.least_pusd)}: {capture:.0%} of the ceiling"
    )
    broken = 0 if found is None else found.prefix_violations + found.order_inversions
    return told + (f", which {broken:,} choices of blocks put out of reach" if broken else "")


def _show_steps(console: Console, found: Replayed) -> None:
    table = _table("choice", "USD", "saves", "%", "kind", "calls moved")
    before = found.before.pusd
    table.add_row("as recorded", output.usd(before), "", "", output.kind_markup(Kind.MEASURED), "")
    for step in found.steps:
        table.add_row(
            step.choice.name or "choice",
            output.usd(step.sums.pusd),
            output.usd(step.saved_pusd),
            f"{100 * step.saved_pusd / before:.1f}" if before else "",
            output.kind_markup(step.kind),
            f"{step.moved_calls:,}",
        )
    if len(found.steps) > 1:
        share = f"{100 * found.saved_pusd / before:.1f}" if before else ""
        table.add_row("together", output.usd(found.steps[-1].sums.pusd), output.usd(found.saved_pusd), share, "", "")
    console.print(table)


def _show_units(console: Console, before: Sums, last: Step) -> None:
    from farthing.whatif.replay.totals import UNITS

    table = _table("at list", "before", "after", "USD before", "after", "difference")
    after = last.sums
    for at, unit in enumerate(UNITS):
        if before.counts[at] or after.counts[at]:
            table.add_row(
                _SHORT[unit],
                f"{before.counts[at]:,}",
                f"{after.counts[at]:,}",
                output.usd(before.units_pusd[at]),
                output.usd(after.units_pusd[at]),
                output.usd(after.units_pusd[at] - before.units_pusd[at]),
            )
    console.print(table)


def _show_fate(console: Console, last: Step) -> None:
    from farthing.whatif.replay.rules import FATES

    total = sum(last.fate) or 1
    told = [f"{name} {100 * tokens / total:.1f} %" for name, tokens in zip(FATES, last.fate, strict=True) if tokens]
    console.print(f"Prompt tokens of the {last.replayed_calls:,} replayed calls: {', '.join(told)}")
    if last.ceiling is not None and last.ceiling.all.calls:
        console.print(ceiling_line(last.ceiling.all, "is chosen", last.ceiling).capitalize(), soft_wrap=True)
    if last.pings:
        console.print(f"{last.pings:,} pings keep prefixes alive, for {output.usd(last.pings_pusd)} of the sum")


def _show_kept(console: Console, last: Step) -> None:
    for heading, reasons in (
        ("Kept as recorded", last.stays),
        ("Cache counts kept as measured", last.cache_stays),
    ):
        for reason, calls in reasons.most_common(REASONS_SHOWN):
            console.print(f"{heading}: {calls:,} calls: {reason}")
    parts = [f"{output.usd(pusd)} {kind}" for kind, pusd in last.saved_kinds_pusd.items() if pusd]
    if parts:
        told = "Answers are taken to be as long as they were, but for effort and tokenizer."
        console.print(f"How sure the saving is: {', '.join(parts)}. {told}")


def _table(first: str, *others: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _share(share: float | None) -> str:
    return "nothing" if share is None else f"{100 * share:+.2f} %"
