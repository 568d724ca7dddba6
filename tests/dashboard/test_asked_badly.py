"""Addresses that nobody's link made: each page says what it cannot read, and none falls over."""

import re
from html import unescape

import pytest
from tests.dashboard.made import HOSTILE, NOW, OpenLedger, client_of, posted

from farthing.call import Call, Served, Usage
from farthing.dashboard.nav import PAGES

NAMES = ("range", "tz", "by", "bucket", "where", "prices", "sort", "page", "open", "add")
VALUES = (
    "-1",
    "1e400",
    "9" * 400,
    "\x00",
    "a\r\nset-cookie: x=1",
    HOSTILE,
    "../../etc/passwd",
    "0001-01",
    "0001-01-01",
    "9999-12-31",
    "0001-01-01..9999-12-31",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59-23:59",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "nan",
    "Asia/Kathmandu",
    "a=b;c=d",
    "model=x,batch=true",
    "date=9999-12-31",
)


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_no_value_makes_a_page_fall_over(client, route):
    usual = {"tz": "America/New_York"}
    usual |= {"live": "1"} if "live" in route.own else {"start": "light"} if "start" in route.own else {}
    for name in (*NAMES, *route.own):
        for value in VALUES:
            asked = {**usual, name: value}
            answer = client.get(route.path, params=asked)
            assert answer.status_code in (200, 400, 404), (name, value)
            assert "<img src=x" not in answer.text
            assert "set-cookie: x" not in str(answer.headers).lower()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/?range=0001-01", "days from 2000-01-01 on and before 2100-01-01"),
        ("/prices?open=9999-12-31", "a day from 2000-01-01 on and before 2100-01-01"),
        ("/calls?live=1&seen=0001-01-01&tz=America/New_York", "expected a time"),
        (f"/estimator?start=light&calls={'9' * 400}", "volume.calls_per_day from 1e+400"),
    ],
)
def test_what_cannot_be_read_is_said(client, address, told):
    answer = client.get(address)
    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize(
    ("span", "bucket", "drawn"), [("90d", "hour", "day"), ("2020..2026", "day", "week"), ("2000..2099", "day", "month")]
)
def test_more_bars_than_can_be_drawn_are_drawn_coarser_and_say_so(client, span, bucket, drawn):
    asked = {"range": span, "bucket": bucket, "by": "model"}
    page = client.get("/explore", params={**asked, "format": "json"}).json()
    over_time = next(table for table in page["tables"] if table["name"] == "spend_over_time")["rows"]
    bars = sum(float(value) for row in over_time for name, value in row.items() if name != "start")
    assert bars == pytest.approx(float(page["report"]["totals"]["list_usd"]))
    assert bars > 0
    html = client.get("/explore", params=asked).text
    assert f"By {drawn}, UTC." in html
    assert f"By {bucket} these days have too many bars to draw." in html


def test_links_about_a_long_name_lead_somewhere(desk):
    name = f"{HOSTILE}{'long ' * 150}"
    served = Served(model="claude-sonnet-5-5", usage=Usage(input_tokens=10, output_tokens=1))
    dims = dict.fromkeys(("tenant", "feature", "session"), name)
    made = OpenLedger()
    made.add([posted(Call(call_id="c-1", sent_at=NOW, source="jsonl", served=served, dims=dims))])
    client = client_of(made, desk)
    links = {
        unescape(link)
        for page in ("/", "/explore?by=tenant", "/sessions", "/outcomes", "/models", "/calls", "/call?open=c-1")
        for link in re.findall(r'href="(/[^"]*long[^"]*)"', client.get(page).text)
    }
    assert len(links) > 5
    assert {client.get(link).status_code for link in links} == {200}


def test_hours_that_can_be_drawn_are_drawn(client):
    assert "By hour, UTC." in client.get("/explore?range=30d&bucket=hour").text
