"""A ledger that is only read answers as one that is written does."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.ledger.conftest import NOON

from farthing.call import Usage
from farthing.ledger import open_ledger, reading, rollup
from farthing.ledger.interface import Query
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.reading import DuckDBReader

EVERY = Query(by=("feature",), bucket="day")


@pytest.fixture
def kept(path, make):
    calls = [
        make(
            f"c{number}",
            at=NOON + timedelta(hours=number * 5, microseconds=number),
            dims={"session": f"s{number % 4}", "feature": f"f{number % 3}"} if number % 5 else {"tenant": "t"},
        )
        for number in range(60)
    ]
    plain = MemoryLedger()
    plain.add(calls)
    with open_ledger(path) as made:
        made.add(calls)
    return plain


@pytest.mark.parametrize("sessions", [("s1",), ("s1", "s3"), ("none",), ("",), ("", "s2"), ()])
@pytest.mark.parametrize(
    "edges",
    [
        {},
        {"since": NOON + timedelta(hours=40)},
        {"until": NOON + timedelta(hours=90)},
        {"since": NOON + timedelta(days=400)},
        {"until": NOON - timedelta(days=400)},
    ],
)
def test_what_is_asked_about_sessions_is_found_in_their_stretch_of_time(kept, path, sessions, edges):
    query = Query(where={"session": sessions}, **edges)
    with DuckDBReader(path) as reader:
        for _ in range(2):
            assert list(reader.calls(query)) == list(kept.calls(query))
            assert reader.latest(query, 3, 1) == kept.latest(query, 3, 1)
            assert reader.report(query) == kept.report(query)
            assert reader.hours(query) == kept.hours(query)
            for more in ({"where": {**query.where, "feature": ("f1",)}}, {"timezone": "Asia/Kolkata"}):
                grouped = msgspec.structs.replace(query, by=EVERY.by, bucket="day", **more)
                assert reader.report(grouped) == kept.report(grouped)


def test_whole_days_and_the_hours_beside_them_make_any_span(kept, path):
    """Spans that begin and end within a day, on its edge, and within the same one."""
    hours = (0, 1, 11, 12, 13, 30, 36, 60, 84, 200)
    with DuckDBReader(path) as reader:
        for first in hours:
            for length in hours[1:]:
                since = NOON + timedelta(hours=first)
                query = Query(by=("feature",), since=since, until=since + timedelta(hours=length))
                assert reader.report(query) == kept.report(query)
                assert reader.dearest(query, ("feature", "tenant"), 2) == kept.dearest(query, ("feature", "tenant"), 2)


def test_a_session_of_many_calls_is_read_as_any_others_are(kept, path, monkeypatch):
    monkeypatch.setattr(reading, "_FEW", 3)
    query = Query(where={"session": ("s1",)})
    with DuckDBReader(path) as reader:
        assert len(found := list(reader.calls(query))) > 3
        assert found == list(kept.calls(query))


def test_sessions_and_request_ids_are_found_whatever_became_of_their_calls(path, make, monkeypatch):
    """A call that is known better comes in its place with another session, and days are merged."""
    monkeypatch.setattr(rollup, "LOOSE_MAX", 3)
    plain = MemoryLedger()
    with open_ledger(path) as ledger:
        for number in range(30):
            records = [
                make(
                    f"c{number % 7}",
                    at=NOON + timedelta(hours=9 * number),
                    request=f"r{number % 7}",
                    usage=Usage(output_tokens=number),
                    dims={"session": f"s{number % 4}"},
                ),
                make(f"d{number}", at=NOON + timedelta(minutes=number), request="shared", dims={"session": "long"}),
            ]
            assert ledger.add(records) == plain.add(records)
        assert ledger._number("SELECT count(*) - count(DISTINCT (session_key, sent_at)) FROM session_hours") < 5
    with DuckDBReader(path) as reader:
        for session in ("s0", "s1", "s2", "s3", "long"):
            query = Query(where={"session": (session,)})
            assert list(reader.calls(query)) == list(plain.calls(query))
        for name in (*(f"r{number}" for number in range(7)), "shared", "r9"):
            assert reader.get(name) == plain.get(name)
