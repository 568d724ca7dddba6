"""``farthing serve``: the gateway, until Ctrl-C."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path  # noqa: TC003  typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import options, output

if TYPE_CHECKING:
    from farthing.gateway.server import GatewayServer

_NEW_OBJECTS_MAX = 10_000
"""So many more containers than before make the collector look for rings among the youngest."""


def serve(  # noqa: PLR0917  typer passes by name
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")] = 8788,
    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="URL", help="The API that calls are forwarded to.")
    ] = None,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
    json: output.Json = False,
) -> None:
    """
    Forward calls to the Claude API, byte for byte, and meter each.

    Point any SDK, or Claude Code, at it: callers keep their own keys. What each call cost goes through a journal into
    the ledger, which reports read. One line per request goes to standard error, without prompts or keys. Ctrl-C or
    SIGTERM lets open requests end.
    """
    import msgspec

    from farthing.cli.ledger_file import contract_terms, ledger_path
    from farthing.gateway.server import GatewayServer

    settings = options.settings(config).config.gateway
    if upstream is not None:
        settings = msgspec.structs.replace(settings, upstream=upstream)
    file = ledger_path(ledger, config)
    book, terms = options.price_book(config), contract_terms(config)
    server = GatewayServer(settings, file, book=book, terms=terms, host=host, port=port, log=_log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end_soon())  # until the server heeds them itself
    _announce(server, settings.upstream, file, as_json=json)
    _spare_collections()
    server.run()
    if not server.started:
        raise typer.Exit(1)


def _spare_collections() -> None:
    """What is there by now stays to the end, so the collector need not look at it with every few calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_MAX, 20, 20)


def _announce(server: GatewayServer, upstream: str, ledger: Path, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"base_url": server.base_url, "upstream": upstream, "ledger": str(ledger)})
    else:
        lines = [
            f"Metering calls to {upstream} at {server.base_url}; Ctrl-C ends it.",
            "",
            f"export ANTHROPIC_BASE_URL={server.base_url}",
            "",
            f"Ledger: {ledger}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # in one piece: print would write the end of the line by itself
    sys.stderr.flush()
