"""``farthing serve``: the gateway, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path  # noqa: TC003  typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.errors import FarthingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.config import GatewaySettings
    from farthing.gateway.server import GatewayServer
    from farthing.gateway.supervisor import Supervisor


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
        typer.Option("--dashboard", metavar="PORT", min=0, max=65535, help="Serve the dashboard on this port."),
    ] = None,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Forward calls to the Claude API, byte for byte, and meter each.

    Point any SDK, or Claude Code, at it: callers keep their own keys. What each call cost goes through a journal into
    the ledger, which reports read. One line per request goes to standard error, without prompts or keys. Ctrl-C or
    SIGTERM lets open requests end. The dashboard is a process of its own, so that no page delays a call.
    """
    import msgspec

    from farthing.cli.ledger_file import contract_terms, ledger_path
    from farthing.gateway.server import GatewayServer, spare_collections
    from farthing.gateway.supervisor import Supervisor

    settings = options.settings(config).config.gateway
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
    with contextlib.ExitStack() as beside:
        pages = None if dashboard is None else beside.enter_context(_dashboard(dashboard, host, file, config))
        _announce(server, settings, file, pages, as_json=json)
        spare_collections()
        server.run()
    if not server.started:
        raise typer.Exit(1)


@contextlib.contextmanager
def _dashboard(port: int, host: str, ledger: Path, config: Path | None) -> Iterator[str]:
    """
    ``farthing dashboard`` beside the gateway; it ends with us, even where we are killed. Gives its address.

    Raises:
        FarthingError: It could not start.

    """
    import msgspec

    command = [sys.executable, "-m", "farthing", "dashboard", "--json", "--end-with-input"]
    command += ["--host", host, "--port", str(port), "--ledger", str(ledger)]
    command += [] if config is None else ["--config", str(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        try:
            told = b"".join(iter(process.stdout.readline, b"}\n"))
            facts = msgspec.json.decode(told + b"}", type=dict[str, Any]) if told else {}
            if "url" not in facts:
                raise FarthingError(f"could not start the dashboard: {facts.get('error', 'it has said why')}")
            yield facts["url"]
        finally:
            process.terminate()


def _announce(
    server: GatewayServer | Supervisor, settings: GatewaySettings, ledger: Path, pages: str | None, *, as_json: bool
) -> None:
    if as_json:
        facts = {"base_url": server.base_url, "upstream": settings.upstream, "ledger": str(ledger)}
        output.print_json({**facts, "workers": settings.workers, "dashboard": pages})
    else:
        lines = [
            f"Metering calls to {settings.upstream} at {server.base_url}; Ctrl-C ends it.",
            "",
            f"export ANTHROPIC_BASE_URL={server.base_url}",
            "",
            *([] if pages is None else [f"Dashboard: {pages}"]),
            f"Ledger: {ledger}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # in one piece: print would write the end of the line by itself
    sys.stderr.flush()
