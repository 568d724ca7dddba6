"""Whatever is done to both engines, they answer alike; and the rollup answers like the calls it sums."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farthing.call import Call, ExtraPass, PassKind, PromptBlock, Request, Served, Usage, call_identity
from farthing.ledger import relations, reprice
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.ledger.memory import MemoryLedger
from farthing.prices.book import PriceBook, shipped_book
from farthing.units import Kind

BOOK = shipped_book()
FLAT_BOOK = PriceBook([m for m in BOOK.models if m.family != "opus"], BOOK.modifiers, BOOK.sources, version="no opus")
NOON = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # clocks change in Europe an hour later
MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805", "claude-nobody-knows")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana")
BY = (
    "model",
    "tenant",
    "kind",
    "stop_reason",
    "user",
    "tag:team",
    "hour_of_day",
    "weekday",
    "source",
    "prompt_version",
)

SLICE = reprice._SLICE

SHARED = (PromptBlock(b"t" * 16, 7, "tools"), PromptBlock(b"s" * 16, 5, "system", "1h"))
REQUESTS = (
    None,
    None,
    Request(model="claude-opus-4-1", stream=True, effort="\ud83d"),
    Request(max_tokens=2**62, blocks=SHARED),
    Request(blocks=(*SHARED, PromptBlock(b"m" * 16, 0, "messages", "5m"), PromptBlock(b"n" * 16, 1, "messages"))),
)

names = st.sampled_from(("a", "b", "c", "d", "e", "", "\ud83d"))
amounts = st.one_of(st.none(), st.integers(0, 5), st.integers(0, 2**70))


@st.composite
def records(draw):
    message = draw(names) or None
    request = draw(st.sampled_from((None, None, "r1", "r2")))
    served = Served(
        model=draw(st.sampled_from(MODELS)),
        usage=Usage(draw(st.integers(0, 3)), output_tokens=draw(st.integers(0, 4))),
        extra_passes=draw(st.sampled_from(((), (), (ExtraPass(PassKind.COMPACTION, Usage(1, output_tokens=1)),)))),
        stop_reason=draw(st.sampled_from((None, "end_turn", "refusal"))),
        kind=draw(st.sampled_from(list(Kind))),
        message_id=message,
        request_id=request,
        notes=draw(st.sampled_from(((), ("a note",)))),
    )
    own = draw(st.sampled_from(("own-1", "own-2", "a", "a:r1")))
    low = draw(amounts)
    call = Call(
        call_id=call_identity(message, request) or own,
        sent_at=NOON + timedelta(minutes=draw(st.integers(-3000, 3000))),
        source=draw(st.sampled_from(("gateway", "jsonl"))),
        served=served,
        dims=draw(
            st.dictionaries(
                st.sampled_from(("tenant", "user", "team", "prompt_version", "recovered")), names, max_size=3
            )
        ),
        request=draw(st.sampled_from(REQUESTS)),
    )
    return Stored(
        call,
        Posting(
            list_pusd=draw(amounts),
            low_pusd=low,
            high_pusd=draw(amounts),
            contract_pusd=draw(amounts),
            kind=draw(st.sampled_from(list(Kind))),
            unpriced=draw(st.sampled_from(((), ("why",)))),
        ),
    )


@st.composite
def queries(draw):
    edges = st.one_of(st.none(), st.integers(-50, 50).map(lambda h: NOON + timedelta(minutes=30 * h)))
    return Query(
        by=tuple(draw(st.lists(st.sampled_from(BY), max_size=3, unique=True))),
        bucket=draw(st.sampled_from((None, "hour", "day", "week", "month"))),
        since=draw(edges),
        until=draw(edges),
        where=draw(
            st.dictionaries(
                st.sampled_from(("tenant", "model", "tag:team", "kind", "weekday")),
                st.lists(st.sampled_from(("a", "", "measured", *MODELS, "6")), max_size=3).map(tuple),
                max_size=1,
            )
        ),
        timezone=draw(st.sampled_from(ZONES)),
        limit=draw(st.sampled_from((None, None, 1, 2))),
        others=draw(st.booleans()),
    )


def by_source(call, bill):
    """A contract that depends on the call as well as on its bill, and gives some of both no price."""
    return None if bill.list_pusd is None or call.source == "jsonl" else bill.list_pusd // 3


def no_price(_call, _bill):
    return None


class BothEngines(RuleBasedStateMachine):
    @initialize()
    def open(self):
        reprice._SLICE = 3
        self.plain = MemoryLedger()
        self.duck = DuckDBLedger(Path(":memory:"))

    def teardown(self):
        reprice._SLICE = SLICE
        self.duck.close()

    @rule(batch=st.lists(records(), max_size=8))
    def add(self, batch):
        assert self.plain.add(batch) == self.duck.add(batch)

    @rule(
        book=st.sampled_from((BOOK, FLAT_BOOK)),
        since=st.sampled_from((None, NOON)),
        preview=st.booleans(),
        contract=st.sampled_from((None, None, by_source, no_price)),
    )
    def reprice(self, book, since, preview, contract):
        plain, duck = (
            engine.reprice(book, reason="test", made_at=NOON, since=since, preview=preview, contract=contract)
            for engine in (self.plain, self.duck)
        )
        assert plain == duck

    @precondition(lambda self: any(not c.reverted for c in self.plain.corrections()))
    @rule()
    def revert(self):
        latest = max(c.correction_id for c in self.plain.corrections() if not c.reverted)
        assert self.plain.revert(latest) == self.duck.revert(latest)

    @rule(query=queries())
    def report(self, query):
        expected = dated(self.plain.report(query))
        assert dated(self.duck.report(query)) == expected
        assert dated(self.duck._report(query, "measures")) == expected
        assert list(self.plain.calls(query)) == list(self.duck.calls(query))
        assert self.plain.hours(query) == self.duck.hours(query)
        assert self.plain.latest(query, 2, 1) == self.duck.latest(query, 2, 1)
        names = ("tenant", "model", "tag:team", "user")
        for some in (names[:2], names):
            assert self.plain.dearest(query, some, 2) == self.duck.dearest(query, some, 2)

    @rule(name=st.sampled_from(("a", "a:r1", "r1", "own-1", "none")))
    def get(self, name):
        assert self.plain.get(name) == self.duck.get(name)

    @invariant()
    def same_calls_corrections_and_sums(self):
        if not hasattr(self, "plain"):
            return
        assert list(self.plain.calls(Query())) == list(self.duck.calls(Query()))
        assert self.plain.corrections() == self.duck.corrections()
        everything = ("model", "tenant", "kind", "stop_reason", "source")
        for bucket, by, relation in (
            ("hour", everything, "rollup"),
            ("day", everything, "rollup_days"),
            ("hour", ("feature", "model", "kind"), relations.hourly(("feature", "model"))),
            ("hour", ("tenant", "kind"), relations.hourly(("tenant",))),
            ("day", ("source", "model", "kind"), relations.daily(("source", "model"))),
        ):
            query = Query(by=by, bucket=bucket)
            assert dated(self.duck._report(query, relation)) == dated(self.plain.report(query))


def dated(rows):
    """Rows with their start in UTC: in one zone, times compare by wall clock, and an hour may come twice."""
    return [msgspec.structs.replace(row, start=row.start and row.start.astimezone(UTC)) for row in rows]


TestBothEngines = BothEngines.TestCase
TestBothEngines.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


def test_chunks_change_nothing(monkeypatch, make):
    """A batch that is cut into chunks is posted as if it were one."""
    from farthing.ledger import duckdb

    monkeypatch.setattr(duckdb, "_CHUNK", 2)
    batch = [
        make(n, usage=Usage(output_tokens=o)) for n, o in zip("abcabdaab", (1, 5, 2, 3, 5, 1, 9, 2, 7), strict=True)
    ]
    with DuckDBLedger(Path(":memory:")) as duck, MemoryLedger() as plain:
        assert duck.add(batch) == plain.add(batch)
        assert list(duck.calls(Query())) == list(plain.calls(Query()))
        assert duck.report(Query(bucket="hour")) == plain.report(Query(bucket="hour"))


def test_merging_the_rollup_changes_no_sum(monkeypatch, make):
    from farthing.ledger import rollup

    monkeypatch.setattr(rollup, "LOOSE_MAX", 3)
    query = Query(by=("tenant", "kind"), bucket="hour")
    with DuckDBLedger(Path(":memory:")) as duck:
        for number in range(20):
            duck.add([make("same", usage=Usage(output_tokens=number)), make(str(number), dims={"tenant": "t"})])
            assert duck._report(query, "rollup") == duck._report(query, "measures")
            days = msgspec.structs.replace(query, bucket="day")
            assert duck._report(days, "rollup_days") == duck._report(days, "measures")
            for asked in (query, days):
                assert duck.report(asked) == duck._report(asked, "measures")
        for table in ("rollup", "rollup_days", "rollup_rates"):
            assert duck._number(f"SELECT count(*) FROM {table}") < 12
        for table in ("rollup_names", "rollup_name_days"):
            assert duck._number(f"SELECT count(*) FROM {table} WHERE name = 'tenant'") < 12


@pytest.mark.parametrize("bucket", [None, "hour", "day", "month"])
def test_edges_at_the_ends_of_the_calendar_are_as_good_as_none(make, bucket):
    ahead, behind = (timezone(timedelta(hours=hours)) for hours in (14, -12))
    beginnings = (datetime(1, 1, 1, tzinfo=ahead), datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
    ends = (datetime(9999, 12, 31, 23, tzinfo=behind), datetime(9999, 12, 31, 23, 30, tzinfo=UTC))
    calls = [
        make("a", at=datetime(1970, 1, 1, tzinfo=UTC)),
        make("b"),
        make("c", at=datetime(2200, 12, 31, tzinfo=UTC)),
    ]
    with DuckDBLedger(Path(":memory:")) as duck, MemoryLedger() as plain:
        assert duck.add(calls) == plain.add(calls)
        everything = Query(bucket=bucket)
        assert duck.report(everything) == plain.report(everything)
        for since, until in itertools.product((None, *beginnings), (None, *ends)):
            query = Query(bucket=bucket, since=since, until=until)
            assert duck.report(query) == plain.report(query) == plain.report(everything)
            assert list(duck.calls(query)) == calls
            assert duck.hours(query) == plain.hours(query)
        for query in [Query(bucket=bucket, since=end) for end in ends] + [Query(until=start) for start in beginnings]:
            assert dated(duck.report(query)) == dated(plain.report(query))
            assert list(duck.calls(query)) == []
        for since in ends:
            again = [
                ledger.reprice(BOOK, reason="r", made_at=NOON, since=since, preview=True) for ledger in (duck, plain)
            ]
            assert again[0] == again[1]


def test_a_record_whose_call_moves_to_another_id_before_it_is_no_longer_known(make):
    """Its call id is a message's alone; a better record of that message in the same batch changes the call's id."""
    first = make("a", request=None)
    better = make("a", request="r")
    bare = msgspec.structs.replace(first.call, served=msgspec.structs.replace(first.call.served, message_id=None))
    batch = [better, Stored(bare, first.posting)]
    with DuckDBLedger(Path(":memory:")) as duck, MemoryLedger() as plain:
        for some in ([first], batch, batch):
            assert duck.add(some) == plain.add(some)
            assert list(duck.calls(Query())) == list(plain.calls(Query()))


@pytest.mark.parametrize("dimension", ["tag:team", "tenant", "weekday"])
@pytest.mark.parametrize("values", [(), ("",), ("a",), ("a", "")])
def test_a_filter_keeps_what_it_names_and_without_names_nothing(make, dimension, values):
    calls = [make(str(n), dims=dims) for n, dims in enumerate(({}, {"team": "a", "tenant": "a"}, {"team": "b"}))]
    with DuckDBLedger(Path(":memory:")) as duck, MemoryLedger() as plain:
        assert duck.add(calls) == plain.add(calls)
        query = Query(by=("tenant",), where={dimension: values})
        assert duck.report(query) == plain.report(query)
        assert list(duck.calls(query)) == list(plain.calls(query))
