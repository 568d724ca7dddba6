"""``farthing outcomes``: what came of calls: put it in, and see what each success took."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import BadInput, ErrorRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from farthing.ledger.outcome import Outcome, OutcomesAdded, OutcomeStore

app = typer.Typer(help="What came of calls: cost per outcome and per success, tenants' margins.", no_args_is_help=True)

_AT_ONCE = 20_000
_ERRORS_KEPT = 1_000
_CSV = (".csv", ".tsv")


@app.callback()
def outcomes() -> None:
    """What came of calls: cost per outcome and per success, tenants' margins."""


@app.command("import")
def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="CSV (.csv, .tsv) or JSON lines; - is JSON lines from a pipe."),
    ],
    *,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", "-m", metavar="NAME=PATH", help="Where things are, e.g. id=ticket_no,tag:ticket=ticket_no."
        ),
    ] = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Put outcomes into the ledger, each once by its id.

    A row has an id, a time (at), and names calls by session, request_id or tag (name=value); and where it knows them an
    outcome, a status (success, failure, other), value_usd, revenue_usd, tenant, feature, ... JSON lines may be
    CloudEvents. An outcome told otherwise later replaces what was known, which is kept.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.sources.outcome_files import parse_outcome_map

    mapping = parse_outcome_map(map_ or [])
    path = ledger_path(ledger, config)
    with open_ledger(path) as opened, output.progress("importing outcomes", hidden=json) as advance:
        store = _store(opened)
        added, errors, bad = _add(store, _read(files, mapping), advance)
    if json:
        import msgspec

        records = {"errors": bad, "error_records": msgspec.to_builtins(errors)}
        output.print_json({**added._asdict(), **records, "ledger": str(path)})
    else:
        _print_import(added, errors, bad, path)
    if bad:
        raise typer.Exit(1)


@app.command()
def report(
    *,
    by: Annotated[
        str, typer.Option("--by", "-b", metavar="NAMES", help="Group by these, e.g. tenant,feature or tag:team.")
    ] = "tenant",
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    where: options.Where = None,
    timezone: options.Timezone = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the dearest groups; the rest as one.")] = None,
    contract: Annotated[bool, typer.Option("--contract", help="Prices under contract, at list where none.")] = False,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what outcomes cost, what a success takes, and what is left of revenue.

    Every call belongs to one outcome at most, and every cent is shown: the cost of all outcomes and of the calls
    without one is what farthing report says. A success takes what all outcomes cost, failures too, by the number of
    successes. Dates are those of calls.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.reports.outcomes import outcome_report

    zone = options.zone_of(timezone or options.settings(config).config.report.timezone)
    start, end = options.time_range(since, until, last, zone, datetime.now(UTC))
    query = Query(
        by=options.names(by),
        since=start,
        until=end,
        where=options.filters(where),
        timezone=zone.key,
        limit=top,
    )
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        found = outcome_report(_store(opened), query, "contract" if contract else "list")
    if json:
        from farthing.reports.outcomes_json import outcomes_json

        output.print_json(outcomes_json(found))
        return
    from farthing.cli.outcomes_view import print_outcomes

    print_outcomes(output.console(), found)


@app.command()
def show(
    outcome_id: Annotated[str, typer.Argument(metavar="ID", help="The id it was told with.")],
    *,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Show one outcome: what was told of it, now and before, and what its calls cost."""
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.reports.outcomes_json import outcome_json

    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        store = _store(opened)
        found = store.outcome(outcome_id)
        if found is None:
            raise BadInput(
                f"found no outcome {outcome_id!r}", "one that was imported", "its source and id, for an event"
            )
        shares = [share for share in store.shares(Query()) if share.outcome_id == outcome_id]
    outcome, former = found
    if json:
        from farthing import money

        output.print_json(
            {
                **outcome_json(outcome),
                "calls": sum(share.calls for share in shares),
                "unpriced_calls": sum(share.unpriced_calls for share in shares),
                "cost_usd": money.usd_text(sum(share.pusd for share in shares)) if shares else None,
                "replaced": [
                    {**outcome_json(one.outcome), "replaced_at": one.replaced_at.isoformat()} for one in former
                ],
            }
        )
        return
    from farthing.cli.outcomes_view import print_outcome

    print_outcome(output.console(), outcome, former, shares)


def _store(ledger: Any) -> OutcomeStore:
    from farthing.ledger.outcome import OutcomeStore

    assert isinstance(ledger, OutcomeStore), "every engine keeps outcomes"
    return ledger


def _read(files: list[str], mapping: dict[str, str]) -> Iterator[Outcome | ErrorRecord]:
    from farthing.sources.outcome_files import read_outcome_csv, read_outcome_lines

    for file in files:
        read = read_outcome_csv if Path(file).suffix.lower() in _CSV else read_outcome_lines
        try:
            with options.opened(file) as stream:
                yield from read(stream, file, mapping)
        except OSError as error:
            yield ErrorRecord(source=file, error=f"cannot be read: {error.strerror or error}")


def _add(
    store: OutcomeStore, items: Iterable[Outcome | ErrorRecord], advance: Callable[[int], None]
) -> tuple[OutcomesAdded, list[ErrorRecord], int]:
    from farthing.ledger.outcome import OutcomesAdded

    total, errors, bad = OutcomesAdded(0, 0, 0), list[ErrorRecord](), 0
    stream = iter(items)
    while chunk := list(islice(stream, _AT_ONCE)):
        wrong = [item for item in chunk if isinstance(item, ErrorRecord)]
        errors += wrong[: _ERRORS_KEPT - len(errors)]
        bad += len(wrong)
        good = [item for item in chunk if not isinstance(item, ErrorRecord)]
        added = store.add_outcomes(good, received_at=datetime.now(UTC))
        total = OutcomesAdded(*(one + more for one, more in zip(total, added, strict=True)))
        advance(len(chunk))
    return total, errors, bad


def _print_import(added: OutcomesAdded, errors: list[ErrorRecord], bad: int, path: Path) -> None:
    from farthing.cli.imports import told_once

    output.console().print(
        f"[bold]{added.new:,}[/] new, {added.known:,} known, {added.corrected:,} corrected"
        f"[dim]; ledger {path}; farthing outcomes report shows them[/]",
        soft_wrap=True,
    )
    stderr = output.console(stderr=True)
    told = told_once(errors)
    for line in told[:10]:
        stderr.print(line, markup=False, soft_wrap=True)
    if bad:
        more = " (the first 10 kinds are shown; --json has more)" if len(told) > 10 else ""
        rows = "row" if bad == 1 else "rows"
        rest = "everything else is in" if any(added) else "nothing is in"
        output.note(f"{bad:,} bad {rows} left out{more}; {rest}")
