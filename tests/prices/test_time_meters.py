"""Container-hours and session hours: minimum, free hours, milliseconds, one rounding."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import BadInput
from farthing.prices.book import shipped_book
from farthing.prices.time_meters import meter_on, month_cost

NOW = date(2026, 11, 20)
HOUR_MS = 3_600_000
CONTAINERS = meter_on(shipped_book(), "code_execution", NOW)
SESSIONS = meter_on(shipped_book(), "managed_agent_session", NOW)


@pytest.mark.parametrize(
    ("durations_ms", "used_hours", "usd"),
    [
        ([], 0, 0),
        ([1], Fraction(1, 12), 0),  # five minutes at least, and free
        ([1_550 * HOUR_MS], 1_550, 0),
        ([1_551 * HOUR_MS], 1_551, Fraction("0.05")),
        ([1_550 * HOUR_MS, 1], 1_550 + Fraction(1, 12), Fraction(5, 1200)),
        ([300_000] * 24 * 1_550, 3_100, Fraction("77.5")),
        ([1] * 12 * 1_550 + [2 * HOUR_MS], 1_552, Fraction("0.1")),
    ],
)
def test_container_hours(durations_ms, used_hours, usd):
    cost = month_cost(CONTAINERS, durations_ms)
    assert (cost.used_hours, cost.usd) == (used_hours, usd)
    assert cost.free_hours == min(used_hours, 1_550)


@pytest.mark.parametrize(
    ("durations_ms", "usd", "posted_pusd"),
    [
        ([HOUR_MS], Fraction("0.08"), 80_000_000_000),
        ([1], Fraction(8, 360_000_000), 22_222),  # 22,222.2...
        ([1, 1], Fraction(16, 360_000_000), 44_444),
        ([7], Fraction(56, 360_000_000), 155_556),  # 155,555.5...
        ([HOUR_MS * 24 * 30], Fraction("57.6"), 57_600_000_000_000),
    ],
)
def test_session_hours_have_no_minimum_and_nothing_free(durations_ms, usd, posted_pusd):
    cost = month_cost(SESSIONS, durations_ms)
    assert (cost.usd, cost.posted_pusd) == (usd, posted_pusd)


@given(st.lists(st.integers(0, 10 * HOUR_MS), max_size=20), st.lists(st.integers(0, 10 * HOUR_MS), max_size=20))
def test_sessions_add_up_exactly(one, other):
    assert month_cost(SESSIONS, one + other).usd == month_cost(SESSIONS, one).usd + month_cost(SESSIONS, other).usd


@given(st.lists(st.integers(0, 600 * HOUR_MS), max_size=10), st.integers(0, HOUR_MS))
def test_one_more_container_never_costs_less(durations_ms, more):
    assert month_cost(CONTAINERS, [*durations_ms, more]).usd >= month_cost(CONTAINERS, durations_ms).usd


def test_meters_are_dated():
    assert meter_on(shipped_book(), "managed_agent_session", date(2026, 4, 7)) is None
    assert meter_on(shipped_book(), "managed_agent_session", date(2026, 4, 8)) is SESSIONS
    assert meter_on(shipped_book(), "managed_agent_session", NOW, date(2026, 4, 7)) is None


def test_a_negative_duration_is_refused():
    with pytest.raises(BadInput, match="-1 ms"):
        month_cost(SESSIONS, [-1])
