"""Three weeks of calls of two tenants, priced by hand, in a ledger in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from farthing.alerts.store import AlertStore
from farthing.call import Call, Served, Usage
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Stored

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAYS = 21
CENT = 10**10


class Maker:
    """Calls, each of a price that is given."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.made = 0

    def calls(self, at, count, *, pusd=CENT, model="m-small", usage=None, stop_reason="end_turn", **dims):
        rows = []
        for n in range(count):
            self.made += 1
            served = Served(model=model, usage=usage or Usage(1000, 0, 0, 3000, 100), stop_reason=stop_reason)
            sent_at = at + timedelta(seconds=n * 3600 // max(1, count))
            call = Call(call_id=f"c{self.made}", sent_at=sent_at, source="test", served=served, dims=dims)
            rows.append(Stored(call, Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd)))
        self.ledger.add(rows)

    def quiet_weeks(self, tenants=("acme", "bolt"), feature="chat", until=NOW, days=DAYS, **more):
        """Four calls an hour by day, one by night."""
        for hours in range(days * 24):
            at = until - timedelta(days=days) + timedelta(hours=hours)
            for tenant in tenants:
                self.calls(at, 4 if 8 <= at.hour < 20 else 1, tenant=tenant, feature=feature, **more)


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def ledger():
    with open_ledger(None) as opened:
        yield opened


@pytest.fixture
def maker(ledger):
    return Maker(ledger)


@pytest.fixture
def store(tmp_path):
    opened = AlertStore(tmp_path / "alerts.sqlite")
    yield opened
    opened.close()
