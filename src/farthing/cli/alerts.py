"""``farthing alerts``: what is unusual or will pass a limit, who is told, and what is to come."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.cli.alerts_given import budgets_of, channels_of, person, sharpness_of, span_of, store_of
from farthing.cli.alerts_watch import watch
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.alerts.channels import Channel
    from farthing.alerts.incidents import Incident
    from farthing.alerts.send import Delivered
    from farthing.alerts.store import AlertStore

FIRING = 2

app = typer.Typer(help="Be told in time: unusual cost, and budgets on their way past a limit.", no_args_is_help=True)
app.command()(watch)

Number = Annotated[int, typer.Argument(metavar="INCIDENT", help="Its number, as the list shows it.")]
At = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Judge as of this time instead of now; nobody is told.")
]


@app.callback()
def alerts() -> None:
    """Be told in time: unusual cost, and budgets on their way past a limit."""


@app.command()
def check(
    at: At = None,
    send: Annotated[bool, typer.Option("--send/--no-send", help="Tell the channels of what is new.")] = True,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Judge the ledger now: open and close incidents, tell the channels, and list what fires.

    Exits with 2 where an incident is open that nobody has acknowledged or snoozed. Repeat it as often as you like: no
    incident is told twice. With --at nothing is kept or told.
    """
    from farthing.alerts.evaluate import evaluate
    from farthing.cli.alerts_view import print_round, round_json
    from farthing.cli.ledger_file import ledger_path, open_ledger

    now, kept = _time(at), at is None
    channels, budgets, settings = channels_of(config), budgets_of(config), sharpness_of(config)
    with (
        open_ledger(ledger_path(ledger, config), must_exist=True) as opened,
        store_of(ledger, config, is_kept=at is None) as store,
    ):
        found = evaluate(opened, now, store=store, budgets=budgets, channels=channels, settings=settings)
        delivered = _delivered(store, channels, now) if send and kept else None
    if as_json:
        output.print_json(round_json(found, delivered, now))
    else:
        print_round(found, delivered, now)
    if found.firing:
        raise typer.Exit(FIRING)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Show the incidents, newest first, and messages that did not arrive."""
    from farthing.cli.alerts_view import incidents_json, print_incidents

    with store_of(ledger, config) as store:
        found, waiting = store.incidents(resolved=every), store.undelivered()
    if as_json:
        output.print_json(incidents_json(found, waiting))
    else:
        print_incidents(found, waiting, every=every)


@app.command()
def ack(
    number: Number,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Acknowledge an incident: nothing more is told of it but what makes it worse, and its end."""
    from farthing.alerts.incidents import acknowledged

    _change(number, lambda one: acknowledged(one, person()), "acknowledged", ledger, config, as_json=as_json)


@app.command()
def snooze(
    number: Number,
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="30m, 8h, 3d or 2w.")] = "24h",
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Tell nothing of an incident for a while; if it still goes on then, it is told again."""
    from farthing.alerts.incidents import snoozed

    for_, now = span_of(span, "--for"), datetime.now(UTC)
    _change(
        number, lambda one: snoozed(one, now, for_, person()), f"snoozed for {span}", ledger, config, as_json=as_json
    )


@app.command()
def resolve(
    number: Number,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """Close an incident by hand; the same episode does not open it again."""
    from farthing.alerts.incidents import resolved

    now = datetime.now(UTC)
    _change(number, lambda one: resolved(one, now, person()), "resolved", ledger, config, as_json=as_json)


@app.command("test")
def try_(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in the channels file.")],
    as_json: output.Json = False,
    config: options.Config = None,
) -> None:
    """Send a test message to a channel now. Exits with 1 where it does not arrive."""
    from farthing.alerts.send import Undelivered, send_message
    from farthing.alerts.trial import trial

    channels = {one.name: one for one in channels_of(config, must_exist=True)}
    if channel not in channels:
        raise BadInput(f"found no channel {channel!r}", f"one of {', '.join(channels) or 'none: the file is empty'}")
    now = datetime.now(UTC)
    try:
        send_message(channels[channel], trial(channel, now), now)
    except Undelivered as fault:
        raise BadInput(f"channel {channel}: {fault.why}", "an answer of 2xx") from None
    if as_json:
        output.print_json({"channel": channel, "sent": True})
    else:
        output.console().print(f"Sent a test message to {channel}.", markup=False)


@app.command()
def forecast(
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Forecast from this time on.")] = None,
    where: options.Where = None,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Forecast the next day by the hour, the end of the month, and each budget's end, with intervals.

    Exits with 2 where a budget is expected to pass its limit.
    """
    from farthing.alerts.coming import coming
    from farthing.alerts.owners import standings
    from farthing.cli.alerts_view import forecast_json, print_forecast
    from farthing.cli.ledger_file import ledger_path, open_ledger

    now, settings = _time(at), sharpness_of(config)
    with open_ledger(ledger_path(ledger, config), must_exist=True) as opened:
        found = coming(opened, now, options.filters(where), settings.history_days)
        owners = standings(opened, budgets_of(config), now, settings.history_days)
    if as_json:
        output.print_json(forecast_json(found, owners, now))
    else:
        print_forecast(found, owners, now)
    if any(one.will_pass for one in owners):
        raise typer.Exit(FIRING)


def _time(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    from zoneinfo import ZoneInfo

    return options.time_of(at, "--at", ZoneInfo("UTC"))


def _delivered(store: AlertStore, channels: Sequence[Channel], now: datetime) -> Delivered:
    from farthing.alerts.send import deliver

    return deliver(store, channels, now)


def _change(
    number: int,
    how: Callable[[Incident], Incident],
    word: str,
    ledger: Path | None,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    from farthing.alerts.messages import incident_json, plain

    with store_of(ledger, config) as store:
        incident = store.change(number, how)
    if as_json:
        found: dict[str, Any] = incident_json(incident)
        output.print_json(found)
    else:
        output.console().print(f"Incident {number} is {word}: {plain(incident.title)}", markup=False)
