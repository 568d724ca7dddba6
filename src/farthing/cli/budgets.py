"""``farthing budgets``: what is spent and left, whether a limits file is right, and what it would have refused."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from farthing.cli import options, output
from farthing.cli.budgets_refusals import refusals
from farthing.errors import BadInput
from farthing.units import Kind

if TYPE_CHECKING:
    from farthing.limits.budgets import Budget
    from farthing.limits.file import Limits
    from farthing.limits.protocol import Line
    from farthing.limits.replay import DryRun, WouldRefuse
    from farthing.limits.windows import Window

OVER = 2
_ACCOUNTS_SHOWN = 50

app = typer.Typer(help="Budgets: what is left, what they refused, and what they would have.", no_args_is_help=True)
app.command()(refusals)

File = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="A limits file; the one in the settings if not given.")
]


@app.callback()
def budgets() -> None:
    """Budgets: what is left, what they refused, and what they would have."""


@app.command("list")
def list_(
    file: File = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Show what is spent, held for calls under way, and left of each budget in its window.

    The figures are those of the gateway's own store, which lies beside the ledger; processes report to it once a
    second. Exits with 2 where a budget that refuses is used up.
    """
    now = datetime.now(UTC)
    limits = _limits(file, config)
    found = _standing(limits, _lines(ledger, config), now)
    over = any(one["used_up"] for one in found if one["mode"] != "soft")
    if as_json:
        output.print_json({"at": now.isoformat(), "kind": str(Kind.MEASURED), "budgets": found, "over": over})
    else:
        _print_standing(found)
    if over:
        raise typer.Exit(OVER)


@app.command()
def check(file: File = None, as_json: output.Json = False, config: options.Config = None) -> None:
    """Read a limits file and show the budgets in it, or say what is wrong and where."""
    limits = _limits(file, config)
    if as_json:
        rates = [one.name for one in limits.rates]
        output.print_json({"ok": True, "budgets": [_budget_json(one) for one in limits.budgets], "rates": rates})
        return
    table = _table("budget", "limit >", "window", "who", "when used up", "alerts at")
    for one in limits.budgets:
        window = one.window if one.window in _UNZONED else f"{one.window} ({one.zone.key})"
        alerts = "" if one.window == "call" else ", ".join(f"{float(share):.0%}" for share in one.alert_at)
        table.add_row(*map(_plain, (one.name, output.usd(one.limit_pusd), window, _scope(one), _mode(one), alerts)))
    output.console().print(table if limits.budgets else "No budgets in this file: no call is refused for its cost.")
    if limits.rates:
        output.console().print(_plain(f"and rate limits: {', '.join(one.name for one in limits.rates)}"))


@app.command("dry-run")
def dry_run_(  # noqa: PLR0917  typer passes by name
    file: File = None,
    since: options.Since = None,
    until: options.Until = None,
    last: options.Last = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Replay the ledger against a limits file: which calls it would have refused, and what they cost.

    The last 30 days if no range is given. Exits with 2 where any call would have been refused.
    """
    from farthing.cli.ledger_file import ledger_path, open_ledger
    from farthing.ledger.interface import Query
    from farthing.limits.replay import dry_run

    limits = _limits(file, config)
    if since is None and until is None and last is None:
        last = "30d"
    start, end = options.time_range(since, until, last, ZoneInfo("UTC"), datetime.now(UTC))
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        found = dry_run(limits.budgets, opened.calls(Query(since=start, until=end)))
    if as_json:
        output.print_json(_dry_json(found))
    else:
        _print_dry(found)
    if found.refused_calls:
        raise typer.Exit(OVER)


_UNZONED = ("call", "session", "run", "total")


def _limits(file: Path | None, config: Path | None) -> Limits:
    from farthing.limits.file import read_limits

    path = file or options.settings(config).config.gateway.limits
    if path is None:
        raise BadInput("found no limits file", "one as an argument, or the setting gateway.limits")
    return read_limits(path)


def _lines(ledger: Path | None, config: Path | None) -> list[Line]:
    """What the store knows; nothing where there is no store yet."""
    from farthing.cli.ledger_file import ledger_path
    from farthing.limits.store import STORE_NAME, SqliteBank

    path = ledger_path(ledger, config).with_name(STORE_NAME)
    if not path.exists():
        return []
    bank = SqliteBank(path, busy_s=5)
    try:
        return bank.lines()
    finally:
        bank.close()


def _standing(limits: Limits, lines: list[Line], now: datetime) -> list[dict[str, Any]]:
    """Each budget in the window that is open now; one that nothing was spent of yet has a line of its own."""
    from farthing.limits.windows import window_at

    known: dict[str, list[Line]] = {}
    for line in lines:
        if line.key.meter == "spend":
            known.setdefault(line.key.budget, []).append(line)
    found = []
    for budget in limits.budgets:
        if budget.window == "call":
            continue
        window = window_at(budget.window, now, budget.zone)
        here = [line for line in known.get(budget.name, []) if line.key.start_s == window.start_s]
        nothing = [] if budget.each or budget.window in ("session", "run") else [_nothing(budget, window)]
        found += [_standing_json(budget, line, window) for line in here or nothing]
    return found


def _nothing(budget: Budget, window: Window) -> Line:
    from farthing.limits.protocol import AccountKey, Line

    return Line(AccountKey(budget.name, "", window.start_s), 0, 0, 0)


def _standing_json(budget: Budget, line: Line, window: Window) -> dict[str, Any]:
    from farthing.money import usd_text

    left = budget.limit_pusd - line.spent_pusd - line.held_pusd
    return {
        "budget": budget.name,
        "value": line.key.value,
        "mode": budget.mode,
        "window": budget.window,
        "window_start": window.starts_at.isoformat() if window.starts_at else None,
        "resets_at": window.ends_at.isoformat() if window.ends_at else None,
        "limit_usd": usd_text(budget.limit_pusd),
        "spent_usd": usd_text(line.spent_pusd),
        "held_usd": usd_text(line.held_pusd),
        "presumed_usd": usd_text(line.presumed_pusd),
        "left_usd": usd_text(max(0, left)),
        "used_up": line.spent_pusd + line.presumed_pusd >= budget.limit_pusd,
    }


def _fullest(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as a page holds, in their order: of many tenants those matter that have least left."""
    if len(found) <= _ACCOUNTS_SHOWN:
        return found

    def share_left(number: int) -> Decimal:
        limit = Decimal(found[number]["limit_usd"])
        return Decimal(found[number]["left_usd"]) / limit if limit else Decimal(0)

    fullest = sorted(range(len(found)), key=share_left)[:_ACCOUNTS_SHOWN]
    return [found[number] for number in sorted(fullest)]


def _print_standing(found: list[dict[str, Any]]) -> None:
    from farthing.money import parse_usd

    table = _table("budget", "who", "spent >", "held >", "left >", "limit >", "resets", "")
    shown = _fullest(found)
    for one in shown:
        amounts = [output.usd(parse_usd(one[f"{name}_usd"])) for name in ("spent", "held", "left", "limit")]
        resets = one["resets_at"][:16].replace("T", " ") + " UTC" if one["resets_at"] else "never"
        state = "[bold red]USED UP[/]" if one["used_up"] else "[dim]soft[/]" if one["mode"] == "soft" else ""
        table.add_row(_plain(one["budget"]), _plain(one["value"] or "all"), *amounts, resets, state)
    console = output.console()
    console.print(table if found else "Nothing was counted under any budget yet.")
    if len(found) > len(shown):
        console.print(f"[dim]and {len(found) - len(shown):,} more, less used; --json has all[/]")
    console.print(
        f"[dim]list prices, {Kind.MEASURED}; held: worst cases of calls under way, and slices for the next[/]"
    )


def _budget_json(one: Budget) -> dict[str, Any]:
    from farthing.money import usd_text

    return {
        "name": one.name,
        "limit_usd": usd_text(one.limit_pusd),
        "window": one.window,
        "timezone": one.zone.key,
        "mode": one.mode,
        "scope": {name: list(patterns) for name, patterns in one.scope},
        "each": one.each,
        "alert_at": [str(share) for share in one.alert_at],
        "degrade_to": one.degrade_to,
        "quantile": None if one.quantile is None else str(one.quantile),
        "overshoot_usd": usd_text(one.overshoot_pusd),
        "unpriced": "allow" if one.allows_unpriced else "refuse",
    }


def _scope(one: Budget) -> str:
    parts = [f"{name}={'|'.join(patterns)}" for name, patterns in one.scope]
    parts += [f"each {one.each}"] if one.each else []
    return ", ".join(parts) or "every call"


def _mode(one: Budget) -> str:
    words = {"hard": "refuses", "soft": "tells", "degrade": f"hands over to {one.degrade_to}"}[one.mode]
    return f"{words}, at most {output.usd(one.overshoot_pusd)} over" if one.quantile is not None else words


def _dry_json(found: DryRun) -> dict[str, Any]:
    from farthing.money import usd_text

    return {
        "calls": found.calls,
        "refused_calls": found.refused_calls,
        "unpriced_calls": found.unpriced_calls,
        "spent_usd": usd_text(found.spent_pusd),
        "refused_usd": usd_text(found.refused_pusd),
        "kind": str(Kind.DERIVED),
        "accounts": [_account_json(one) for one in found.accounts],
    }


def _account_json(one: WouldRefuse) -> dict[str, Any]:
    from farthing.money import usd_text

    return {
        "budget": one.budget.name,
        "value": one.value,
        "mode": one.budget.mode,
        "window_start": one.window_start.isoformat() if one.window_start else None,
        "limit_usd": usd_text(one.budget.limit_pusd),
        "calls": one.calls,
        "spent_usd": usd_text(one.spent_pusd),
        "refused_calls": one.refused_calls,
        "refused_usd": usd_text(one.refused_pusd),
        "first_refused_at": one.first_at.isoformat() if one.first_at else None,
    }


def _print_dry(found: DryRun) -> None:
    console = output.console()
    hit = [one for one in found.accounts if one.refused_calls]
    table = _table("budget", "who", "from", "limit >", "spent >", "refused >", "cost >", "first, UTC")
    for one in hit[:_ACCOUNTS_SHOWN]:
        start = f"{one.window_start.astimezone(one.budget.zone):%Y-%m-%d}" if one.window_start else "the start"
        first = f"{one.first_at:%m-%d %H:%M}" if one.first_at else ""
        amounts = (output.usd(one.budget.limit_pusd), output.usd(one.spent_pusd))
        refused = (f"{one.refused_calls:,} of {one.calls:,}", output.usd(one.refused_pusd))
        soft = " (soft)" if one.budget.mode == "soft" else ""
        table.add_row(_plain(one.budget.name) + soft, _plain(one.value or "all"), start, *amounts, *refused, first)
    if hit:
        console.print(table)
    if len(hit) > _ACCOUNTS_SHOWN:
        console.print(f"[dim]and {len(hit) - _ACCOUNTS_SHOWN:,} more; --json has all[/]")
    console.print(
        f"{found.refused_calls:,} of {found.calls:,} calls would have been refused: "
        f"{output.usd(found.refused_pusd)} of {output.usd(found.spent_pusd)}."
    )
    if banner := output.unpriced_banner(found.unpriced_calls, found.calls):
        console.print(banner)
    console.print(
        f"[dim]list prices, {Kind.DERIVED}: one call after the other, each at what it cost; calls at once, "
        "reserved at their worst case, may be refused sooner[/]"
    )


def _table(*names: str) -> Any:
    """A plain table; a name that ends in ``>`` is of numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        right = name.endswith(" >")
        table.add_column(name.removesuffix(" >"), justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
