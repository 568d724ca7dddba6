"""Pages that sum call by call look at as many of the newest calls as they can, and say so."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest
from tests.dashboard.made import client_of, posted

from farthing.dashboard import newest
from farthing.dashboard.pages import explore
from farthing.ledger import open_ledger
from farthing.ledger.reading import DuckDBReader
from farthing.money import usd_text

FEW = 30
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("ledger") / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, calls))

    class Kept(DuckDBReader):
        def close(self):
            """Each request would."""

    ledger = Kept(path)
    yield ledger
    DuckDBReader.close(ledger)


@pytest.fixture
def client(reader, desk):
    return client_of(reader, desk)


@pytest.fixture
def few(monkeypatch):
    """No more calls than these are summed."""
    monkeypatch.setattr(newest, "SUMMED_MAX", FEW)
    return FEW


def page(client, path, **asked):
    return client.get(path, params={"format": "json", "range": "2026-11", **asked}).json()


def shown(client, path, **asked):
    return client.get(path, params={"range": "2026-11", **asked}).text


def table(found, name):
    return next(one for one in found["tables"] if one["name"] == name)


def kept_of(calls, most):
    """The calls of the newest hours that have no more than *most* together; of the newest hour, whatever it has."""
    hours = defaultdict(list)
    for call in calls:
        if call.sent_at >= SINCE:
            hours[call.sent_at.replace(minute=0, second=0, microsecond=0)].append(call)
    kept, since = [], None
    for hour in sorted(hours, reverse=True):
        if kept and len(kept) + len(hours[hour]) > most:
            break
        kept, since = kept + hours[hour], hour
    return kept, since


def priced(calls):
    return sum(posted(call).posting.list_pusd or 0 for call in calls)


@pytest.mark.parametrize("most", [1, 20, 30])
def test_sessions_are_of_the_newest_calls(client, calls, monkeypatch, most):
    monkeypatch.setattr(newest, "SUMMED_MAX", most)
    kept, since = kept_of(calls, most)
    of = sum(call.sent_at >= SINCE for call in calls)
    assert 0 < len(kept) < of
    found = table(page(client, "/sessions"), "sessions")["rows"]
    sums = defaultdict(list)
    for call in kept:
        if call.dims.get("session"):
            sums[call.dims["session"], call.dims.get("feature")].append(call)
    for row in found:
        inside = sums.pop((row["session"], row["feature"]))
        assert (row["calls"], row["usd"]) == (len(inside), usd_text(priced(inside)))
    assert len(found) == 60 or not sums
    assert f"newest {len(kept):,} of {of:,} calls, since {since:%-d %b %H:%M}" in shown(client, "/sessions")
    opened = found[0]["session"]
    whole = [call for call in calls if call.dims.get("session") == opened and call.sent_at >= SINCE]
    assert page(client, "/sessions", open=opened)["figures"]["usd"]["value"] == usd_text(priced(whole))


@pytest.mark.parametrize("by", ["user", "session", "tag:team", "model,session"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_groups_are_of_the_newest_calls(client, calls, few, by, zone):
    kept, _ = kept_of(calls, few)
    found = page(client, "/explore", by=by, tz=zone)
    groups = table(found, "groups")["rows"]
    assert sum(row["calls"] for row in groups) == len(kept)
    assert all(row["change"] is None for row in groups)
    assert sum(row["calls"] for row in found["report"]["rows"]) == len(kept)
    assert f"newest {len(kept):,} of" in shown(client, "/explore", by=by, tz=zone)
    assert "newest" not in shown(client, "/explore", by="feature,model")


def test_of_many_groups_the_dearest_are_shown(client, calls, monkeypatch):
    whole = table(page(client, "/explore", by="session"), "groups")["rows"]
    assert all(row["change"] is not None for row in whole)
    monkeypatch.setattr(newest, "CALLS_READ_MAX", 10)
    monkeypatch.setattr(explore, "_ROWS_SHOWN", 5)
    few = table(page(client, "/explore", by="session"), "groups")
    assert few["rows"] == [{**row, "change": None} for row in whole[:5]]
    assert "The dearest 5;" in shown(client, "/explore", by="session")
    monkeypatch.setattr(explore, "_ROWS_SHOWN", 1000)
    assert table(page(client, "/explore", by="session"), "groups")["rows"] == whole
    assert Counter(call.sent_at >= SINCE for call in calls)[True] == sum(row["calls"] for row in whole)


def test_where_all_can_be_summed_nothing_is_said(client, calls, monkeypatch):
    before = page(client, "/sessions")
    monkeypatch.setattr(newest, "SUMMED_MAX", sum(call.sent_at >= SINCE for call in calls))
    assert page(client, "/sessions") == before
    assert "newest" not in shown(client, "/sessions")
