"""A small ledger of made-up calls of four tenants, with names that would do harm if a page took them for markup."""

import re
from datetime import UTC, datetime
from itertools import count

from starlette.testclient import TestClient

from farthing.call import Call, Served, Usage
from farthing.dashboard.access import Access
from farthing.dashboard.books import Books
from farthing.dashboard.web import Site, create_app
from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.ledger.interface import Posting, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.outcome import Outcome
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

NOW = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"
"""A tag as an attacker would choose it."""


def posted(call):
    return Stored(call, Posting.of(price_served(shipped_book(), call.served, call.sent_at)))


def made_calls():
    """Two days of each of two months, two odd calls and one that no book has a price for."""
    starts = datetime(2026, 10, 17, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC)
    asks = [
        ask for n, start in enumerate(starts) for ask in fleet(start, 2, tenants=4, sessions_per_day=10, seed=3 + n)
    ]
    found = list(executed(ask for ask in asks if ask.at < NOW))
    numbers = count()
    for dims in (
        {"tenant": "tenant-01", "feature": HOSTILE, "session": HOSTILE, "prompt": HOSTILE, "team": HOSTILE},
        {"tenant": HOSTILE, "feature": "=1+1", "session": "s,1"},
    ):
        served = Served(model="claude-sonnet-4-5", usage=Usage(input_tokens=1000, output_tokens=100))
        at = datetime(2026, 11, 18, 9, next(numbers), tzinfo=UTC)
        found.append(Call(call_id=f"odd-{at.minute}", sent_at=at, source="jsonl", served=served, dims=dims))
    at = datetime(2026, 11, 18, 10, tzinfo=UTC)
    served = Served(model=f"claude-{HOSTILE}", usage=Usage(input_tokens=5, output_tokens=7))
    dims = {"tenant": "tenant-02", "feature": "odd"}
    found.append(Call(call_id="unpriced-1", sent_at=at, source="jsonl", served=served, dims=dims))
    return sorted(found, key=lambda call: call.sent_at)


def made_outcomes(calls):
    """What was told of those calls, and what it was corrected to: of several tenants, of one and of nobody."""

    def one(outcome_id, tenant, status="success", **facts):
        at = facts.pop("at", NOW)
        dims = {"tenant": tenant} if tenant else {}
        return Outcome(outcome_id=outcome_id, happened_at=at, status=status, dims=dims, **facts)

    mine, theirs = (of_tenant(calls, tenant)[-2] for tenant in ("tenant-01", "tenant-02"))
    solved = {"name": "ticket_solved", "value_pusd": 12_500_000_000_000, "revenue_pusd": 990_000_000_000}
    first = [
        one("t-1", "tenant-02", "failure", session="tenant-02-00001", **solved),
        one("t-2", "tenant-01", session="tenant-01-00001", **solved),
        one("t-3", "tenant-02", session="tenant-01-00003", value_pusd=3 * 10**12),
        one("t-4", "tenant-01", "failure", session="tenant-01-00004", name="ticket_solved"),
        one("nobody-1", None, session="tenant-01-00002", value_pusd=777 * 10**12, revenue_pusd=10**12),
        one("nobody-2", None, request=mine.call_id, name="merged", revenue_pusd=5 * 10**12),
        one("nobody-3", None, tag_name="feature", tag_value="contract-questions", revenue_pusd=10**9),
        one("grab", "tenant-02", request=mine.call_id, value_pusd=10**12),
        one("r-1", "tenant-01", request=mine.call_id, name="merged", revenue_pusd=2 * 10**12),
        one("r-2", "tenant-02", "other", request=theirs.call_id, name="merged"),
        one("tag-1", "tenant-02", tag_name="feature", tag_value="support-chat", name="talk"),
        one("lost", "tenant-01", session="no such session", name="ticket_solved"),
        one("lost too", "tenant-02", session="no such session either"),
        one(HOSTILE, "tenant-01", session=HOSTILE, name=HOSTILE, revenue_pusd=-1),
    ]
    told_again = [
        one("t-1", "tenant-02", session="tenant-02-00001", **solved),
        one("t-3", "tenant-01", session="tenant-01-00003", value_pusd=4 * 10**12),
        one("t-4", "tenant-01", session="tenant-01-00004", name="ticket_solved", value_pusd=10**12),
    ]
    return first, told_again


def tell(ledger, calls, of=lambda _outcome: True):
    """Tell a ledger of them, one word after the other."""
    for words in made_outcomes(calls):
        ledger.add_outcomes(filter(of, words), received_at=NOW)


class OpenLedger(MemoryLedger):
    """Each request closes what it opened; this one is opened once for all."""

    def close(self):
        pass


def books_over(ledger):
    return Books(lambda: ledger, lambda: 1)


def client_of(ledger, desk, access=None, *, now=NOW, hosts=frozenset(), address="127.0.0.1"):
    site = Site(books_over(ledger), desk, access or Access(is_open=True), lambda: now, hosts)
    return TestClient(create_app(site), base_url="http://127.0.0.1", follow_redirects=False, client=(address, 40_000))


def form_token(html):
    return re.search(r'name="form_token" value="([0-9a-f]{64})"', html)[1]


def without_token(html):
    return re.sub(r'(name="form_token" value=")[0-9a-f]{64}', r"\1", html)


def of_tenant(calls, tenant):
    return [call for call in calls if call.dims.get("tenant") == tenant]
