"""``farthing budgets refusals``: which calls limits did not let through, how often, and what they would have held."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from farthing.cli import options, output
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.limits.refusals import Case, Tally

_SHOWN = 50
_KINDS = {"rate": "rate limit", "store": "store of budgets"}


def refusals(  # noqa: PLR0917  typer passes by name
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show which calls budgets and rate limits refused: who, why, how often, and what they would have held.

    The last 7 days if no range is given, by whole hours of UTC. The counts are those of the gateway's own log, which
    lies beside the ledger; processes write to it once a second.
    """
    from farthing.cli.ledger_file import ledger_path
    from farthing.limits.refusal_store import read_refusals
    from farthing.limits.refusals import by_case

    if since is None and until is None and last is None:
        last = "7d"
    start, end = options.time_range(since, until, last, ZoneInfo("UTC"), datetime.now(UTC))
    found = by_case(read_refusals(ledger_path(ledger, config), start, end))
    if as_json:
        output.print_json(_json(found, start, end))
    else:
        _print(found)


def _json(found: list[tuple[Case, Tally]], start: datetime | None, end: datetime | None) -> dict[str, Any]:
    from farthing.money import usd_text

    return {
        "since": start.isoformat() if start else None,
        "until": end.isoformat() if end else None,
        "calls": sum(tally.calls for _, tally in found),
        "unknown_calls": sum(tally.unknown_calls for _, tally in found),
        "worst_usd": usd_text(sum(tally.worst_pusd for _, tally in found)),
        "kind": str(Kind.DERIVED),
        "refused": [_case_json(case, tally) for case, tally in found],
    }


def _case_json(case: Case, tally: Tally) -> dict[str, Any]:
    from farthing.money import usd_text

    known, last = tally.known_pusd, tally.last_worst_pusd
    return {
        "kind": case.kind,
        "limit": case.limit,
        "value": case.value,
        "tenant": case.tenant,
        "api_key": case.api_key,
        "who": case.who,
        "why": case.why,
        "calls": tally.calls,
        "unknown_calls": tally.unknown_calls,
        "worst_usd": None if known is None else usd_text(known),
        "last_worst_usd": None if last is None else usd_text(last),
        "first_at": tally.first_at.isoformat(),
        "last_at": tally.last_at.isoformat(),
    }


def _print(found: list[tuple[Case, Tally]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from farthing.limits.refusals import WORDS

    console = output.console()
    if not found:
        console.print("No call was refused.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("last, UTC", "limit", "who", "why"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "would have held"):
        table.add_column(name, justify="right", no_wrap=True)
    for case, tally in found[:_SHOWN]:
        kind = _KINDS.get(case.kind, case.kind)
        limit = case.limit if case.kind == "budget" else f"{kind} {case.limit}".strip()
        held = "[dim]not known[/]" if tally.known_pusd is None else output.usd(tally.known_pusd)
        words = (f"{tally.last_at:%m-%d %H:%M}", limit, case.who, WORDS.get(case.why, case.why))
        table.add_row(*map(escape, words), f"{tally.calls:,}", held)
    console.print(table)
    if len(found) > _SHOWN:
        console.print(f"[dim]and {len(found) - _SHOWN:,} more; --json has all[/]")
    calls, unknown = (sum(getattr(tally, name) for _, tally in found) for name in ("calls", "unknown_calls"))
    known = output.usd(sum(tally.worst_pusd for _, tally in found))
    were = "call was" if calls == 1 else "calls were"
    console.print(f"{calls:,} {were} refused; {calls - unknown:,} of them would have held {known}.")
    console.print(
        f"[dim]the most each could have cost at list, {Kind.DERIVED}; rate limits refuse before that is known[/]"
    )
