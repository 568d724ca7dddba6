from datetime import UTC

import pytest

from farthing.reports.claude_code.periods import Calendar
from farthing.reports.claude_code.rows import by_period, by_session, in_project, period_json, session_json
from farthing.reports.claude_code.sums import summed
from farthing.units import Kind

OURS = {"costUsdExact", "kind", "calls", "unpricedCalls", "unpricedModels", "unprovableCalls"}
TOKENS = {"inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens", "totalTokens"}
BREAKDOWN = (TOKENS - {"totalTokens"}) | {"modelName", "cost", "costUsdExact", "kind", "calls"}
CALENDAR = Calendar(UTC)
A_CALL = {"fresh": 100, "write_5m": 2_000, "write_1h": 1_000, "read": 30_000, "output": 500}
"""Sonnet 4.5: $3, $3.75, $6, $0.30 and $15 per million."""
A_CALL_USD = "0.0303"  # 0.0003 + 0.0075 + 0.006 + 0.009 + 0.0075


def daily(items, **flags):
    flags = {"by_project": False, "with_cost": True} | flags
    rows = by_period(items, CALENDAR, "daily", by_project=flags["by_project"])
    return period_json(rows, summed(items), "daily", **flags)


def test_a_day_has_ccusage_s_keys_and_ours(transcripts):
    report = daily(transcripts.call("2026-11-10T09:00:00Z", **A_CALL).costed())
    (day,) = report["daily"]
    assert set(report) == {"daily", "totals"}
    assert set(day) == {"date", "totalCost", "modelsUsed", "modelBreakdowns"} | TOKENS | OURS
    assert set(report["totals"]) == {"totalCost"} | TOKENS | OURS
    assert set(day["modelBreakdowns"][0]) == BREAKDOWN


def test_a_day_s_figures_are_those_of_hand(transcripts):
    transcripts.call("2026-11-10T09:00:00Z", **A_CALL).call("2026-11-10T23:59:59Z", **A_CALL)
    report = daily(transcripts.call("2026-11-11T00:00:00Z", model="claude-opus-4-5-20251101", output=1_000).costed())
    first, second = report["daily"]
    assert [first["date"], second["date"]] == ["2026-11-10", "2026-11-11"]
    assert [first[name] for name in ("inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens")] == [
        *(200, 1_000, 6_000, 60_000)
    ]
    assert (first["totalTokens"], first["totalCost"], first["costUsdExact"]) == (67_200, 0.0606, "0.0606")
    assert (second["costUsdExact"], report["totals"]["costUsdExact"]) == ("0.025", "0.0856")
    assert (first["kind"], first["calls"], first["modelsUsed"]) == ("measured", 2, ["claude-sonnet-4-5-20250929"])


def test_the_dearest_model_comes_first_and_fast_mode_is_a_row_of_its_own(transcripts):
    transcripts.call("2026-11-10T09:00:00Z", model="claude-opus-5-5", output=10)
    transcripts.call("2026-11-10T09:01:00Z", model="claude-opus-5-5", speed="fast", output=10)
    (day,) = daily(transcripts.costed())["daily"]
    assert day["modelsUsed"] == ["claude-opus-5-5", "claude-opus-5-5-fast"]
    assert [one["modelName"] for one in day["modelBreakdowns"]] == ["claude-opus-5-5-fast", "claude-opus-5-5"]


def test_what_has_no_price_is_null_and_named_and_never_zero(transcripts):
    (day,) = daily(transcripts.call("2026-11-10T09:00:00Z", model="claude-opus-9", output=10).costed())["daily"]
    assert (day["totalCost"], day["costUsdExact"], day["unpricedCalls"]) == (None, None, 1)
    assert day["unpricedModels"] == ["claude-opus-9"]
    assert day["modelBreakdowns"][0]["missingPricing"] is True
    (day,) = daily(transcripts.call("2026-11-10T09:01:00Z", **A_CALL).costed())["daily"]
    assert (day["costUsdExact"], day["unpricedCalls"], day["calls"]) == (A_CALL_USD, 1, 2)


def test_a_placeholder_for_the_output_makes_the_day_assumed(transcripts):
    (day,) = daily(transcripts.call("2026-11-10T09:00:00Z", fresh=5, output=1, stop=None).costed())["daily"]
    assert (day["kind"], day["unprovableCalls"]) == ("assumed", 1)


def test_no_cost_leaves_every_amount_out(transcripts):
    report = daily(transcripts.call("2026-11-10T09:00:00Z", **A_CALL).costed(), with_cost=False)
    assert "cost" not in str(report).lower()


def test_no_calls_cost_nothing():
    assert daily([])["totals"]["totalCost"] == 0
    assert daily([])["daily"] == []


def test_projects_are_told_apart(transcripts):
    transcripts.call("2026-11-10T09:00:00Z", project="-home-dev-b", **A_CALL)
    transcripts.call("2026-11-11T09:00:00Z", project="-home-dev-a", session="s-2", **A_CALL)
    report = daily(transcripts.costed(), by_project=True)
    assert list(report["projects"]) == ["-home-dev-a", "-home-dev-b"]
    assert report["projects"]["-home-dev-a"][0]["project"] == "-home-dev-a"
    assert report["totals"]["costUsdExact"] == "0.0606"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("-home-dev-app", ["-home-dev-app"]),
        ("/home/dev/app", ["-home-dev-app"]),
        ("app", ["-home-dev-app", "-home-dev-my-app"]),
        ("my-app", ["-home-dev-my-app"]),
        ("pp", []),
        ("", []),
    ],
)
def test_a_project_is_named_by_its_folder_its_directory_or_its_end(transcripts, name, found):
    for number, project in enumerate(("-home-dev-app", "-home-dev-my-app", "-home-dev-other")):
        transcripts.call("2026-11-10T09:00:00Z", project=project, session=f"s-{number}", **A_CALL)
    assert sorted(one.bucket.project for one in in_project(transcripts.costed(), name)) == found


def test_sessions_come_dearest_first_with_their_first_and_last_activity(transcripts):
    transcripts.call("2026-11-10T09:00:00.001Z", session="cheap", output=10)
    transcripts.call("2026-11-09T09:00:00.123Z", session="dear", **A_CALL)
    transcripts.call("2026-11-10T08:00:00.456Z", session="dear", **A_CALL)
    items = transcripts.costed()
    report = session_json(by_session(items), summed(items), with_cost=True)
    dear, cheap = report["sessions"]
    assert (dear["sessionId"], cheap["sessionId"]) == ("dear", "cheap")
    assert (dear["firstActivity"], dear["lastActivity"]) == ("2026-11-09T09:00:00.123Z", "2026-11-10T08:00:00.456Z")
    assert (dear["projectPath"], dear["costUsdExact"]) == ("-home-dev-app", "0.0606")
    assert set(report) == {"sessions", "totals"}


def test_a_line_under_several_rows_adds_them_up(transcripts):
    transcripts.call("2026-11-10T09:00:00Z", **A_CALL)
    transcripts.call("2026-11-12T09:00:00Z", model="claude-opus-9", fresh=1, output=2, stop=None)
    rows = by_period(transcripts.costed(), CALENDAR, "daily")
    total = rows[1].total
    total.merge(rows[0].total)
    whole = summed(transcripts.costed())
    for name in (
        "calls",
        "unpriced_calls",
        "unprovable_calls",
        "total_tokens",
        "pusd",
        "first_us",
        "last_us",
        "unpriced",
    ):
        assert getattr(total, name) == getattr(whole, name), name
    assert total.kind is Kind.ASSUMED
