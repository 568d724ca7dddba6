"""Which sums answer a question, and that every table of them has every call."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest
from tests.ledger.conftest import NOON

from farthing.call import DIMENSIONS
from farthing.ledger import open_ledger, relations, store
from farthing.ledger.asking import NOT_ROLLED_UP
from farthing.ledger.interface import FACTS, Query
from farthing.ledger.memory import MemoryLedger

SUMMED = tuple(name for name in (*DIMENSIONS, *FACTS) if name not in NOT_ROLLED_UP)
RATES = ("model", "channel", "service_tier", "speed", "inference_geo")


@pytest.mark.parametrize(
    ("names", "hourly", "daily"),
    [
        ((), "rollup_rates", "rollup_name_days"),
        (("kind",), "rollup_rates", "rollup_name_days"),
        (("feature", *RATES, "kind"), "rollup_rates", "rollup_name_days"),
        (("tenant", "kind"), "rollup_names", "rollup_name_days"),
        (("tenant", "model"), "rollup", "rollup_name_days"),
        (("tenant", "feature"), "rollup", "rollup_days"),
        (("source", "stop_reason", "model"), "rollup", "rollup_days"),
    ],
)
def test_the_smallest_that_tell_apart_what_is_asked(names, hourly, daily):
    found = relations.hourly(names), relations.daily(names)
    assert [next(one for one in reversed(text.split()) if "rollup" in one) for text in found] == [hourly, daily]


@pytest.fixture
def calls(make):
    """Calls that differ in each dimension, some of which they lack, over days and hours."""
    return [
        make(
            f"c{number}",
            at=NOON + timedelta(hours=7 * number),
            source=f"s{number % 2}",
            stop_reason=(None, "end_turn", "refusal")[number % 3],
            dims={
                name: f"{name}{number % (place + 2)}" for place, name in enumerate(DIMENSIONS) if number % (place + 4)
            },
        )
        for number in range(40)
    ]


@pytest.fixture
def both(path, calls):
    """The same calls in a file, and in memory, where nothing is summed ahead."""
    plain = MemoryLedger()
    plain.add(calls)
    with open_ledger(path) as ledger:
        ledger.add(calls)
        yield ledger, plain


def test_each_dimension_alone_and_with_what_decides_a_rate(both):
    ledger, plain = both
    for name in SUMMED:
        for by in ((name,), (name, "kind"), tuple(dict.fromkeys((name, *RATES)))):
            for bucket in (None, "hour", "day"):
                query = Query(by=by, bucket=bucket)
                assert ledger.report(query) == plain.report(query)


def test_filters_go_by_the_same_sums(both):
    ledger, plain = both
    for name in SUMMED:
        for row in plain.report(Query(by=(name,))):
            query = Query(by=("model",), bucket="day", where={name: (row.key[0] or "",)})
            assert ledger.report(query) == plain.report(query)
            assert ledger.hours(query) == plain.hours(query)
            assert ledger.dearest(query, ("feature", "model"), 2) == plain.dearest(query, ("feature", "model"), 2)


def test_a_ledger_from_before_gets_them(path, calls):
    """Tables that version 9 had none of are made of those that it had, and then say the same."""
    with open_ledger(path) as ledger:
        ledger.add(calls)
        ledger.add([calls[0]])
    with duckdb.connect(str(path)) as connection:
        wanted = {name: sums(connection, name) for name in relations.TABLES}
        for table in ("rollup_rates", "rollup_names", "rollup_name_days"):
            connection.execute(f"DROP TABLE {table}")
        found = connection.execute("SELECT * FROM session_hours ORDER BY ALL").fetchall()
        keys = connection.execute("SELECT * FROM request_keys ORDER BY ALL").fetchall()
        connection.execute("DROP TABLE session_hours; DROP TABLE request_keys")
        for number, _, text in store.migrations():
            if number in {10, 11}:
                connection.execute(text)
        assert {name: sums(connection, name) for name in relations.TABLES} == wanted
        assert connection.execute("SELECT * FROM session_hours ORDER BY ALL").fetchall() == found
        assert connection.execute("SELECT * FROM request_keys ORDER BY ALL").fetchall() == keys
        assert len(found) > 3
        assert len(keys) == len(calls)


def sums(connection, table):
    """A table of sums with one row per group."""
    measures = "'(calls|tokens|requests|pusd)$'"
    dimensions = f"COLUMNS(lambda name: NOT regexp_matches(name, {measures}))"
    query = f"SELECT {dimensions}, sum(COLUMNS({measures})) FROM {table} GROUP BY ALL HAVING sum(calls) <> 0"
    found = connection.execute(f"{query} ORDER BY ALL").fetchall()
    assert found
    return found
