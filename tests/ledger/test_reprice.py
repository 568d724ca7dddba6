"""SQL and the price engine agree to the picodollar, and SQL does the bulk of the work."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, ExtraPass, PassKind, Served, Usage
from farthing.ledger import corrections, reprice
from farthing.ledger.duckdb import DuckDBLedger
from farthing.ledger.interface import Posting, Query, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.prices.names import CHANNELS
from farthing.units import Kind

BOOK = shipped_book()
NOWHERE = Posting(list_pusd=1, low_pusd=1, high_pusd=1, book_version="none")
IDS = [(channel, name) for channel in CHANNELS for name in BOOK.names.all_ids(channel)]
DAYS = sorted(
    {
        day + timedelta(days=shift)
        for model in BOOK.models
        for row in model.rate
        for day in (row.valid_from, row.valid_to)
        if day is not None
        for shift in (-1, 0)
    }
    | {date(2024, 10, 8), date(2025, 5, 6), date(2025, 5, 7), date(2026, 6, 2), date(2026, 9, 24), date(2026, 11, 20)}
)
COUNTS = (0, 0, 1, 999, 50_000, 100_000, 100_001, 200_000, 200_001, 2**40)


def random_call(rng, number):
    channel, model = rng.choice(IDS) if rng.random() < 0.97 else ("claude_api", "claude-nobody-knows")
    usage = Usage(
        *(rng.choice(COUNTS) if rng.random() < 0.6 else 0 for _ in range(5)),
        0,
        *(rng.choice((0, 0, 0, 0, 0, 0, 1, 3)) for _ in range(3)),
    )
    extra = ()
    if rng.random() < 0.05:
        other = rng.choice((None, model, "claude-haiku-4-5-20251001"))
        extra = (ExtraPass(rng.choice(list(PassKind)), Usage(5, output_tokens=rng.choice((0, 7))), other),)
    served = Served(
        model=model,
        usage=usage,
        extra_passes=extra,
        channel=channel,
        location=rng.choice((None, None, "global", "eu-west-1")),
        service_tier=rng.choice(("standard", "standard", "standard", "batch", "priority", "odd")),
        speed=rng.choice(("standard", "standard", "standard", "fast")),
        inference_geo=rng.choice((None, None, "", "global", "not_available", "us", "eu")),
        stop_reason=rng.choice((None, "end_turn", "end_turn", "end_turn", "refusal")),
        refusal_category=rng.choice((None, "bio", "other")),
        output_started=rng.choice((None, True, False)),
        prompt_tokens_max_in_one_pass=rng.choice((None, None, None, 90_000, 150_000, 250_000)),
        calls_in_total=rng.choice((1, 1, 1, 1, 7, None)),
        kind=rng.choice(list(Kind)),
    )
    at = datetime.combine(rng.choice(DAYS), rng.choice((time(0), time(23, 59, 59, 999_999))), tzinfo=UTC)
    return Stored(Call(call_id=f"call-{number}", sent_at=at, source="test", served=served), NOWHERE)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_sql_and_engine_agree_on_random_calls(seed):
    rng = random.Random(seed)
    records = [random_call(rng, number) for number in range(600)]
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add(records)
        ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))
        posted = {stored.call.call_id: stored.posting for stored in ledger.calls(Query())}
    for stored in records:
        bill = price_served(BOOK, stored.call.served, stored.call.sent_at)
        assert posted[stored.call.call_id] == Posting.of(bill), stored.call


def test_every_model_on_both_sides_of_its_dates_and_bands():
    records = []
    for channel, model in IDS:
        for day in DAYS:
            for prompt in (100_000, 100_001, 200_001):
                served = Served(model=model, channel=channel, usage=Usage(prompt, output_tokens=3), location="global")
                at = datetime.combine(day, time(12), tzinfo=UTC)
                records.append(Stored(Call(call_id=str(len(records)), sent_at=at, source="t", served=served), NOWHERE))
    records = records[:: max(1, len(records) // 6000)]
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add(records)
        ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))
        for stored in ledger.calls(Query()):
            assert stored.posting == Posting.of(price_served(BOOK, stored.call.served, stored.call.sent_at))


@pytest.mark.parametrize(
    ("ordinary", "served"),
    [
        (True, {}),
        (True, {"calls_in_total": None}),
        (True, {"model": "claude-nobody-knows"}),
        (True, {"service_tier": "priority"}),
        (True, {"model": "claude-haiku-5-5", "usage": Usage(100_001)}),
        (False, {"model": "claude-haiku-5-5", "usage": Usage(100_001), "calls_in_total": 2}),
        (False, {"model": "claude-haiku-5-5", "usage": Usage(100_001, web_fetch_requests=1)}),
        (False, {"stop_reason": "refusal"}),
        (False, {"usage": Usage(code_execution_requests=1)}),
        (False, {"extra_passes": (ExtraPass(PassKind.COMPACTION, Usage(1)),)}),
    ],
)
def test_the_engine_is_asked_only_where_a_call_has_a_rule_of_its_own(monkeypatch, make, ordinary, served):
    asked = []
    monkeypatch.setattr(corrections, "price_served", lambda *call: asked.append(call) or price_served(*call))
    record = make("a", at=datetime(2026, 11, 1, tzinfo=UTC), posting=NOWHERE, **served)
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add([record])
        ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))
        right = Posting.of(price_served(BOOK, record.call.served, record.call.sent_at))
        assert ledger.get("msg_a").posting == right
    assert (not asked) == ordinary


def test_special_calls_come_in_pages(monkeypatch, make):
    monkeypatch.setattr(reprice, "_PAGE", 3)
    records = [make(str(n), posting=NOWHERE, stop_reason="refusal") for n in range(8)]
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add(records)
        made = ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))
        assert made.changes[0].changed_calls == 8
        assert {s.posting.book_version for s in ledger.calls(Query())} == {BOOK.version}


def test_a_failed_correction_leaves_nothing_behind(monkeypatch, make):
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add([make("a", posting=NOWHERE)])
        before = list(ledger.calls(Query())), ledger.report(Query())
        monkeypatch.setattr(reprice, "_repost", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))
        assert (list(ledger.calls(Query())), ledger.report(Query())) == before
        assert ledger.corrections() == []


@pytest.fixture
def interrupted(monkeypatch):
    """Makes the second slice of the next correction or revert fail."""

    def fail():
        done = []
        real = reprice._repost

        def repost(connection):
            done.append(1)
            real(connection)
            if len(done) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(reprice, "_repost", repost)

    monkeypatch.setattr(reprice, "_SLICE", 3)
    return fail


def answers(ledger):
    sums = [ledger._report(Query(by=("kind",), bucket="hour"), relation) for relation in ("rollup", "measures")]
    assert sums[0] == sums[1]
    return list(ledger.calls(Query())), sums[0], ledger.corrections()


def correct(ledger):
    return ledger.reprice(BOOK, reason="test", made_at=datetime(2026, 11, 20, tzinfo=UTC))


WRONG = Posting(list_pusd=None, low_pusd=None, high_pusd=9, kind=Kind.ASSUMED, unpriced=("nobody asked",))


def test_an_interrupted_correction_is_taken_back_at_once(interrupted, make):
    with DuckDBLedger(Path(":memory:")) as ledger:
        ledger.add([make(str(n), posting=(NOWHERE, WRONG)[n % 2]) for n in range(8)])
        before = answers(ledger)
        interrupted()
        with pytest.raises(KeyboardInterrupt):
            correct(ledger)
        assert answers(ledger) == before
        assert correct(ledger).correction_id == 1


@pytest.mark.parametrize("reverting", [False, True])
def test_a_process_that_ends_in_between_is_recovered_from_on_opening(interrupted, monkeypatch, make, path, reverting):
    with DuckDBLedger(path) as ledger:
        ledger.add([make(str(n), posting=(NOWHERE, WRONG)[n % 2]) for n in range(8)])
        before = answers(ledger)
        if reverting:
            correct(ledger)
        interrupted()
        monkeypatch.setattr(reprice, "recover", no_time_to)
        with pytest.raises(KeyboardInterrupt):
            ledger.revert(1) if reverting else correct(ledger)
    monkeypatch.undo()
    with DuckDBLedger(path) as ledger:
        calls, sums, corrections = answers(ledger)
        assert (calls, sums) == before[:2]
        assert [one.reverted for one in corrections] == ([True] if reverting else [])
        assert ledger._number("SELECT count(*) FROM former_postings") == 0


def no_time_to(_connection):
    raise duckdb.Error("the process was killed")
