"""
The month, sent: by the official SDK, through the gateway, to the sandbox, on a clock that runs a month in seconds.

Nothing is imported: the ledger learns of each call as it would of anybody's. At the end the sandbox's own cost report
says what it billed, and the two must agree to the picodollar.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from farthing import testing
from farthing.config import load
from farthing.demo.asking import asking
from farthing.demo.traffic import DAYS, traffic
from farthing.gateway.server import GatewayServer
from farthing.prices.book import shipped_book

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import anthropic

    from farthing.config import GatewaySettings

_PUSD_PER_CENT = 10**10
_BATCH_SENT = time(2, 59, 59)


class Sent(NamedTuple):
    """
    What came of the month.

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


def send_month(ledger: Path, end: date, *, advance: Callable[[int], None] = lambda _done: None) -> Sent:
    """
    Send the 30 days before *end* and fill *ledger* from what passes.

    Args:
        ledger: The ledger's file; made if it is not there. Journals lie beside it.
        end: First day without traffic.
        advance: Told how many calls more are done, now and then.

    Raises:
        ImportError: The official SDK, ``anthropic``, is not installed.
        FarthingError: The gateway could not start.

    """
    import anthropic  # noqa: PLC0415 - an extra

    rows = traffic(end)
    start = datetime.combine(end - timedelta(days=DAYS), time(), UTC)
    log: list[str] = []
    with testing.sandbox(start=start, tier=None) as box:
        gateway = GatewayServer(_settings(box.base_url), ledger, book=shipped_book(), now=box.clock.now, log=log.append)
        gateway.start()
        try:
            with anthropic.Anthropic(base_url=gateway.base_url, api_key=box.key, max_retries=0) as client:
                batches = _send(client, box, rows, advance)
        finally:
            gateway.stop()
        box.clock.set(datetime.combine(end + timedelta(days=1), time(), UTC))
        reported_pusd = _cost_report_pusd(box, start)
    return Sent(len(rows), batches, reported_pusd, tuple(line for line in log if not line.startswith(("GET", "POST"))))


def _settings(upstream: str) -> GatewaySettings:
    return msgspec.structs.replace(load(environment={}).config.gateway, upstream=upstream, journals=None)


def _send(
    client: anthropic.Anthropic,
    box: testing.Sandbox,
    rows: list[dict[str, Any]],
    advance: Callable[[int], None],
) -> int:
    """Everything in the order of its time; what can wait goes together, once a night."""
    steps = [(_at(row), [row]) for row in rows if not _can_wait(row)]
    batches = _batches([row for row in rows if _can_wait(row)])
    for at, sent in sorted(steps + batches, key=lambda step: step[0]):
        box.clock.set(at)
        if _can_wait(sent[0]):
            _send_batch(client, sent)
        else:
            _send_one(client, box, sent[0])
        advance(len(sent))
    return len(batches)


def _batches(rows: list[dict[str, Any]]) -> list[tuple[datetime, list[dict[str, Any]]]]:
    """Who waits for the same night goes into one batch, by tenant and feature: a batch has one set of tags."""
    together: dict[tuple[date, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        together[_at(row).date(), row["tags"]["tenant"], row["tags"]["feature"]].append(row)
    return [(datetime.combine(night, _BATCH_SENT, UTC), sent) for (night, _, _), sent in together.items()]


def _send_one(client: anthropic.Anthropic, box: testing.Sandbox, row: Mapping[str, Any]) -> None:
    request = asking(row)
    if request.reply is not None:
        box.reply(request.reply)
    client.messages.create(**request.params, extra_headers=request.headers)


def _send_batch(client: anthropic.Anthropic, rows: list[dict[str, Any]]) -> None:
    """Send it and ask what became of it; that is when the gateway fetches the results for their counts."""
    requests: Any = [{"custom_id": row["id"], "params": asking(row).params} for row in rows]
    of_one = {"x-farthing-tag-session", "x-farthing-tag-user"}
    headers = {name: value for name, value in asking(rows[0]).headers.items() if name not in of_one}
    batch = client.messages.batches.create(requests=requests, extra_headers=headers)
    client.messages.batches.retrieve(batch.id, extra_headers=headers)


def _cost_report_pusd(box: testing.Sandbox, start: datetime) -> int:
    """Add up ``/v1/organizations/cost_report`` from *start* on; its amounts are cents, as decimal strings."""
    query = {"starting_at": f"{start:%Y-%m-%dT%H:%M:%SZ}", "limit": "31"}
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


def _at(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["at"])


def _can_wait(row: Mapping[str, Any]) -> bool:
    return bool(row["usage"]["service_tier"] == "batch")
