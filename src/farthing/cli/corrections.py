"""``farthing reprice`` and ``farthing corrections``: change posted prices in the open, and take it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from farthing.cli import options, output
from farthing.errors import BadInput

if TYPE_CHECKING:
    from farthing.ledger.interface import Correction


def reprice(
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would change.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")] = None,
    revert: Annotated[int | None, typer.Option("--revert", metavar="N", help="Take correction N back.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Price the calls in the ledger again with the book and the contract in force.

    Nothing changes silently: every re-pricing is a numbered correction with its reason, its before and its after, and
    can be taken back. --preview changes nothing.
    """
    from farthing.cli.ledger_file import contract_price, contract_terms, ledger_path, open_ledger

    if revert is not None and (preview or reason or since or until or last):
        raise BadInput("read --revert beside other flags", "--revert alone")
    if revert is None and not preview and not (reason or "").strip():
        raise BadInput("read no --reason", "why the prices change, in your words", "or look first with --preview")
    terms = None if revert is not None else contract_terms(config)
    start, end = options.time_range(since, until, last, ZoneInfo("UTC"), datetime.now(UTC))
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        if revert is not None:
            correction = opened.revert(revert)
        else:
            correction = opened.reprice(
                options.price_book(config),
                reason=(reason or "preview").strip(),
                made_at=datetime.now(UTC),
                since=start,
                until=end,
                preview=preview,
                contract=None if terms is None else contract_price(terms),
            )
    if json:
        output.print_json(correction_json(correction))
    else:
        _print(correction)


def corrections(json: output.Json = False, ledger: options.LedgerPath = None, config: options.Config = None) -> None:
    """List every re-pricing of the ledger, oldest first."""
    from farthing.cli.ledger_file import ledger_path, open_ledger

    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        found = opened.corrections()
    if json:
        output.print_json([correction_json(correction) for correction in found])
    elif not found:
        output.console().print("No corrections: every call stands as it was first posted.")
    for correction in [] if json else found:
        _print(correction)


def correction_json(correction: Correction) -> dict[str, Any]:
    """A correction as JSON values."""
    from farthing import money

    return {
        "correction": correction.correction_id,
        "made_at": correction.made_at.isoformat(),
        "reason": correction.reason,
        "book_version": correction.book_version,
        "reverted": correction.reverted,
        "changes": [
            {
                "model": change.model,
                "calls": change.calls,
                "changed_calls": change.changed_calls,
                "before_usd": money.usd_text(change.before_pusd),
                "after_usd": money.usd_text(change.after_pusd),
                "before_contract_usd": _usd(change.before_contract_pusd),
                "after_contract_usd": _usd(change.after_contract_pusd),
                "before_unpriced": change.before_unpriced,
                "after_unpriced": change.after_unpriced,
            }
            for change in correction.changes
        ],
    }


def _usd(pusd: int | None) -> str | None:
    from farthing import money

    return None if pusd is None else money.usd_text(pusd)


def _print(correction: Correction) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = output.console()
    number = correction.correction_id
    head = "[bold]preview[/]: nothing was changed" if number is None else f"[bold]correction {number}[/]"
    state = " [yellow]taken back[/]" if correction.reverted else ""
    console.print(f"{head}{state} [dim]{correction.made_at:%Y-%m-%d %H:%M} UTC, book {correction.book_version}[/]")
    if number is not None:
        console.print(f"  {escape(correction.reason)}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="fold")
    contract = any(
        (one.before_contract_pusd, one.after_contract_pusd) != (one.before_pusd, one.after_pusd)
        for one in correction.changes
        if one.before_contract_pusd is not None
    )
    for name in ("calls", "changed", "before", "after", "unpriced"):
        table.add_column(name, justify="right", no_wrap=True)
    for change in correction.changes:
        table.add_row(
            escape(change.model),
            f"{change.calls:,}",
            f"{change.changed_calls:,}",
            "unpriced" if change.before_unpriced == change.calls else output.usd(change.before_pusd),
            "unpriced" if change.after_unpriced == change.calls else output.usd(change.after_pusd),
            f"{change.before_unpriced:,} -> {change.after_unpriced:,}",
        )
        if contract and change.before_contract_pusd is not None and change.after_contract_pusd is not None:
            sums = (output.usd(change.before_contract_pusd), output.usd(change.after_contract_pusd))
            table.add_row("  under contract", "", "", *sums, "", style="dim")
    console.print(table if correction.changes else "[dim]  no calls in range[/]")
