"""``farthing capacity``: which rate limit binds first, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.cli.estimate import show_notes, table
from farthing.errors import BadInput
from farthing.units import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from farthing.estimate.capacity import Capacity, Use
    from farthing.estimate.growth import Growth
    from farthing.estimate.minutes import Traffic
    from farthing.ledger.interface import Query

_EMPTY = "no call in the ledger says how full a limit is; put calls in with farthing import or farthing serve"


def capacity(
    *,
    tier: Annotated[
        str | None, typer.Option("--tier", metavar="NAME", help="Start, Build or Scale; else Start.")
    ] = None,
    growth: Annotated[
        str | None, typer.Option("--growth", metavar="PERCENT", help="Growth a month, e.g. 5%; else as seen.")
    ] = None,
    requests: Annotated[int | None, typer.Option("--requests", min=1, help="Own limit: requests a minute.")] = None,
    input_tokens: Annotated[
        int | None, typer.Option("--input", min=1, help="Own limit: input tokens a minute.")
    ] = None,
    output_tokens: Annotated[
        int | None, typer.Option("--output", min=1, help="Own limit: output tokens a minute.")
    ] = None,
    spend: Annotated[
        int | None, typer.Option("--spend", min=1, metavar="USD", help="Own limit: spend a month.")
    ] = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    where: options.Where = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Say which rate limit binds first, how full it is and when it will be reached.

    Recorded calls are counted by the minute as Anthropic counts them (cache reads are free) and set against a usage
    tier, or against limits of your own, which hold for every class of models.
    """
    from farthing.estimate.capacity import OwnLimits
    from farthing.estimate.capacity import capacity as judged
    from farthing.estimate.capacity_json import capacity_json
    from farthing.ledger.interface import Query

    per_month = _growth(growth)
    zone = options.zone_of(options.settings(config).config.report.timezone)
    start, end = options.time_range(since, until, last, zone, datetime.now(UTC))
    query = Query(since=start, until=end, where=options.filters(where))
    traffic = _traffic(query, ledger, config, hidden=as_json)
    own = OwnLimits(requests, input_tokens, output_tokens, spend)
    found = judged(traffic, tier=tier, growth=per_month, own=own)
    if as_json:
        output.print_json(capacity_json(found))
    elif found.since is None:
        output.console().print(_EMPTY)
    else:
        _show(output.console(), found)


def _traffic(query: Query, ledger: Path | None, config: Path | None, *, hidden: bool) -> Traffic:
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.estimate.minutes import count_traffic

    book = options.price_book(config)
    path = ledger_path(ledger, config)
    if ledger is None and not path.exists():
        return count_traffic((), book)
    with open_ledger(path, must_exist=True) as opened:
        total = sum(row.calls for row in opened.report(query))
        with output.progress("counting calls by the minute", total, hidden=hidden) as advance:
            return count_traffic(opened.calls(query), book, advance)


def _growth(text: str | None) -> float | None:
    """``5%``, ``5`` or ``5%/month`` as 0.05."""
    if text is None:
        return None
    try:
        per_cent = float(text.removesuffix("/month").strip().removesuffix("%"))
    except ValueError:
        per_cent = float("nan")
    if not -100 < per_cent <= 10_000:
        raise BadInput(f"read --growth {text!r}", "per cent a month above -100, such as 5%")
    return per_cent / 100


def _show(console: Console, found: Capacity) -> None:
    from rich.markup import escape

    console.print(f"[bold]{found.calls:,} calls[/], {found.since} to {found.until}, against tier [bold]{found.tier}[/]")
    first = found.first
    if first is not None:
        console.print(f"binds first: {escape(_sentence(first))}")
    console.print(
        f"tier needed now: [bold]{found.tier_needed or 'not known, or a custom one'}[/] {_kind(Kind.DERIVED)}"
    )
    console.print(_table(console, found))
    console.print(
        f"shares of minutes with any traffic {_kind(Kind.DERIVED)}; days on which the busiest minute would be full "
        f"{_kind(Kind.ASSUMED)}"
    )
    for one in found.caching:
        if one.busiest_without == one.busiest:
            console.print(f"cache, {escape(one.model_class)}: the busiest minute has nothing from it")
            continue
        times = f", {one.busiest_without / one.busiest:.1f}x as much" if one.busiest else ""
        console.print(
            f"cache, {escape(one.model_class)}: {one.read_share:.0%} of prompt tokens are free of the input limit; "
            f"without it the busiest minute would take {one.busiest_without:,}{times} {_kind(Kind.DERIVED)}"
        )
    show_notes(console, found.notes)


def _sentence(use: Use) -> str:
    name = _counts(use) if use.model_class == "all models" else f"{_counts(use)} of {use.model_class}"
    full = f"{name}, {_percent(use.share)} full at the busiest"
    if use.growth is None:
        return full
    return f"{full}, {_when(use)} at {_growth_text(use.growth)} a month (assumed to go on)"


def _when(use: Use) -> str:
    reached = use.reached
    if reached is None or reached.expected is None:
        return "never reached within ten years"
    if use.share is not None and use.share >= 1:
        return "reached already"
    if reached.earliest == reached.latest:
        return f"reached on {reached.expected}"
    return f"reached on {reached.expected} (between {reached.earliest} and {reached.latest or 'never'})"


def _growth_text(growth: Growth) -> str:
    if growth.low == growth.high:
        return f"{growth.mid:+.1%}"
    return f"{growth.mid:+.1%} (between {growth.low:+.1%} and {growth.high:+.1%}, seen over {growth.weeks} weeks)"


def _table(console: Console, found: Capacity) -> object:
    columns = ("limit", False), ("a minute", True), ("p50", True), ("p95", True), ("p99", True), ("busiest", True)
    made = table(console, *columns, ("full", True), ("reached", True))
    for use in found.uses:
        limit = "not known" if use.limit is None else _amount(use, use.limit)
        reached = "-" if use.reached is None else str(use.reached.expected or "never")
        amounts = (use.p50, use.p95, use.p99)
        parts = [_part(use, amount) if use.minutes else "" for amount in amounts]
        made.add_row(
            f"{use.model_class}\n  {_counts(use)}",
            limit,
            *parts,
            _amount(use, use.busiest),
            _percent(use.share),
            reached,
        )
    return made


def _counts(use: Use) -> str:
    return "spend in 30 days" if use.counts == "spend" else use.counts


def _part(use: Use, amount: int) -> str:
    return _percent(amount / use.limit) if use.limit else f"{amount:,}"


def _amount(use: Use, amount: int) -> str:
    return output.usd(amount) if use.counts == "spend" else f"{amount:,}"


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _kind(kind: Kind) -> str:
    return output.kind_markup(kind)
