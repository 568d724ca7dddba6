"""The log of refusals: cases and their bounds, hours that go, spans that are read, and whose rows a viewer gets."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.errors import LedgerFault
from farthing.limits import flow, refusal
from farthing.limits.refusal_store import REFUSALS_NAME, RefusalStore, read_refusals
from farthing.limits.refusals import HOUR_S, OTHERS, Case, Tally, by_case, of_budget, of_rate, one_call, place, together

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CASE = Case("budget", "all", "tenant=acme", "used up", "acme", "key_1")


def hour_of(at):
    return int(at.timestamp()) // HOUR_S * HOUR_S


def add(folder, *cases, now=NOW, pusd=1, **bounds):
    with contextlib.closing(RefusalStore(folder / REFUSALS_NAME, **bounds)) as store:
        store.add({(hour_of(now), case): one_call(pusd, now) for case in cases}, now)


def hours(folder):
    """The hour of each row, counted from the first test's."""
    with contextlib.closing(RefusalStore(folder / REFUSALS_NAME)) as store:
        return [(hour_s - hour_of(NOW)) // HOUR_S for (hour_s, _), _ in store.read()]


# -- cases ------------------------------------------------------------------------------------------------------------


def test_a_case_has_the_key_only_where_its_account_does_not_say_it():
    dims = {"tenant": "acme", "api_key": "key_1", "user": "ann"}

    def case(value):
        return of_budget(refusal.Refused(429, "", "", "used up", "all", value=value), dims)

    assert case("") == Case("budget", "all", "", "used up", "acme", "key_1")
    assert case("api_key=key_1") == Case("budget", "all", "api_key=key_1", "used up", "acme", "")
    assert case("api_key=(none)").api_key == "key_1"
    assert [case(value).who for value in ("", "tenant=acme", "user=ann", "api_key=key_1,session=s")] == [
        "tenant=acme, api_key=key_1",
        "tenant=acme, api_key=key_1",
        "user=ann, tenant=acme, api_key=key_1",
        "api_key=key_1, session=s, tenant=acme",
    ]
    assert of_budget(refusal.store_failed(), {}).who == "all"
    assert of_budget(refusal.store_failed(), {})[:4] == ("store", "", "", "store")


def test_rate_limits_the_upstream_and_the_queue_are_told_apart_whatever_a_rule_is_called():
    own = flow.Refused("", "queue (user: ann)", "2 requests per minute", 1, name="queue", value="user=ann")
    assert of_rate(own, {})[:4] == ("rate", "queue", "user=ann", "2 requests per minute")
    assert of_rate(flow.Refused("", "queue", "1,000 calls wait already", 1), {})[:4] == ("queue", "", "", "queue")
    pause = "a pause that the upstream asked for"
    assert of_rate(flow.Refused("", "upstream", pause, 1), {})[:4] == ("upstream", "", "", pause)


tallies = st.builds(
    lambda pusd, seconds: one_call(pusd, NOW + timedelta(seconds=seconds)),
    st.none() | st.integers(0, 10**20),
    st.integers(0, 3) | st.integers(0, 10**7),
)


@given(st.lists(tallies, min_size=1, max_size=8))
def test_together_is_what_they_come_to_one_by_one(rows):
    found = None
    for row in rows:
        found = together(found, row)
    known = [row.last_worst_pusd for row in rows if row.last_worst_pusd is not None]
    last_at = max(row.last_at for row in rows)
    assert found == Tally(
        calls=len(rows),
        unknown_calls=len(rows) - len(known),
        worst_pusd=sum(known),
        last_worst_pusd=[row.last_worst_pusd for row in rows if row.last_at == last_at][-1],
        first_at=min(row.first_at for row in rows),
        last_at=last_at,
    )
    assert found.known_pusd == (sum(known) if known else None)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=200), st.integers(1, 20))
def test_cases_are_bounded_and_a_tenant_keeps_its_own_as_long_as_there_is_room(calls, rows_max):
    counted = {}
    for value, tenant in calls:
        case = place(CASE._replace(value=str(value), tenant=str(tenant)), counted.__contains__, len(counted), rows_max)
        assert case.tenant in {str(tenant), OTHERS}
        assert case.value in {str(value), OTHERS}
        counted[case] = counted.get(case, 0) + 1
    assert sum(counted.values()) == len(calls)
    assert len(counted) <= 2 * rows_max + 1
    if len(set(calls)) <= rows_max:
        assert not any(OTHERS in case for case in counted)


def test_a_tenant_gets_rows_that_name_it_and_none_of_whom_is_not_certain():
    others = CASE._replace(value=OTHERS, tenant=OTHERS, api_key="")
    nobody = CASE._replace(tenant="")
    rows = [((hour_of(NOW), case), one_call(1, NOW)) for case in (CASE, others, nobody, CASE._replace(tenant="bolt"))]
    assert len(by_case(rows)) == 4
    assert [case for case, _ in by_case(rows, ("acme", "", OTHERS))] == [CASE]
    assert by_case(rows, ()) == []


# -- the file ---------------------------------------------------------------------------------------------------------


def test_an_hour_is_bounded_however_often_it_is_written(tmp_path):
    for start in range(0, 60, 3):
        cases = [CASE._replace(value=f"session={n}", tenant=f"t{n}") for n in range(start, start + 3)]
        add(tmp_path, *cases, hour_rows_max=10)
    found = by_case(read_refusals(tmp_path / "ledger.duckdb", NOW))
    assert len(found) == 21
    assert sum(tally.calls for _, tally in found) == 60
    assert dict(found)[CASE._replace(value=OTHERS, tenant=OTHERS, api_key="")].calls == 40


def test_what_is_old_or_too_much_goes_by_the_hour_oldest_first(tmp_path):
    def at(rows_max, **span):
        add(tmp_path, CASE, CASE._replace(value=""), now=NOW + timedelta(**span), rows_max=rows_max)
        return hours(tmp_path)

    assert at(7) == [0, 0]
    assert at(7, hours=1) == [0, 0, 1, 1]
    assert at(7, hours=2) == [0, 0, 1, 1, 2, 2]
    assert at(7, hours=3) == [1, 1, 2, 2, 3, 3]  # eight are more than seven
    assert at(100, days=90, hours=1) == [1, 1, 2, 2, 3, 3, 2161, 2161]
    assert at(100, days=90, hours=3) == [3, 3, 2161, 2161, 2163, 2163]


def test_a_span_is_that_of_the_hours_it_touches(tmp_path):
    for n in range(4):
        add(tmp_path, CASE, now=NOW + timedelta(hours=n), pusd=n)
    ten, ledger = NOW.replace(hour=10, minute=0), tmp_path / "ledger.duckdb"

    def read(since, until):
        return [tally.worst_pusd for _, tally in read_refusals(ledger, since, until)]

    assert read(ten + timedelta(minutes=30), ten + timedelta(minutes=61)) == [1, 2]
    assert read(ten, ten + timedelta(hours=1)) == [1]
    assert read(None, None) == [0, 1, 2, 3]


def test_to_look_makes_no_file(tmp_path):
    assert read_refusals(tmp_path / "elsewhere" / "ledger.duckdb", None) == []
    assert not (tmp_path / "elsewhere").exists()


def test_amounts_and_moments_are_kept_to_the_last_digit(tmp_path):
    at = NOW + timedelta(microseconds=1)
    add(tmp_path, CASE, now=at, pusd=10**25)
    add(tmp_path, CASE, now=at, pusd=10**25 + 1)
    ((_, tally),) = by_case(read_refusals(tmp_path / "ledger.duckdb", None))
    assert tally == Tally(2, 0, 2 * 10**25 + 1, 10**25 + 1, at, at)


def test_half_an_emoji_in_a_name_loses_nothing(tmp_path):
    broken = of_budget(refusal.Refused(429, "", "", "used up", "all", value="model=\ud83d"), {})
    add(tmp_path, CASE, broken)
    assert len(hours(tmp_path)) == 2


def test_a_log_of_a_newer_farthing_is_left_alone(tmp_path):
    add(tmp_path, CASE)
    with contextlib.closing(sqlite3.connect(tmp_path / REFUSALS_NAME)) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerFault, match="version 99"):
        add(tmp_path, CASE)
