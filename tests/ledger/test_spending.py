"""Calls summed by what is asked for; sums worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from farthing.call import Call, Request, Served, Usage
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.spending import Spending, Wanted

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def row(number, pusd, minutes=0, asked="", high=None, **dims):
    call = Call(
        call_id=str(number),
        sent_at=NOON + timedelta(minutes=minutes),
        source="gateway",
        served=Served(model="served", usage=Usage(input_tokens=1)),
        dims=dims,
        request=Request(model=asked) if asked else None,
    )
    return Stored(call, Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=high if pusd is None else pusd))


@pytest.fixture
def ledger(tmp_path):
    with DuckDBLedger(tmp_path / "ledger.duckdb") as ledger:
        ledger.add(
            [
                row(1, 10**20, tenant="a", team="red", gateway_call="1"),
                row(2, 10**20, minutes=1, tenant="a", team="red", gateway_call="2"),
                row(3, None, minutes=2, tenant="a", team="red", high=4),
                row(4, None, minutes=3, tenant="a", team="red"),
                row(5, 5, minutes=4, tenant="a", team="", asked="asked"),
                row(6, 6, minutes=5, asked="asked"),
            ]
        )
        yield ledger


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def test_all_is_one_group_where_nothing_is_asked_for(ledger):
    assert ledger.spending(Query(), Wanted((), by_model=False, edges=())) == [
        Spending({}, "", NOON, 6, 1, 2 * 10**20 + 15)
    ]
    assert ledger.spending(Query(since=at(60)), Wanted((), by_model=False, edges=())) == []


def test_a_value_that_is_missing_is_another_than_one_that_is_empty(ledger):
    red = {"tenant": "a", "team": "red"}
    assert ledger.spending(Query(), Wanted(("tenant", "team"), by_model=True, edges=())) == [
        Spending(red, "served", NOON, 4, 1, 2 * 10**20 + 4),
        Spending({"tenant": "a", "team": ""}, "asked", at(4), 1, 0, 5),
        Spending({}, "asked", at(5), 1, 0, 6),
    ]


def test_calls_on_two_sides_of_an_edge_are_told_apart(ledger):
    found = ledger.spending(Query(until=at(5)), Wanted((), by_model=False, edges=(at(4), at(1), at(1))))
    assert [(one.first_at, one.calls, one.unpriced_calls, one.pusd) for one in found] == [
        (NOON, 1, 0, 10**20),
        (at(1), 3, 1, 10**20 + 4),
        (at(4), 1, 0, 5),
    ]
