"""What the page of tenants and outcomes says is what ``farthing outcomes`` prints, exactly."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.dashboard.made import HOSTILE, NOW, OpenLedger, client_of, of_tenant, posted, tell

from farthing.call import PromptBlock, Request
from farthing.dashboard import joining
from farthing.dashboard.pages import outcome_one
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.money import usd_text
from farthing.reports.fair_shares import fair_shares

RANGE = ("--since", "2026-11-01", "--until", "2026-11-19")
IDS = ("t-1", "t-2", "t-3", "t-4", "nobody-1", "nobody-3", "grab", "r-1", "r-2", "tag-1", "lost", HOSTILE)


def figures(client, path="/outcomes", **asked):
    return client.get(path, params={"format": "json", "range": "2026-11-01..2026-11-19", **asked}).json()


def rows(page, name):
    return next(table["rows"] for table in page["tables"] if table["name"] == name)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("outcomes") / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, calls))
        tell(made, calls)
    return path


@pytest.mark.parametrize(
    ("asked", "flags"),
    [
        ({}, ("--by", "tenant")),
        ({"by": "feature,model"}, ("--by", "feature,model")),
        (
            {"where": ["tenant=tenant-01", "tenant=tenant-02"]},
            ("--by", "tenant", "--where", "tenant=tenant-01|tenant-02"),
        ),
        ({"prices": "contract"}, ("--by", "tenant", "--contract")),
    ],
)
def test_the_report_is_the_command_lines(client, on_disk, farthing, asked, flags):
    shown = figures(client, **asked)["report"]
    if len(flags) > 2 and flags[2] == "--where":
        flags = (*flags[:2], "--where", "tenant=tenant-01", "--where", "tenant=tenant-02")
    assert shown == farthing.json("outcomes", "report", *RANGE, *flags, "--ledger", on_disk)


def test_tables_and_tiles_say_what_the_report_says(client):
    page = figures(client)
    told = {row["key"]["tenant"]: row for row in page["report"]["rows"]}
    for row in rows(page, "groups"):
        report = told[row["group"]]
        assert (row["usd"], row["revenue_usd"] or None) == (report["cost_usd"], report["revenue_usd"])
        assert (row["margin_usd"] or None) == report["margin_usd"]
        assert (row["usd_per_success"] or None) == report["cost_per_success_usd"]
        if report["margin_usd"] is not None and Decimal(report["revenue_usd"]) > 0:
            share = Decimal(report["margin_usd"]) / Decimal(report["revenue_usd"])
            assert abs(Decimal(row["margin"]) - share) < Decimal("0.000001")
    totals, tiles = page["report"]["totals"], page["figures"]
    assert tiles["spend"]["value"] == totals["cost_usd"]
    assert tiles["margin"]["value"] == totals["margin_usd"]
    assert tiles["cost_per_success"]["value"] == totals["cost_per_success_usd"]
    outcomes = Decimal(totals["outcome_cost_usd"]) + Decimal(tiles["without_outcome"]["value"])
    assert outcomes == Decimal(totals["cost_usd"])
    kinds = {row["outcome"] or None: row for row in page["report"]["by_outcome"]}
    for row in rows(page, "names"):
        assert row["usd_per_success"] == kinds[row["outcome"]]["cost_per_success_usd"]
    dearest = page["report"]["tail"]["calls"]["dearest"]
    assert [(row["call_id"], row["usd"]) for row in rows(page, "dearest_calls")] == [
        (one["call_id"], one["cost_usd"]) for one in dearest
    ]
    free = sum(Decimal(row["usd"]) for row in rows(page, "free"))
    assert free == Decimal(totals["without_outcome"]["cost_usd"])


@pytest.mark.parametrize("outcome_id", IDS)
def test_an_opened_outcome_is_the_command_lines(client, on_disk, farthing, outcome_id):
    page = figures(client, open=outcome_id)
    told = farthing.json("outcomes", "show", outcome_id, "--ledger", on_disk)
    for name, value in page["outcome"].items():
        assert told[name] == value, name
    assert page["figures"]["usd"]["value"] == told["cost_usd"]
    calls = rows(page, "calls")
    assert len(calls) == told["calls"]
    assert sum(Decimal(row["usd"] or 0) for row in calls) == Decimal(told["cost_usd"] or 0)
    former = [row for table in page["tables"] if table["name"] == "corrected" for row in table["rows"]]
    assert [(row["status"], row["value_usd"]) for row in former] == [
        (one["status"], one["value_usd"]) for one in told["replaced"]
    ]


def test_how_each_call_was_joined_is_told(client, calls):
    mine = of_tenant(calls, "tenant-01")[-2]
    assert rows(figures(client, open="nobody-2"), "calls")[0]["joined_by"] == "request"
    assert rows(figures(client, open="nobody-2"), "calls")[0]["call_id"] == mine.call_id
    assert {row["joined_by"] for row in rows(figures(client, open="t-1"), "calls")} == {"session"}
    assert {row["joined_by"] for row in rows(figures(client, open="nobody-3"), "calls")} == {"tag"}
    assert client.get("/outcomes?open=never-told").status_code == 404


def test_what_was_corrected_is_told(client):
    (row,) = rows(figures(client, open="t-1"), "corrected")
    assert row["changed"] == "status: failure \u2192 success"


def test_lists_are_of_what_was_asked_for(client):
    solved = rows(figures(client, outcome="ticket_solved"), "outcomes")
    assert {row["id"] for row in solved} == {"t-1", "t-2", "t-4", "lost"}
    failed = rows(figures(client, status="other"), "outcomes")
    assert {row["id"] for row in failed} == {"r-2"}
    nameless = rows(figures(client, outcome="none"), "outcomes")
    assert "nobody-1" in {row["id"] for row in nameless}
    assert not any(row["outcome"] for row in nameless)
    head, *lines = csv.reader(io.StringIO(client.get("/outcomes?outcome=ticket_solved&format=csv").text))
    assert (head[0], len(lines)) == ("id", 4)


def test_pages_of_a_list_hold_each_outcome_once(desk, calls):
    ledger = OpenLedger()
    ledger.add(map(posted, calls))
    outcomes = [
        msgspec.structs.replace(one, outcome_id=f"{n:03d}", session=f"s{n}", at_assumed=True)
        for n, one in enumerate([_outcome()] * 120)
    ]
    ledger.add_outcomes(outcomes, received_at=NOW)
    client = client_of(ledger, desk)
    found = [row["id"] for n in (1, 2, 3) for row in rows(figures(client, status="success", page=n), "outcomes")]
    assert found == [f"{n:03d}" for n in reversed(range(120))]


def _outcome():
    from farthing.ledger.outcome import Outcome

    return Outcome(outcome_id="x", happened_at=NOW - timedelta(hours=1), status="success", session="s")


def test_without_outcomes_it_says_how_to_tell_of_some_and_still_shows_the_tail(desk, calls):
    ledger = OpenLedger()
    ledger.add(map(posted, calls))
    page = client_of(ledger, desk)
    text = page.get("/outcomes").text
    assert "farthing outcomes import" in text
    assert "/v1/outcomes" in text
    shown = figures(page)
    assert len(rows(shown, "dearest_calls")) == 10
    assert shown["report"]["totals"]["outcomes"] == 0


def test_more_calls_than_anybody_waits_for_are_not_joined(client, monkeypatch, ledger):
    monkeypatch.setattr(joining, "CALLS_JOINED_MAX", 10)
    monkeypatch.setattr(ledger, "shares", None)  # whoever asked for them would fail
    page = client.get("/outcomes")
    assert page.status_code == 200
    assert "Too many to join" in page.text
    assert "farthing outcomes report" in page.text


def test_an_outcomes_other_calls_are_looked_for_no_farther_than_can_be_read(client, monkeypatch, calls):
    november = [call for call in calls if call.sent_at.month == 11]
    for name in ("CALLS_JOINED_MAX", "CALLS_SEARCHED_MAX"):
        monkeypatch.setattr(joining, name, len(november))
    monkeypatch.setattr(joining, "AROUND", timedelta(days=10))
    page = client.get("/outcomes", params={"open": "t-1", "range": "2026-11-18"})
    assert "Looked for from 9 November 2026 to 29 November 2026." in page.text
    assert figures(client)["report"]["totals"]["outcomes"] == 14
    assert (
        "looked for from 22 October 2026 to 30 November 2026"
        in client.get("/outcomes?range=2026-11-01..2026-11-19").text
    )
    monkeypatch.setattr(joining, "CALLS_SEARCHED_MAX", 0)
    shown = client.get("/outcomes", params={"open": "t-1", "range": "2026-11-18"})
    assert "Looked for from 18 November 2026 to 20 November 2026." in shown.text  # never nowhere


def test_an_outcome_of_too_many_calls_is_not_opened_call_by_call(client, monkeypatch):
    monkeypatch.setattr(outcome_one, "_CALLS_READ_MAX", 1)
    page = figures(client, open="t-1")
    assert page["figures"]["usd"] == {"value": None, "kind": None, "detail": "its calls are too many to join here"}


def test_shared_writes_are_split_among_who_read_them(desk, calls):
    """Two tenants with one prefix: the first is billed for the write, both read it."""
    model = next(call for call in calls if call.served.model == "claude-sonnet-5-5")
    block = PromptBlock(b"p" * 16, 4000, "system", "5m")
    made = []
    for n, (tenant, written, read) in enumerate((("a", 4000, 0), ("b", 0, 4000), ("b", 0, 4000))):
        usage = msgspec.structs.replace(
            model.served.usage, cache_write_5m_tokens=written, cache_write_1h_tokens=0, cache_read_tokens=read
        )
        served = msgspec.structs.replace(
            model.served, usage=usage, message_id=None, request_id=None, prompt_tokens_reported=None
        )
        at = NOW - timedelta(hours=2) + timedelta(minutes=n)
        request = Request(blocks=(block,))
        made.append(
            msgspec.structs.replace(
                model, call_id=f"c{n}", sent_at=at, served=served, dims={"tenant": tenant}, request=request
            )
        )
    ledger = OpenLedger()
    ledger.add(map(posted, made))
    shown = {row["tenant"]: row for row in rows(figures(client_of(ledger, desk)), "prefix_shares")}
    found = fair_shares(made, desk.book)
    assert shown["a"]["paid_usd"] == shown["b"]["fair_usd"] == usd_text(found.premium_pusd)
    assert (shown["a"]["fair_usd"], shown["a"]["moved_usd"]) == ("0", f"-{usd_text(found.premium_pusd)}")


def test_every_call_is_in_the_sums(client, ledger):
    total = ledger.report(Query(since=NOW.replace(day=1, hour=0, minute=0)))[0]
    assert figures(client)["report"]["totals"]["cost_usd"] == usd_text(total.list_pusd)
