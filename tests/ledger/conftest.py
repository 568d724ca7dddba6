"""What the ledger's tests share: both engines behind one fixture, and a workshop that makes records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from farthing.call import Call, Served, Usage, call_identity
from farthing.ledger import open_ledger
from farthing.ledger.interface import Posting, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "duckdb"])
def ledger(request, tmp_path):
    path = None if request.param == "memory" else tmp_path / "ledger.duckdb"
    with open_ledger(path) as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.duckdb"


@pytest.fixture(scope="session")
def book():
    return shipped_book()


@pytest.fixture
def make():
    return make_stored


@pytest.fixture(scope="session", name="make_stored")
def _make_stored():
    """As ``make``, for tests that hypothesis runs many times."""
    return make_stored


def make_stored(
    name="a",
    *,
    at=NOON,
    model="claude-sonnet-4-5-20250929",
    usage=None,
    request="r",
    posting=None,
    source="gateway",
    dims=None,
    **served,
):
    """A record of message ``name``, posted at what the shipped book says unless *posting* is given."""
    facts = Served(
        model=model,
        usage=usage or Usage(input_tokens=100, output_tokens=10),
        message_id=f"msg_{name}",
        request_id=request and f"req_{name}_{request}",
        **served,
    )
    call = Call(
        call_id=call_identity(facts.message_id, facts.request_id) or name,
        sent_at=at,
        source=source,
        served=facts,
        dims=dims or {},
    )
    return Stored(call, posting or Posting.of(price_served(shipped_book(), facts, at)))
