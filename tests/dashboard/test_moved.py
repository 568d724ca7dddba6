"""Why the bill moved is said of any number of calls, and is what the calls themselves say."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from tests.dashboard.made import NOW

from farthing.dashboard import moved
from farthing.ledger.interface import Query
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.reports.movement import movement

BEFORE = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 19, 16, tzinfo=UTC)
SPAN = datetime(2026, 11, 1, tzinfo=UTC), NOW


def shown(client, **asked):
    return client.get("/explore", params={"format": "json", **asked}).json()


def causes(page):
    return {
        row["cause"]: row["usd"] for table in page["tables"] if table["name"] == "movement" for row in table["rows"]
    }


@pytest.fixture
def many(monkeypatch):
    """As if every ledger had more calls than can be gone through."""
    monkeypatch.setattr("farthing.dashboard.visit.CALLS_READ_MAX", 1)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("by", [("feature",), ("tenant", "model"), ("service_tier", "project")])
def test_more_calls_than_can_be_read_move_as_call_by_call(client, calls, by):
    sides = [[one for one in calls if since <= one.sent_at < until] for since, until in (BEFORE, SPAN)]
    found = movement(*sides, shipped_book(), by=by)
    assert causes(shown(client, by=",".join(by))) == {bar.name: usd_text(bar.pusd) for bar in found.bars if bar.pusd}


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("by", ["user", "session", "tag:team"])
def test_what_has_no_sums_is_left_to_the_command_line(client, by):
    assert causes(shown(client, by=by)) == {}
    assert "farthing moved" in client.get("/explore", params={"by": by}).text


def test_groups_beyond_the_dearest_are_one_and_said(client, monkeypatch):
    monkeypatch.setattr(moved, "VALUES_MAX", 2)
    html = client.get("/explore", params={"by": "feature"}).text
    assert "The 2 dearest of" in html
    assert "groups are told apart, the others are one." in html


def test_a_period_is_asked_in_parts_without_a_change_of_price():
    since, until = datetime(2026, 9, 1, 22, tzinfo=UTC), datetime(2026, 11, 1, 23, tzinfo=UTC)
    parts = moved._stretches(shipped_book(), Query(since=since, until=until))
    assert (parts[0].since, parts[-1].until) == (since, until)
    assert all(one.until == other.since for one, other in pairwise(parts))
    inside = {part.since.date() for part in parts[1:]}
    assert inside == {day for day in shipped_book().change_days if since.date() < day <= until.date()}
    assert datetime(2026, 10, 7, tzinfo=UTC).date() in inside  # reads of Sonnet 5.5 became cheaper that day
