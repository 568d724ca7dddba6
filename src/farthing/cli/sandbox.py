"""``farthing sandbox``: a Claude API of one's own, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from pathlib import Path  # noqa: TC003  typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli import output

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.sandbox.http.server import SandboxServer
    from farthing.sandbox.replies import Reply
    from farthing.sandbox.state import State

_NO_TIER = "none"


def sandbox(  # noqa: PLR0917  typer passes by name
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")] = 8787,
    virtual_clock: Annotated[
        str | None,
        typer.Option("--virtual-clock", metavar="START", help="Start a clock that stands still until it is moved."),
    ] = None,
    tier: Annotated[
        str, typer.Option("--tier", help="Usage tier: Start, Build or Scale; none for no limits.")
    ] = "Scale",
    seed: Annotated[int, typer.Option("--seed", help="Decides every id and every chance.")] = 0,
    replies: Annotated[
        Path | None, typer.Option("--replies", metavar="FILE", help="JSON lines: one reply for each request to come.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="Keep the newest requests only; all if not given.")
    ] = None,
    json: output.Json = False,
) -> None:
    """
    Serve a Claude API that bills faithfully, on this machine.

    It answers as the real one does, with usage, caching, rate limits, batches and reports, and generates nothing:
    replies are echoes, or what you tell it. Point any SDK or tool at it. One line per request goes to standard error,
    without prompts or keys. Ctrl-C or SIGTERM ends it.
    """
    from farthing.sandbox.http.server import SandboxServer

    state = _state(virtual_clock, tier, seed, keep)
    if replies is not None:
        state.answer_with(*_read_replies(replies))
    server = SandboxServer(state, host=host, port=port, log=_log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end_soon())  # until the server heeds them itself
    _announce(server, as_json=json)
    server.run()


def _state(start: str | None, tier: str, seed: int, keep: int | None) -> State:
    from farthing.errors import BadInput
    from farthing.limits.published import published_limits
    from farthing.sandbox.clock import VirtualClock
    from farthing.sandbox.state import State
    from farthing.sandbox.world import World

    tiers = [one.name for one in published_limits().tier]
    if tier not in (*tiers, _NO_TIER):
        raise BadInput(f"read --tier {tier!r}", f"{', '.join(tiers)} or {_NO_TIER}")
    clock = None if start is None else VirtualClock(_moment(start))
    return State(World(clock=clock, seed=seed, tier=None if tier == _NO_TIER else tier, keep=keep))


def _moment(text: str) -> datetime:
    from datetime import UTC, datetime

    from farthing.errors import BadInput

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"read --virtual-clock {text!r}", "a time such as 2026-11-20T09:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read_replies(file: Path) -> list[Reply]:
    import msgspec

    from farthing.errors import BadInput
    from farthing.sandbox.control import read_replies

    found = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                found += read_replies(msgspec.json.decode(line))
            except (msgspec.DecodeError, BadInput) as error:
                raise BadInput(f"{file}, line {number}: {error}") from None
    return found


def _announce(server: SandboxServer, *, as_json: bool) -> None:
    from farthing.sandbox.world import DEMO_ADMIN_KEY, DEMO_KEY

    if as_json:
        facts = {"base_url": server.base_url, "api_key": DEMO_KEY, "admin_key": DEMO_ADMIN_KEY}
        output.print_json({**facts, "controls": server.controls})
    else:
        lines = [
            f"A Claude API for tests at {server.base_url}; it costs nothing and knows nothing. Ctrl-C ends it.",
            "",
            f"export ANTHROPIC_BASE_URL={server.base_url}",
            f"export ANTHROPIC_API_KEY={DEMO_KEY}",
            "",
            f"Admin key for its reports: {DEMO_ADMIN_KEY}",
            f"Its own controls: {server.base_url}/sandbox/state"
            if server.controls
            else "Controls are off: not loopback.",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
