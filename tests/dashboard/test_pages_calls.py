"""Following calls: what is newer than the reader has seen is marked, filters hold, and the address says it all."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from tests.dashboard.made import NOW, OpenLedger, client_of, posted

from farthing.call import Call, Served, Usage
from farthing.dashboard.pages.calls import PER_PAGE

BEGUN = NOW - timedelta(minutes=10)


def call_of(number, *, at=None, feature="chat", took_s=0):
    served = Served(model="claude-sonnet-5-5", usage=Usage(input_tokens=100 + number, output_tokens=10))
    at = at or BEGUN + timedelta(seconds=number)
    dims, took_ms = {"feature": feature}, 1000 * took_s
    return Call(call_id=f"call-{number}", sent_at=at, source="gateway", served=served, dims=dims, duration_ms=took_ms)


def opened(desk, *calls):
    made = OpenLedger()
    made.add(map(posted, calls))
    return made


def rows(client, path):
    page = client.get(path + ("&" if "?" in path else "?") + "format=json").json()
    return page["tables"][0]["rows"]


def link(html, words):
    return unescape(re.search(rf'<a href="([^"]*)">{words}</a>', html)[1])


def new_ones(html):
    return len(re.findall(r'<td class="good">[^<]* new</td>', html))


def test_a_page_that_is_followed_says_so_and_can_be_stopped(desk):
    client = client_of(opened(desk, call_of(1)), desk)
    quiet = client.get("/calls").text
    assert "data-refresh-s" not in quiet
    live = client.get(link(quiet, "Follow live")).text
    assert 'data-refresh-s="5"' in live
    assert "Renewed every 5 seconds" in live
    assert link(live, "Stop") == "/calls"
    assert "http-equiv" not in live


def test_what_came_since_is_marked_until_it_is_seen(desk):
    ledger = opened(desk, call_of(1), call_of(2))
    client = client_of(ledger, desk)
    live = client.get("/calls?live=1").text
    assert new_ones(live) == 0
    renewed = unescape(re.search(r'data-refresh-from="([^"]*)"', live)[1])
    assert renewed == link(live, "Newer calls")
    ledger.add(map(posted, [call_of(3), call_of(4, feature="other")]))
    later = client_of(ledger, desk)  # another stamp: the ledger has changed
    html = later.get(renewed).text
    assert new_ones(html) == 2
    assert "2 new calls since 19 Nov 15:20:02" in html
    assert unescape(re.search(r'data-refresh-from="([^"]*)"', html)[1]) == renewed  # they stay marked
    assert new_ones(later.get(link(html, "Newer calls")).text) == 0
    filtered = later.get(f"{renewed}&where=feature=other").text
    assert new_ones(filtered) == 1
    assert "where=feature%3Dother" in link(filtered, "Newer calls")


def test_a_call_that_took_long_is_new_when_it_ends(desk):
    ledger = opened(desk, call_of(1), call_of(9, took_s=2))
    live = client_of(ledger, desk).get("/calls?live=1").text
    ledger.add(map(posted, [call_of(3, took_s=30), call_of(2, took_s=1)]))  # the other ended before it was looked
    html = client_of(ledger, desk).get(link(live, "Newer calls")).text
    assert new_ones(html) == 1
    assert "1 new call since 19 Nov 15:20:11" in html


def test_an_empty_ledger_is_followed_too(desk):
    html = client_of(OpenLedger(), desk).get("/calls?live=1").text
    assert "data-refresh-s" in html
    assert "farthing serve" in html


def test_days_that_have_ended_are_left_for_today(desk):
    client = client_of(opened(desk, call_of(1, at=datetime(2026, 10, 5, tzinfo=UTC))), desk)
    assert link(client.get("/calls?range=2026-10").text, "Follow live") == "/calls?range=today&live=1"


def test_a_time_that_is_none_is_refused(client):
    assert client.get("/calls?live=1&seen=soon").status_code == 400
    assert client.get("/calls?live=1&seen=2026-11-19").status_code == 200


@pytest.mark.parametrize("page", [1, 2, 9, 12])
def test_pages_of_an_hour_of_many_calls_follow_each_other(desk, page):
    many = [call_of(number) for number in range(580)]
    client = client_of(opened(desk, *many, call_of(1000, at=NOW + timedelta(minutes=20))), desk)
    wanted = [1000, *reversed(range(len(many)))][PER_PAGE * (page - 1) : PER_PAGE * page]
    assert [row["call_id"] for row in rows(client, f"/calls?page={page}")] == [f"call-{n}" for n in wanted]
