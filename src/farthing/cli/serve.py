"""``farthing serve``: the gateway, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path  # noqa: TC003  typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.cli.beside import beside, kept_beside
from farthing.errors import BadInput, FarthingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.config import DashboardSettings, GatewaySettings
    from farthing.gateway.server import GatewayServer
    from farthing.gateway.supervisor import Supervisor


_DASHBOARD_PORT = 8790


def serve(  # noqa: PLR0917  typer passes by name
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")] = 8788,
    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="URL", help="The API that calls are forwarded to.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes that serve the port.")
    ] = None,
    dashboard: Annotated[
        int | None,
        typer.Option(
            "--dashboard", metavar="PORT", min=0, max=65535, help=f"Port of the dashboard; else {_DASHBOARD_PORT}."
        ),
    ] = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Serve no dashboard beside it.")] = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Forward calls to the Claude API, byte for byte, and meter each.

    Point any SDK, or Claude Code, at it: callers keep their own keys. What each call cost goes through a journal into
    the ledger, which reports read. One line per request goes to standard error, without prompts or keys. Ctrl-C or
    SIGTERM lets open requests end. The dashboard, and the watcher that alerts.watch_minutes asks for, are processes of
    their own, so that they delay no call; where nobody would have to sign in, only this machine is served the pages.
    """
    import msgspec

    from farthing.cli.ledger_file import contract_terms, ledger_path
    from farthing.gateway.server import GatewayServer, spare_collections
    from farthing.gateway.supervisor import Supervisor

    if no_dashboard and dashboard is not None:
        raise BadInput("read both --dashboard and --no-dashboard", "one of them")
    whole = options.settings(config).config
    settings, minutes = whole.gateway, whole.alerts.watch_minutes
    if upstream is not None:
        settings = msgspec.structs.replace(settings, upstream=upstream)
    if workers is not None:
        settings = msgspec.structs.replace(settings, workers=workers)
    file = ledger_path(ledger, config)
    book, terms = options.price_book(config), contract_terms(config)
    kind = GatewayServer if settings.workers == 1 else Supervisor
    server = kind(settings, file, book=book, terms=terms, host=host, port=port, log=_log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end_soon())  # until the server heeds them itself
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # likewise; it ends no gateway, or calls would be lost
    with contextlib.ExitStack() as stack:
        pages = None
        if not no_dashboard:
            pages = stack.enter_context(_dashboard(dashboard, host, whole.dashboard, _files(file, config)))
        if minutes:
            watching = ["alerts", "watch", "--every", f"{minutes}m", *_files(file, config)]
            stack.enter_context(kept_beside("the watcher of alerts", watching, _log))
        elif whole.alerts.channels is not None:
            output.note("alerts.channels names who is told, but nobody judges: alerts.watch_minutes = 60 would")
        _announce(server, settings, file, pages, minutes, as_json=json)
        spare_collections()
        server.run()
    if not server.started:
        raise typer.Exit(1)


@contextlib.contextmanager
def _dashboard(port: int | None, host: str, settings: DashboardSettings, files: list[str]) -> Iterator[str | None]:
    """
    ``farthing dashboard`` beside the gateway; it ends with us, even where we are killed. Gives its address.

    None: nobody asked for a port, and the usual one could not be had; a note has said so.

    Raises:
        FarthingError: It could not start at the port that was asked for.

    """
    import msgspec

    from farthing.serving.address import is_loopback

    if not is_loopback(host) and port is None and settings.token_file is None and settings.users is None:
        host = "127.0.0.1"
    at = ["--host", host, "--port", str(_DASHBOARD_PORT if port is None else port)]
    with beside(["dashboard", "--json", *at, *files], is_heard=True) as process:
        assert process.stdout is not None
        told = b""
        while not told.endswith(b"}\n") and (line := process.stdout.readline()):
            told += line
        facts = msgspec.json.decode(told, type=dict[str, Any]) if told.endswith(b"}\n") else {}
        if "url" not in facts:
            why = f"could not start the dashboard: {facts.get('error', 'it has said why')}"
            if port is not None:
                raise FarthingError(why)
            output.note(f"{why}; the gateway goes on without (--dashboard PORT asks for another port)")
        yield facts.get("url")


def _files(ledger: Path, config: Path | None) -> list[str]:
    """The same ledger and settings for another command."""
    return ["--ledger", str(ledger), *([] if config is None else ["--config", str(config)])]


def _announce(
    server: GatewayServer | Supervisor,
    settings: GatewaySettings,
    ledger: Path,
    pages: str | None,
    minutes: int,
    *,
    as_json: bool,
) -> None:
    if as_json:
        facts = {"base_url": server.base_url, "upstream": settings.upstream, "ledger": str(ledger)}
        output.print_json({**facts, "workers": settings.workers, "dashboard": pages, "alerts_every_minutes": minutes})
    else:
        lines = [
            f"Metering calls to {settings.upstream} at {server.base_url}; Ctrl-C ends it.",
            "",
            f"export ANTHROPIC_BASE_URL={server.base_url}",
            "",
            *([] if pages is None else [f"Dashboard: {pages}"]),
            *([f"Alerts: judged every {minutes} minutes"] if minutes else []),
            f"Ledger: {ledger}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # in one piece: print would write the end of the line by itself
    sys.stderr.flush()
