"""What pages say is what the ledger holds and what the command line prints, exactly."""

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape

import pytest
from tests.dashboard.made import HOSTILE, OpenLedger, client_of, of_tenant, posted

from farthing.call import Call, Served, Usage
from farthing.dashboard.cells import source_address
from farthing.dashboard.nav import PAGES
from farthing.dashboard.pages import calls as calls_page
from farthing.ledger import open_ledger, outcome_spool
from farthing.ledger.interface import Query
from farthing.ledger.outcome import Outcome
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.movement import movement

SPANNED = [route for route in PAGES if route.has_span]
BEFORE = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 19, 16, tzinfo=UTC)
SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)


def figures(client, path="/", **asked):
    return client.get(path, params={"format": "json", **asked}).json()


def rows(page, name):
    return next(table["rows"] for table in page["tables"] if table["name"] == name)


def spent(calls, since=SINCE, until=UNTIL):
    """Picodollars, added up here call by call."""
    bills = (price_served(shipped_book(), one.served, one.sent_at) for one in calls if since <= one.sent_at < until)
    return sum(bill.list_pusd or 0 for bill in bills)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("ledger") / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, calls))
    return path


def test_the_overview_says_what_the_calls_come_to(client, calls):
    page = figures(client)
    assert page["asked"]["since"] == SINCE.isoformat()
    assert page["figures"]["spend"]["value"] == usd_text(spent(calls))
    assert page["figures"]["before"]["value"] == usd_text(spent(calls, *BEFORE))
    assert page["figures"]["budget_left"]["value"] == usd_text(50 * 10**12 - spent(calls))
    november = [call for call in calls if call.sent_at >= SINCE]
    assert page["figures"]["coverage"]["value"] == f"{len(november) - 1}/{len(november)}"


def test_the_movement_is_the_reports(client, calls):
    before = [
        call for call in calls if call.sent_at.month == 10 and call.sent_at < datetime(2026, 10, 19, 16, tzinfo=UTC)
    ]
    found = movement(before, [call for call in calls if call.sent_at.month == 11], shipped_book(), by=("feature",))
    shown = {row["cause"]: row["usd"] for row in rows(figures(client), "movement")}
    assert shown == {bar.name: usd_text(bar.pusd) for bar in found.bars if bar.pusd}


def test_movers_are_the_differences_of_groups(client, ledger):
    now, before = (
        {row.key[0]: row.list_pusd for row in ledger.report(Query(by=("feature",), since=since, until=until))}
        for since, until in ((SINCE, UNTIL), BEFORE)
    )
    shown = rows(figures(client), "movers")
    assert len(shown) == 6
    for row in shown:
        is_now, was = now.get(row["group"], 0), before.get(row["group"], 0)
        assert (row["usd"], row["before_usd"], row["moved_usd"]) == tuple(map(usd_text, (is_now, was, is_now - was)))


@pytest.mark.parametrize("by", ["feature", "model", "tenant,model", "session", "tag:team", "kind"])
@pytest.mark.parametrize("bucket", [None, "day"])
def test_the_explorer_exports_what_the_command_line_prints(client, on_disk, farthing, by, bucket):
    flags = ["--ledger", on_disk, "--by", by, "--since", "2026-11-01", "--until", "2026-11-19"]
    flags += ["--bucket", bucket] if bucket else []
    asked = {"by": by, "range": "2026-11-01..2026-11-19", **({"bucket": bucket} if bucket else {})}
    assert figures(client, "/explore", **asked)["report"] == farthing.json("report", *flags)
    assert client.get("/explore", params={"format": "csv", **asked}).text == farthing("report", *flags, "--csv").stdout


def test_the_explorers_table_and_bars_sum_to_the_total(client, calls):
    page = figures(client, "/explore", by="model")
    groups = [row["usd"] for row in rows(page, "groups") if row["unpriced_calls"] < row["calls"]]
    bars = [value for row in rows(page, "spend_over_time") for name, value in row.items() if name != "start"]
    assert sum(map(Decimal, groups)) == sum(map(Decimal, bars)) == Decimal(usd_text(spent(calls)))


@pytest.mark.parametrize(("path", "table"), [("/explore", "groups"), ("/models", "models"), ("/", "movers")])
def test_a_group_without_any_price_is_unpriced_and_never_nothing(client, path, table):
    asked = {"by": "model", "where": "feature=odd"}
    (row,) = rows(figures(client, path, **asked), table)
    assert row["usd"] is None
    assert row.get("usd_per_call") is None
    assert '<td class="number bad">unpriced' in client.get(path, params=asked).text


def test_calls_without_a_price_are_in_no_mean(client, calls):
    mine = [call for call in of_tenant(calls, "tenant-02") if call.sent_at >= SINCE]
    row = next(one for one in rows(figures(client, "/explore", by="tenant"), "groups") if one["tenant"] == "tenant-02")
    assert (row["calls"], row["unpriced_calls"]) == (len(mine), 1)
    assert row["usd"] == usd_text(spent(mine))
    assert row["usd_per_call"] == usd_text(spent(mine) // (len(mine) - 1))
    assert "+?" in client.get("/explore?by=tenant").text


def test_facts_and_figures_in_json_say_what_the_page_says(client, calls):
    session = next(call.dims["session"] for call in reversed(calls) if call.dims.get("session"))
    one = next(call for call in reversed(calls) if call.dims.get("session") == session)
    facts = figures(client, "/call", open=one.call_id)["facts"]
    assert facts
    assert not [name for name, value in facts.items() if value is None]


def test_filters_narrow_every_page(client, calls):
    mine = [call for call in calls if call.dims.get("tenant") == "tenant-02"]
    assert figures(client, where="tenant=tenant-02")["figures"]["spend"]["value"] == usd_text(spent(mine))
    both = figures(client, where=["tenant=tenant-02", "tenant=tenant-01"])["figures"]["spend"]["value"]
    mine += [call for call in calls if call.dims.get("tenant") == "tenant-01"]
    assert both == usd_text(spent(mine))


def test_a_bar_leads_to_its_days_hour_by_hour(client, calls):
    html = client.get("/explore", params={"range": "2026-11", "where": "tenant=tenant-01"}).text
    href = unescape(re.search(r'<a href="([^"]*)" tabindex="-1"><title>18 Nov', html)[1])
    assert href.startswith("/explore?range=2026-11-18")
    nearer = client.get(f"{href}&format=json").json()
    day = [call for call in of_tenant(calls, "tenant-01") if call.sent_at.date() == date(2026, 11, 18)]
    hours = rows(nearer, "spend_over_time")
    assert len(hours) == 24
    spend = sum(Decimal(amount) for row in hours for name, amount in row.items() if name != "start")
    assert spend == Decimal(nearer["report"]["totals"]["list_usd"])
    assert nearer["report"]["totals"]["calls"] == len(day)
    assert 'tabindex="-1"><title>' not in client.get(href).text  # nothing is nearer than an hour


def test_days_are_those_of_the_zone_that_was_asked_for(client, calls):
    day = figures(client, "/", range="2026-11-18", tz="Asia/Tokyo")
    since, until = datetime(2026, 11, 17, 15, tzinfo=UTC), datetime(2026, 11, 18, 15, tzinfo=UTC)
    assert day["figures"]["spend"]["value"] == usd_text(spent(calls, since, until))


def test_calls_come_latest_first_and_page_by_page(client, calls):
    november = [call for call in calls if call.sent_at.month == 11]
    november.sort(key=lambda call: (call.sent_at, call.call_id))
    wanted = [call.call_id for call in reversed(november)]
    found = []
    for number in range(1, len(wanted) // calls_page.PER_PAGE + 2):
        found += [row["call_id"] for row in rows(figures(client, "/calls", page=number), "calls")]
    assert found == wanted


def test_one_call_is_explained_as_the_command_line_does(client, on_disk, farthing, calls):
    for call in (calls[0], calls[-1], next(call for call in calls if call.call_id == "unpriced-1")):
        shown = figures(client, "/call", open=call.call_id)["explained"]
        assert shown == farthing.json("explain", call.call_id, "--ledger", on_disk)


def test_only_pages_of_sources_are_led_to():
    assert source_address("https://example.com/prices (as of May)").href == "https://example.com/prices"
    assert source_address("javascript:alert(1)").href == source_address("").href == source_address("a book").href == ""


def test_a_fact_leads_to_the_calls_that_share_it_and_to_no_others(client, calls):
    call = next(call for call in calls if call.request and call.dims.get("prompt"))
    html = client.get("/call", params={"open": call.call_id}).text
    for link in re.findall(r'href="(/calls\?where=[^"]*)"', html):
        page = client.get(unescape(link) + "&range=90d&format=json").json()
        assert call.call_id in [row["call_id"] for row in rows(page, "calls")] or len(rows(page, "calls")) == 50


def test_a_call_that_is_not_there_is_not_found(client):
    assert client.get("/call?open=nobody").status_code == 404
    assert client.get("/call").status_code == 404


def test_sessions_sum_to_their_calls(client, calls):
    top = rows(figures(client, "/sessions"), "sessions")[0]
    inside = [call for call in calls if call.dims.get("session") == top["session"]]
    assert top["usd"] == usd_text(spent(inside))
    opened = figures(client, "/sessions", open=top["session"])
    assert opened["figures"]["usd"]["value"] == top["usd"]
    assert sum(Decimal(row["usd"]) for row in rows(opened, "calls")) == Decimal(top["usd"])
    assert client.get("/sessions?open=nobody").status_code == 404


def test_the_cache_page_says_how_many_calls_its_saving_leaves_out(desk):
    usage = Usage(input_tokens=10, cache_read_tokens=90, output_tokens=1)
    made = OpenLedger()
    for number, model in enumerate(("claude-sonnet-5-5", "claude-unheard-of")):
        served = Served(model=model, usage=usage)
        made.add([posted(Call(call_id=f"c-{number}", sent_at=SINCE, source="jsonl", served=served, dims={}))])
    assert figures(client_of(made, desk), "/cache")["figures"]["cache_saved"]["detail"].endswith("1 calls left out")


def test_the_cache_page_adds_up(client, calls):
    page = figures(client, "/cache")
    november = [call.served.usage for call in calls if call.sent_at.month == 11]
    assert page["figures"]["read_share"]["value"] == sum(usage.cache_read_tokens for usage in november)
    groups = rows(page, "groups")
    assert sum(Decimal(row["saved_usd"]) for row in groups) == Decimal(page["figures"]["cache_saved"]["value"])
    premiums = sum(Decimal(row["premium_usd"]) for row in groups)
    assert premiums == sum(Decimal(row["usd"]) for row in rows(page, "writes"))


def test_models_say_what_has_no_price(client):
    page = client.get("/models")
    assert "Unpriced" in page.text
    assert "never counted as zero" in page.text


def test_prices_are_the_books(client, farthing):
    shown = [row["output"] for row in rows(figures(client, "/prices", open="2026-11-19"), "rates")]
    told = farthing.json("prices", "show", "--at", "2026-11-19")["rates"]
    assert sorted(shown) == sorted(one["usd_per_mtok"]["output_tokens"] for one in told)
    assert client.get("/prices?open=yesterday").status_code == 400


def test_health_counts_what_is_there(client, calls):
    page = figures(client, "/health")
    assert page["figures"]["calls"]["value"] == len(calls)
    assert {row["source"]: row["calls"] for row in rows(page, "sources")} == {"gateway": len(calls) - 3, "jsonl": 3}


def test_health_says_how_many_outcomes_wait_for_the_ledger(client, desk):
    def shown():
        (waits,) = re.findall(r"<dt>outcomes told, not yet in it</dt><dd>(.*?)</dd>", client.get("/health").text)
        return re.sub(r"<[^>]*>", "", waits)

    desk.journals.mkdir(exist_ok=True)
    folder = desk.journals / outcome_spool.FOLDER
    assert shown() == "0"
    outcome = Outcome(outcome_id="a", happened_at=SINCE, session="s")
    outcome_spool.Spool(folder).put([outcome_spool.line(outcome)] * 3)
    assert shown() == "3"
    for path in outcome_spool.waiting(folder):
        path.unlink()


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_an_empty_ledger_says_what_to_connect(empty_client, route):
    answer = empty_client.get(route.path)
    assert answer.status_code == (404 if route.path == "/call" else 200)
    if route.has_span:
        assert "farthing serve" in answer.text
    assert json.loads(empty_client.get(f"{route.path}?format=json").text)["page"]


@pytest.mark.parametrize("route", SPANNED, ids=lambda route: route.path)
def test_days_without_calls_say_where_there_are_some(client, route):
    assert "range=2026-11" in client.get(f"{route.path}?range=2025-01").text


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_every_page_is_csv_and_a_spreadsheet_runs_none_of_it(client, route):
    answer = client.get(f"{route.path}?format=csv&by=feature" if route.has_groups else f"{route.path}?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    for row in csv.reader(io.StringIO(answer.text)):
        for cell in row:
            is_number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
            assert is_number or not cell.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    "url",
    [
        *(f"{route.path}?range=this-month" for route in PAGES),
        "/?by=tag:team&where=feature=" + HOSTILE.replace("&", "%26"),
        "/explore?by=session,prompt",
        "/cache?by=prompt",
        "/calls?where=model=claude-" + HOSTILE.replace("&", "%26"),
        "/call?open=odd-0",
        "/call?open=unpriced-1",
        "/call?open=" + HOSTILE.replace("&", "%26"),
        "/sessions?open=" + HOSTILE.replace("&", "%26"),
        "/explore?range=" + HOSTILE.replace("&", "%26"),
    ],
)
def test_markup_in_names_is_text_on_every_page(client, url):
    html = client.get(url).text
    assert "<img src=x" not in html
    assert "<img src=x" not in html.replace("&#34;", '"')
