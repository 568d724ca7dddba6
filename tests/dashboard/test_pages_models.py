"""Models: cost per success is the outcome report's, times are the calls', and switching is the replay's."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.dashboard.made import NOW, OpenLedger, client_of, posted

from farthing.call import Call, Request, Served, Usage
from farthing.dashboard.pages import model_switch
from farthing.dashboard.pages.model_quality import percentile
from farthing.ledger import open_ledger
from farthing.ledger.interface import Query
from farthing.ledger.outcome import Outcome
from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.reports.outcomes import outcome_report
from farthing.whatif.remodel import remodel

BOOK = shipped_book()
SINCE, UNTIL = NOW.replace(day=1, hour=0, minute=0), NOW.replace(day=20, hour=0, minute=0)


def figures(client, **asked):
    return client.get("/models", params={"format": "json", **asked}).json()


def rows(page, name):
    return next(table["rows"] for table in page["tables"] if table["name"] == name)


def test_cost_per_success_is_the_outcome_reports(client, ledger):
    report = outcome_report(ledger, Query(by=("model",), since=SINCE, until=UNTIL))
    told = {row.key[0]: row for row in report.rows}
    shown = rows(figures(client), "models")
    assert any(row["usd_per_success"] for row in shown)
    for row in shown:
        of_model = told[row["model"]]
        per_success = of_model.per_success_pusd
        assert row["usd_per_success"] == (None if per_success is None else usd_text(per_success))
        is_unpriced = of_model.unpriced_calls == of_model.calls
        assert row["usd"] == (None if is_unpriced else usd_text(of_model.pusd))
        if of_model.outcomes:
            share = Decimal(of_model.by_status["success"].outcomes) / of_model.outcomes
            assert abs(Decimal(row["successes"]) - share) < Decimal("0.000001")


def test_cost_is_drawn_against_success_where_two_models_have_outcomes(client, desk, calls):
    text = client.get("/models").text
    assert "how often it ends well" in text
    bare = OpenLedger()
    bare.add(map(posted, calls))
    text = client_of(bare, desk).get("/models").text
    assert "how often it ends well" not in text
    assert "Per success" not in text


def plain(name, *, model="claude-sonnet-5-5", cached=0, **facts):
    usage = Usage(input_tokens=1_003, output_tokens=207, cache_read_tokens=cached)
    served = Served(model=model, usage=usage)
    dims = {"tenant": "tenant-01", "feature": "f", "session": name}
    return Call(call_id=name, sent_at=NOW - timedelta(hours=1), source="gateway", served=served, dims=dims, **facts)


def over(desk, calls, outcomes=()):
    ledger = OpenLedger()
    ledger.add(map(posted, calls))
    ledger.add_outcomes(outcomes, received_at=NOW)
    return client_of(ledger, desk)


def test_switching_is_the_same_calls_priced_for_another_model(desk):
    calls = [plain(str(n)) for n in range(3)]
    page = figures(over(desk, calls))
    shown = {row["model"]: row for row in rows(page, "switch")}
    before = sum(price_served(BOOK, one.served, one.sent_at).list_pusd for one in calls)
    assert shown["claude-sonnet-5-5"]["usd"] == usd_text(before)
    named = BOOK.names.find("claude-sonnet-5-5")
    assert {"claude-opus-5-5", "claude-haiku-5-5", "claude-fable-5-2"} <= shown.keys()
    assert not any("mythos" in name for name in shown)  # not everybody may ask for those
    for name, row in shown.items():
        if name == "claude-sonnet-5-5":
            continue
        new = BOOK.names.find(name).model
        after = sum(price_served(BOOK, remodel(one.served, named, new).served, one.sent_at).list_pusd for one in calls)
        assert row["usd"] == usd_text(after), name
        assert row["moved_usd"] == usd_text(after - before)
        assert row["kind"] == ("derived" if new.tokenizer == named.model.tokenizer else "assumed")


def test_what_a_cache_held_is_assumed_under_another_model_and_the_rest_is_told(desk):
    page = figures(over(desk, [plain("a"), plain("b", cached=5_000)]))
    row = next(row for row in rows(page, "switch") if row["model"] == "claude-opus-5-5")
    assert row["kind"] == "assumed"
    text = over(desk, [plain("a"), plain("b", cached=5_000)]).get("/models").text
    assert "% derived" in text


def test_the_calls_meant_are_chosen_in_the_address(desk, tmp_path, farthing):
    calls = [plain("a"), plain("b", model="claude-opus-5-5"), plain("c", model="claude-opus-5-5")]
    path = tmp_path / "ledger.duckdb"
    with open_ledger(path) as made:
        made.add(map(posted, calls))
    page = figures(over(desk, calls), **{"from": "claude-opus-5-5"})
    shown = {row["model"]: row for row in rows(page, "switch")}
    told = farthing.json(
        "whatif", "--where", "model=claude-opus-5-5", "--choose", "model=claude-haiku-5-5", "--ledger", path
    )
    assert shown["claude-opus-5-5"]["usd"] == told["before"]["usd"]
    assert shown["claude-haiku-5-5"]["usd"] == told["steps"][0]["usd"]
    nobody = over(desk, calls).get("/models", params={"from": "claude-nobody"})
    assert "Nothing to compare" in nobody.text


def test_of_too_many_calls_to_replay_the_sums_are_priced(client, desk, monkeypatch):
    calls = [plain(str(n)) for n in range(3)]
    replayed = {row["model"]: row for row in rows(figures(over(desk, calls)), "switch")}
    whole = {row["model"]: row for row in rows(figures(client), "switch")}
    monkeypatch.setattr(model_switch, "CALLS_REPLAYED_MAX", 0)
    summed = {row["model"]: row for row in rows(figures(over(desk, calls)), "switch")}
    assert summed.keys() == replayed.keys()
    for name, row in summed.items():
        if row["kind"] != "assumed":
            assert row == replayed[name]
        else:  # the replay rounds tokens call by call
            assert abs(Decimal(row["usd"]) / Decimal(replayed[name]["usd"]) - 1) < Decimal("0.001")
    for row in rows(figures(client), "switch")[1:]:
        assert row["kind"] == "assumed"  # they were cached
        if not whole[row["model"]]["stays"]:
            assert abs(Decimal(row["usd"]) / Decimal(whole[row["model"]]["usd"]) - 1) < Decimal("0.05")
    assert "sums by day are priced" in client.get("/models").text


def test_sums_without_a_price_on_the_other_model_stay_as_they_were(desk, monkeypatch):
    monkeypatch.setattr(model_switch, "CALLS_REPLAYED_MAX", 0)
    fast = plain("fast", model="claude-opus-5-5")
    fast = msgspec.structs.replace(fast, served=msgspec.structs.replace(fast.served, speed="fast"))
    shown = {row["model"]: row for row in rows(figures(over(desk, [fast])), "switch")}
    row = shown["claude-haiku-5-5"]  # knows no fast mode
    assert (row["usd"], row["moved_usd"], row["stays"]) == (shown["claude-opus-5-5"]["usd"], "0", 1)


def test_times_are_those_of_the_calls(desk):
    calls = [
        plain(str(n), duration_ms=1_000 * n, ttft_ms=100 * n, request=Request(stream=n % 2 == 0)) for n in range(1, 21)
    ]
    calls.append(plain("untimed"))
    (row,) = rows(figures(over(desk, calls)), "latency")
    assert (row["calls"], row["duration_ms_p50"], row["duration_ms_p95"]) == (20, 10_000, 19_000)
    assert (row["ttft_ms_p50"], row["ttft_ms_p95"]) == (1_000, 2_000)  # of the ten that were streamed
    assert "No call of these days says how long" in over(desk, [plain("untimed")]).get("/models").text


@pytest.mark.parametrize(("values", "percent", "wanted"), [([], 50, None), ([7], 95, 7), ([3, 1, 2], 50, 2)])
def test_a_percentile_is_one_of_the_values(values, percent, wanted):
    assert percentile(values, percent) == wanted


def test_too_many_calls_to_join_leave_the_page_without_successes(client, monkeypatch):
    monkeypatch.setattr("farthing.dashboard.joining.CALLS_JOINED_MAX", 1)
    page = figures(client)
    assert "usd_per_success" not in rows(page, "models")[0]


def test_an_outcome_whose_calls_cost_nothing_is_not_drawn(desk):
    free = msgspec.structs.replace(plain("z"), served=Served(model="claude-haiku-5-5", usage=Usage()))
    outcomes = [
        Outcome(outcome_id=name, happened_at=NOW, session=name, status="success", dims={"tenant": "tenant-01"})
        for name in ("a", "z")
    ]
    page = over(desk, [plain("a"), free], outcomes).get("/models")
    assert page.status_code == 200
    assert "how often it ends well" not in page.text
