"""``farthing alerts watch``: rounds of judging and telling, until it is told to end."""

from __future__ import annotations

import _thread
import json
import select
import signal
import socket
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli import options, output
from farthing.cli.alerts_given import budgets_of, channels_of, sharpness_of, span_of, store_path
from farthing.cli.beside import await_end_of_input
from farthing.errors import BadInput

if TYPE_CHECKING:
    from farthing.alerts.rounds import Said, Watcher

_LEAST, _MOST = timedelta(minutes=1), timedelta(days=1)


def watch(
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="How far apart rounds are: 1m to 1d.")] = "1h",
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", help="End when standard input does: for programs that start it.")
    ] = False,
    as_json: output.Json = False,
    ledger: options.LedgerPath = None,
    config: options.Config = None,
) -> None:
    """
    Judge the ledger now and then every hour, tell the channels, and say a line each time, until Ctrl-C or SIGTERM.

    Rounds begin a minute after the hour; messages that did not arrive are sent again in between. A ledger that is being
    written is tried again. Of two watchers of one store the second waits until the first is gone. With --json each line
    is an object.
    """
    from farthing.alerts.rounds import Given, Watcher, alone
    from farthing.cli.ledger_file import ledger_path

    span = span_of(every, "--every")
    if not _LEAST <= span <= _MOST:
        raise BadInput(f"read --every {every!r}", "a span from 1m to 1d")

    def given() -> Given:
        return Given(channels_of(config), budgets_of(config), sharpness_of(config))

    given()  # what is wrong with the settings now is said at once
    store, ending = store_path(ledger, config), _Ending()
    watcher = Watcher(ledger_path(ledger, config), store, given, span, stop=lambda: ending.is_asked)
    ending.watcher = watcher
    if end_with_input:  # whoever started us holds the other end, and it closes however they end
        threading.Thread(target=ending.with_input, daemon=True).start()
    try:
        with alone(store, wait=ending.wait, say=lambda number: _say_waiting(number, as_json=as_json)) as is_alone:
            if is_alone:
                watcher.run(ending.wait, lambda said: _say(said, as_json=as_json))
    except _EndedError:
        pass


class _EndedError(BaseException):
    """Ends a round that is judged, of which nothing is kept yet."""


class _Ending:
    """Whether we are to end, asked for by a signal or by the end of the input; waiting ends with it at once."""

    def __init__(self) -> None:
        self.is_asked = False
        self.watcher: Watcher | None = None
        self._ear, self._bell = socket.socketpair()
        self._bell.setblocking(False)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heed)

    def _heed(self, *_: object) -> None:
        self.is_asked = True
        if self.watcher is not None and self.watcher.is_judging:
            raise _EndedError

    def with_input(self) -> None:
        """Wait for the end of standard input, then end."""
        await_end_of_input()
        _thread.interrupt_main(signal.SIGTERM)
        self._bell.send(b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until we are to end; whether we are."""
        if not self.is_asked:
            select.select([self._ear], [], [], seconds)
        return self.is_asked


def _say_waiting(number: int, *, as_json: bool) -> None:
    who = f"process {number}" if number else "another process"
    if as_json:
        _print({"waiting_for": number or None})
    else:
        _print(f"{who} watches these alerts already; this one goes on when that ends")


def _say(said: Said, *, as_json: bool) -> None:
    _print(said_json(said) if as_json else said_line(said))
    for fault in said.delivered.faults if said.delivered is not None and not as_json else ():
        output.note(fault)


def _print(what: dict[str, Any] | str) -> None:
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")  # in one piece and at once: somebody may read along
    sys.stdout.flush()


def said_json(said: Said) -> dict[str, Any]:
    """A round, or a delivery between two, as one object."""
    found, delivered = said.found, said.delivered
    judged = None
    if found is not None:
        judged = {
            "standing": [one.id for one in found.incidents],
            "firing": [one.id for one in found.firing],
            "changed": [
                {"incident": step.incident.id, "event": step.event, "state": step.incident.state}
                for step in found.steps
            ],
        }
    told = None
    if delivered is not None:
        told = {"sent": delivered.sent, "failed": delivered.failed, "given_up": delivered.given_up}
    return {
        "at": said.at.isoformat(),
        "error": said.fault or None,
        "judged": judged,
        "delivered": told,
        "next_at": said.next_at.isoformat(),
    }


def said_line(said: Said) -> str:
    """The same for people."""
    from farthing.alerts.messages import usd

    parts = []
    if said.fault:
        parts.append(f"could not judge: {said.fault}")
    if said.found is not None:
        found = said.found
        stake = sum(one.stake_pusd or 0 for one in found.firing)
        new = sum(step.event == "opened" for step in found.steps)
        over = sum(step.incident.state == "resolved" for step in found.steps)
        parts.append(f"{len(found.firing)} open" + (f", {usd(stake)} at stake" if stake else ""))
        parts += [f"{count} {word}" for count, word in ((new, "new"), (over, "over")) if count]
        parts.append(f"{found.watch.series} series watched")
    if said.delivered is not None and (said.delivered.sent or said.delivered.faults):
        told = said.delivered
        parts.append(f"{told.sent} messages sent, {told.failed} to be tried again, {told.given_up} given up")
    return f"{said.at:%Y-%m-%d %H:%M} UTC: {'; '.join(parts)}; next round {said.next_at:%H:%M:%S}"
