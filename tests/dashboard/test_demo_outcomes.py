"""The demo's outcomes: the same every time, of every kind of join, and worth looking at."""

from datetime import UTC, datetime

import pytest

from farthing.dashboard.demo_outcomes import demo_outcomes
from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.outcomes import outcome_report

START, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleets_calls():
    return list(executed(ask for ask in fleet(START, 3, tenants=9, sessions_per_day=40, seed=2) if ask.at < UNTIL))


def test_they_are_the_same_every_time_and_none_is_told_before_it_happens(fleets_calls):
    told, corrected = demo_outcomes(fleets_calls, UNTIL)
    assert (told, corrected) == demo_outcomes(iter(fleets_calls), UNTIL)
    assert max(one.happened_at for one in told) < UNTIL
    ids = [one.outcome_id for one in told]
    assert len(set(ids)) == len(ids)
    assert {one.outcome_id for one in corrected} <= set(ids)


def test_every_one_finds_its_calls_by_request_session_or_tag(fleets_calls):
    ledger = MemoryLedger()
    bills = ((call, price_served(shipped_book(), call.served, call.sent_at)) for call in fleets_calls)
    ledger.add(Stored(call, Posting.of(bill)) for call, bill in bills)
    told, corrected = demo_outcomes(fleets_calls, UNTIL)
    for words in (told, corrected):
        ledger.add_outcomes(words, received_at=UNTIL)
    report = outcome_report(ledger, Query(by=("tenant",)))
    assert all(calls > 0 for calls in report.joined.values())
    assert report.total.without_calls == 0
    assert report.total.free_calls > 0
    assert len(report.names) >= 4
    assert all(report.total.by_status[status].outcomes for status in ("success", "failure"))
    assert report.total.margin_pusd is not None
