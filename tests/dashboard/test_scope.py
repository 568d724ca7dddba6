"""Whatever is asked, a scope answers with its own calls alone."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dashboard.made import NOW

from farthing.dashboard.scope import Reader, Scope
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.ledger.outcome import Outcome
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.whatif.replay.choice import Choice

TENANTS = ("tenant-01", "tenant-02", "tenant-03")
WHERE = st.dictionaries(
    st.sampled_from(["tenant", "tag:tenant", "feature", "model"]),
    st.lists(st.sampled_from([*TENANTS, "", "nobody", "support-chat", "coding-agent"]), max_size=3).map(tuple),
    max_size=3,
)
QUERIES = st.builds(
    Query,
    by=st.lists(st.sampled_from(["tenant", "feature", "model", "session"]), max_size=2, unique=True).map(tuple),
    bucket=st.sampled_from([None, "day", "month"]),
    where=WHERE,
    limit=st.sampled_from([None, 1, 3]),
)


class Shelf:
    """A shelf without a cache."""

    def __init__(self, ledger):
        self._ledger = ledger

    def ledger(self):
        return self._ledger

    def kept(self, _key, make):
        return make(self._ledger)

    is_old = False

    def unsettled(self):
        return ["somebody's"]


def ledger_of(calls):
    book, made = shipped_book(), MemoryLedger()
    made.add(Stored(call, Posting.of(price_served(book, call.served, call.sent_at))) for call in calls)
    return made


@pytest.fixture(scope="module")
def alone(calls):
    """Ledgers of the calls that each scope may see."""
    return {
        kept: ledger_of([call for call in calls if call.dims.get("tenant") in kept])
        for kept in (TENANTS[:1], TENANTS[1:2], TENANTS[:2])
    }


@settings(max_examples=60)
@given(query=QUERIES, kept=st.sampled_from([TENANTS[:1], TENANTS[1:2], TENANTS[:2]]))
def test_a_narrowed_question_is_answered_as_if_there_were_no_other_calls(ledger, alone, query, kept):
    scoped, own = Reader(Shelf(ledger), Scope(kept)), Reader(Shelf(alone[kept]), Scope())
    assert scoped.report(query) == own.report(query)
    assert [one.call.call_id for one in scoped.calls(query)] == [one.call.call_id for one in own.calls(query)]


def test_one_call_is_there_for_its_tenant_alone(ledger, calls):
    own, other = Reader(Shelf(ledger), Scope(("tenant-01",))), Reader(Shelf(ledger), Scope(("tenant-02",)))
    call = next(call for call in calls if call.dims["tenant"] == "tenant-01")
    for name in (call.call_id, call.served.message_id, call.served.request_id):
        if name:
            assert own.get(name).call == call
            assert other.get(name) is None


TOLD = st.lists(
    st.builds(
        Outcome,
        outcome_id=st.sampled_from("abcdef"),
        happened_at=st.sampled_from([NOW, NOW - timedelta(days=1)]),
        session=st.sampled_from(["tenant-01-00001", "tenant-02-00001", "tenant-03-00001", "nobody's"]),
        value_pusd=st.sampled_from([None, 1, 2]),
        dims=st.sampled_from([{}, *({"tenant": name} for name in TENANTS)]),
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(query=QUERIES, kept=st.sampled_from([TENANTS[:1], TENANTS[:2]]), told=TOLD)
def test_outcomes_are_joined_as_if_there_were_only_those_that_may_be_seen(calls, query, kept, told):
    few = [call for call in calls if call.dims.get("session") in {one.session for one in told}]
    everybody, own = ledger_of(few), ledger_of([call for call in few if call.dims["tenant"] in kept])
    for one in told:  # one after the other: a later word of the same id corrects the earlier one
        everybody.add_outcomes([one], received_at=NOW)
    mine = [one for one in everybody.outcomes() if one.tenant in kept]
    own.add_outcomes(mine, received_at=NOW)
    scoped, alone = Reader(Shelf(everybody), Scope(kept)), Reader(Shelf(own), Scope())
    assert scoped.outcomes() == alone.outcomes() == mine
    assert scoped.outcome_count() == len(mine)
    assert sorted(scoped.shares(query), key=str) == sorted(alone.shares(query), key=str)
    assert scoped.tail(query) == alone.tail(query)
    for name in "abcdef":
        found = scoped.outcome(name)
        assert (found is not None) == (name in [one.outcome_id for one in mine])
        assert found is None or all(one.outcome.tenant in kept for one in found[1])


def test_calls_are_replayed_as_if_there_were_no_others(ledger, alone):
    choices = (Choice.of(batch=True), Choice.of(model="claude-haiku-5-5"))
    scoped, own = Reader(Shelf(ledger), Scope(TENANTS[:1])), Reader(Shelf(alone[TENANTS[:1]]), Scope())
    found = scoped.replayed(Query(), choices, shipped_book())
    assert found.to_json() == own.replayed(Query(), choices, shipped_book()).to_json()
    assert found.steps[0].saved_pusd > 0


def test_what_is_nobodys_in_particular_is_not_for_a_tenant(ledger):
    assert Reader(Shelf(ledger), Scope(("tenant-01",))).unsettled() == []
    assert Reader(Shelf(ledger), Scope(("tenant-01",))).corrections() == []
    assert Reader(Shelf(ledger), Scope()).unsettled() == ["somebody's"]
