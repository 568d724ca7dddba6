"""What outcomes cost: by hand, and that every picodollar of the ledger is in one place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.outcome import STATUSES, Outcome
from farthing.reports.outcomes import outcome_report
from farthing.reports.outcomes_json import outcomes_json
from farthing.units import Kind

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def call(name, pusd, *, at=NOON, kind=Kind.MEASURED, contract=None, **dims):
    served = Served(model="m", usage=Usage(1), request_id=f"req_{name}")
    posting = Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd, contract_pusd=contract, kind=kind)
    return Stored(Call(call_id=name, sent_at=at, source="gateway", served=served, dims=dims), posting)


def outcome(outcome_id, status="success", *, at=NOON, **facts):
    return Outcome(outcome_id=outcome_id, status=status, happened_at=at, **facts)


@pytest.fixture
def ledger():
    return MemoryLedger()


@pytest.fixture
def helpdesk(ledger):
    """Acme: two tickets solved for 100 and 200 and one not for 600; bolt: one solved for 50; 7 outside any."""
    ledger.add(
        [
            call("a", 60, session="1", tenant="acme", feature="triage"),
            call("b", 40, session="1", tenant="acme", feature="answer"),
            call("c", 200, session="2", tenant="acme", feature="answer"),
            call("d", 600, session="3", tenant="acme", feature="answer"),
            call("e", 50, session="4", tenant="bolt", feature="answer"),
            call("f", 7, tenant="bolt", feature="triage"),
        ]
    )
    paid = {"revenue_pusd": 500}
    ledger.add_outcomes(
        [
            outcome("t1", session="1", dims={"tenant": "acme"}, value_pusd=10, **paid),
            outcome("t2", session="2", value_pusd=5, **paid),
            outcome("t3", "failure", session="3"),
            outcome("t4", request="e", **paid),
            outcome("lost", session="nobody's", dims={"tenant": "acme"}),
        ],
        received_at=NOON,
    )
    return ledger


def test_cost_per_outcome_per_success_and_of_failures_by_hand(helpdesk):
    report = outcome_report(helpdesk, Query(by=("tenant",)))
    acme, bolt = report.rows
    assert (acme.key, acme.calls, acme.pusd, acme.free_pusd) == (("acme",), 4, 900, 0)
    assert (acme.outcomes, acme.without_calls, acme.by_status["success"].outcomes) == (4, 1, 3)
    assert (acme.per_outcome_pusd, acme.per_success_pusd, acme.by_status["failure"].pusd) == (300, 450, 600)
    assert (bolt.key, bolt.pusd, bolt.free_calls, bolt.free_pusd) == (("bolt",), 57, 1, 7)
    assert (bolt.per_outcome_pusd, bolt.per_success_pusd) == (50, 50)
    assert (acme.outcome_kind, bolt.outcome_kind) == (Kind.DERIVED, Kind.MEASURED)
    assert report.joined == {"request": 1, "session": 4, "tag": 0}


def test_margin_is_revenue_less_all_calls_of_the_tenant(helpdesk):
    acme, bolt = outcome_report(helpdesk, Query(by=("tenant",))).rows
    assert (acme.revenue_pusd, acme.paid, acme.margin_pusd) == (1000, 2, 1000 - 900)
    assert (bolt.revenue_pusd, bolt.margin_pusd) == (500, 500 - 57)
    assert (acme.value_pusd, acme.valued, bolt.valued) == (15, 2, 0)


def test_without_any_revenue_there_is_no_margin(ledger):
    ledger.add([call("a", 1, session="1")])
    ledger.add_outcomes([outcome("x", session="1")], received_at=NOON)
    assert outcome_report(ledger, Query()).total.margin_pusd is None


def test_an_outcome_of_two_rows_stands_where_it_cost_most_and_calls_stand_in_their_own(helpdesk):
    report = outcome_report(helpdesk, Query(by=("feature",)))
    rows = {row.key[0]: row for row in report.rows}
    assert (rows["triage"].pusd, rows["triage"].free_pusd) == (67, 7)
    assert (rows["triage"].outcomes, rows["triage"].outcome_pusd, rows["triage"].elsewhere) == (1, 100, 1)
    assert (rows["answer"].pusd, rows["answer"].outcome_pusd) == (890, 850)
    assert rows[None].without_calls == 1
    assert report.total.elsewhere == 1


def test_each_kind_of_outcome_has_its_own_means(ledger):
    ledger.add([call("a", 60, session="1"), call("b", 40, session="2"), call("c", 9, session="3"), call("d", 1)])
    told = [
        outcome("x", "success", session="1", name="solved", value_pusd=500),
        outcome("y", "failure", session="2", name="solved"),
        outcome("z", "success", session="3"),
        outcome("w", "success", session="nobody's"),
    ]
    ledger.add_outcomes(told, received_at=NOON)
    report = outcome_report(ledger, Query())
    solved, nameless = report.names
    assert (solved.key, solved.outcomes, solved.per_outcome_pusd, solved.per_success_pusd) == (("solved",), 2, 50, 100)
    assert (solved.calls, solved.pusd, solved.value_pusd, solved.valued) == (2, 100, 500, 1)
    assert (nameless.key, nameless.per_success_pusd, nameless.without_calls) == ((None,), 9, 1)
    assert [one.outcome_id for one in report.without_calls] == ["w"]


def test_other_calls_of_an_outcome_are_looked_for_where_it_is_said(ledger):
    ledger.add([call("a", 1, session="1"), call("b", 1, at=NOON - 48 * HOUR, session="1")])
    ledger.add_outcomes([outcome("x", session="1")], received_at=NOON)
    today, week = Query(since=NOON - HOUR), Query(since=NOON - 24 * HOUR)
    assert outcome_report(ledger, today).total.partial == 1
    assert outcome_report(ledger, today, around=week).total.partial == 0


def test_the_dearest_carry_the_spend(helpdesk):
    report = outcome_report(helpdesk, Query())
    assert [one.pusd for one in report.costs] == [600, 200, 100, 50]
    assert [one.outcome.outcome_id for one in report.dearest] == ["t3", "t2", "t1", "t4"]
    assert (report.top_outcomes_pusd(1), report.top_outcomes_pusd(50)) == (600, 800)
    assert report.calls_tail.top_1_pusd == 600


def test_a_range_is_one_of_calls_and_says_what_it_cuts(ledger):
    ledger.add([call("a", 1, at=NOON - HOUR, session="1"), call("b", 2, session="1"), call("c", 4, session="2")])
    ledger.add([call("d", 8, at=NOON - HOUR, session="3")])
    ledger.add_outcomes(
        [
            outcome("cut", at=NOON + HOUR, session="1"),
            outcome("whole", at=NOON + 9 * HOUR, session="2"),
            outcome("early", at=NOON - HOUR, session="none"),
            outcome("late", at=NOON + HOUR, session="none either"),
            outcome("of calls before", at=NOON + HOUR, session="3"),
        ],
        received_at=NOON,
    )
    total = outcome_report(ledger, Query(since=NOON)).total
    assert (total.outcomes, total.without_calls, total.partial, total.pusd) == (3, 1, 1, 6)
    total = outcome_report(ledger, Query(until=NOON)).total
    assert (total.outcomes, total.without_calls, total.partial, total.pusd) == (3, 1, 1, 9)


def test_filters_look_at_what_outcomes_without_calls_say_of_themselves(ledger):
    ledger.add_outcomes(
        [
            outcome("a", session="1", dims={"tenant": "acme"}),
            outcome("b", session="1"),
            outcome("c", tag_name="team", tag_value="red"),
        ],
        received_at=NOON,
    )
    kept = {
        name: outcome_report(ledger, Query(where=where)).total.outcomes
        for name, where in {
            "acme": {"tenant": ("acme",)},
            "unset": {"tenant": ("",)},
            "tag": {"tag:team": ("red",)},
            "session": {"session": ("1",)},
            "model": {"model": ("m",)},
        }.items()
    }
    assert kept == {"acme": 1, "unset": 2, "tag": 1, "session": 2, "model": 0}


def test_an_unpriced_call_is_counted_and_in_no_sum(ledger):
    ledger.add([call("a", None, session="1", kind=Kind.ASSUMED), call("b", 10, session="1")])
    ledger.add_outcomes([outcome("x", session="1")], received_at=NOON)
    (row,) = outcome_report(ledger, Query()).rows
    assert (row.pusd, row.unpriced_calls, row.outcome_unpriced_calls, row.kind) == (10, 1, 1, Kind.ASSUMED)
    assert outcomes_json(outcome_report(ledger, Query()))["totals"]["cost_per_kind"] == "assumed"


def test_the_rest_is_one_row(helpdesk):
    whole = outcome_report(helpdesk, Query(by=("session",)))
    report = outcome_report(helpdesk, Query(by=("session",), limit=2))
    assert [row.key for row in report.rows] == [("3",), ("2",), ("other",)]
    other = report.rows[-1]
    assert (other.pusd, other.outcomes, other.outcome_pusd, other.paid) == (157, 3, 150, 2)
    assert report.total == whole.total


def test_json_is_exact_and_says_what_is_not_known(helpdesk):
    found = json.loads(json.dumps(outcomes_json(outcome_report(helpdesk, Query(by=("tenant",)), "contract"))))
    acme = found["rows"][0]
    assert (acme["key"], acme["cost_usd"], acme["cost_per_success_usd"]) == (
        {"tenant": "acme"},
        "0.0000000009",
        "0.00000000045",
    )
    assert (found["price"], found["rows"][1]["value_usd"], found["tail"]["outcomes"]["count"]) == ("contract", None, 4)
    assert found["tail"]["calls"]["top_1_percent_share"] == "0.626959"
    assert found["tail"]["calls"]["dearest"][0]["call_id"] == "d"


def test_an_empty_ledger_has_nothing_to_say(ledger):
    report = outcome_report(ledger, Query(by=("tenant",)))
    assert (report.rows, report.total.outcomes, report.total.per_outcome_pusd) == ((), 0, None)
    assert outcomes_json(report)["tail"]["calls"]["top_1_percent_share"] is None


names = st.sampled_from(("x", "y", "z"))
hours = st.integers(-3, 3).map(lambda n: NOON + n * HOUR)
optional = dict.fromkeys(("tenant", "feature", "session", "team"), names)


@st.composite
def histories(draw):
    calls = [
        call(
            str(n),
            draw(st.one_of(st.none(), st.integers(0, 10**15))),
            at=draw(hours),
            contract=draw(st.one_of(st.none(), st.integers(0, 10**15))),
            **draw(st.fixed_dictionaries({}, optional=optional)),
        )
        for n in range(draw(st.integers(0, 10)))
    ]
    amounts = st.one_of(st.none(), st.integers(-100, 10**15))
    told = [
        outcome(
            str(n),
            draw(st.sampled_from(STATUSES)),
            at=draw(hours),
            session=draw(names),
            request=draw(st.one_of(st.none(), st.integers(0, 9).map(str))),
            value_pusd=draw(amounts),
            revenue_pusd=draw(amounts),
            dims=draw(st.fixed_dictionaries({}, optional=dict.fromkeys(("tenant", "feature"), names))),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    return calls, told


@st.composite
def queries(draw):
    by = tuple(draw(st.lists(st.sampled_from(("tenant", "feature", "tag:team")), max_size=2, unique=True)))
    edge = st.one_of(st.none(), hours)
    where = draw(st.sampled_from(({}, {}, {"tenant": ("x", "")})))
    return Query(by=by, since=draw(edge), until=draw(edge), where=where, limit=draw(st.sampled_from((None, 1, 2))))


@settings(deadline=None)
@given(history=histories(), query=queries(), basis=st.sampled_from(("list", "contract")))
def test_cost_of_all_outcomes_and_of_calls_without_one_is_the_ledgers_total(history, query, basis):
    calls, told = history
    ledger = MemoryLedger()
    ledger.add(calls)
    ledger.add_outcomes(told, received_at=NOON)
    report = outcome_report(ledger, query, basis)
    (booked,) = ledger.report(Query(since=query.since, until=query.until, where=query.where))
    cost = booked.list_pusd if basis == "list" else booked.contract_pusd
    assert (report.total.pusd, report.total.calls) == (cost, booked.calls)
    assert report.total.outcome_pusd + report.total.free_pusd == cost
    sums = ("outcomes", "outcome_pusd", "without_calls", "partial", "value_pusd", "revenue_pusd", "paid", "valued")
    for name in sums:
        assert sum(getattr(row, name) for row in report.names) == getattr(report.total, name), name
    assert all((row.pusd, row.free_calls) == (row.outcome_pusd, 0) for row in report.names)
    assert len(report.costs) + len(report.without_calls) == report.total.outcomes
    assert sum(one.pusd for one in report.costs) == report.outcomes_pusd == report.total.outcome_pusd
    summed = ("calls", "unpriced_calls", "pusd", "free_pusd", "free_calls", "outcomes", "outcome_pusd")
    summed += ("without_calls", "partial", "value_pusd", "revenue_pusd", "paid", "valued")
    for name in summed:
        assert sum(getattr(row, name) for row in report.rows) == getattr(report.total, name), name
    if query.limit is None:
        of_calls = {row.key: (row.calls, row.list_pusd, row.contract_pusd) for row in ledger.report(query)}
        for row in report.rows:
            booked_calls, *costs = of_calls.get(row.key, (0, 0, 0))
            assert (row.calls, row.pusd) == (booked_calls, costs[basis == "contract"])
    priced = report.total.outcomes - report.total.without_calls
    if priced:
        assert abs(report.total.per_outcome_pusd - Fraction(report.total.outcome_pusd, priced)) <= Fraction(1, 2)
