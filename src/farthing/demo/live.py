"""
The season, sent: by the official SDK, through the gateway, to the sandbox, on a clock that runs weeks in seconds.

Nothing is imported: the ledger learns of each call as it would of anybody's. At the end the sandbox's own cost report
says what it billed, and the two must agree to the picodollar.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing import testing
from farthing.config import load
from farthing.demo.season import END, START, season
from farthing.gateway.server import GatewayServer
from farthing.prices.book import shipped_book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import anthropic

    from farthing.config import GatewaySettings
    from farthing.demo.fleet import Ask

_PUSD_PER_CENT = 10**10
_FAST = "fast-mode-2026-02-01"
_OF_ONE = ("session", "user")
"""Tags that requests of one batch do not share."""


class Sent(NamedTuple):
    """
    What came of the season.

    Attributes:
        calls: Requests sent, those of batches too.
        batches: How many batches carried some of them.
        reported_pusd: What the sandbox's cost report says that they cost.
        log: What the gateway had to say, but for its line per request.

    """

    calls: int
    batches: int
    reported_pusd: int
    log: tuple[str, ...]


def send_season(ledger: Path, *, advance: Callable[[int], None] = lambda _done: None) -> Sent:
    """
    Send the season and fill *ledger* from what passes.

    Args:
        ledger: The ledger's file; made if it is not there. Journals lie beside it.
        advance: Told how many calls more are done, now and then.

    Raises:
        ImportError: The official SDK, ``anthropic``, is not installed.
        FarthingError: The gateway could not start.

    """
    import anthropic  # noqa: PLC0415 - an extra

    asks = season()
    log: list[str] = []
    with testing.sandbox(start=START, tier=None) as box:
        gateway = GatewayServer(_settings(box.base_url), ledger, book=shipped_book(), now=box.clock.now, log=log.append)
        gateway.start()
        try:
            with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
                batches = 0
                for together in _steps(asks):
                    box.clock.set(together[-1].at)
                    box.reply(*(ask.reply for ask in together))
                    if together[0].batch:
                        _send_batch(client, together)
                        batches += 1
                    else:
                        _send_one(client, together[0])
                    advance(len(together))
        finally:
            gateway.stop()
        box.clock.set(END)
        reported_pusd = _cost_report_pusd(box)
    return Sent(len(asks), batches, reported_pusd, tuple(line for line in log if not line.startswith(("GET", "POST"))))


def _settings(upstream: str) -> GatewaySettings:
    return msgspec.structs.replace(load(environment={}).config.gateway, upstream=upstream, journals=None)


def _steps(asks: Sequence[Ask]) -> Iterator[list[Ask]]:
    """What is sent at once, in order of time: a request, or a batch of those of one tenant and day that can wait."""
    waiting = [ask for ask in asks if ask.batch]
    waiting.sort(key=lambda ask: (ask.at.date(), ask.tags["tenant"], ask.tags["feature"], ask.at))
    batches = groupby(waiting, key=lambda ask: (ask.at.date(), ask.tags["tenant"], ask.tags["feature"]))
    steps = [[ask] for ask in asks if not ask.batch] + [list(group) for _, group in batches]
    yield from sorted(steps, key=lambda step: (step[-1].at, step[-1].tags["session"]))


def _send_one(client: anthropic.Anthropic, ask: Ask) -> None:
    headers = _headers(ask)
    body = {name: value for name, value in ask.body.items() if name not in ("speed", "stream")}
    if "speed" in ask.body:
        headers["anthropic-beta"] = _FAST
        body["extra_body"] = {"speed": ask.body["speed"]}
    if not ask.body.get("stream"):
        client.messages.create(**body, extra_headers=headers)
        return
    with client.messages.create(**body, stream=True, extra_headers=headers) as stream:
        for number, _event in enumerate(stream, 1):
            if number == ask.left_after_events:
                break


def _send_batch(client: anthropic.Anthropic, asks: list[Ask]) -> None:
    """Send it and ask what became of it; that is when the gateway fetches the results for their counts."""
    requests: Any = [{"custom_id": ask.tags["session"], "params": ask.body} for ask in asks]
    headers = _headers(asks[0], without=_OF_ONE)
    batch = client.messages.batches.create(requests=requests, extra_headers=headers)
    client.messages.batches.retrieve(batch.id, extra_headers=headers)


def _headers(ask: Ask, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    return {f"x-farthing-tag-{name}": value for name, value in ask.tags.items() if name not in without}


def _cost_report_pusd(box: testing.Sandbox) -> int:
    """Add up ``/v1/organizations/cost_report`` from the start on; its amounts are cents, as decimal strings."""
    query = {"starting_at": f"{START:%Y-%m-%dT%H:%M:%SZ}", "limit": "31"}
    headers = {"x-api-key": box.admin_key, "anthropic-version": "2023-06-01"}
    cents = Decimal(0)
    while True:
        url = f"{box.base_url}/v1/organizations/cost_report?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - our own
            page = json.load(answer)
        cents += sum((Decimal(result["amount"]) for day in page["data"] for result in day["results"]), Decimal(0))
        if not page["has_more"]:
            return int(cents * _PUSD_PER_CENT)
        query["page"] = page["next_page"]
