"""``farthing dashboard``: the ledger as pages on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output
from farthing.cli.beside import await_end_of_input

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.config import Config
    from farthing.dashboard.server import DashboardServer
    from farthing.dashboard.visit import Desk
    from farthing.dashboard.web import Site


def dashboard(  # noqa: PLR0917  typer passes by name
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")] = 8790,
    demo: Annotated[bool, typer.Option("--demo", help="Show a made-up fleet instead of the ledger.")] = False,
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", help="End when standard input does: for programs that start it.")
    ] = False,
    idle: Annotated[
        int | None,
        typer.Option("--end-when-idle", metavar="MINUTES", min=1, help="End once nobody has looked for so long."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the demo keeps its files.")] = Path(
        ".demo"
    ),
    ledger: options.LedgerPath = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Show the ledger in a browser: spend, why it moved, caching, budgets, calls line by line.

    Everything is made on this machine and nothing is fetched from elsewhere. farthing serve may fill the ledger
    meanwhile. Other addresses than this machine's own need a token (docs/dashboard.md). Ctrl-C ends it.
    """
    from farthing.dashboard.server import DashboardServer
    from farthing.dashboard.web import create_app

    site = _demo_site(folder, hidden=json) if demo else _site(ledger, config, host)
    server = DashboardServer(create_app(site), host=host, port=port, idle_s=None if idle is None else idle * 60)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end_soon())  # until the server heeds them itself
    if end_with_input:  # whoever started us holds the other end, and it closes however they end
        threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    _announce(server, site, as_json=json)
    server.run()


def _end_with_input(server: DashboardServer) -> None:
    await_end_of_input()
    server.end_soon()


def _site(ledger: Path | None, config: Path | None, host: str) -> Site:
    from farthing.cli.ledger_file import ledger_path
    from farthing.dashboard.access import read_access
    from farthing.dashboard.books import books_of
    from farthing.dashboard.web import Site
    from farthing.serving.address import is_loopback

    settings = options.settings(config).config
    access = read_access(settings.dashboard, loopback=is_loopback(host))
    path = ledger_path(ledger, config)
    hosts = frozenset(name.strip().lower() for name in (settings.dashboard.hosts or "").split(",") if name.strip())
    return Site(books_of(path), _desk(settings, path, config), access, _now, hosts)


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _desk(settings: Config, ledger: Path, config: Path | None) -> Desk:
    from farthing.cli.ledger_file import contract_terms
    from farthing.dashboard.visit import Desk
    from farthing.money import parse_usd

    budget = settings.report.monthly_budget_usd
    decisions = settings.playbook.journal or ledger.with_name("playbook.journal")
    return Desk(
        book=options.price_book(config),
        ledger=ledger,
        journals=settings.gateway.journals or ledger.with_name("journals"),
        plan=decisions.with_name("playbook.plan.json"),
        decisions=decisions,
        terms=contract_terms(config),
        zone=settings.report.timezone,
        limits=settings.gateway.limits,
        monthly_budget_pusd=None if budget is None else parse_usd(budget),
        policy=settings.playbook.policy,
        alerts=settings.alerts.state,
        channels=settings.alerts.channels,
        history_days=settings.alerts.history_days,
    )


def _demo_site(folder: Path, *, hidden: bool) -> Site:
    from farthing.dashboard import demo
    from farthing.dashboard.access import Access
    from farthing.dashboard.books import books_of
    from farthing.dashboard.visit import Desk
    from farthing.dashboard.web import Site
    from farthing.demo.season import NOW, season
    from farthing.money import parse_usd
    from farthing.prices.book import shipped_book

    with output.progress("making up a fleet", len(season()), hidden=hidden) as advance:
        ledger = demo.write_demo(folder, advance)
    desk = Desk(
        book=shipped_book(),
        ledger=ledger,
        journals=folder / "journals",
        plan=folder / demo.PLAN_NAME,
        decisions=folder / "playbook.journal",
        limits=folder / "limits.toml",
        monthly_budget_pusd=parse_usd(demo.BUDGET_USD),
        note=f"Made-up traffic of a fleet; the clock stands at {NOW:%-d %B %Y, %H:%M} UTC.",
    )
    return Site(books_of(ledger), desk, Access(is_open=True), lambda: NOW)


def _announce(server: DashboardServer, site: Site, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"url": server.base_url, "ledger": str(site.desk.ledger), "sign_in": not site.access.is_open})
    else:
        how = "nobody has to sign in, and only this machine is served" if site.access.is_open else "with a token"
        sys.stdout.write(
            f"The dashboard is at {server.base_url}; {how}. Ctrl-C ends it.\n\nLedger: {site.desk.ledger}\n"
        )
    sys.stdout.flush()
