"""The whole season: what the first page of the documentation says of it."""

from collections import Counter

import pytest

from farthing.demo.executed import executed
from farthing.demo.season import APPLIED, CACHED, NOW, START, season
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served


@pytest.fixture(scope="module")
def calls():
    """The gateway reads a stream to its end where its client has left, so each answer is whole."""
    return list(executed(ask._replace(left_after_events=None) for ask in season()))


def test_the_readme_says_what_it_comes_to(calls, root):
    bills = {call.call_id: price_served(shipped_book(), call.served, call.sent_at) for call in calls}
    assert len(bills) == len(calls)
    told = (root / "README.md").read_text(encoding="utf-8")
    assert f"sent {len(calls):,} calls" in told
    assert f"The ledger: ${usd_text(sum(bill.list_pusd for bill in bills.values()))}. Equal." in told


def test_it_stays_within_its_days_and_nine_tenants(calls):
    assert calls[0].sent_at >= START
    assert calls[-1].sent_at < NOW
    assert len({call.dims["tenant"] for call in calls}) == 9


def test_the_step_that_is_followed_begins_to_read_what_it_wrote(calls):
    reads = Counter()
    for call in calls:
        if call.dims["feature"] == CACHED:
            reads[call.sent_at >= APPLIED] += call.served.usage.cache_read_tokens
    assert reads[False] == 0
    assert reads[True] > 1_000_000
