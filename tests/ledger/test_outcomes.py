"""Outcomes: what every engine promises of them, and that both engines join alike. Each test runs on each engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.errors import BadInput, LedgerFault
from farthing.ledger import outcome_tables
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.outcome import Outcome, OutcomesAdded, OutcomeStore, Replaced, Share
from farthing.units import Kind

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
HOUR = timedelta(hours=1)


def told(outcome_id="o", *, at=NOON, session=None, request=None, tag=None, **facts):
    if not (session or request or tag):
        session = "s"
    tag_name, tag_value = tag or (None, None)
    return Outcome(
        outcome_id=outcome_id,
        happened_at=at,
        session=session,
        request=request,
        tag_name=tag_name,
        tag_value=tag_value,
        **facts,
    )


def call(name, pusd=1, *, at=NOON, kind=Kind.MEASURED, contract=None, gateway=None, **dims):
    """A call ``name`` with message ``msg_name`` and request ``req_name`` that costs *pusd*; None: unpriced."""
    served = Served(model="m", usage=Usage(1), message_id=f"msg_{name}", request_id=f"req_{name}")
    tags = dims | ({"gateway_call": gateway} if gateway else {})
    posting = Posting(list_pusd=pusd, low_pusd=pusd, high_pusd=pusd, contract_pusd=contract, kind=kind)
    return Stored(Call(call_id=name, sent_at=at, source="gateway", served=served, dims=tags), posting)


def owners(ledger, query=None):
    """Which outcome each call belongs to, by the calls' cost: tests give every call its own."""
    return {share.pusd: share.outcome_id for share in ledger.shares(query or Query(by=("tag:n",)))}


def add(ledger, *outcomes, at=LATER):
    return ledger.add_outcomes(outcomes, received_at=at)


class TestKeeping:
    def test_both_engines_keep_outcomes(self, ledger):
        assert isinstance(ledger, OutcomeStore)

    def test_every_field_comes_back(self, ledger):
        full = told(
            'odd "id" \x00 ✓',
            at=NOON.replace(microsecond=123_456),
            name="ticket_solved",
            status="failure",
            value_pusd=-(10**27),
            revenue_pusd=10**27,
            session="s/1",
            request="req_1",
            tag=("branch", "feat/x"),
            dims={"tenant": "Fürth", "feature": "mail"},
            at_assumed=True,
        )
        add(ledger, full, told("plain"))
        assert ledger.outcomes() == [full, told("plain")]
        assert ledger.outcome(full.outcome_id) == (full, ())
        assert ledger.outcome("nobody's") is None

    def test_times_are_kept_in_utc_and_half_an_emoji_is_mended(self, ledger):
        add(ledger, told("a\ud83d", at=NOON.astimezone(timezone(-5 * HOUR))))
        (kept,) = ledger.outcomes()
        assert (kept.outcome_id, kept.happened_at, kept.happened_at.tzinfo) == ("a\ufffd", NOON, UTC)

    def test_told_twice_counts_once(self, ledger):
        assert add(ledger, told("a"), told("a"), told("b")) == OutcomesAdded(2, 1, 0)
        assert add(ledger, told("a"), told("b")) == OutcomesAdded(0, 2, 0)
        assert len(ledger.outcomes()) == 2

    def test_the_later_word_wins_and_the_former_is_kept(self, ledger):
        first, second, third = (told("a", status=status) for status in ("failure", "success", "other"))
        add(ledger, first)
        assert add(ledger, second, third, at=LATER + HOUR) == OutcomesAdded(0, 0, 2)
        assert ledger.outcomes() == [third]
        kept = (Replaced(first, LATER + HOUR), Replaced(second, LATER + HOUR))
        assert ledger.outcome("a") == (third, kept)

    def test_an_old_word_told_again_changes_nothing(self, ledger):
        old, new = told("a", value_pusd=1), told("a", value_pusd=2)
        add(ledger, old)
        add(ledger, new)
        assert add(ledger, old, new) == OutcomesAdded(0, 2, 0)
        assert ledger.outcomes() == [new]

    def test_when_it_was_told_is_no_news(self, ledger):
        add(ledger, told("a"), told("b", at=NOON, at_assumed=True))
        again = add(ledger, told("a", at=LATER, at_assumed=True), told("b", at=LATER, at_assumed=True))
        assert again == OutcomesAdded(0, 2, 0)
        assert [one.happened_at for one in ledger.outcomes()] == [NOON, NOON]

    @pytest.mark.parametrize(
        "wrong",
        [
            told(at=NOON.replace(tzinfo=None)),
            told(at=NOON.replace(year=9999)),
            told(""),
            Outcome(outcome_id="a", happened_at=NOON),
            Outcome(outcome_id="a", happened_at=NOON, session="s", tag_name="half"),
            told(value_pusd=10**27 + 1),
            told(dims={"session": "x"}),
        ],
    )
    def test_what_no_ledger_keeps_is_refused_and_nothing_written(self, ledger, wrong):
        with pytest.raises(LedgerFault, match="nothing was written"):
            add(ledger, told("fine"), wrong)
        assert ledger.outcomes() == []

    def test_what_was_told_is_there_after_reopening(self, path):
        with DuckDBLedger(path) as ledger:
            add(ledger, told("a"))
            add(ledger, told("a", value_pusd=5))
        with DuckDBLedger(path) as ledger:
            assert add(ledger, told("a"), told("c")) == OutcomesAdded(1, 1, 0)
            assert [one.value_pusd for one in ledger.outcomes()] == [5, None]

    def test_batches_change_nothing(self, monkeypatch, path):
        monkeypatch.setattr(outcome_tables, "_AT_ONCE", 2)
        with DuckDBLedger(path) as ledger:
            given = [told(str(n % 4), value_pusd=n // 4) for n in range(12)]
            assert add(ledger, *given) == OutcomesAdded(4, 0, 8)
            assert [one.value_pusd for one in ledger.outcomes()] == [2, 2, 2, 2]
            assert [old.outcome.value_pusd for old in ledger.outcome("1")[1]] == [0, 1]

    def test_a_closed_ledger_says_so(self, ledger):
        ledger.close()
        for use in (ledger.outcomes, lambda: add(ledger, told()), lambda: ledger.shares(Query())):
            with pytest.raises(LedgerFault, match="closed"):
                use()


class TestJoining:
    @pytest.mark.parametrize("request_id", ["c", "msg_c", "req_c", "gw-1"])
    def test_a_request_is_any_of_a_calls_names(self, ledger, request_id):
        ledger.add([call("c", gateway="gw-1"), call("d", 2)])
        add(ledger, told(request=request_id))
        assert set(ledger.shares(Query())) == {
            Share("o", "request", (), Kind.MEASURED, 1, 0, 1),
            Share(None, None, (), Kind.MEASURED, 1, 0, 2),
        }

    def test_sessions_tags_and_dimensions(self, ledger):
        ledger.add(
            [
                call("a", 1, n="1", session="s"),
                call("b", 2, n="2", branch="x"),
                call("c", 4, n="3", project="p"),
                call("d", 8, n="4", session="", branch="y"),
            ]
        )
        add(ledger, told("S", session="s"), told("T", tag=("branch", "x")), told("P", tag=("project", "p")))
        assert owners(ledger) == {1: "S", 2: "T", 4: "P", 8: None}

    def test_the_narrower_name_goes_first(self, ledger):
        ledger.add([call("a", 1, n="1", session="s", branch="x"), call("b", 2, n="2", session="s", branch="x")])
        add(ledger, told("1-tag", tag=("branch", "x")), told("2-session", session="s"), told("3-call", request="a"))
        assert owners(ledger) == {1: "3-call", 2: "2-session"}

    def test_the_first_outcome_at_or_after_the_call_or_else_the_last(self, ledger):
        minutes = {1: -1, 2: 0, 4: 1, 8: 60, 16: 61}
        ledger.add([call(str(n), n, n=str(n), session="s", at=NOON + timedelta(minutes=m)) for n, m in minutes.items()])
        add(ledger, told("first", session="s"), told("last", session="s", at=NOON + HOUR))
        assert owners(ledger) == {1: "first", 2: "first", 4: "last", 8: "last", 16: "last"}

    def test_one_after_the_call_goes_before_a_nearer_one_before_it_whatever_names_them(self, ledger):
        ledger.add([call("a", 1, n="1", branch="x", team="y"), call("b", 2, n="2", session="s", tenant="acme")])
        add(
            ledger,
            told("before", tag=("branch", "x"), at=NOON - HOUR),
            told("after", tag=("team", "y"), at=NOON + 9 * HOUR),
            told("anybody's before", session="s", at=NOON - HOUR),
            told("acme's after", session="s", at=NOON + 9 * HOUR, dims={"tenant": "acme"}),
        )
        assert owners(ledger) == {1: "after", 2: "acme's after"}

    def test_of_outcomes_at_one_instant_the_smallest_id(self, ledger):
        ledger.add([call("a", 1, n="1", session="s", at=NOON - HOUR), call("b", 2, n="2", session="s", at=LATER)])
        add(ledger, told("y", session="s"), told("x", session="s"), told("z", session="s"))
        assert owners(ledger) == {1: "x", 2: "x"}

    def test_no_outcome_takes_another_tenants_calls(self, ledger):
        ledger.add([call("a", 1, n="1", session="s", tenant="acme"), call("b", 2, n="2", session="s", tenant="bolt")])
        ledger.add([call("c", 4, n="3", session="s")])
        add(ledger, told("A", session="s", dims={"tenant": "acme"}))
        assert owners(ledger) == {1: "A", 2: None, 4: "A"}
        add(ledger, told("B", session="s", at=NOON + HOUR))
        assert owners(ledger) == {1: "A", 2: "B", 4: "A"}

    def test_several_names_of_one_outcome_add_up(self, ledger):
        ledger.add([call("a", 1, n="1", session="s"), call("b", 2, n="2"), call("c", 4, n="3", branch="x")])
        add(ledger, told("all", session="s", request="msg_b", tag=("branch", "x")))
        assert owners(ledger) == {1: "all", 2: "all", 4: "all"}

    def test_a_correction_moves_calls(self, ledger):
        ledger.add([call("a", 1, n="1", session="s"), call("b", 2, n="2", session="t")])
        add(ledger, told("o", session="s"))
        add(ledger, told("o", session="t"))
        assert owners(ledger) == {1: None, 2: "o"}

    def test_range_filters_and_keys(self, ledger):
        ledger.add(
            [
                call("a", 1, session="s", tenant="acme", at=NOON - HOUR),
                call("b", 2, session="s", tenant="acme"),
                call("c", 4, session="s", tenant="bolt"),
                call("d", None, session="s", tenant="acme", kind=Kind.ASSUMED),
            ]
        )
        add(ledger, told(session="s"))
        found = ledger.shares(Query(by=("tenant",), since=NOON, where={"tenant": ("acme",)}))
        assert set(found) == {
            Share("o", "session", ("acme",), Kind.MEASURED, 1, 0, 2),
            Share("o", "session", ("acme",), Kind.ASSUMED, 1, 1, 0),
        }

    def test_a_contract_price_is_at_list_where_there_is_none(self, ledger):
        ledger.add([call("a", 10, contract=7), call("b", 20), call("c", None, contract=3), call("d", None)])
        assert [share[-3:] for share in ledger.shares(Query())] == [(4, 2, 30)]
        assert [share[-3:] for share in ledger.shares(Query(), "contract")] == [(4, 1, 30)]

    def test_an_unknown_dimension_is_refused(self, ledger):
        with pytest.raises(BadInput, match="nonsense"):
            ledger.shares(Query(by=("nonsense",)))

    def test_an_empty_ledger(self, ledger):
        assert ledger.shares(Query(by=("tenant",))) == []
        assert ledger.tail(Query())[:4] == (0, 0, 0, 0)


class TestTail:
    def test_the_dearest_hundredth_and_twentieth_are_rounded_up(self, ledger):
        ledger.add([call(f"{n:03}", n) for n in range(1, 102)] + [call("none", None)])
        tail = ledger.tail(Query())
        assert tail[:4] == (101, 101 * 102 // 2, 101 + 100, sum(range(96, 102)))
        assert [one.pusd for one in tail.dearest] == list(range(101, 91, -1))
        assert tail.dearest[0][:3] == ("101", NOON, "m")

    def test_equal_calls_by_id_within_filters(self, ledger):
        ledger.add([call(name, 5, tenant="acme") for name in "cab"] + [call("z", 9)])
        tail = ledger.tail(Query(where={"tenant": ("acme",)}))
        assert (tail.top_1_pusd, [one.call_id for one in tail.dearest]) == (5, ["a", "b", "c"])


# -- both engines alike -----------------------------------------------------------------------------------------------

few = st.sampled_from(("x", "y", "z"))
maybe = st.one_of(st.none(), few)
instants = st.integers(-4, 4).map(lambda n: NOON + n * HOUR)
tag_names = st.sampled_from(("branch", "team", "project", "tenant", "gateway_call"))


@st.composite
def outcomes(draw):
    tag_name = draw(st.one_of(st.none(), tag_names))
    session, request = draw(maybe), draw(st.sampled_from((None, "x", "y", "msg_1", "req_2", "3")))
    if not (session or request or tag_name):
        session = "x"
    tenant = draw(maybe)
    return Outcome(
        outcome_id=draw(st.sampled_from("abcdefgh")),
        happened_at=draw(instants),
        status=draw(st.sampled_from(("success", "failure", "other"))),
        session=session,
        request=request,
        tag_name=tag_name,
        tag_value=draw(few) if tag_name else None,
        dims={"tenant": tenant} if tenant else {},
        at_assumed=draw(st.booleans()),
    )


@st.composite
def histories(draw):
    """Calls, each with a cost of its own, and outcomes that are told, repeated and corrected."""
    dims = st.fixed_dictionaries({}, optional=dict.fromkeys(("tenant", "session", "branch", "team", "project"), few))
    calls = [
        call(
            str(n),
            draw(st.one_of(st.none(), st.just(2**n), st.just(2**70 + n))),
            at=draw(instants),
            kind=draw(st.sampled_from(list(Kind))),
            contract=draw(st.sampled_from((None, 3**n))),
            gateway=draw(maybe),
            **draw(dims),
        )
        for n in range(draw(st.integers(0, 8)))
    ]
    return calls, draw(st.lists(outcomes(), max_size=10))


@st.composite
def queries(draw):
    edge = st.one_of(st.none(), instants)
    by = draw(st.lists(st.sampled_from(("tenant", "tag:team", "model", "session")), max_size=2, unique=True))
    where = draw(st.sampled_from(({}, {"tenant": ("x", "")}, {"tag:team": ("y",)})))
    return Query(by=tuple(by), since=draw(edge), until=draw(edge), where=where)


@pytest.fixture(scope="module")
def duck():
    with DuckDBLedger(Path(":memory:")) as opened:
        yield opened


def emptied(duck):
    for table in ("calls", "passes", "rollup", "requests", "outcomes", "replaced_outcomes"):
        duck._connection.execute(f"DELETE FROM {table}")


@settings(max_examples=60, deadline=None)
@given(history=histories(), query=queries(), tenants=st.sampled_from(((), ("x",), ("x", "y"))))
def test_outcomes_of_some_tenants_take_calls_as_if_there_were_no_others(duck, history, query, tenants):
    calls, events = history
    whole, without = MemoryLedger(), MemoryLedger()
    emptied(duck)
    for engine in (whole, duck, without):
        engine.add(calls)
    add(duck, *events)
    add(whole, *events)
    kept = [outcome for outcome in whole.outcomes() if outcome.tenant in tenants]
    add(without, *kept)
    wanted = sorted(without.shares(query), key=str)
    for engine in (whole, duck):
        assert sorted(engine.shares(query, tenants=tenants), key=str) == wanted
        assert engine.outcomes(tenants) == kept
        assert engine.outcome_count(tenants) == len(kept)
        assert engine.outcome_count() == len(engine.outcomes())


@settings(max_examples=80, deadline=None)
@given(history=histories(), query=queries(), basis=st.sampled_from(("list", "contract")))
def test_both_engines_say_the_same_and_every_picodollar_is_somewhere(duck, history, query, basis):
    calls, events = history
    plain = MemoryLedger()
    emptied(duck)
    for engine in (plain, duck):
        engine.add(calls)
    half = len(events) // 2
    for batch in (events[:half], events[half:]):
        assert add(plain, *batch) == add(duck, *batch)
    assert plain.outcomes() == duck.outcomes()
    for outcome in plain.outcomes():
        assert plain.outcome(outcome.outcome_id) == duck.outcome(outcome.outcome_id)
    shares = plain.shares(query, basis)
    assert sorted(shares, key=str) == sorted(duck.shares(query, basis), key=str)
    assert plain.tail(query, basis) == duck.tail(query, basis)
    (total,) = plain.report(Query(since=query.since, until=query.until, where=query.where))
    cost = total.list_pusd if basis == "list" else total.contract_pusd
    assert (sum(share.pusd for share in shares), sum(share.calls for share in shares)) == (cost, total.calls)
