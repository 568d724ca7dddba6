"""``farthing report``: what the money went to, by any dimension and time bucket."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from farthing.ledger.interface import Bucket, Ledger, Query, Row
    from farthing.reports.contract import UnderContract

_BUCKETS = ("hour", "day", "week", "month")
_TIME_OF_DAY = ("weekday", "hour_of_day")


def report(
    *,
    by: Annotated[
        str | None, typer.Option("--by", "-b", metavar="NAMES", help="Group by these, e.g. model,tenant or tag:team.")
    ] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="hour, day, week or month.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    where: options.Where = None,
    timezone: options.Timezone = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the dearest groups; the rest as one.")] = None,
    pareto: Annotated[bool, typer.Option("--pareto", help="The few call types that cost 80 %.")] = False,
    time_of_day: Annotated[bool, typer.Option("--time-of-day", help="A heat map: weekday by hour.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what the money went to.

    Every call in the ledger counts once. List prices are exact; a call without a price is counted loudly, never as
    zero. With a contract in the settings, list and contract stand side by side, and the month's credits under them.
    Group by any dimension (tenant, feature, prompt, user, session, ...), by facts (model, channel, service_tier,
    ...) or by tag:NAME.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.reports.pareto import CALL_TYPE

    if sum((csv, json)) > 1 or sum((pareto, time_of_day, bucket is not None)) > 1:
        raise BadInput(
            "read flags that exclude each other", "one of --json and --csv; one of --pareto, --time-of-day and --bucket"
        )
    zone = options.zone_of(timezone or options.settings(config).config.report.timezone)
    start, end = options.time_range(since, until, last, zone, datetime.now(UTC))
    query = Query(
        by=_TIME_OF_DAY
        if time_of_day
        else options.names(by) or (CALL_TYPE if pareto else () if bucket else ("model",)),
        bucket=_bucket(bucket),
        since=start,
        until=end,
        where=options.filters(where),
        timezone=zone.key,
        limit=None if pareto or time_of_day else top,
    )
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        _answer(opened, query, config, as_json=json, as_csv=csv, is_pareto=pareto)


def _answer(ledger: Ledger, query: Query, config: Path | None, *, as_json: bool, as_csv: bool, is_pareto: bool) -> None:
    import msgspec

    from farthing.reports import sums

    rows = ledger.report(query)
    totals = ledger.report(msgspec.structs.replace(query, by=(), bucket=None, limit=None))
    total = totals[0] if totals and totals[0].calls else None
    contract = None if total is None else _under_contract(ledger, query, config, total)
    if is_pareto:
        from farthing.reports.pareto import pareto

        found = pareto(rows)
        rows = list(found.top)
    if as_csv:
        sys.stdout.write(sums.report_csv(query, rows, contract))
        return
    if as_json:
        answer = sums.report_json(query, rows, total, contract)
        if is_pareto:
            answer["pareto"] = {
                "groups": found.groups,
                "groups_for_80_percent": len(found.top),
                "unpriced_groups": found.unpriced_groups,
            }
        output.print_json(answer)
        return
    from farthing.cli import report_view

    console = output.console()
    if total is None:
        console.print(
            "No call in the ledger matches. [dim]farthing import puts calls in; --where and --last narrow.[/]"
        )
        return
    if query.by == _TIME_OF_DAY:
        report_view.print_time_of_day(console, query, rows, total)
    elif is_pareto:
        report_view.print_pareto(console, query, found, total)
    else:
        report_view.print_report(console, query, rows, total, under_contract=contract is not None)
        if query.bucket is None:
            days = ledger.report(msgspec.structs.replace(query, by=(), bucket="day", limit=None))
            report_view.print_days(console, days)
    if contract is not None:
        report_view.print_contract(console, contract)
    unpriced = _unpriced_models(ledger, query) if total.unpriced_calls else []
    report_view.print_footer(console, query, total, unpriced)


def _under_contract(ledger: Ledger, query: Query, config: Path | None, total: Row) -> UnderContract | None:
    from farthing.cli.ledger_file import contract_in_force

    terms = contract_in_force(config)
    if terms is None:
        return None
    from farthing.reports.contract import under_contract

    return under_contract(ledger, lambda: options.price_book(config), terms, query, total=total, now=datetime.now(UTC))


def _unpriced_models(ledger: Ledger, query: Query) -> list[str]:
    import msgspec

    rows = ledger.report(msgspec.structs.replace(query, by=("model",), bucket=None, limit=None))
    return [row.key[0] or "" for row in rows if row.unpriced_calls]


def _bucket(text: str | None) -> Bucket | None:
    if text is not None and text not in _BUCKETS:
        raise BadInput(f"read --bucket {text!r}", f"one of {', '.join(_BUCKETS)}")
    return cast("Bucket | None", text)
