"""Budgets of the day and the month that go on now."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from farthing.reports.claude_code.budget import budget_json, budgets_of
from farthing.reports.claude_code.periods import Calendar

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = 10**12


def spent(transcripts, day="1", month="1", zone=UTC, now=NOW):
    limits = {"day": int(float(day) * USD), "month": int(float(month) * USD)}
    return budgets_of(transcripts.costed(now=now), Calendar(zone), now, limits)


@pytest.fixture
def dollars(transcripts):
    """A million fresh tokens of Sonnet 4.5 are $3 each."""
    for at in ("2026-10-31T23:30:00Z", "2026-11-01T00:30:00Z", "2026-11-19T23:30:00Z", "2026-11-20T10:00:00Z"):
        transcripts.call(at, fresh=100_000)  # $0.30
    return transcripts


def test_days_and_months_are_those_of_the_zone(dollars):
    assert [one.spent_pusd for one in spent(dollars)] == [3 * USD // 10, 9 * USD // 10]
    berlin = spent(dollars, zone=ZoneInfo("Europe/Berlin"))
    assert [one.spent_pusd for one in berlin] == [6 * USD // 10, 12 * USD // 10]


@pytest.mark.parametrize(("limit", "is_over"), [("0.31", False), ("0.3", False), ("0.29", True), ("0", True)])
def test_spending_all_of_it_is_fine_and_more_is_not(dollars, limit, is_over):
    assert spent(dollars, day=limit)[0].is_over is is_over


def test_nothing_spent_of_nothing_is_not_over(transcripts):
    transcripts.call("2026-11-01T00:00:00Z", fresh=1)
    assert not spent(transcripts, day="0")[0].is_over


def test_calls_without_a_price_are_counted_beside_it(dollars):
    dollars.call("2026-11-20T11:00:00Z", model="claude-opus-9", fresh=5)
    found = budget_json(spent(dollars, day="1.25"))
    assert found["day"] == {
        "limitUsdExact": "1.25",
        "spentUsdExact": "0.3",
        "leftUsdExact": "0.95",
        "over": False,
        "unpricedCalls": 1,
        "kind": "measured",
    }
    assert (found["month"]["over"], found["month"]["leftUsdExact"]) == (False, "0.1")


def test_no_budget_is_none(dollars):
    assert budget_json(budgets_of(dollars.costed(), Calendar(UTC), NOW, {})) is None
