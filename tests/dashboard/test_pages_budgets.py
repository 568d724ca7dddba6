"""What budgets refused and what they would have: as the command line has it, and as added up here."""

import ipaddress
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from tests.dashboard.made import HOSTILE, NOW, OpenLedger, client_of, posted
from typer.testing import CliRunner

from farthing.cli.app import app
from farthing.dashboard.access import Access, User, hash_of
from farthing.ledger import open_ledger
from farthing.limits.refusal_store import REFUSALS_NAME, RefusalStore
from farthing.limits.refusals import HOUR_S, Case, Tally
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

LIMIT_PUSD = 20 * 10**10
LIMITS = """
[[budget]]
name = "each tenant"
each = "tenant"
limit_usd = 0.20
window = "month"
mode = "soft"

[[budget]]
name = "a call"
limit_usd = 0.05
window = "call"
"""


@pytest.fixture
def limited(desk, tmp_path):
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS, encoding="utf-8")
    return desk._replace(limits=limits, ledger=tmp_path / "ledger.duckdb")


def trial(client):
    page = client.get("/budgets", params={"format": "json"}).json()
    return next((table for table in page["tables"] if table["name"] == "trial"), None)


def october(calls):
    return [call for call in calls if call.sent_at.month == 10]


def test_it_is_what_the_dry_run_says(ledger, limited, calls):
    with open_ledger(limited.ledger) as made:
        made.add(map(posted, calls))
    span = "--since", "2026-10-01", "--until", "2026-11-01"
    arguments = ["budgets", "dry-run", limited.limits, *span, "--ledger", limited.ledger, "--json"]
    told = json.loads(CliRunner().invoke(app, [str(one) for one in arguments]).stdout)
    hit = [one for one in told["accounts"] if one["refused_calls"]]
    shown = trial(client_of(ledger, limited))
    assert hit
    assert shown["title"] == "October 2026, under today's budgets"
    assert shown["kind"] == told["kind"] == "derived"
    names = ("limit_usd", "spent_usd", "refused_calls", "refused_usd", "first_refused_at", "window_start")
    assert [[row[name] for name in names] for row in shown["rows"]] == [[one[name] for name in names] for one in hit]
    assert [row["who"] for row in shown["rows"]] == [one["value"] or "all" for one in hit]


def test_it_is_what_the_calls_come_to(ledger, limited, calls):
    admitted, past = defaultdict(int), defaultdict(int)
    for call in october(calls):
        pusd = price_served(shipped_book(), call.served, call.sent_at).list_pusd or 0
        tenant = call.dims["tenant"]
        if admitted[tenant] + pusd > LIMIT_PUSD:
            past[tenant] += 1
        if pusd <= 5 * 10**10:  # the other budget refuses the call, so it costs nobody anything
            admitted[tenant] += pusd
    rows = [row for row in trial(client_of(ledger, limited))["rows"] if row["budget"] == "each tenant (soft)"]
    assert {row["who"]: row["refused_calls"] for row in rows} == {f"tenant={name}": n for name, n in past.items() if n}
    assert {row["limit_usd"] for row in rows} == {usd_text(LIMIT_PUSD)}


def test_before_a_month_has_ended_the_running_one_is_tried(limited, calls):
    made = OpenLedger()
    made.add(posted(call) for call in calls if call.sent_at >= datetime(2026, 11, 1, tzinfo=UTC))
    assert trial(client_of(made, limited))["title"] == "November 2026, under today's budgets"


def test_who_may_not_see_everything_sees_no_trial(ledger, limited):
    user = User(name="t", tenants=("tenant-01",), token_hash=hash_of("a" * 30))
    client = client_of(ledger, limited, Access((user,), proxy_header="x-user", proxies=()), address="10.0.0.1")
    assert client.get("/budgets?format=json").status_code == 401
    signed_in = client_of(ledger, limited, _named(user), address="127.0.0.1")
    page = signed_in.get("/budgets?format=json", headers={"x-user": "t"}).json()
    assert [table["name"] for table in page["tables"]] == ["budgets", "refused"]


def _named(user):
    return Access((user,), proxy_header="x-user", proxies=(ipaddress.ip_network("127.0.0.1"),))


def test_without_calls_there_is_nothing_to_try(limited):
    assert trial(client_of(OpenLedger(), limited)) is None


# -- refusals ---------------------------------------------------------------------------------------------------------


def refuse(limited, *rows):
    """Put rows into the log beside the ledger: a case, calls, unknown calls, worst case, and how long ago."""
    store = RefusalStore(limited.ledger.with_name(REFUSALS_NAME))
    for case, calls, unknown, pusd, ago in rows:
        at = NOW - ago
        tally = Tally(calls, unknown, pusd, pusd or None, at, at)
        store.add({(int(at.timestamp()) // HOUR_S * HOUR_S, case): tally}, NOW)
    store.close()


def refused(client, **asked):
    page = client.get("/budgets", params={"format": "json", **asked}).json()
    return next(table for table in page["tables"] if table["name"] == "refused")


def test_what_was_refused_is_what_the_command_says(ledger, limited):
    day = timedelta(days=1)
    acme = Case("budget", "each tenant", "tenant=acme", "used up", "acme", "key-1")
    rate = Case("rate", "each user", "user=ann", "2 requests per minute", "bolt", "")
    store = Case("store", "", "", "store", HOSTILE, "")
    rows = (acme, 3, 0, 7 * 10**9, day), (acme, 2, 0, 10**18, 2 * day), (rate, 9, 9, 0, 3 * day), (store, 2, 1, 5, day)
    refuse(limited, *rows, (acme, 100, 0, 1, 30 * day))
    since = (NOW - 6 * day).date()
    arguments = ["budgets", "refusals", "--since", since, "--ledger", limited.ledger, "--json"]
    told = json.loads(CliRunner().invoke(app, [str(one) for one in arguments]).stdout)
    shown = refused(client_of(ledger, limited))
    names = ("kind", "limit", "who", "why", "calls", "worst_usd", "last_at")
    assert [[row[name] for name in names] for row in shown["rows"]] == [
        [one[name] for name in names] for one in told["refused"]
    ]
    assert {(row["limit"], row["calls"], row["worst_usd"]) for row in shown["rows"]} == {
        ("each tenant", 5, "1000000.007"),
        ("each user", 9, None),
        ("", 2, "0.000000000005"),
    }
    assert (told["calls"], told["unknown_calls"], shown["kind"]) == (16, 10, "derived")
    assert "16 calls were refused." in client_of(ledger, limited).get("/budgets").text


def test_days_are_those_of_the_page(ledger, limited):
    case = Case("budget", "a call", "", "too dear", "acme", "")
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=6)
    refuse(limited, (case, 1, 0, 10, NOW - midnight), (case, 2, 0, 10, NOW - midnight + timedelta(hours=2)))
    client = client_of(ledger, limited)
    assert [row["calls"] for row in refused(client)["rows"]] == [1]
    assert [row["calls"] for row in refused(client, tz="Europe/Athens")["rows"]] == [3]


def test_where_nothing_was_refused_it_says_so(ledger, limited):
    assert "No call was refused." in client_of(ledger, limited).get("/budgets").text


def test_a_log_that_cannot_be_read_leaves_the_page(ledger, limited):
    limited.ledger.with_name(REFUSALS_NAME).write_text("no database" * 100)
    shown = client_of(ledger, limited).get("/budgets")
    assert shown.status_code == 200
    assert "cannot be read" in shown.text
